"""Survival over seeds: closed forms, censoring, a published example, and how often the test is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlgrok.survival import Times, first_reach, logrank_p, median_time, survival_curve

# Freireich and others (1963): weeks in remission under 6-mercaptopurine and under placebo.
MERCAPTOPURINE = Times(
    (6, 6, 6, 7, 10, 13, 16, 22, 23), (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
)
PLACEBO = Times((1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23), ())


def test_the_published_curve() -> None:
    """Kaplan-Meier of the treated patients, as printed in textbooks: .857, .807, .753, .690, .627, .538, .448."""
    curve = survival_curve(MERCAPTOPURINE)
    shares = dict(zip(curve.steps, curve.share, strict=True))
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for step, share in published.items():
        assert shares[step] == pytest.approx(share, abs=5e-4)
    assert median_time(MERCAPTOPURINE) == 23
    assert median_time(PLACEBO) == 8


def test_the_published_comparison() -> None:
    """Log-rank chi-square 16.79 with one degree of freedom."""
    p = logrank_p(MERCAPTOPURINE, PLACEBO)
    assert p == pytest.approx(math.erfc(math.sqrt(16.79 / 2)), rel=0.01)


def test_nobody_and_everybody() -> None:
    never = Times((), (150,) * 5)
    assert survival_curve(never).share == (1.0,)
    assert median_time(never) is None
    assert logrank_p(never, never) is None
    always = Times((40, 50, 60), ())
    assert survival_curve(always).share[-1] == 0.0
    assert logrank_p(always, always) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no seed"):
        survival_curve(Times((), ()))


def test_where_all_get_there_at_once_there_is_nothing_to_compare() -> None:
    assert logrank_p(Times((10,), ()), Times((10, 10), ())) is None


def test_a_median_at_exactly_one_half_is_found() -> None:
    """Shares of 5/6, 3/5 of it and the like: one half comes out a rounding above one half."""
    for total in range(2, 40, 2):
        times = Times(tuple(range(1, total + 1)), ())
        assert median_time(times) == total // 2


def test_a_seed_that_stops_early_is_no_slow_seed() -> None:
    """Of four, one gets there at 10, one stops at 5 without: three are at risk at 10."""
    curve = survival_curve(Times((10, 30), (5, 40)))
    shares = dict(zip(curve.steps, curve.share, strict=True))
    assert shares[10] == pytest.approx(2 / 3)
    assert shares[30] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("values", "hold", "expected"),
    [
        ([0, 0.9, 0.5, 0.9, 0.9], 1, 2.0),
        ([0, 0.9, 0.5, 0.9, 0.9], 2, 6.0),
        ([0, 0.5, 0.89], 1, None),
        ([0, 0.9, 0.5, 0.8, 0.9], 2, 8.0),  # what stops when it is solved has got there
        ([], 1, None),
    ],
)
def test_the_first_step_that_holds(values: list[float], hold: int, expected: float | None) -> None:
    steps = [2 * index for index in range(len(values))]
    assert first_reach(steps, values, 0.9, hold=hold) == expected


def test_equal_recipes_are_called_different_about_as_often_as_they_say() -> None:
    """Ten seeds a side, exponential times, censored at 1.5 means: p below .05 in 5 % of 1,000 sets, a bit more for the
    normal approximation. Four standard errors are .028."""
    rng = np.random.default_rng(0)

    def draw() -> Times:
        times = rng.exponential(1.0, 10)
        return Times(tuple(times[times < 1.5]), (1.5,) * int(np.sum(times >= 1.5)))

    values = [logrank_p(draw(), draw()) for _ in range(1000)]
    assert abs(np.mean(np.array(values) < 0.05) - 0.055) < 0.028
