"""What BouncingSim's tests pay for programs that know no walls, and what its data sets promise.

A baseline does not see what happens; what it earns in dense mode is paid for nothing (quirk B15). A data set promises
that no scene is twice, none in both parts, none missing, and, where no ball turns, that the oracle's program passes
every scene up to the level medium and nearly all above.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rlgrok.delta.bouncingsim.datasets import build_named, find_set
from rlgrok.delta.bouncingsim.families import LEVELS
from rlgrok.delta.bouncingsim.judging import Judgement, Task, judge_tasks
from rlgrok.delta.bouncingsim.programs import BASELINES, baseline, oracle_text
from rlgrok.delta.bouncingsim.tasks import fingerprint, queries_of, scene_of, setting_of
from rlgrok.delta.bouncingsim.verdicts import shared_sandbox, verify_exhaustive
from rlgrok.types import Problem

ORACLE = "oracle"
MIN_SOLVED = 0.9
"""Share of scenes without turning balls that the oracle must pass. It misses a few in which a ball just touches a
corner: the acceptance rule compares two lengths of the engine's step, not the engine with exact motion."""
PROMISED_LEVELS = LEVELS[:3]
"""In these it must pass every scene without turning balls."""
BATCH = 64
"""Programs handed to the sandbox at once."""


@dataclass(frozen=True)
class Earnings:
    """What one program earns on the problems of one family; means over problems."""

    family: str
    difficulty: str
    program: str
    num_problems: int
    pass_rate: float
    full_pass: float
    """Share of problems passed altogether."""
    mean_error: float
    """Metres."""


@dataclass(frozen=True)
class FalsePassCount:
    """Programs judged on the problems of one family."""

    family: str
    num_programs: int
    num_full_pass: int
    num_false: int
    """Of the full passes, those that fail the stricter verdict: more times, every ball."""
    first_problem: str | None

    @property
    def false_share(self) -> float | None:
        """Of the full passes; None without any."""
        return self.num_false / self.num_full_pass if self.num_full_pass else None


def earnings(problems: Iterable[Problem]) -> list[Earnings]:
    """What the oracle and every baseline earn, by family and level in the order in which they come up."""
    kinds = [ORACLE, *BASELINES]
    pairs = [(problem, kind) for problem in problems if problem.has_oracle for kind in kinds]
    texts = [(problem, program_text(problem, kind)) for problem, kind in pairs]
    found: dict[tuple[str, str, str], list[Judgement]] = defaultdict(list)
    for (problem, kind), judgement in zip(pairs, judge(texts), strict=True):
        found[(problem.family, problem.difficulty, kind)].append(judgement)
    return [
        Earnings(
            family=family,
            difficulty=level,
            program=kind,
            num_problems=len(judgements),
            pass_rate=fmean(one.pass_rate for one in judgements),
            full_pass=fmean(one.full_pass for one in judgements),
            mean_error=fmean(one.mean_error or 0.0 for one in judgements),
        )
        for (family, level, kind), judgements in found.items()
    ]


def program_text(problem: Problem, kind: str) -> str:
    """The oracle's program, or a baseline's, for a problem with parameters."""
    scene = scene_of(problem)
    times = problem.parameters["timestamps"] if setting_of(problem) == "list" else None
    return oracle_text(scene, times) if kind == ORACLE else baseline(kind, scene, times)


def judge(programs: Sequence[tuple[Problem, str]]) -> list[Judgement]:
    """Programs on the tests of their problems, many at once."""
    tasks = [
        Task(text, setting_of(problem), tuple(queries_of(problem))) for problem, text in programs
    ]
    found: list[Judgement] = []
    for begin in range(0, len(tasks), BATCH):
        found += judge_tasks(tasks[begin : begin + BATCH], shared_sandbox())
    return found


def false_passes(programs: Iterable[tuple[Problem, str]]) -> list[FalsePassCount]:
    """Judge programs by the tests and, where they pass, by the stricter verdict; counts by family.

    Args:
        programs: each with the problem it is for, which has parameters.
    """
    given = list(programs)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    first: dict[str, str] = {}
    for (problem, text), judgement in zip(given, judge(given), strict=True):
        row = counts[problem.family]
        row[0] += 1
        if judgement.full_pass:
            row[1] += 1
            if not verify_exhaustive(problem, text).full_pass:
                row[2] += 1
                first.setdefault(problem.family, problem.id)
    return [FalsePassCount(family, *row, first.get(family)) for family, row in counts.items()]


def is_promised(problem: Problem) -> bool:
    """Whether the oracle must pass the tests of a problem with parameters (docs/methods/bouncingsim.md)."""
    return problem.difficulty in PROMISED_LEVELS and not _has_turning_ball(problem)


def _has_turning_ball(problem: Problem) -> bool:
    return any(ball.rotates for ball in scene_of(problem).balls)


def check_set(name: str, *, compat: bool = False) -> Mapping[str, Any]:
    """Build a data set and check it.

    Args:
        name: as for `datasets.find_set`.
        compat: the reference's paths and periods.

    Raises:
        ConfigError: an unknown name.
    """
    wanted, data = find_set(name), build_named(name, compat=compat)
    problems = [*data.train, *data.heldout]
    marks = [fingerprint(problem) for problem in problems]
    known = set(marks[: len(data.train)])
    num_overlapping = sum(mark in known for mark in marks[len(data.train) :])
    judged = judge([(problem, program_text(problem, ORACLE)) for problem in problems])
    turning = [_has_turning_ball(problem) for problem in problems]
    broken = [
        problem.id
        for problem, one in zip(problems, judged, strict=True)
        if is_promised(problem) and not one.full_pass
    ]
    solved = [one.full_pass for one, turns in zip(judged, turning, strict=True) if not turns]
    solved_turning = [one.full_pass for one, turns in zip(judged, turning, strict=True) if turns]
    size = wanted.train.size + (wanted.test.size if wanted.test else 0)
    num_duplicates = len(marks) - len(set(marks)) - num_overlapping
    num_missing = size - len(problems)
    share = fmean(solved) if solved else 1.0
    return {
        "name": name,
        "num_train": len(data.train),
        "num_test": len(data.heldout),
        "num_missing": num_missing,
        "num_duplicates": num_duplicates,
        "num_overlapping": num_overlapping,
        "solved_share": share,
        "solved_share_turning": fmean(solved_turning) if solved_turning else None,
        "num_broken_promises": len(broken),
        "first_broken_promise": broken[0] if broken else None,
        "passed": bool(problems)
        and not (num_missing or num_duplicates or num_overlapping or broken)
        and share >= MIN_SOLVED,
    }
