"""Is a family solved, partly solved or unsolved at k? pass@k curves by family, with exact bounds and a verdict.

Pure: counts in, records out. A verdict is a statement at 95 % confidence about the mean pass@k over the family's
problems, from exact bounds (docs/methods/passk.md, eq. 6 and 9), so zero successes say as much as the number of draws
allows and no more. Where the bounds do not decide, the verdict says so, and how many draws would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rlgrok.evaluation.counts import Evaluation, ProblemCounts
from rlgrok.passk import mean_lower, mean_pass_at_k, pass_at_k, pass_at_k_interval, pooled_upper

SOLVED_FROM = 0.9
"""The mean pass@k is at least this: solved."""
UNSOLVED_TO = 0.1
"""The mean pass@k is at most this: unsolved. The paper's pass@K = 0 is a count; this is what a count can prove."""
ALL = "all"
"""The name under which all problems are pooled."""


class Verdict(StrEnum):
    """What the bounds say at one k."""

    SOLVED = "solved"
    PARTLY = "partly"
    """Above `UNSOLVED_TO` and below `SOLVED_FROM`, both with confidence."""
    UNSOLVED = "unsolved"
    UNDECIDED = "undecided"
    """More draws, or more problems, would tell."""


def family_curves(
    evaluation: Evaluation, families: Mapping[str, str], ks: Sequence[int], *, seed: int
) -> list[dict[str, Any]]:
    """One record a family, and one of all problems together when there are several families.

    Args:
        evaluation: counts of one policy.
        families: family by problem id.
        ks: at most the fewest draws of a problem; larger ones are left out.
        seed: of the bootstrap over problems.

    Returns:
        `family`, `num_problems`, `draws`, `successes`, `verdict` and `verdict_k` (at the largest k at which the bounds
        decide), `draws_needed` (in all, to prove the family unsolved at the largest k; 0 with any success or when
        proved), `curve` (a record a k: `k`, `value`, `low`, `high`, `method`, `lower95`, `upper95`, `verdict`) and
        `problems` (each: `problem_id`, `draws`, `successes`, and pass@k with its exact interval at the largest k).
    """
    groups: dict[str, list[ProblemCounts]] = {}
    for problem in evaluation.problems:
        groups.setdefault(families[problem.problem_id], []).append(problem)
    if len(groups) > 1:
        groups[ALL] = list(evaluation.problems)
    strict = evaluation.is_exhaustive
    return [
        _record(name, problems, ks, strict=strict, seed=seed) for name, problems in groups.items()
    ]


def _record(
    name: str, problems: Sequence[ProblemCounts], ks: Sequence[int], *, strict: bool, seed: int
) -> dict[str, Any]:
    draws = [problem.num_draws for problem in problems]
    successes = [
        (problem.num_exhaustive or 0) if strict else problem.num_passes for problem in problems
    ]
    curve = []
    for k in sorted(k for k in set(ks) if k <= min(draws)):
        estimate = mean_pass_at_k(successes, draws, k, seed=seed)
        lower, upper = mean_lower(successes, draws, k), pooled_upper(successes, draws, k)
        curve.append(
            {
                "k": k,
                **estimate._asdict(),
                "lower95": lower,
                "upper95": upper,
                "verdict": verdict_of(lower, upper),
            }
        )
    decided = [row for row in curve if row["verdict"] is not Verdict.UNDECIDED]
    last = curve[-1]["k"]
    return {
        "family": name,
        "num_problems": len(problems),
        "draws": sum(draws),
        "successes": sum(successes),
        "verdict": decided[-1]["verdict"] if decided else Verdict.UNDECIDED,
        "verdict_k": decided[-1]["k"] if decided else last,
        "draws_needed": draws_needed(last) if not sum(successes) and sum(draws) < draws_needed(last) else 0,
        "curve": curve,
        "problems": [
            {
                "problem_id": problem.problem_id,
                "draws": n,
                "successes": c,
                "pass_at_k": pass_at_k(n, c, last),
                "interval_95": list(pass_at_k_interval(n, c, last)),
            }
            for problem, n, c in zip(problems, draws, successes, strict=True)
        ],
    }


def verdict_of(lower: float, upper: float) -> Verdict:
    """From the exact one-sided 95 % bounds of the mean pass@k."""
    if lower >= SOLVED_FROM:
        return Verdict.SOLVED
    if upper <= UNSOLVED_TO:
        return Verdict.UNSOLVED
    if lower > UNSOLVED_TO and upper < SOLVED_FROM:
        return Verdict.PARTLY
    return Verdict.UNDECIDED


def draws_needed(k: int, level: float = 0.95) -> int:
    """Draws without a success, over all problems, that prove a mean pass@k of at most `UNSOLVED_TO`.

    From 1 - (1 - p)^k = `UNSOLVED_TO` and (1 - p)^n = 1 - level: n = k log(1 - level) / log(1 - UNSOLVED_TO).
    """
    return math.ceil(k * math.log(1 - level) / math.log(1 - UNSOLVED_TO))
