"""What the tests of problems pay for programs that are not right: constant and other trivial ones, and near misses.

A trivial program does not look at the problem. What it earns in dense mode is paid for nothing; a problem that it
passes altogether is no test. A near miss has one or two wrong edges; if it passes every test and fails the exhaustive
verdict, it is a *false pass*. What surprises: on families that accept every tape, the balanced reward is the plain one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rlgrok.delta.manufactoria.canonical import ACCEPT, acceptor_program
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.exhaustive import verify_exhaustive
from rlgrok.delta.manufactoria.families import ALPHABETS
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.mutants import apply_changes, drawn_mutants
from rlgrok.delta.manufactoria.solutions import oracle_program
from rlgrok.types import Problem, Verdict
from runtime.seeding import Stream

MAX_WRONG = 2
"""Edges that a near miss has wrong, at most."""


@dataclass(frozen=True)
class TrivialEarnings:
    """What one trivial program earns on the problems of one family; means over problems, in [0, 1]."""

    family: str
    program: str
    num_problems: int
    pass_rate: float
    balanced: float
    full_pass: float
    """Share of problems passed altogether: the binary reward."""


@dataclass(frozen=True)
class FamilyTests:
    """The tests of one family's problems."""

    family: str
    num_problems: int
    num_tests: float
    """Mean over problems."""
    accepting_share: float
    """Mean over problems of the share of tests whose tape must be accepted."""


@dataclass(frozen=True)
class FalsePassCount:
    """Programs judged on the problems of one family."""

    family: str
    num_programs: int
    num_full_pass: int
    num_false: int
    """Of the full passes, those that fail the exhaustive verdict."""
    first_problem: str | None
    first_program: str | None
    """One of them, with the problem it fools."""

    @property
    def false_share(self) -> float | None:
        """Of the full passes; None without any."""
        return self.num_false / self.num_full_pass if self.num_full_pass else None


def trivial_programs(alphabet: str) -> dict[str, str]:
    """Name to text of the programs that do not look at the problem.

    `accept all` leaves the tape as it is, so it is the identity of the families that rewrite.
    """
    states: Mapping[str, tuple[list[dict[str, int]], set[int]]] = {
        "accept all": ([], set()),
        "reject all": ([{}], set()),
        "drain": ([dict.fromkeys(alphabet, 0)], {0}),
        "empty tape": ([{}], {0}),
        "any symbol": ([dict.fromkeys(alphabet, ACCEPT)], set()),
        "even length": ([dict.fromkeys(alphabet, 1), dict.fromkeys(alphabet, 0)], {0}),
        "odd length": ([dict.fromkeys(alphabet, 1), dict.fromkeys(alphabet, 0)], {1}),
        **{f"first {symbol}": ([{symbol: ACCEPT}], set()) for symbol in alphabet},
        **{
            f"some {symbol}": ([{c: ACCEPT if c == symbol else 0 for c in alphabet}], set())
            for symbol in alphabet
        },
    }
    texts = {
        name: format_program(acceptor_program(moves, alphabet, accepting))
        for name, (moves, accepting) in states.items()
        if moves
    }
    return {"accept all": "START start:\n    NEXT end\nEND end", **texts}


def trivial_earnings(problems: Iterable[Problem]) -> list[TrivialEarnings]:
    """What every trivial program earns, by family in the order in which families come up."""
    earned: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    programs = {colors: trivial_programs(alphabet) for colors, alphabet in ALPHABETS.items()}
    for problem in problems:
        for name, text in programs[problem.colors].items():
            earned[(problem.family, name)].append(verify(problem, text))
    return [
        TrivialEarnings(
            family=family,
            program=name,
            num_problems=len(verdicts),
            pass_rate=fmean(verdict.pass_rate for verdict in verdicts),
            balanced=fmean(verdict.balanced_pass_rate for verdict in verdicts),
            full_pass=fmean(verdict.full_pass for verdict in verdicts),
        )
        for (family, name), verdicts in earned.items()
    ]


def family_tests(problems: Iterable[Problem]) -> list[FamilyTests]:
    """How many tests the problems of a family have, and how many of them accept."""
    by_family: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_family[problem.family].append(problem)
    return [
        FamilyTests(
            family=family,
            num_problems=len(members),
            num_tests=fmean(len(problem.tests) for problem in members),
            accepting_share=fmean(
                fmean(test.expected_accepted for test in problem.tests) for problem in members
            ),
        )
        for family, members in by_family.items()
    ]


def near_misses(problem: Problem, count: int, *, seed: int = 0) -> Iterator[str]:
    """Texts of programs with one wrong edge, then with two: `count` draws of each, without repeats."""
    program = oracle_program(problem)
    seen: set[str] = set()
    for num_wrong in range(1, MAX_WRONG + 1):
        stream = Stream(seed, "audit", problem.id, num_wrong)
        for changes in drawn_mutants(program, num_wrong, count, stream):
            text = format_program(apply_changes(program, changes))
            if text not in seen:
                seen.add(text)
                yield text


def false_passes(programs: Iterable[tuple[Problem, str]]) -> list[FalsePassCount]:
    """Judge programs by the tests and, where they pass, exhaustively; counts by family.

    Args:
        programs: each with the problem it is for, which has an oracle.
    """
    judged: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    first: dict[str, tuple[str, str]] = {}
    for problem, text in programs:
        counts = judged[problem.family]
        counts[0] += 1
        if verify(problem, text).full_pass:
            counts[1] += 1
            if not verify_exhaustive(problem, text).full_pass:
                counts[2] += 1
                first.setdefault(problem.family, (problem.id, text))
    return [
        FalsePassCount(family, *counts, *first.get(family, (None, None)))
        for family, counts in judged.items()
    ]


def some_of_each_family(problems: Sequence[Problem], count: int, *, seed: int = 0) -> list[Problem]:
    """At most so many problems of every family, drawn; those without an oracle are left out."""
    by_family: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.has_oracle:
            by_family[problem.family].append(problem)
    return [
        problem
        for family, members in by_family.items()
        for problem in Stream(seed, "audit", family).pick(members, min(count, len(members)))
    ]
