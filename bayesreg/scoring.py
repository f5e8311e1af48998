"""How good predictions are: variance explained, log density, coverage and CRPS on rows that were held out.

NumPy only. A predictive distribution is a `Mixture` of normals for each cell of the table; a method without draws has
one component. Densities and intervals are of single cells, so that methods with and without a model of the correlation
between targets are scored alike. NaN cells of a test table are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

LEVEL = 0.9
"""Of the predictive intervals whose coverage is reported."""


@dataclass(frozen=True)
class Mixture:
    """An equal mixture of normals for each cell of a table, in the table's units."""

    means: np.ndarray
    """(D, M, K)."""
    scales: np.ndarray
    """Broadcasts against means, positive."""

    def sd(self) -> np.ndarray:
        """Standard deviation, (M, K)."""
        return np.sqrt(self.means.var(axis=0) + self._mean_of(self.scales**2))

    def log_density(self, y: np.ndarray) -> np.ndarray:
        """Natural logarithm of the density at (M, K) values."""
        each = -0.5 * ((y - self.means) / self.scales) ** 2 - np.log(self.scales)
        top = each.max(axis=0)
        return top + np.log(np.exp(each - top).mean(axis=0)) - 0.5 * np.log(2.0 * np.pi)

    def distribution(self, y: np.ndarray) -> np.ndarray:
        """Distribution function at (M, K) values."""
        return ndtr((y - self.means) / self.scales).mean(axis=0)

    def _mean_of(self, values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values, (values.shape[0], *self.means.shape[1:])).mean(axis=0)


@dataclass(frozen=True)
class Scores:
    """One method on one set of held-out rows."""

    ptve: float
    """1 - sum over targets Var(y - prediction) / sum Var(y), each target in units of `scale`."""
    log_density: float | None
    """Mean over cells of the log predictive density, nats, targets in units of `scale`."""
    coverage: float | None
    """Share of cells inside their equal-tailed interval at `LEVEL`."""
    crps: float | None
    """Mean over cells of the continuous ranked probability score of the normal with the predictive mean and deviation,
    in units of `scale`; smaller is better."""


def score(y: np.ndarray, mean: np.ndarray, mixture: Mixture | None, *, scale: np.ndarray) -> Scores:
    """Score predictions of held-out rows.

    Args:
        y: (M, K), NaN where missing.
        mean: (M, K), the point prediction.
        mixture: the predictive distribution, None when the method has none.
        scale: (K,), one unit of each target: its standard deviation in the training rows, so that no target's units
            decide.
    """
    explained = heldout_ptve(y / scale, mean / scale)
    if mixture is None:
        return Scores(explained, None, None, None)
    seen = ~np.isnan(y)
    filled = np.where(seen, y, mean)
    density = mixture.log_density(filled) + np.log(scale)
    level = mixture.distribution(filled)
    inside = np.abs(level - 0.5) <= LEVEL / 2.0
    ranked = normal_crps(filled, mean, mixture.sd()) / scale
    return Scores(explained, *(float(np.mean(part[seen])) for part in (density, inside, ranked)))


def heldout_ptve(y: np.ndarray, mean: np.ndarray) -> float:
    """Proportion of total variance explained in held-out rows: 1 - sum_k Var(y_k - mean_k) / sum_k Var(y_k).

    Args:
        y: (M, K), NaN where missing.
        mean: (M, K).

    Returns:
        At most 1; negative when the prediction is worse than a constant. NaN when no target varies.
    """
    observed = np.where(np.isnan(y), np.nan, mean)
    total = np.nansum(np.nanvar(y, axis=0))
    return float(1.0 - np.nansum(np.nanvar(y - observed, axis=0)) / total) if total > 0 else np.nan


def normal_crps(y: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of normal forecasts, in the units of y.

    Source:
        Gneiting and Raftery, JASA 102 (2007), eq. 21 with the sign changed.
    """
    z = (y - mean) / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean of replicates and its standard error; the error of a single one is NaN."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def paired_difference(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Mean and standard error of the differences between two methods on the same replicates.

    Raises:
        ValueError: other numbers of replicates.
    """
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    if values.shape != reference.shape:
        raise ValueError(f"{values.shape} replicates against {reference.shape}")
    return mean_and_error(values - reference)


def relative_loss(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """How much smaller the mean of one method is, as a share of the other's mean, with a standard error.

    1 - mean(values) / mean(reference) on paired replicates; the error by the delta method for a ratio of means.

    Raises:
        ValueError: other numbers of replicates.
    """
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    if values.shape != reference.shape:
        raise ValueError(f"{values.shape} replicates against {reference.shape}")
    ratio = values.mean() / reference.mean()
    _, error = mean_and_error(values - ratio * reference)
    return float(1.0 - ratio), float(error / abs(reference.mean()))
