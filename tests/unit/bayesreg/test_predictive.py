"""Predictive moments exactly, quantiles against the mixture of all draws solved by bisection."""

from __future__ import annotations

import numpy as np
import pytest

from bayesreg import predictive
from bayesreg.posterior import mixture_quantile, predictive_means
from bayesreg.predictive import Predictor, solve_mixture
from bayesreg.transforms import Standardisation
from bayesreg.types import Draws

P, S, K, C = 4, 2, 3, 1
SCALINGS = {
    "x_scaling": Standardisation(np.arange(P) * 10.0, np.arange(P) + 1.0),
    "z_scaling": Standardisation(np.ones(C), np.full(C, 2.0)),
    "y_scaling": Standardisation(np.array([5.0, -5.0, 0.0]), np.array([1.0, 10.0, 0.1])),
}


def make_draws(
    count: int = 600, *, disagree: float, skewed: bool = False, imputed: int = 0
) -> Draws:
    """Draws whose coefficients disagree by about this standard deviation per unit of a row's length."""
    rng = np.random.default_rng(3)
    lead = (2, count // 2)
    away = rng.exponential(size=(*lead, 1, 1)) - 1.0 if skewed else rng.normal(size=(*lead, P, S))
    psi = 0.2 + disagree * away * np.ones((P, S))
    loadings = rng.normal(size=(S, K)) + 0.1 * rng.normal(size=(*lead, S, K))
    return Draws(
        psi=psi,
        psi_mean=np.broadcast_to(psi.mean(axis=(0, 1)), psi.shape),
        loadings=loadings,
        noise_loadings=0.1 * rng.normal(size=(*lead, 1, K)),
        confounder_coef=0.3 + 0.02 * rng.normal(size=(*lead, C, K)),
        noise_scale=np.exp(0.05 * rng.normal(size=(*lead, K))),
        latent_snr=np.ones(lead),
        latent_variance=np.full(lead, 0.1),
        signal_shape=np.zeros((*lead, S, S)),
        log_likelihood=np.zeros(lead),
        local_scale=np.ones((*lead, S, K)),
        shrinkage=np.ones((*lead, S)),
        imputed=np.zeros((*lead, imputed)),
        intercept=0.5 * imputed + 0.02 * rng.normal(size=(*lead, K)),
    )


def make_rows(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x, z = rng.normal(size=(count, P)), rng.normal(size=(count, C))
    return SCALINGS["x_scaling"].undo(x), SCALINGS["z_scaling"].undo(z)


def all_means(draws: Draws, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return predictive_means(draws, SCALINGS["x_scaling"].apply(x), SCALINGS["z_scaling"].apply(z))


@pytest.mark.parametrize("form_cells", [1 << 24, 0])
def test_moments_are_those_of_all_draws(form_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictive, "_MAX_FORM_CELLS", form_cells)
    draws, (x, z) = make_draws(60, disagree=0.3), make_rows()
    found = Predictor(draws, **SCALINGS)(x, z)
    y = SCALINGS["y_scaling"]
    means = all_means(draws, x, z)
    np.testing.assert_allclose(found.signal_sd, means.std(axis=0, ddof=1) * y.scale, rtol=1e-10)
    coef = np.mean(draws.psi_mean @ draws.loadings, axis=(0, 1))
    expected = SCALINGS["x_scaling"].apply(x) @ coef
    expected += SCALINGS["z_scaling"].apply(z) @ draws.confounder_coef.mean(axis=(0, 1))
    np.testing.assert_allclose(found.mean, y.undo(expected), rtol=1e-12)
    variance = 0.1 * np.sum(draws.loadings**2, axis=2) + np.sum(draws.noise_loadings**2, axis=2)
    variance = np.mean(variance + draws.noise_scale**2, axis=(0, 1))
    np.testing.assert_allclose(found.noise_sd[7], np.sqrt(variance) * y.scale, rtol=1e-12)


def test_the_intercept_moves_the_mean_only_where_cells_were_missing() -> None:
    x, z = make_rows()
    complete, missing = (
        Predictor(make_draws(60, disagree=0.1, imputed=n), **SCALINGS)(x, z).mean for n in (0, 1)
    )
    moved = (missing - complete) / SCALINGS["y_scaling"].scale
    np.testing.assert_allclose(moved, 0.5, atol=0.02)  # 0.02 a draw, 60 draws: 0.0026


@pytest.mark.parametrize(
    ("disagree", "skewed", "level", "error"),
    [
        (0.05, False, 0.05, 0.005),
        (0.05, False, 0.95, 0.005),
        (0.05, True, 0.05, 0.03),
        (1.0, False, 0.05, 1e-6),  # 600 draws are fewer than `MIXTURE_DRAWS`: exact
        (1.0, True, 0.95, 0.003),  # rows near the mean of X are expanded
        (0.05, False, 0.001, 1e-6),  # the far tail is not expanded
    ],
)
def test_quantiles_against_bisection(
    disagree: float, skewed: bool, level: float, error: float
) -> None:
    draws, (x, z) = make_draws(disagree=disagree, skewed=skewed), make_rows()
    found = Predictor(draws, **SCALINGS, quantiles=(level,))(x, z)
    y = SCALINGS["y_scaling"]
    mean, sd, quantile = (
        (found.mean - y.mean) / y.scale,
        found.sd / y.scale,
        (found.quantiles[level] - y.mean) / y.scale,
    )
    if disagree > 0.5:
        assert np.median(found.signal_sd / found.sd) > 0.5  # the case that it is meant to be
    means = all_means(draws, x, z)
    variance = 0.1 * np.sum(draws.loadings**2, axis=2) + np.sum(draws.noise_loadings**2, axis=2)
    scales = np.sqrt(variance + draws.noise_scale**2).reshape(-1, 1, K)
    centre = means.mean(axis=0)
    spread = np.sqrt(means.var(axis=0) + np.mean(scales**2, axis=0))
    exact = (mixture_quantile(means, scales, level) - centre) / spread
    assert np.abs((quantile - mean) / sd - exact).max() < error


@pytest.mark.parametrize("level", [1e-6, 0.05, 0.5, 0.999])
def test_newton_solves_far_apart_components(level: float) -> None:
    """Two narrow normals far apart: the density between them underflows, and the bracket takes over."""
    means = np.array([[-50.0, 0.0], [50.0, 0.1]])
    scales = np.array([[0.5, 1.0], [1.5, 1.0]])
    expected = mixture_quantile(means[:, None], scales[:, None], level)[0]
    if level != 0.5:  # any point between the two is a median
        np.testing.assert_allclose(solve_mixture(means, scales, level), expected, atol=1e-5)


def test_a_level_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="must be in"):
        Predictor(make_draws(20, disagree=0.1), **SCALINGS, quantiles=(1.0,))
