"""Verdicts on families: closed forms for nothing and everything, and how often a verdict is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlgrok.evaluation.counts import Evaluation, Judged, ProblemCounts
from rlgrok.evaluation.learnability import (
    ALL,
    SOLVED_FROM,
    UNSOLVED_TO,
    Verdict,
    draws_needed,
    family_curves,
    verdict_of,
)
from rlgrok.passk import mean_lower, pooled_upper, success_to_pass_at_k

GREEDY = Judged("p", "", "failed", 0.0, False, False, False)


def evaluation(successes: dict[str, int], draws: int, *, false_passes: int = 0) -> Evaluation:
    return Evaluation(
        "policy", "x", "sha256:0",
        tuple(
            ProblemCounts(name, GREEDY, draws, count + false_passes, count, 0.0)
            for name, count in successes.items()
        ),
    )  # fmt: skip


def test_a_family_a_record_and_one_of_all() -> None:
    counts = {**{f"a{i}": 0 for i in range(10)}, **{f"b{i}": 64 for i in range(10)}}
    families = {name: name[0] for name in counts}
    found = family_curves(evaluation(counts, 64), families, [1, 8, 32, 999], seed=0)
    a, b, both = found
    assert [record["family"] for record in found] == ["a", "b", ALL]
    assert (a["verdict"], a["verdict_k"]) == (Verdict.UNSOLVED, 8)
    # 1 - (1 - p)^k with p = 1 - .05^(1/640): zero successes bound pass@32 by .139, which decides nothing.
    assert a["curve"][-1]["upper95"] == pytest.approx(1 - 0.05 ** (32 / 640))
    assert a["curve"][-1]["verdict"] is Verdict.UNDECIDED
    assert a["draws_needed"] == draws_needed(32) == math.ceil(32 * math.log(0.05) / math.log(0.9))
    assert (b["verdict"], b["verdict_k"], b["draws_needed"]) == (Verdict.SOLVED, 32, 0)
    assert both["verdict"] is Verdict.PARTLY and both["curve"][-1]["value"] == 0.5
    assert [row["k"] for row in b["curve"]] == [1, 8, 32]  # nobody has 999 draws
    assert len(both["problems"]) == 20


def test_false_passes_solve_nothing() -> None:
    found = family_curves(evaluation({"a": 0}, 1000, false_passes=900), {"a": "a"}, [1], seed=0)
    assert found[0]["successes"] == 0 and found[0]["verdict"] is Verdict.UNSOLVED


@pytest.mark.parametrize("k", [1, 64, 512, 1024])
def test_the_draws_that_are_needed_are_enough_and_one_less_is_not(k: int) -> None:
    n = draws_needed(k)
    assert pooled_upper([0], [n], k) <= UNSOLVED_TO < pooled_upper([0], [n - 1], k)


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (0.95, 1.0, Verdict.SOLVED),
        (0.0, 0.05, Verdict.UNSOLVED),
        (0.2, 0.8, Verdict.PARTLY),
        (0.05, 0.5, Verdict.UNDECIDED),
        (0.5, 0.95, Verdict.UNDECIDED),
    ],
)
def test_what_bounds_decide(lower: float, upper: float, expected: Verdict) -> None:
    assert verdict_of(lower, upper) is expected


def test_a_wrong_verdict_is_as_rare_as_it_says() -> None:
    """Problems just above `UNSOLVED_TO` are called unsolved in at most 5 % of 2,000 evaluations, and those just below
    `SOLVED_FROM` solved: four standard errors are .0195 above. The bounds are conservative, so far fewer."""
    rng = np.random.default_rng(0)
    k, draws = 8, 64
    wrong = [0, 0]
    for place, (share, name) in enumerate(((UNSOLVED_TO, Verdict.UNSOLVED), (SOLVED_FROM, Verdict.SOLVED))):
        p = 1 - (1 - share) ** (1 / k)
        assert success_to_pass_at_k(p, k) == pytest.approx(share)
        for _ in range(2000):
            counts = rng.binomial(draws, p, 5).tolist()
            bounds = mean_lower(counts, [draws] * 5, k), pooled_upper(counts, [draws] * 5, k)
            wrong[place] += verdict_of(*bounds) is name
    assert max(wrong) / 2000 < 0.05 + 0.0195
