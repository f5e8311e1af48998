"""From tables to what the samplers take: standardised, rotated when complete, by rows when target cells are missing."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from bayesreg.compression import Compressed, Rotated, compress, rotate
from bayesreg.gibbs.rowwise import RowProblem
from bayesreg.gibbs.state import Array, Layout, Problem, make_hyper, make_layout, with_rows
from bayesreg.transforms import Standardisation, observed_standardisation
from bayesreg.types import ModelSettings
from runtime.errors import ConfigError, InputError

_MARGIN = 2
"""Rows left out beyond the latent dimension, so that the Wishart matrix has a density with gamma shapes above 1."""


@dataclass(frozen=True)
class MissingData:
    """Target cells to be imputed and rows that were dropped because nothing was observed."""

    cells: np.ndarray
    """(M, 2): row and column, in the rows that were kept."""
    dropped_rows: np.ndarray
    """Positions of rows without any observed target."""


@dataclass(frozen=True)
class Prepared:
    """A fit's data, ready to sample."""

    problem: Problem | RowProblem
    layout: Layout
    rotation: Array
    """(P, r), right singular vectors of the standardised X."""
    x_scaling: Standardisation
    z_scaling: Standardisation
    y_scaling: Standardisation
    missing: MissingData
    covariate_gram: np.ndarray
    """(r,): squared singular values of X over N - 1; with `rotation` the sample covariance of X."""
    num_rows: int
    """N, rows that were used."""

    @property
    def by_rows(self) -> bool:
        """Whether cells are missing (or row-by-row sampling was asked for), so that rows are not rotated."""
        return isinstance(self.problem, RowProblem)


def prepare(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray | None = None,
    *,
    settings: ModelSettings,
    groups: np.ndarray | None = None,
    by_rows: bool = False,
) -> Prepared:
    """Tables in memory to a sampler's data.

    Args:
        x: (N, P), finite.
        y: (N, K); NaN marks a missing cell.
        z: (N, C), finite, or None.
        settings: the model.
        groups: (K,), cluster of each target as 0, 1, ...; needed with group sparsity and refused without.
        by_rows: use the row-by-row sampler although nothing is missing: slower, the same posterior.

    Raises:
        InputError: sizes that do not match, values that are not finite, too few rows.
        ConfigError: groups and settings do not match.
    """
    x, y = _table(x, "X"), _table(y, "Y")
    z = np.zeros((x.shape[0], 0)) if z is None else _table(z, "Z")
    if not x.shape[0] == y.shape[0] == z.shape[0]:
        raise InputError(
            "X, Y and Z have different numbers of rows",
            got=f"{x.shape[0]}, {y.shape[0]} and {z.shape[0]}",
            expected="one row each for every observation",
        )
    for name, table in (("X", x), ("Z", z)):
        bad = np.flatnonzero(~np.isfinite(table).all(axis=0))
        if bad.size:
            counts = (~np.isfinite(table)).sum(axis=0)
            shown = ", ".join(f"{index} ({counts[index]})" for index in bad[:10])
            raise InputError(
                f"{name} has missing or infinite values",
                got=f"columns (count): {shown}",
                expected="finite numbers: only targets may be missing",
            )
    if np.isinf(y).any():
        raise InputError(
            "Y has infinite values",
            got=int(np.isinf(y).sum()),
            expected="numbers, or NaN for a missing cell",
        )
    if np.isnan(y).any() or by_rows:
        return _by_rows(x, y, z, settings, groups)
    return prepare_compressed(compress([(x, z, y)]), settings=settings, groups=groups)


def prepare_compressed(
    data: Compressed, *, settings: ModelSettings, groups: np.ndarray | None = None
) -> Prepared:
    """The factor of a streamed pass to the rotated sampler's data.

    Raises:
        InputError: a column that does not vary.
        ConfigError: groups and settings do not match.
    """
    rotated = rotate(data)
    rotated = _padded(
        rotated, settings.rank + (settings.noise_rank if settings.independent_noise else 0)
    )
    n, k = rotated.y.shape
    groups, num_groups = _groups(groups, settings, k)
    layout = make_layout(
        settings,
        num_rows=n,
        num_signal_rows=rotated.rotation.shape[1],
        num_directions=_directions(rotated, settings),
        num_targets=k,
        num_confounders=rotated.z.shape[1],
        num_groups=num_groups,
        has_remainder=rotated.total_rows > n,
    )
    problem = Problem(
        y=jnp.asarray(rotated.y),
        z=jnp.asarray(rotated.z),
        energy=jnp.asarray(rotated.singular**2),
        covariate_variance=jnp.asarray(rotated.covariate_variance),
        total_rows=jnp.asarray(float(rotated.total_rows)),
        remainder_dof=jnp.asarray(float(rotated.total_rows - n)),
        groups=jnp.asarray(groups),
        hyper=make_hyper(settings),
    )
    problem = with_rows(problem, problem.y, problem.z, layout)
    r = rotated.rotation.shape[1]
    return Prepared(
        problem, layout, jnp.asarray(rotated.rotation), rotated.x_scaling, rotated.z_scaling,
        rotated.y_scaling, MissingData(np.zeros((0, 2), int), np.zeros(0, int)),
        rotated.singular[:r] ** 2 / rotated.total_rows, data.num_rows,
    )  # fmt: skip


def _directions(rotated: Rotated, settings: ModelSettings) -> int:
    """How many rows hold Y and Z when rows are turned once more; 0 when there is no H or too few zero rows are left."""
    n, k = rotated.y.shape
    directions = min(n, k + rotated.z.shape[1])
    zero_rows = rotated.total_rows - directions - settings.rank
    has_use = settings.independent_noise and zero_rows >= settings.noise_rank + _MARGIN
    return directions if has_use else 0


def _padded(rotated: Rotated, depth: int) -> Rotated:
    """Write the zero rows out when there are too few of them for a Wishart matrix."""
    left_out = rotated.total_rows - rotated.y.shape[0]
    if left_out == 0 or left_out >= depth + _MARGIN:
        return rotated
    return Rotated(
        np.pad(rotated.y, ((0, left_out), (0, 0))),
        np.pad(rotated.z, ((0, left_out), (0, 0))),
        np.pad(rotated.singular, (0, left_out)),
        rotated.rotation, rotated.total_rows, rotated.x_scaling, rotated.z_scaling, rotated.y_scaling,
    )  # fmt: skip


def _by_rows(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, settings: ModelSettings, groups: np.ndarray | None
) -> Prepared:
    empty = np.isnan(y).all(axis=1)
    x, y, z = x[~empty], y[~empty], z[~empty]
    if x.shape[0] < 2:
        raise InputError(
            "too few rows with an observed target", got=x.shape[0], expected="at least 2"
        )
    x_scaling = observed_standardisation(x, "X")
    y_scaling = observed_standardisation(y, "Y")
    z_scaling = observed_standardisation(z, "Z")
    x, y, z = x_scaling.apply(x), y_scaling.apply(y), z_scaling.apply(z)
    cells = np.argwhere(np.isnan(y))
    n, k = y.shape
    groups, num_groups = _groups(groups, settings, k)
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    rounding = singular[0] * max(x.shape) * np.finfo(float).eps
    singular = np.where(singular > rounding, singular, 0.0)
    layout = make_layout(
        settings, num_rows=n, num_signal_rows=len(singular), num_targets=k, num_confounders=z.shape[1],
        num_groups=num_groups, has_remainder=False,
    )  # fmt: skip
    problem = RowProblem(
        x=jnp.asarray(x),
        z=jnp.asarray(z),
        y=jnp.asarray(np.where(np.isnan(y), 0.0, y)),
        missing_rows=jnp.asarray(cells[:, 0]),
        missing_columns=jnp.asarray(cells[:, 1]),
        left=jnp.asarray(left),
        singular=jnp.asarray(singular),
        rotation=jnp.asarray(right.T),
        covariate_variance=jnp.asarray(np.sum(singular**2) / (n - 1)),
        intercept=jnp.asarray(True),
        groups=jnp.asarray(groups),
        hyper=make_hyper(settings),
    )
    missing = MissingData(cells, np.flatnonzero(empty))
    return Prepared(
        problem, layout, problem.rotation, x_scaling, z_scaling, y_scaling, missing,
        singular**2 / (n - 1), n,
    )  # fmt: skip


def _table(values: np.ndarray, name: str) -> np.ndarray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape[:1] or (table.shape[1] == 0 and name != "Z"):
        raise InputError(
            f"{name} is not a table with rows and columns",
            got=table.shape,
            expected="two axes, none empty",
        )
    return table


def _groups(
    groups: np.ndarray | None, settings: ModelSettings, num_targets: int
) -> tuple[np.ndarray, int | None]:
    """Checked cluster labels and their number; None when every target is its own."""
    if not settings.group_sparsity:
        if groups is not None:
            raise ConfigError(
                "clusters of targets are given and group sparsity is off", where="group_sparsity"
            )
        return np.arange(num_targets), None
    if groups is None:
        raise ConfigError("group sparsity needs the cluster of each target", where="group_sparsity")
    groups = np.asarray(groups)
    labels = np.unique(groups)
    if groups.shape != (num_targets,) or not np.array_equal(labels, np.arange(labels.size)):
        raise ConfigError(
            "clusters of targets are not labelled 0, 1, ..., one label a target",
            got=f"{groups.shape} with labels {labels[:10].tolist()}",
            expected=f"({num_targets},)",
            where="groups",
        )
    return groups, int(labels.size)
