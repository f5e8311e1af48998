"""pass@k: closed forms, brute-force enumeration, exact expectation, exact coverage."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from rlgrok import passk


def exact_pass_at_k(num_draws: int, num_successes: int, k: int) -> float:
    return float(1 - Fraction(comb(num_draws - num_successes, k), comb(num_draws, k)))


def test_equals_the_share_of_subsets_with_a_success() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            outcomes = [1] * c + [0] * (n - c)
            for k in range(1, n + 1):
                subsets = list(combinations(outcomes, k))
                share = sum(any(subset) for subset in subsets) / len(subsets)
                assert passk.pass_at_k(n, c, k) == pytest.approx(share, abs=1e-14)


def test_known_values() -> None:
    assert passk.pass_at_k(16, 0, 4) == 0.0
    assert passk.pass_at_k(16, 16, 4) == 1.0
    assert passk.pass_at_k(16, 13, 4) == 1.0  # fewer failures than k
    assert passk.pass_at_k(10, 3, 1) == pytest.approx(0.3, rel=1e-14)
    assert passk.pass_at_k(1_000_000, 1, 512) == pytest.approx(512e-6, rel=1e-13)


@pytest.mark.parametrize(
    ("c", "k"),
    [
        (1, 1),
        (1, 512),
        (2, 300_000),
        (700, 1),
        (700, 512),
        (700, 300_000),
        (499_999, 2),
        (700_000, 512),
    ],
)
def test_keeps_its_precision_at_a_million_draws(c: int, k: int) -> None:
    n = 1_000_000
    few, many = sorted((c, k))
    miss = Fraction(1)
    for i in range(few):
        miss *= Fraction(n - many - i, n - i)
    value = passk.pass_at_k(n, c, k)
    assert value == pytest.approx(float(1 - miss), rel=1e-11)
    # a value near 1 would hide a wrong tail
    assert 1 - value == pytest.approx(float(miss), rel=1e-9, abs=1e-15)


@settings(deadline=None)
@given(st.integers(1, 60), st.data())
def test_symmetric_in_successes_and_k_and_increasing_in_both(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(1, n))
    k = data.draw(st.integers(1, n))
    value = passk.pass_at_k(n, c, k)
    assert value == pytest.approx(exact_pass_at_k(n, c, k), abs=1e-13)
    assert value == pytest.approx(passk.pass_at_k(n, k, c), abs=1e-13)
    assert passk.pass_at_k(n, c - 1, k) <= value + 1e-15
    if k < n:
        assert value <= passk.pass_at_k(n, c, k + 1) + 1e-15


@pytest.mark.parametrize("p", [0.0, 0.003, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize(("n", "k"), [(16, 4), (16, 16), (40, 1), (200, 64)])
def test_expectation_is_exactly_pass_at_k(p: float, n: int, k: int) -> None:
    weights = binom.pmf(np.arange(n + 1), n, p)
    mean = sum(w * passk.pass_at_k(n, c, k) for c, w in enumerate(weights))
    assert mean == pytest.approx(passk.success_to_pass_at_k(p, k), abs=1e-12)


def test_the_plug_in_estimate_would_fail_the_same_check() -> None:
    # the defect the test above must see: 1 - (1 - c/n)^k is biased (0.319 against 0.344)
    weights = binom.pmf(np.arange(17), 16, 0.1)
    plug_in = sum(w * passk.success_to_pass_at_k(c / 16, 4) for c, w in enumerate(weights))
    assert abs(plug_in - passk.success_to_pass_at_k(0.1, 4)) > 0.02


def test_small_probabilities_do_not_cancel() -> None:
    assert passk.success_to_pass_at_k(1e-18, 1000) == pytest.approx(1e-15, rel=1e-12)
    assert passk.success_to_pass_at_k(1.0, 3) == 1.0
    assert passk.success_to_pass_at_k(0.0, 3) == 0.0


def test_clopper_pearson_solves_its_equations() -> None:
    for n, c in [(1, 0), (14, 3), (20, 10), (512, 511), (28_672, 7)]:
        low, high = passk.clopper_pearson(c, n, 0.95)
        if c > 0:
            assert binom.sf(c - 1, n, low) == pytest.approx(0.025, rel=1e-8)
        if c < n:
            assert binom.cdf(c, n, high) == pytest.approx(0.025, rel=1e-8)
    assert passk.clopper_pearson(0, 14).low == 0.0
    assert passk.clopper_pearson(14, 14).high == 1.0


def test_textbook_interval() -> None:
    # 10 of 100 at 95 %: 0.0490 to 0.1762
    assert passk.clopper_pearson(10, 100) == pytest.approx((0.04900, 0.17622), abs=1e-5)


def test_zero_successes_closed_form() -> None:
    assert passk.success_upper(0, 100) == pytest.approx(1 - 0.05**0.01, rel=1e-12)
    assert passk.success_upper(0, 28_672) == pytest.approx(2.9957 / 28_672, rel=1e-3)
    assert passk.clopper_pearson(0, 100).high == pytest.approx(1 - 0.025**0.01, rel=1e-12)


@pytest.mark.parametrize("n", [1, 5, 14, 60])
def test_coverage_is_exactly_at_least_the_level(n: int) -> None:
    intervals = [passk.clopper_pearson(c, n, 0.9) for c in range(n + 1)]
    uppers = [passk.success_upper(c, n, 0.9) for c in range(n + 1)]
    for p in np.linspace(0.001, 0.999, 173):
        weights = binom.pmf(np.arange(n + 1), n, p)
        covered = sum(w for w, i in zip(weights, intervals, strict=True) if i.low <= p <= i.high)
        below = sum(w for w, u in zip(weights, uppers, strict=True) if p <= u)
        assert covered >= 0.9 - 1e-12
        assert below >= 0.9 - 1e-12


def test_interval_of_pass_at_k_is_the_image_of_the_ends() -> None:
    low, high = passk.clopper_pearson(3, 64)
    image = passk.pass_at_k_interval(64, 3, 8)
    assert image == pytest.approx((1 - (1 - low) ** 8, 1 - (1 - high) ** 8), abs=1e-13)
    assert image.low < passk.pass_at_k(64, 3, 8) < image.high


def test_pooled_zero_bound() -> None:
    zeros, draws = [0] * 56, [512] * 56
    assert passk.pooled_upper(zeros, draws, 512) == pytest.approx(
        1 - 0.05 ** (512 / 28_672), rel=1e-10
    )
    # one problem with more draws does not tighten the bound for the mean
    assert passk.pooled_upper(zeros, [512] * 55 + [10**6], 512) == passk.pooled_upper(
        zeros, draws, 512
    )
    assert passk.pooled_upper([0, 1], [100, 100], 1) == pytest.approx(passk.success_upper(1, 200))
    assert passk.pooled_upper([100, 100], [100, 100], 4) == 1.0


def test_pooled_upper_holds_exactly_for_unequal_problems() -> None:
    # exact distribution of the total over three unequal problems; the bound must miss at most 10 % of the time
    n, k = 12, 4
    totals = np.arange(3 * n + 1)
    bounds = np.array([passk.pooled_upper([min(t, n), min(max(t - n, 0), n), max(t - 2 * n, 0)], [n] * 3, k, 0.9)
                       for t in totals])  # fmt: skip
    for probabilities in [
        (0.0, 0.0, 0.5),
        (0.01, 0.2, 0.9),
        (0.3, 0.3, 0.3),
        (0.0, 0.05, 0.1),
        (0, 1, 1),
    ]:
        mass = np.array([1.0])
        for p in probabilities:
            mass = np.convolve(mass, binom.pmf(np.arange(n + 1), n, p))
        truth = np.mean([passk.success_to_pass_at_k(p, k) for p in probabilities])
        assert mass[bounds >= truth - 1e-12].sum() >= 0.9


def test_pooled_lower_mirrors_the_upper() -> None:
    assert passk.pooled_lower([20] * 3, [20] * 3) == pytest.approx(0.05 ** (1 / 60), rel=1e-10)
    assert passk.pooled_lower([0, 0], [50, 50]) == 0.0


def test_mean_lower_of_solved_problems() -> None:
    each = (0.05 / 14) ** (1 / 64)
    assert passk.mean_lower([64] * 14, [64] * 14, 8) == pytest.approx(
        1 - (1 - each) ** 8, rel=1e-12
    )
    assert passk.mean_lower([64] * 14, [64] * 14, 1) == passk.pooled_lower([64] * 14, [64] * 14)
    # problems solved four times in five are certain to be solved within 64 draws
    assert passk.mean_lower([400] * 14, [512] * 14, 64) > 0.999
    assert passk.mean_lower([0] * 14, [512] * 14, 64) == 0.0


def test_mean_lower_holds_exactly_for_unequal_problems() -> None:
    n, k = 10, 3
    for probabilities in [(0.1, 0.5), (0.9, 0.95), (0.0, 1.0), (0.4, 0.4)]:
        truth = np.mean([passk.success_to_pass_at_k(p, k) for p in probabilities])
        mass = [binom.pmf(np.arange(n + 1), n, p) for p in probabilities]
        holds = sum(
            mass[0][a] * mass[1][b]
            for a in range(n + 1)
            for b in range(n + 1)
            if passk.mean_lower([a, b], [n, n], k, 0.9) <= truth + 1e-12
        )
        assert holds >= 0.9


def test_worst_problem_bound_is_bonferroni() -> None:
    each = 1 - (0.05 / 56) ** (1 / 512)
    expected = 1 - (1 - each) ** 512
    assert passk.worst_problem_upper([0] * 56, [512] * 56, 512) == pytest.approx(expected, rel=1e-9)
    assert passk.worst_problem_upper([0, 9], [10, 10], 1) > passk.worst_problem_upper(
        [0, 0], [10, 10], 1
    )


def test_mean_of_the_per_problem_values() -> None:
    estimate = passk.mean_pass_at_k([0, 5, 10], [10, 10, 10], 2, seed=3)
    expected = (0 + exact_pass_at_k(10, 5, 2) + 1) / 3
    assert estimate.value == pytest.approx(expected, abs=1e-14)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.method == "bootstrap over problems"
    assert estimate == passk.mean_pass_at_k([0, 5, 10], [10, 10, 10], 2, seed=3)


def test_no_width_falls_back_to_the_exact_bound() -> None:
    zero = passk.mean_pass_at_k([0] * 14, [64] * 14, 8, seed=0)
    assert zero.method == "exact"
    assert (zero.value, zero.low) == (0.0, 0.0)
    assert zero.high == pytest.approx(1 - 0.025 ** (8 / 896), rel=1e-9)
    one = passk.mean_pass_at_k([64] * 14, [64] * 14, 1, seed=0)
    assert (one.value, one.high) == (1.0, 1.0)
    assert one.low == pytest.approx(0.025 ** (1 / 896), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: passk.pass_at_k(10, 11, 1), "num_successes=11, num_draws=10"),
        (lambda: passk.pass_at_k(10, -1, 1), "num_successes=-1"),
        (lambda: passk.pass_at_k(10, 3, 11), "k=11, num_draws=10"),
        (lambda: passk.pass_at_k(10, 3, 0), "k=0"),
        (lambda: passk.clopper_pearson(0, 0), "num_draws=0"),
        (lambda: passk.clopper_pearson(1, 2, 1.0), "level must be inside"),
        (lambda: passk.pooled_upper([], [], 1), "shapes"),
        (lambda: passk.mean_pass_at_k([1], [2, 3], 1, seed=0), "shapes"),
    ],
)
def test_bad_counts_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
