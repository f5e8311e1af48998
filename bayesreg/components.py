"""Principal components of the signal: what the covariates do to the targets, in a few directions that are identified.

The sampler's own components may rotate and change sign from draw to draw. These are the principal components of the
posterior mean of the fitted values: fixed weighted sums of the covariates with unit variance in the training rows. A
draw's loading on one of them is linear in its B, so its posterior needs no alignment: neither varimax nor Procrustes.
NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesreg.posterior import coef_mean, pooled
from bayesreg.types import Draws


@dataclass(frozen=True)
class Components:
    """The S principal components of the mean signal, largest first; standardised scale."""

    correlation: np.ndarray
    """(P, S): of each covariate with the component's score, in [-1, 1]."""
    loadings: np.ndarray
    """(draws, S, K): covariance of the signal with the score, chains pooled: target sds per sd of the score."""
    share: np.ndarray
    """(S,): share of the mean signal's variance, adds up to 1."""


def signal_components(draws: Draws, rotation: np.ndarray, covariate_gram: np.ndarray) -> Components:
    """Components of the fitted values.

    With the covariance of X as V diag(g) V' and R = diag(sqrt g) V', the mean signal R E[B] = U D W'. The score of
    component h has covariance R'u_h with the covariates, and a draw of B gives it the loadings u_h' R B.

    Args:
        draws: of a fit.
        rotation: (P, r), V.
        covariate_gram: (r,), g.

    Returns:
        As many components as the model has, fewer when there are fewer covariates or targets. The sign of each is
        chosen so that its largest mean loading is positive.
    """
    root = np.sqrt(covariate_gram)[:, None] * np.asarray(rotation).T
    mean = root @ coef_mean(draws)
    rank = min(draws.loadings.shape[-2], *mean.shape)
    left, sizes, right = np.linalg.svd(mean, full_matrices=False)
    largest = np.abs(right[:rank]).argmax(axis=1)
    sign = np.where(right[np.arange(rank), largest] < 0, -1.0, 1.0)
    cross = root.T @ (left[:, :rank] * sign)  # (P, S): covariance of X with the scores
    psi, gamma = pooled(draws.psi), pooled(draws.loadings)
    loadings = np.einsum("ph,dps->dhs", cross, psi, optimize=True) @ gamma
    energy = sizes[:rank] ** 2
    return Components(cross, loadings, energy / max(energy.sum(), np.finfo(float).tiny))
