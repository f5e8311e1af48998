"""Invariant summaries and predictions from draws; NumPy only.

Everything reported is invariant to rotations and signs of the components: B, shares of variance, the noise covariance.
Summaries are on the standardised scale unless a name ends in `_in_units`. B is formed in slices, so memory stays far
below one (chain, draw, P, K) array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from bayesreg.types import Draws

_SLICE_CELLS = 4_000_000  # 32 MB of float64 at a time


@dataclass(frozen=True)
class CoefficientSummary:
    """Marginal posterior of B; arrays (P, K)."""

    mean: np.ndarray
    """Rao-Blackwellised."""
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    positive: np.ndarray
    """Posterior probability that the coefficient is above 0."""
    level: float


@dataclass(frozen=True)
class Ptve:
    """Proportion of target variance explained by the covariates, per draw, in the training population."""

    total: np.ndarray
    """(chain, draw)."""
    per_target: np.ndarray
    """(chain, draw, K)."""
    per_component: np.ndarray
    """(chain, draw, S): principal components of the signal, largest first; they sum to `total`."""
    effective_rank: np.ndarray
    """(chain, draw): exponential of the entropy of the components' shares, between 1 and S."""


@dataclass(frozen=True)
class Prediction:
    """Predictive distribution of new rows; arrays (M, K), original target units."""

    mean: np.ndarray
    signal_sd: np.ndarray
    """Posterior standard deviation of the mean: what is not known about B, A and the intercept."""
    noise_sd: np.ndarray
    """Root mean predictive noise variance: structured and idiosyncratic."""
    quantiles: dict[float, np.ndarray]
    """Of a new target value, both kinds of uncertainty included."""

    @property
    def sd(self) -> np.ndarray:
        """Predictive standard deviation."""
        return np.sqrt(self.signal_sd**2 + self.noise_sd**2)


def coef_mean(draws: Draws) -> np.ndarray:
    """Rao-Blackwellised posterior mean of B, (P, K): the average of E[Psi | ..] Gamma over draws."""
    psi, loadings = pooled(draws.psi_mean), pooled(draws.loadings)
    return np.einsum("dps,dsk->pk", psi, loadings, optimize=True) / psi.shape[0]


def coef_slices(draws: Draws, max_draws: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
    """Draws of B in slices of covariates: the slice and (draws, p, K), chains pooled, evenly thinned."""
    psi, loadings = pooled(draws.psi), pooled(draws.loadings)
    thin = 1 if max_draws is None else -(-psi.shape[0] // max_draws)
    psi, loadings = psi[::thin], loadings[::thin]
    step = max(1, _SLICE_CELLS // (loadings.shape[0] * loadings.shape[2]))
    for start in range(0, psi.shape[1], step):
        rows = slice(start, start + step)
        yield rows, psi[:, rows] @ loadings


def summarise_coef(
    draws: Draws, *, level: float = 0.9, max_draws: int | None = None
) -> CoefficientSummary:
    """Mean, standard deviation, equal-tailed interval and sign probability of every coefficient.

    Args:
        draws: of a fit.
        level: of the interval.
        max_draws: at most this many evenly spaced draws enter all but the mean; None: all do.

    Raises:
        ValueError: the level is not inside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1), got {level}")
    mean = coef_mean(draws)
    sd, low, high, positive = (np.empty_like(mean) for _ in range(4))
    tail = (1.0 - level) / 2.0
    for rows, coef in coef_slices(draws, max_draws):
        sd[rows] = coef.std(axis=0, ddof=1)
        low[rows], high[rows] = np.quantile(coef, [tail, 1.0 - tail], axis=0)
        positive[rows] = (coef > 0).mean(axis=0)
    return CoefficientSummary(mean, sd, low, high, positive, level)


def noise_variance(draws: Draws) -> np.ndarray:
    """Noise variance of each target per draw, structured and idiosyncratic, (chain, draw, K)."""
    latent = draws.latent_variance[..., None] * np.sum(draws.loadings**2, axis=-2)
    return latent + np.sum(draws.noise_loadings**2, axis=-2) + draws.noise_scale**2


def noise_covariance(draws: Draws) -> np.ndarray:
    """Posterior mean of s^2 Gamma'Gamma + Lambda'Lambda + diag(sigma^2), (K, K)."""
    return structured_covariance(draws) + np.diag(np.mean(pooled(draws.noise_scale) ** 2, axis=0))


def structured_covariance(draws: Draws) -> np.ndarray:
    """Posterior mean of the noise that targets share, s^2 Gamma'Gamma + Lambda'Lambda, (K, K)."""
    scaled = pooled(draws.loadings * np.sqrt(draws.latent_variance)[..., None, None])
    other, count = pooled(draws.noise_loadings), scaled.shape[0]
    # one product of (K, draws x components) with its transpose
    rows = np.concatenate([part.reshape(-1, part.shape[-1]) for part in (scaled, other)])
    return rows.T @ rows / count


def ptve(draws: Draws, rotation: np.ndarray, covariate_gram: np.ndarray) -> Ptve:
    """Shares of variance explained, total, per target and per principal component of the signal.

    Args:
        draws: of a fit.
        rotation: (P, r), `Prepared.rotation`.
        covariate_gram: (r,), `Prepared.covariate_gram`: with `rotation` the covariance of X.
    """
    gram = signal_gram(draws, rotation, covariate_gram)
    signal = np.sum(draws.loadings * (gram @ draws.loadings), axis=-2)
    variance = signal + noise_variance(draws)
    total = variance.sum(axis=-1)
    # squared singular values of (root Psi) Gamma, from S x S matrices; a root by eigenvalues allows rank deficiency
    values, vectors = np.linalg.eigh(draws.loadings @ np.swapaxes(draws.loadings, -1, -2))
    half = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    energies = np.linalg.eigvalsh(np.swapaxes(half, -1, -2) @ gram @ half)[..., ::-1]
    energies = np.maximum(energies, 0.0)
    share = energies / np.maximum(energies.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1.0)), axis=-1)
    return Ptve(
        total=signal.sum(axis=-1) / total,
        per_target=signal / variance,
        per_component=energies / total[..., None],
        effective_rank=np.exp(entropy),
    )


def signal_gram(draws: Draws, rotation: np.ndarray, covariate_gram: np.ndarray) -> np.ndarray:
    """Psi' Cov(X) Psi of every draw, (chain, draw, S, S); in slices of draws, for thousands of covariates."""
    root = np.sqrt(covariate_gram)[:, None] * np.asarray(rotation).T
    psi = pooled(draws.psi)
    count, _, s = psi.shape
    gram = np.empty((count, s, s))
    step = max(1, _SLICE_CELLS // (root.shape[0] * s))
    for start in range(0, count, step):
        fitted = root @ psi[start : start + step]
        gram[start : start + step] = np.swapaxes(fitted, -1, -2) @ fitted
    return gram.reshape((*draws.psi.shape[:2], s, s))


def predict(
    draws: Draws,
    x: np.ndarray,
    z: np.ndarray | None = None,
    *,
    mean: np.ndarray,
    scale: np.ndarray,
    quantiles: tuple[float, ...] = (0.05, 0.95),
    max_quantile_draws: int = 400,
) -> Prediction:
    """Predictive mean, standard deviations and quantiles of new rows.

    Args:
        draws: of a fit.
        x: (M, P), standardised with the training set's scaling.
        z: (M, C), likewise, when the model has confounders.
        mean: (K,), training means of the targets, original units.
        scale: (K,), training standard deviations.
        quantiles: levels in (0, 1); of the exact mixture over draws.
        max_quantile_draws: at most this many evenly spaced draws enter the quantiles; mean and deviations use all.

    Raises:
        ValueError: other numbers of covariates or confounders than at the fit, or a level outside (0, 1).

    Source:
        docs/methods/bayes.md, section 10.
    """
    means = predictive_means(draws, x, z)
    variance = pooled(noise_variance(draws))
    step = -(-means.shape[0] // max_quantile_draws)
    spread = np.sqrt(variance[::step])[:, None, :]
    found = {
        level: mixture_quantile(means[::step], spread, level) * scale + mean for level in quantiles
    }
    centre = x @ coef_mean(draws)
    if z is not None:
        centre = centre + z @ pooled(draws.confounder_coef).mean(axis=0)
    return Prediction(
        mean=centre * scale + mean,
        signal_sd=means.std(axis=0, ddof=1) * scale,
        noise_sd=np.broadcast_to(np.sqrt(variance.mean(axis=0)), centre.shape) * scale,
        quantiles=found,
    )


def predictive_means(draws: Draws, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
    """E[new Y | draw] for every draw, chains pooled: (draws, M, K), standardised.

    Raises:
        ValueError: other numbers of covariates or confounders than at the fit.
    """
    psi, loadings, coef = (
        pooled(draws.psi), pooled(draws.loadings), pooled(draws.confounder_coef)
    )  # fmt: skip
    if x.shape[1] != psi.shape[1]:
        raise ValueError(f"X has {x.shape[1]} covariates, the fit has {psi.shape[1]}")
    num_confounders = 0 if z is None else z.shape[1]
    if num_confounders != coef.shape[1]:
        raise ValueError(f"Z has {num_confounders} confounders, the fit has {coef.shape[1]}")
    means = (x @ psi) @ loadings + pooled(draws.intercept)[:, None, :]
    return means if z is None else means + z @ coef


def predictive_draws(
    draws: Draws, x: np.ndarray, z: np.ndarray | None = None, *, rng: np.random.Generator
) -> np.ndarray:
    """One new table of targets per draw, noise correlated across targets: (draws, M, K), standardised."""
    means = predictive_means(draws, x, z)
    count, m, _ = means.shape
    latent = np.sqrt(draws.latent_variance).ravel()[:, None, None]
    loadings, other = pooled(draws.loadings), pooled(draws.noise_loadings)
    noise = latent * rng.normal(size=(count, m, loadings.shape[1])) @ loadings
    noise += rng.normal(size=(count, m, other.shape[1])) @ other
    return means + noise + rng.normal(size=means.shape) * pooled(draws.noise_scale)[:, None, :]


def mixture_quantile(means: np.ndarray, scales: np.ndarray, level: float) -> np.ndarray:
    """The quantile of an equal mixture of normals over axis 0, by bisection to 1e-10 of the bracket.

    Args:
        means: (D, M, K).
        scales: broadcasts against means, positive.
        level: in (0, 1).

    Raises:
        ValueError: the level is not inside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1), got {level}")
    ends = means + scales * ndtri(level)  # the mixture's quantile lies between its components'
    low, high = ends.min(axis=0), ends.max(axis=0)
    for _ in range(34):
        middle = 0.5 * (low + high)
        below = ndtr((middle - means) / scales).mean(axis=0) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def log_predictive_density(
    draws: Draws, y: np.ndarray, x: np.ndarray, z: np.ndarray | None = None
) -> np.ndarray:
    """log of the mean density of each new row over draws, (M,), nats, standardised targets; structured noise included.

    Args:
        draws: of a fit.
        y: (M, K), complete, standardised.
        x: (M, P), standardised.
        z: (M, C) or None.
    """
    means = predictive_means(draws, x, z)
    latent = np.sqrt(draws.latent_variance).ravel()[:, None, None]
    factors = np.concatenate(
        [latent * pooled(draws.loadings), pooled(draws.noise_loadings)], axis=1
    )
    scale = pooled(draws.noise_scale)
    count, k = scale.shape
    logs = np.empty((count, y.shape[0]))
    for index in range(count):
        weighted = factors[index] / scale[index]
        inner = np.linalg.cholesky(np.eye(weighted.shape[0]) + weighted @ weighted.T)
        error = (y - means[index]) / scale[index]
        half = np.linalg.solve(inner, weighted @ error.T)
        quadratic = np.sum(error**2, axis=1) - np.sum(half**2, axis=0)
        log_det = 2.0 * np.sum(np.log(np.diag(inner))) + 2.0 * np.sum(np.log(scale[index]))
        logs[index] = -0.5 * (quadratic + log_det + k * np.log(2.0 * np.pi))
    return np.logaddexp.reduce(logs, axis=0) - np.log(count)


def pooled(values: np.ndarray) -> np.ndarray:
    """Chains joined: (chain, draw, ..) to (chain * draw, ..)."""
    count = (
        values.shape[0] * values.shape[1]
    )  # -1 is undefined for the empty arrays of parts that are off
    return values.reshape((count, *values.shape[2:]))
