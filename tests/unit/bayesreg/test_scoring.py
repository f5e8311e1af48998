"""Scores against closed forms and numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from bayesreg.scoring import (
    Mixture,
    heldout_ptve,
    mean_and_error,
    normal_crps,
    paired_difference,
    relative_loss,
    score,
)


def test_density_deviation_and_distribution_are_those_of_the_mixture() -> None:
    means = np.array([0.0, 3.0, -1.0]).reshape(3, 1, 1)
    scales = np.array([1.0, 0.5, 2.0]).reshape(3, 1, 1)
    mixture = Mixture(means, scales)
    parts = [stats.norm(m, s) for m, s in zip(means.ravel(), scales.ravel(), strict=True)]

    def density(at: float) -> float:
        return float(np.mean([part.pdf(at) for part in parts]))

    for at in (-2.0, 0.3, 4.0):
        point = np.array([[at]])
        assert mixture.log_density(point)[0, 0] == pytest.approx(np.log(density(at)), abs=1e-12)
        below = integrate.quad(density, -20.0, at)[0]
        assert mixture.distribution(point)[0, 0] == pytest.approx(below, abs=1e-8)
    mean = integrate.quad(lambda v: v * density(v), -20, 20)[0]
    square = integrate.quad(lambda v: v * v * density(v), -20, 20)[0]
    assert mixture.sd()[0, 0] == pytest.approx(np.sqrt(square - mean**2), abs=1e-7)


def test_the_density_far_out_does_not_underflow() -> None:
    mixture = Mixture(np.zeros((2, 1, 1)), np.ones((2, 1, 1)))
    assert mixture.log_density(np.array([[100.0]]))[0, 0] == pytest.approx(
        stats.norm.logpdf(100.0), rel=1e-12
    )


@pytest.mark.parametrize(("y", "mean", "sd"), [(0.3, 0.0, 1.0), (-2.0, 1.0, 0.5)])
def test_the_ranked_score_is_the_integral_that_defines_it(y: float, mean: float, sd: float) -> None:
    def squared(at: float) -> float:
        return float((stats.norm.cdf(at, mean, sd) - (at >= y)) ** 2)

    expected = integrate.quad(squared, mean - 12, y)[0] + integrate.quad(squared, y, mean + 12)[0]
    assert normal_crps(np.array(y), np.array(mean), np.array(sd)) == pytest.approx(
        expected, abs=1e-7
    )


def test_explained_variance_forgives_a_constant_and_counts_every_target() -> None:
    y = np.array([[1.0, 10.0], [2.0, 10.0], [3.0, 40.0]])
    assert heldout_ptve(y, y + 7.0) == 1.0
    assert heldout_ptve(y, np.zeros_like(y)) == 0.0
    half = np.column_stack([y[:, 0], np.zeros(3)])
    total = y.var(axis=0)
    assert heldout_ptve(y, half) == pytest.approx(total[0] / total.sum())
    assert np.isnan(heldout_ptve(np.ones((3, 1)), np.ones((3, 1))))


def test_missing_cells_are_left_out_of_every_score() -> None:
    rng = np.random.default_rng(0)
    y, mean = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    holes = y.copy()
    holes[5:, 1] = np.nan
    whole = score(holes, mean, Mixture(mean[None], np.ones((1, 1, 2))), scale=np.ones(2))
    cells = [(y[:, 0], mean[:, 0]), (y[:5, 1], mean[:5, 1])]
    total = sum(v.var() for v, _ in cells)
    assert whole.ptve == pytest.approx(1 - sum((v - m).var() for v, m in cells) / total)
    logs = np.concatenate([stats.norm.logpdf(v, m) for v, m in cells])
    assert whole.log_density == pytest.approx(logs.mean())


def test_scores_do_not_depend_on_units() -> None:
    rng = np.random.default_rng(1)
    y, mean = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    units = np.array([1.0, 1000.0])

    def scored(u: np.ndarray) -> tuple:
        mixture = Mixture((mean * u)[None], 1.3 * u[None, None])
        return tuple(vars(score(y * u, mean * u, mixture, scale=u)).values())

    np.testing.assert_allclose(scored(np.ones(2)), scored(units), rtol=1e-9)


def test_coverage_of_a_right_forecast_is_its_level() -> None:
    """4000 cells: standard error .0047; z = 5; intervals of 80 % instead of 90 % would be at z = 21."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(2000, 2)) * 3.0 + 1.0
    found = score(
        y,
        np.ones_like(y),
        Mixture(np.ones((1, 2000, 2)), np.full((1, 1, 1), 3.0)),
        scale=np.ones(2),
    )
    assert abs(found.coverage - 0.9) < 5 * np.sqrt(0.9 * 0.1 / 4000)


def test_a_method_without_a_distribution_has_one_score() -> None:
    found = score(np.eye(3), np.eye(3), None, scale=np.ones(3))
    assert (found.ptve, found.log_density, found.coverage, found.crps) == (1.0, None, None, None)


def test_errors_of_means_differences_and_ratios() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 6.0]), np.array([2.0, 4.0, 6.0, 12.0])
    assert mean_and_error(a) == pytest.approx((3.0, np.std(a, ddof=1) / 2))
    assert np.isnan(mean_and_error(a[:1])[1])
    assert paired_difference(a, a + 1.0) == pytest.approx((-1.0, 0.0))
    assert relative_loss(a, b) == pytest.approx((0.5, 0.0))
    with pytest.raises(ValueError, match="replicates"):
        paired_difference(a, b[:2])
    with pytest.raises(ValueError, match="replicates"):
        relative_loss(a, b[:2])
