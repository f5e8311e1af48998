"""Centring and scaling of columns, kept with the fit and undone on output.

The scale is the standard deviation with N - 1. Columns that do not vary are refused here: whether to drop them is the
reader's decision, and dividing by rounding error would make a covariate of noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.errors import InputError

CONSTANT_BELOW = 1e-12
"""Smallest standard deviation, relative to the column's mean size, that is not rounding error of float64 data."""


@dataclass(frozen=True)
class Standardisation:
    """Mean and scale of each column of a table."""

    mean: np.ndarray
    """(W,), original units."""
    scale: np.ndarray
    """(W,), original units, positive."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(M, W) in original units to (M, W) with mean 0 and standard deviation 1 on the training rows.

        Raises:
            InputError: another number of columns than at the fit.
        """
        if values.ndim != 2 or values.shape[1] != self.mean.size:
            raise InputError(
                "the table has another number of columns than at the fit",
                got=values.shape[-1],
                expected=str(self.mean.size),
            )
        return (values - self.mean) / self.scale

    def undo(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `apply`; leading axes are free, (.., W)."""
        return values * self.scale + self.mean


def standardisation(mean: np.ndarray, scale: np.ndarray, what: str) -> Standardisation:
    """Check that every column varies.

    Args:
        mean: (W,).
        scale: (W,), standard deviations.
        what: the table's name, for the message.

    Raises:
        InputError: constant columns, with their positions.
    """
    constant = np.flatnonzero(~(scale > CONSTANT_BELOW * np.maximum(np.abs(mean), 1e-280)))
    if constant.size:
        shown = ", ".join(str(index) for index in constant[:10])
        raise InputError(
            f"{what} has {constant.size} column(s) that do not vary",
            got=f"positions {shown}{', ...' if constant.size > 10 else ''}",
            expected="columns with at least two values",
            hint="leave them out: they carry nothing beside the intercept",
        )
    return Standardisation(np.asarray(mean, float), np.asarray(scale, float))


def observed_standardisation(values: np.ndarray, what: str) -> Standardisation:
    """Of the observed cells of a table in memory; NaN marks a missing cell.

    Args:
        values: (N, W).
        what: the table's name, for the message.

    Raises:
        InputError: a column with fewer than two observed cells or without variation.
    """
    seen = ~np.isnan(values)
    count = seen.sum(axis=0)
    few = np.flatnonzero(count < 2)
    if few.size:
        raise InputError(
            f"{what} has {few.size} column(s) with fewer than two observed cells",
            got=f"positions {', '.join(map(str, few[:10]))}",
            expected="at least two observed cells a column",
        )
    filled = np.where(seen, values, 0.0)
    mean = filled.sum(axis=0) / count
    centred = np.where(seen, values - mean, 0.0)
    return standardisation(mean, np.sqrt((centred**2).sum(axis=0) / (count - 1)), what)


def coefficients_in_units(
    coef: np.ndarray, covariates: Standardisation, targets: Standardisation
) -> np.ndarray:
    """B on the standardised scale to target units per covariate unit; (.., P, K) both."""
    return coef * (targets.scale[None, :] / covariates.scale[:, None])
