"""Least squares, ridge, reduced-rank and ridge-reduced-rank regression in closed form, tuned by cross-validation.

One engine: for a penalty, ridge shrinks the singular directions of X, and the rank-r solution projects the targets onto
the leading r right singular vectors of the shrunken fit. Penalty 0 is (reduced-rank) least squares, full rank is ridge.
Targets are standardised for the choice, so that no target's units decide. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bayesreg.scoring import Mixture
from runtime.seeding import Stream

NUM_FOLDS = 5
PENALTIES = (0.0, *np.geomspace(1e-2, 1e4, 25))
"""Ridge penalties relative to the mean squared singular value of X; 0 is least squares."""
MAX_RANK = 10

Folds = Sequence[tuple[np.ndarray, np.ndarray]]
"""Training and test row numbers."""


@dataclass(frozen=True)
class LinearFit:
    """Coefficients in units; the predictive distribution is a normal whose deviation is that of held-out residuals."""

    coef: np.ndarray
    """(P, K)."""
    intercept: np.ndarray
    """(K,)."""
    sd: np.ndarray
    """(K,): root mean square of the residuals of the inner cross-validation, at the values it chose."""
    chosen: dict[str, float]
    """What the cross-validation chose."""

    def mean(self, x: np.ndarray, z: None = None) -> np.ndarray:
        """Prediction for (M, P), (M, K)."""
        return x @ self.coef + self.intercept

    def mixture(self, x: np.ndarray, z: None = None) -> Mixture:
        """Normal around the prediction: parameter uncertainty enters through the held-out residuals."""
        return Mixture(self.mean(x)[None], self.sd[None, None, :])


@dataclass(frozen=True)
class Standardised:
    """Centred tables, unit variance; columns that do not vary are zero."""

    x: np.ndarray
    y: np.ndarray
    x_mean: np.ndarray
    x_scale: np.ndarray
    y_mean: np.ndarray
    y_scale: np.ndarray

    def in_units(self, coef: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standardised (P, K) coefficients as coefficients and intercept in units."""
        coef = coef * self.y_scale / self.x_scale[:, None]
        return coef, self.y_mean - self.x_mean @ coef


def standardised(x: np.ndarray, y: np.ndarray) -> Standardised:
    """Centre and scale both tables, (N, P) and (N, K)."""

    def parts(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = table.std(axis=0)
        return table.mean(axis=0), np.where(scale > 0, scale, 1.0)

    (x_mean, x_scale), (y_mean, y_scale) = parts(x), parts(y)
    return Standardised(
        (x - x_mean) / x_scale, (y - y_mean) / y_scale, x_mean, x_scale, y_mean, y_scale
    )


def random_folds(num_rows: int, count: int, seed: int) -> Folds:
    """Folds of a random order of the rows; never more folds than rows."""
    count = min(count, num_rows)
    order = np.random.default_rng(Stream(seed, "folds").seed).permutation(num_rows)
    parts = np.array_split(order, count)
    return [
        (np.sort(np.concatenate([*parts[:i], *parts[i + 1 :]])), parts[i]) for i in range(count)
    ]


def fit_ridge_family(
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int,
    penalties: Sequence[float] = PENALTIES,
    max_rank: int | None = None,
    per_target: bool = False,
) -> LinearFit:
    """Ridge and reduced-rank regression with the penalty and the rank of least cross-validated squared error.

    Args:
        x: (N, P).
        y: (N, K).
        seed: of the inner folds.
        penalties: to choose from, relative to the mean squared singular value of X.
        max_rank: choose the rank from 0 to this; None: full rank.
        per_target: a penalty for each target, at full rank.

    Source:
        Reduced-rank ridge regression: Mukherjee and Zhu, Statistical Analysis and Data Mining 4 (2011), section 2.

    Raises:
        ValueError: a rank and a penalty for each target at once.
    """
    if per_target and max_rank is not None:
        raise ValueError("a penalty for each target has no common rank")
    data = standardised(x, y)
    folds = random_folds(x.shape[0], NUM_FOLDS, seed)
    errors = [
        _errors(data.x[train], data.y[train], data.x[test], data.y[test], penalties, max_rank)
        for train, test in folds
    ]  # each (penalties, ranks, K)
    # a column that does not vary in a fold leaves it fewer ranks; those above are its largest
    ranks = max(part.shape[1] for part in errors)
    error = sum(
        np.pad(part, ((0, 0), (0, ranks - part.shape[1]), (0, 0)), mode="edge") for part in errors
    )
    if per_target:
        best = error[:, -1].argmin(axis=0)
        chosen = {"penalty": float(np.median(np.asarray(penalties)[best]))}

        def solve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            paths = list(_paths(x, y, penalties, None))
            return np.stack([paths[i][0][:, k] for k, i in enumerate(best)], axis=1)
    else:
        total = error.sum(axis=2)
        index, rank = np.unravel_index(total.argmin(), total.shape)
        chosen = {"penalty": float(penalties[index])}
        if max_rank is not None:
            chosen["rank"] = float(rank)

        def solve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            coef, directions = next(_paths(x, y, penalties[index : index + 1], max_rank))
            if max_rank is None:
                return coef
            return coef @ directions[:, :rank] @ directions[:, :rank].T

    return finish(x, y, solve, folds, chosen)


def finish(
    x: np.ndarray,
    y: np.ndarray,
    solve: Callable[[np.ndarray, np.ndarray], np.ndarray],
    folds: Folds,
    chosen: dict[str, float],
) -> LinearFit:
    """Fit all rows with what was chosen, and each fold for the residuals.

    Args:
        x: (N, P).
        y: (N, K).
        solve: standardised tables to standardised (P, K) coefficients.
        folds: inner folds.
        chosen: for the record.
    """

    def fit(rows: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        data = standardised(x[rows], y[rows])
        return data.in_units(solve(data.x, data.y))

    residual = np.empty_like(y)
    for train, test in folds:
        coef, intercept = fit(train)
        residual[test] = y[test] - x[test] @ coef - intercept
    coef, intercept = fit(slice(None))
    sd = np.sqrt(np.mean(residual**2, axis=0))
    floor = 1e-8 * np.where(
        y.std(axis=0) > 0, y.std(axis=0), 1.0
    )  # a perfect fit has a density too
    return LinearFit(coef, intercept, np.maximum(sd, floor), chosen)


def _paths(
    x: np.ndarray, y: np.ndarray, penalties: Sequence[float], max_rank: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """For each penalty the ridge coefficients (P, K) and the directions (K, r) that reduced ranks project onto."""
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    keep = singular > singular[0] * max(x.shape) * np.finfo(float).eps
    left, singular, right = left[:, keep], singular[keep], right[keep]
    projected = left.T @ y
    unit = np.mean(singular**2) if singular.size else 1.0
    for penalty in penalties:
        total = singular**2 + penalty * unit
        coef = right.T @ (projected * (singular / total)[:, None])
        directions = None
        if max_rank is not None:
            fitted = projected * (singular / np.sqrt(total))[:, None]
            directions = np.linalg.svd(fitted, full_matrices=False)[2][:max_rank].T
        yield coef, directions


def _errors(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    penalties: Sequence[float],
    max_rank: int | None,
) -> np.ndarray:
    """Squared errors on the test rows, (penalties, ranks 0.. or 1, K); every rank from one projection."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y, x_test, y_test = x - mean_x, y - mean_y, x_test - mean_x, y_test - mean_y
    found = []
    for coef, directions in _paths(x, y, penalties, max_rank):
        fitted = x_test @ coef
        if directions is None:
            found.append(np.sum((y_test - fitted) ** 2, axis=0)[None])
            continue
        steps = np.zeros((directions.shape[1] + 1, y.shape[1]))
        remaining = y_test.copy()
        steps[0] = np.sum(remaining**2, axis=0)
        for rank in range(directions.shape[1]):
            direction = directions[:, rank : rank + 1]
            remaining = remaining - (fitted @ direction) @ direction.T
            steps[rank + 1] = np.sum(remaining**2, axis=0)
        found.append(steps)
    return np.stack(found)
