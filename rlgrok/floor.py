"""What programs earn that do not look at the problem: the floor that any reward has to be read against.

A reward of .6 says little where a program that knows nothing earns .57. Only scopes with a table of such programs have
a floor; elsewhere it is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rlgrok.types import Judge, Problem, Verdict


def trivial_floor(
    scope: str, problems: Sequence[Problem], *, judge: Judge = Judge.TESTS, balanced: bool = False
) -> list[dict[str, Any]]:
    """The best such program of each family, in the order in which families come up.

    Args:
        scope: name of the problems' scope.
        problems: to earn on.
        judge: whose verdict pays.
        balanced: best by the balanced rate instead of the pass rate.

    Returns:
        A record a family: `family`, `program`, `num_problems`, and means over problems: `pass_rate`, `balanced`,
        `full_pass` (passed altogether); empty where the scope has no such programs.
    """
    if scope != "manufactoria":
        return []
    from rlgrok.delta.manufactoria import SCOPE
    from rlgrok.delta.manufactoria.audit import trivial_programs
    from rlgrok.delta.manufactoria.families import ALPHABETS

    verify = SCOPE.verify_exhaustive if judge is Judge.EXHAUSTIVE else SCOPE.verify
    programs = {colors: trivial_programs(alphabet) for colors, alphabet in ALPHABETS.items()}
    earned: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for problem in problems:
        for name, text in programs[problem.colors].items():
            earned[problem.family, name].append(verify(problem, text))
    key = _key(balanced)
    best: dict[str, dict[str, Any]] = {}
    for (family, name), verdicts in earned.items():
        record: dict[str, Any] = {
            "family": family,
            "program": name,
            "num_problems": len(verdicts),
            "pass_rate": fmean(verdict.pass_rate for verdict in verdicts),
            "balanced": fmean(verdict.balanced_pass_rate for verdict in verdicts),
            "full_pass": fmean(verdict.full_pass for verdict in verdicts),
        }
        if family not in best or record[key] > best[family][key]:
            best[family] = record
    return list(best.values())


def dense_floor(floor: Sequence[Mapping[str, Any]], *, balanced: bool = False) -> float | None:
    """Mean dense reward of each family's best such program, over problems; None without a floor."""
    total = sum(record["num_problems"] for record in floor)
    key = _key(balanced)
    return sum(record[key] * record["num_problems"] for record in floor) / total if total else None


def _key(balanced: bool) -> str:
    return "balanced" if balanced else "pass_rate"
