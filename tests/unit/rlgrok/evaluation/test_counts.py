"""Counts of an evaluation and the numbers made of them, by hand."""

from __future__ import annotations

import pytest

from rlgrok.evaluation.counts import (
    Evaluation,
    Judged,
    accuracy,
    as_record,
    count_problem,
    log_spaced_ks,
    pass_at_k_table,
)
from rlgrok.passk import pass_at_k, pooled_upper


def judged(
    passed: bool, right: bool | None = None, rate: float | None = None, name: str = "p"
) -> Judged:
    rate = float(passed) if rate is None else rate
    return Judged(name, "text", "passed" if passed else "failed", rate, passed, right, False)


def evaluation(*, exhaustive: bool = True) -> Evaluation:
    """Problem p: greedy right, 3 of 4 pass, 2 right. Problem q: greedy a false pass, 1 of 4 passes and is wrong."""

    def see(passed: bool, right: bool, name: str) -> Judged:
        return judged(passed, right if exhaustive else None, None if passed else 0.5, name)

    p = count_problem(
        see(True, True, "p"),
        [see(True, True, "p")] * 2 + [see(True, False, "p"), see(False, False, "p")],
    )
    q = count_problem(see(True, False, "q"), [see(True, False, "q")] + [see(False, False, "q")] * 3)
    return Evaluation("policy", "folder", "sha256:aa", (p, q))


def test_counts_of_one_problem() -> None:
    problem = evaluation().problems[0]
    assert (problem.num_draws, problem.num_passes, problem.num_exhaustive) == (4, 3, 2)
    assert problem.mean_pass_rate == pytest.approx((3 + 0.5) / 4)
    with pytest.raises(ValueError, match="no draws for p"):
        count_problem(judged(True), [])


def test_accuracies_under_both_verdicts() -> None:
    numbers = accuracy(evaluation())
    assert numbers["num_problems"] == 2
    assert numbers["heldout_full_pass"] == 1.0
    assert numbers["heldout_exhaustive"] == 0.5
    assert numbers["heldout_false_pass_share"] == 0.5
    assert numbers["drawn_full_pass"] == 0.5
    assert numbers["drawn_exhaustive"] == 0.25
    assert numbers["drawn_false_pass_share"] == 0.5
    assert numbers["drawn_pass_rate"] == pytest.approx((3.5 + 2.5) / 8)
    assert numbers["heldout_full_pass_interval_95"] == pytest.approx([0.025**0.5, 1.0])


def test_without_the_exhaustive_verdict_nothing_is_claimed() -> None:
    numbers = accuracy(evaluation(exhaustive=False))
    assert numbers["heldout_exhaustive"] is None
    assert numbers["drawn_exhaustive"] is None
    assert numbers["heldout_false_pass_share"] is None
    assert {
        row["verdict"] for row in pass_at_k_table(evaluation(exhaustive=False), [1], seed=0)
    } == {"tests"}


def test_no_passes_have_no_false_share() -> None:
    problem = count_problem(judged(False, False), [judged(False, False)] * 3)
    numbers = accuracy(Evaluation("base", "folder", "sha256:bb", (problem,)))
    assert numbers["drawn_false_pass_share"] is None
    assert numbers["drawn_full_pass"] == 0.0


def test_pass_at_k_rows() -> None:
    rows = {
        (row["verdict"], row["k"]): row
        for row in pass_at_k_table(evaluation(), [1, 2, 4, 9], seed=0)
    }
    assert set(rows) == {(verdict, k) for verdict in ("tests", "exhaustive") for k in (1, 2, 4)}
    assert rows["tests", 2]["value"] == pytest.approx((pass_at_k(4, 3, 2) + pass_at_k(4, 1, 2)) / 2)
    assert rows["exhaustive", 2]["value"] == pytest.approx(pass_at_k(4, 2, 2) / 2)
    assert rows["exhaustive", 4]["upper95"] == pooled_upper([2, 0], [4, 4], 4)
    assert rows["tests", 1]["successes"] == 4
    assert rows["tests", 1]["draws"] == 8


def test_record_for_the_file() -> None:
    record = as_record(evaluation(), [1, 4], seed=0)
    assert record["label"] == "policy"
    assert [row["k"] for row in record["pass_at_k"] if row["verdict"] == "tests"] == [1, 2, 4]
    first = record["problems"][0]
    assert first["k"] == 1
    assert first["pass_at_k"] == 0.5
    assert first["greedy_exhaustive"] is True
    assert "greedy" not in first


def test_ks_of_a_curve() -> None:
    assert log_spaced_ks(1) == [1]
    assert log_spaced_ks(8) == [1, 2, 4, 8]
    assert log_spaced_ks(100) == [1, 2, 4, 8, 16, 32, 64, 100]
