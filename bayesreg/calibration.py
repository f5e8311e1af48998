"""Are the predictive distributions honest? Distribution function of each observed target at its own value.

On rows that the fit has seen that is optimistic. So each row is left out: draws are reweighted with 1 / p(row | draw),
Pareto-smoothed: exact leave-one-row-out when the weights' tail is light, and a row whose tail is too heavy is left out
of the figure and counted. Rows that the user held out need no weights. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayesreg.posterior import noise_variance, pooled
from bayesreg.types import Draws

HEAVY_TAIL = 0.7
"""Pareto shape above which the reweighted draws are not trusted (Vehtari et al., section 2)."""
MAX_DRAWS = 1000
MAX_CELLS = 100_000_000
"""Draws x rows x targets that are looked at: about 10 s. Rows are taken evenly."""
_SLICE_CELLS = 4_000_000


@dataclass(frozen=True)
class Calibration:
    """Predictive distribution functions at the observed values."""

    pit: np.ndarray
    """(M, K), in [0, 1]; NaN where the target is missing."""
    pareto: np.ndarray
    """(M,): shape of the tail of a row's weights; NaN for rows that were held out."""
    rows: np.ndarray
    """(M,): positions of the rows in the table."""
    held_out: bool

    @property
    def trusted(self) -> np.ndarray:
        """(M,): rows that count."""
        return np.isnan(self.pareto) | (self.pareto <= HEAVY_TAIL)


def calibrate(
    draws: Draws, x: np.ndarray, y: np.ndarray, z: np.ndarray | None = None, *, held_out: bool
) -> Calibration:
    """PIT values of rows: left out one by one when the fit has seen them.

    Args:
        draws: of a fit.
        x: (M, P), standardised.
        y: (M, K), standardised, NaN where missing; a row has at least one value.
        z: (M, C), standardised, or None.
        held_out: whether the fit has not seen these rows.

    Source:
        Vehtari, Gelman and Gabry, "Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC",
        Statistics and Computing 2017; the likelihood of a row has the row's latent noise integrated out.
    """
    thin = -(-draws.num_chains * draws.num_draws // MAX_DRAWS)
    parts = _Thinned(draws, thin)
    step = -(-x.shape[0] * y.shape[1] * parts.count // MAX_CELLS)
    rows = np.flatnonzero(~np.isnan(y).all(axis=1))[::step]
    z = np.zeros((x.shape[0], 0)) if z is None else z
    pit = np.empty((rows.size, y.shape[1]))
    pareto = np.full(rows.size, np.nan)
    width = max(1, _SLICE_CELLS // (parts.count * y.shape[1]))
    for start in range(0, rows.size, width):
        chosen = rows[start : start + width]
        here = slice(start, start + chosen.size)
        means = parts.means(x[chosen], z[chosen])
        weights = np.full(means.shape[:2], 1.0 / parts.count)
        if not held_out:
            logs = -parts.log_density(y[chosen], means)
            for index in range(chosen.size):
                weights[:, index], pareto[start + index] = smoothed_weights(logs[:, index])
        below = ndtr((y[chosen] - means) / parts.scale[:, None, :])
        pit[here] = np.einsum("dm,dmk->mk", weights, below)
    return Calibration(pit, pareto, rows, held_out)


class _Thinned:
    """Evenly thinned draws as a predictive distribution needs them."""

    def __init__(self, draws: Draws, thin: int) -> None:
        latent = np.sqrt(draws.latent_variance)[..., None, None] * draws.loadings
        self._psi, self._loadings, self._coef, self._intercept, factors, self._own = (
            pooled(values)[::thin]
            for values in (
                draws.psi, draws.loadings, draws.confounder_coef, draws.intercept,
                np.concatenate([latent, draws.noise_loadings], axis=-2), draws.noise_scale,
            )
        )  # fmt: skip
        self.scale = np.sqrt(pooled(noise_variance(draws))[::thin])
        """(draws, K): predictive standard deviation of a single target."""
        self._weighted = factors / self._own[:, None, :]
        self.count = self.scale.shape[0]

    def means(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(draws, M, K)."""
        return (x @ self._psi) @ self._loadings + z @ self._coef + self._intercept[:, None, :]

    def log_density(self, y: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Of the observed part of each row given each draw, up to a constant, (draws, M)."""
        seen = ~np.isnan(y)
        error = np.where(seen, (np.where(seen, y, 0.0) - means) / self._own[:, None, :], 0.0)
        found = -0.5 * np.sum(error**2, axis=-1)
        found -= np.log(self._own) @ seen.T.astype(float)
        whole = seen.all(axis=1)
        if whole.any():
            found[:, whole] += self._correction(self._weighted, error[:, whole])
        for row in np.flatnonzero(~whole):
            part = self._weighted[..., seen[row]]
            found[:, [row]] += self._correction(part, error[:, [row]][..., seen[row]])
        return found

    @staticmethod
    def _correction(weighted: np.ndarray, error: np.ndarray) -> np.ndarray:
        """What the factors (draws, F, K) add to the density of independent errors (draws, M, K), by Woodbury."""
        across = np.swapaxes(weighted, -1, -2)
        inner = np.linalg.cholesky(np.eye(weighted.shape[1]) + weighted @ across)
        half = np.linalg.solve(inner, np.swapaxes(error @ across, -1, -2))
        log_det = np.log(np.diagonal(inner, axis1=-2, axis2=-1)).sum(axis=-1)
        return 0.5 * np.sum(half**2, axis=-2) - log_det[:, None]


def smoothed_weights(logs: np.ndarray) -> tuple[np.ndarray, float]:
    """Normalised importance weights with the largest replaced by quantiles of a fitted Pareto tail.

    Args:
        logs: (D,), log weights up to a constant.

    Returns:
        (D,) weights that sum to 1, and the tail's shape: infinite with too few draws to fit one, minus infinity
        for a constant tail, which needs no smoothing.
    """
    count = logs.size
    tail = int(np.ceil(min(0.2 * count, 3.0 * np.sqrt(count))))
    logs = logs - logs.max()
    if tail < 5:
        return _normalised(logs), np.inf
    order = np.argsort(logs)
    places, cut = order[-tail:], logs[order[-tail - 1]]
    excess = np.exp(logs[places]) - np.exp(cut)
    if not excess[-1] > 10 * np.finfo(float).eps:
        return _normalised(logs), -np.inf
    shape, scale = fit_pareto(np.maximum(excess, np.finfo(float).tiny))
    level = (np.arange(tail) + 0.5) / tail
    if abs(shape) < 1e-10:
        quantiles = -scale * np.log1p(-level)
    else:
        quantiles = scale * np.expm1(-shape * np.log1p(-level)) / shape
    smooth = logs.copy()
    smooth[places] = np.minimum(np.log(quantiles + np.exp(cut)), 0.0)
    return _normalised(smooth), shape


def fit_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution, shape shrunk towards 0.5 by ten observations' worth.

    Args:
        excess: (n,), positive, ascending.

    Source:
        Zhang and Stephens, "A new and efficient estimation method for the generalized Pareto distribution",
        Technometrics 2009; the shrinkage as in Vehtari et al., "Pareto smoothed importance sampling", JMLR 2024.
    """
    n = excess.size
    grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    points = 1.0 / excess[-1] + (1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (
        3.0 * quartile
    )
    shapes = np.log1p(-points[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-points / shapes) - shapes - 1.0)
    weight = np.exp(profile - profile.max())
    point = np.sum(points * weight) / weight.sum()
    shape = np.log1p(-point * excess).mean()
    scale = -shape / point
    return float((n * shape + 10.0 * 0.5) / (n + 10.0)), float(scale)


def _normalised(logs: np.ndarray) -> np.ndarray:
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


@dataclass(frozen=True)
class Coverage:
    """Observed against nominal coverage of central intervals, and the histogram of PIT values; error bars by rows."""

    nominal: np.ndarray
    """(L,)."""
    observed: np.ndarray
    """(L,)."""
    error: np.ndarray
    """(L,): standard error; cells of a row are correlated, so the row is the unit."""
    density: np.ndarray
    """(bins,): 1 everywhere when calibrated."""
    density_error: np.ndarray
    num_rows: int
    num_cells: int


def coverage(found: Calibration, *, bins: int = 20) -> Coverage:
    """Summaries over trusted rows.

    Raises:
        ValueError: no row is trusted.
    """
    pit = found.pit[found.trusted]
    if not pit.shape[0]:
        raise ValueError("no row whose weights can be trusted")
    seen = ~np.isnan(pit)
    cells = seen.sum()
    nominal = np.linspace(0.05, 0.95, 19)
    inside = [(np.abs(pit - 0.5) <= level / 2.0) for level in nominal]
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, np.where(seen, pit, 0.0), side="right") - 1, 0, bins - 1)
    binned = [(place == index) & seen for index in range(bins)]
    observed, error = _by_rows(inside, seen)
    density, density_error = _by_rows(binned, seen)
    return Coverage(
        nominal, observed, error, density * bins, density_error * bins, pit.shape[0], int(cells)
    )


def _by_rows(events: list[np.ndarray], seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of cells, and their standard errors as ratios of row sums."""
    counts = seen.sum(axis=1)
    sums = np.stack([event.sum(axis=1) for event in events])
    share = sums.sum(axis=1) / counts.sum()
    rest = sums - share[:, None] * counts
    n = counts.size
    error = np.sqrt(n / max(n - 1, 1) * np.sum(rest**2, axis=1)) / counts.sum()
    return share, error
