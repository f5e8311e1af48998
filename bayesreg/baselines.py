"""What latent-noise regression is measured against, and itself, behind one call: fit, predict, predictive distribution.

Point methods have a normal predictive distribution with the deviation of their inner held-out residuals. They need
complete targets: a missing cell is filled with its column's mean. Confounders are partialled out by least squares, so
that they are not penalised. Scikit-learn is imported by the methods that need it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from bayesreg.linear import (
    MAX_RANK,
    NUM_FOLDS,
    LinearFit,
    finish,
    fit_ridge_family,
    random_folds,
    standardised,
)
from bayesreg.sampled import Effort, fit_sampled
from bayesreg.scoring import Mixture
from bayesreg.types import CONFIGURATIONS, ModelSettings, SignalCovariance
from runtime.errors import ConfigError

NUM_ALPHAS = 10
"""Penalties of the multi-task methods, from the smallest that leaves nothing down to `_LAST_ALPHA` of it."""
_LAST_ALPHA = 0.05
_PATH_TOLERANCE = 1e-3


class Predictor(Protocol):
    """A fitted method; tables in original units."""

    def mean(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Point prediction, (M, K)."""

    def mixture(self, x: np.ndarray, z: np.ndarray | None = None) -> Mixture:
        """Predictive distribution of each cell."""


def fit_pls(x: np.ndarray, y: np.ndarray, *, seed: int) -> LinearFit:
    """Partial least squares (PLS2) with 0 to `MAX_RANK` components by cross-validation; one fit has all fewer ones."""
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.exceptions import ConvergenceWarning

    folds = random_folds(x.shape[0], NUM_FOLDS, seed)
    most = min(MAX_RANK, x.shape[1], y.shape[1], min(len(train) for train, _ in folds) - 1)

    def path(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Coefficients of 0 to `most` components, (most + 1, P, K)."""
        with warnings.catch_warnings():
            # weak signals: the power iteration stops before its last digits, which nobody needs here
            warnings.simplefilter("ignore", ConvergenceWarning)
            # targets that are used up leave constant residuals, and components of zeros
            warnings.filterwarnings("ignore", "y residual is constant", UserWarning)
            model = PLSRegression(most, scale=False, max_iter=200, tol=1e-4).fit(x, y)
        parts = model.x_rotations_[:, :, None] * model.y_loadings_.T[None]
        steps = np.cumsum(parts, axis=1)
        return np.concatenate([np.zeros((1, x.shape[1], y.shape[1])), np.moveaxis(steps, 1, 0)])

    return _best_of_path(x, y, path, folds, "components")


def fit_multitask(x: np.ndarray, y: np.ndarray, *, seed: int, l1_ratio: float) -> LinearFit:
    """Multi-task lasso or elastic net: a covariate is in for all targets or for none.

    `MultiTaskElasticNetCV` takes minutes at P = K = 200. Three things make it seconds: the rows are rotated to P by
    the QR factor of X, which leaves the squared error as it is; the path has `NUM_ALPHAS` penalties, each started
    from the one before; and coordinate descent stops at a tolerance of 1e-3.
    """
    folds = random_folds(x.shape[0], NUM_FOLDS, seed)

    def path(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return _multitask_path(x, y, l1_ratio)

    return _best_of_path(x, y, path, folds, "penalty_index")


def _multitask_path(x: np.ndarray, y: np.ndarray, l1_ratio: float) -> np.ndarray:
    """Coefficients along the path, (NUM_ALPHAS, P, K); the first is all zero."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import MultiTaskElasticNet

    num_rows = x.shape[0]
    correlation = x.T @ y / num_rows
    largest = np.sqrt((correlation**2).sum(axis=1)).max() / l1_ratio
    if not largest > 0:
        return np.zeros((NUM_ALPHAS, x.shape[1], y.shape[1]))
    if num_rows > x.shape[1]:
        q, x = np.linalg.qr(x)
        y = q.T @ y
    rows = x.shape[0]
    model = MultiTaskElasticNet(
        l1_ratio=l1_ratio, fit_intercept=False, warm_start=True, tol=_PATH_TOLERANCE, max_iter=300
    )
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # the dense end of the path, never chosen
        for alpha in largest * np.geomspace(1.0, _LAST_ALPHA, NUM_ALPHAS):
            # its loss is divided by the rows it sees: the same objective needs another penalty
            model.set_params(alpha=alpha * num_rows / rows)
            found.append(model.fit(x, y).coef_.T.copy())
    return np.stack(found)


def _best_of_path(
    x: np.ndarray,
    y: np.ndarray,
    path: Callable[[np.ndarray, np.ndarray], np.ndarray],
    folds: list,
    name: str,
) -> LinearFit:
    """The point on a path of coefficients with the least cross-validated squared error."""
    data = standardised(x, y)
    error = 0.0
    for train, test in folds:
        part = standardised(data.x[train], data.y[train])
        coef = path(part.x, part.y) * part.y_scale / part.x_scale[:, None]
        fitted = (data.x[test] - part.x_mean) @ coef + part.y_mean
        error = error + np.sum((data.y[test] - fitted) ** 2, axis=(1, 2))
    best = int(np.argmin(error))
    return finish(x, y, lambda a, b: path(a, b)[best], folds, {name: float(best)})


POINT_METHODS: dict[str, Callable[..., LinearFit]] = {
    "least_squares": partial(fit_ridge_family, penalties=(0.0,)),
    "ridge": fit_ridge_family,
    "ridge_per_target": partial(fit_ridge_family, per_target=True),
    "multitask_lasso": partial(fit_multitask, l1_ratio=1.0),
    "elastic_net": partial(fit_multitask, l1_ratio=0.5),
    "pls": fit_pls,
    "reduced_rank": partial(fit_ridge_family, penalties=(0.0,), max_rank=MAX_RANK),
    "ridge_reduced_rank": partial(fit_ridge_family, max_rank=MAX_RANK),
}
"""Methods without draws; each takes x (N, P), y (N, K) and `seed`."""

SAMPLED_METHODS: dict[str, ModelSettings] = {
    "latent_noise": CONFIGURATIONS["latent_noise"],
    "common_ratio": ModelSettings(),
    "mixed_noise": ModelSettings(independent_noise=True, signal_covariance=SignalCovariance.FREE),
    "independent_noise": CONFIGURATIONS["independent_noise"],
    "brrr": CONFIGURATIONS["brrr"],
}
"""Methods that are this model with other switches."""

METHODS = (*SAMPLED_METHODS, *POINT_METHODS)


@dataclass(frozen=True)
class Partialled:
    """A point method after the confounders were taken out of both tables."""

    inner: LinearFit
    x_coef: np.ndarray
    """(1 + C, P)."""
    y_coef: np.ndarray
    """(1 + C, K)."""

    def mean(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Point prediction, (M, K)."""
        design = _with_ones(z)
        return self.inner.mean(x - design @ self.x_coef) + design @ self.y_coef

    def mixture(self, x: np.ndarray, z: np.ndarray | None = None) -> Mixture:
        """Normal around the prediction."""
        return Mixture(self.mean(x, z)[None], self.inner.sd[None, None, :])


def fit_baseline(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
    *,
    z: np.ndarray | None = None,
    effort: Effort | None = None,
    rank: int | None = None,
) -> Predictor:
    """Fit a method by its name.

    Args:
        name: one of `METHODS`.
        x: (N, P), finite.
        y: (N, K), NaN where missing.
        seed: of inner folds and of chains.
        z: (N, C) confounders or None; then predictions need them too.
        effort: how long the sampled methods sample; None: the default.
        rank: of the sampled methods; None: the default.

    Raises:
        ConfigError: no such method.
        InputError: tables that the sampler refuses.
    """
    if name in SAMPLED_METHODS:
        settings = SAMPLED_METHODS[name]
        if rank is not None:
            settings = settings.with_(rank=rank)
        return fit_sampled(x, y, z, settings=settings, seed=seed, effort=effort or Effort())
    if name not in POINT_METHODS:
        raise ConfigError("no such method", got=name, expected=", ".join(METHODS), where="methods")
    y = np.where(np.isnan(y), np.nanmean(y, axis=0), y)
    if z is None:
        return POINT_METHODS[name](x, y, seed=seed)
    design = _with_ones(z)
    x_coef, y_coef = (np.linalg.lstsq(design, table)[0] for table in (x, y))
    inner = POINT_METHODS[name](x - design @ x_coef, y - design @ y_coef, seed=seed)
    return Partialled(inner, x_coef, y_coef)


def _with_ones(z: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((z.shape[0], 1)), z], axis=1)
