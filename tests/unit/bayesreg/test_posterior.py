"""Summaries and predictions against brute force on a handful of draws."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from bayesreg import posterior
from bayesreg.types import Draws

CHAINS, COUNT, P, K, S, R, C = 2, 5, 4, 3, 2, 1, 1


def make_draws(seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    lead = (CHAINS, COUNT)
    return Draws(
        psi=rng.normal(size=(*lead, P, S)),
        psi_mean=rng.normal(size=(*lead, P, S)),
        loadings=rng.normal(size=(*lead, S, K)),
        noise_loadings=rng.normal(size=(*lead, R, K)),
        confounder_coef=rng.normal(size=(*lead, C, K)),
        noise_scale=rng.gamma(2.0, size=(*lead, K)),
        latent_snr=rng.gamma(2.0, size=lead),
        latent_variance=rng.gamma(2.0, size=lead),
        signal_shape=np.broadcast_to(np.eye(S), (*lead, S, S)),
        log_likelihood=rng.normal(size=lead),
        local_scale=np.ones((*lead, S, K)),
        shrinkage=np.ones((*lead, S)),
        imputed=np.zeros((*lead, 0)),
        intercept=rng.normal(size=(*lead, K)) * 0.1,
    )


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape((-1, *values.shape[2:]))


def row_covariance(draws: Draws, index: int) -> np.ndarray:
    gamma, other = flat(draws.loadings)[index], flat(draws.noise_loadings)[index]
    variance = draws.latent_variance.ravel()[index] * gamma.T @ gamma + other.T @ other
    return variance + np.diag(flat(draws.noise_scale)[index] ** 2)


def test_coefficients_are_summarised_entry_by_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = make_draws()
    coef = flat(draws.psi) @ flat(draws.loadings)
    monkeypatch.setattr(posterior, "_SLICE_CELLS", 60)  # two covariates a slice
    found = posterior.summarise_coef(draws, level=0.8)
    expected_mean = (flat(draws.psi_mean) @ flat(draws.loadings)).mean(axis=0)
    np.testing.assert_allclose(found.mean, expected_mean)
    np.testing.assert_allclose(found.sd, coef.std(axis=0, ddof=1))
    np.testing.assert_allclose(found.low, np.quantile(coef, 0.1, axis=0))
    np.testing.assert_allclose(found.high, np.quantile(coef, 0.9, axis=0))
    np.testing.assert_allclose(found.positive, (coef > 0).mean(axis=0))


def test_shares_of_variance_are_those_of_the_covariance_matrices() -> None:
    draws = make_draws()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, P))
    _, singular, right = np.linalg.svd(x, full_matrices=False)
    found = posterior.ptve(draws, right.T, singular**2 / 29)
    for index in range(CHAINS * COUNT):
        coef = flat(draws.psi)[index] @ flat(draws.loadings)[index]
        signal = coef.T @ (x.T @ x / 29) @ coef
        total = signal + row_covariance(draws, index)
        share = np.trace(signal) / np.trace(total)
        components = np.linalg.eigvalsh(signal)[::-1][:S]
        p = components / components.sum()
        assert found.total.ravel()[index] == pytest.approx(share)
        np.testing.assert_allclose(flat(found.per_target)[index], np.diag(signal) / np.diag(total))
        np.testing.assert_allclose(flat(found.per_component)[index], components / np.trace(total))
        assert found.effective_rank.ravel()[index] == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_summaries_do_not_depend_on_the_basis_of_the_components() -> None:
    # the same B and noise in another basis: every summary stays
    draws = make_draws()
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(S, S)))[0]
    turned = dataclasses.replace(
        draws,
        psi=draws.psi @ turn,
        psi_mean=draws.psi_mean @ turn,
        loadings=turn.T @ draws.loadings,
    )
    rotation, gram = np.eye(P), np.ones(P)
    for name in ("total", "per_target", "per_component", "effective_rank"):
        before, after = (getattr(posterior.ptve(d, rotation, gram), name) for d in (draws, turned))
        np.testing.assert_allclose(before, after)
    np.testing.assert_allclose(posterior.coef_mean(draws), posterior.coef_mean(turned))
    np.testing.assert_allclose(
        posterior.noise_covariance(draws), posterior.noise_covariance(turned)
    )


def test_noise_covariance_is_the_mean_over_draws() -> None:
    draws = make_draws()
    expected = np.mean([row_covariance(draws, i) for i in range(CHAINS * COUNT)], axis=0)
    np.testing.assert_allclose(posterior.noise_covariance(draws), expected)
    np.testing.assert_allclose(np.diag(expected), posterior.noise_variance(draws).mean(axis=(0, 1)))


def test_prediction_is_the_mixture_over_draws() -> None:
    draws = make_draws()
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, P)), rng.normal(size=(2, C))
    mean, scale = np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 0.1])
    found = posterior.predict(draws, x, z, mean=mean, scale=scale, quantiles=(0.05, 0.5))
    means = np.stack([
        x @ flat(draws.psi)[i] @ flat(draws.loadings)[i] + z @ flat(draws.confounder_coef)[i]
        + flat(draws.intercept)[i] for i in range(CHAINS * COUNT)
    ])  # fmt: skip
    variances = np.stack([np.diag(row_covariance(draws, i)) for i in range(CHAINS * COUNT)])
    np.testing.assert_allclose(found.signal_sd, means.std(axis=0, ddof=1) * scale)
    np.testing.assert_allclose(found.noise_sd, np.tile(np.sqrt(variances.mean(0)), (2, 1)) * scale)
    np.testing.assert_allclose(found.sd**2, found.signal_sd**2 + found.noise_sd**2)
    for level, quantile in found.quantiles.items():
        standard = (quantile - mean) / scale
        below = stats.norm.cdf(standard, means, np.sqrt(variances)[:, None, :]).mean(axis=0)
        np.testing.assert_allclose(below, level, atol=1e-8)
    centre = x @ posterior.coef_mean(draws) + z @ flat(draws.confounder_coef).mean(axis=0)
    np.testing.assert_allclose(found.mean, centre * scale + mean)


def test_log_predictive_density_is_that_of_the_mixture_of_gaussians() -> None:
    draws = make_draws()
    rng = np.random.default_rng(4)
    x, z, y = rng.normal(size=(3, P)), rng.normal(size=(3, C)), rng.normal(size=(3, K))
    means = posterior.predictive_means(draws, x, z)
    densities = np.array([
        [stats.multivariate_normal(means[i, m], row_covariance(draws, i)).pdf(y[m]) for m in range(3)]
        for i in range(CHAINS * COUNT)
    ])  # fmt: skip
    found = posterior.log_predictive_density(draws, y, x, z)
    np.testing.assert_allclose(found, np.log(densities.mean(axis=0)))


def test_other_sizes_than_at_the_fit_are_named() -> None:
    draws = make_draws()
    with pytest.raises(ValueError, match="X has 5 covariates, the fit has 4"):
        posterior.predictive_means(draws, np.zeros((2, 5)), np.zeros((2, C)))
    with pytest.raises(ValueError, match="Z has 0 confounders, the fit has 1"):
        posterior.predictive_means(draws, np.zeros((2, P)))
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), got 1.0"):
        posterior.summarise_coef(draws, level=1.0)


def test_parts_that_are_off_are_empty_and_change_nothing() -> None:
    draws = make_draws()
    zero = dataclasses.replace(
        draws,
        noise_loadings=np.zeros_like(draws.noise_loadings),
        confounder_coef=np.zeros_like(draws.confounder_coef),
    )
    off = dataclasses.replace(
        draws,
        noise_loadings=draws.noise_loadings[..., :0, :],
        confounder_coef=draws.confounder_coef[..., :0, :],
    )
    x, z = np.ones((2, P)), np.ones((2, C))
    np.testing.assert_allclose(posterior.noise_covariance(off), posterior.noise_covariance(zero))
    np.testing.assert_allclose(
        posterior.predictive_means(off, x), posterior.predictive_means(zero, x, z)
    )
    found = posterior.log_predictive_density(off, np.ones((2, K)), x)
    expected = posterior.log_predictive_density(zero, np.ones((2, K)), x, z)
    np.testing.assert_allclose(found, expected)
    rng = np.random.default_rng(0)
    assert posterior.predictive_draws(off, x, rng=rng).shape == (CHAINS * COUNT, 2, K)


def test_draws_are_joined_along_the_draw_axis() -> None:
    first, second = make_draws(0), make_draws(1)
    joined = Draws.concatenate([first, second])
    assert joined.num_draws == 2 * COUNT
    assert joined.num_chains == CHAINS
    np.testing.assert_array_equal(joined.psi[:, COUNT:], second.psi)
