"""N-free data: one pass of a tall-skinny QR over chunks of rows, then a rotation by the SVD of X.

The likelihood is invariant under orthogonal rotations of the rows (docs/methods/bayes.md, section 3), so the R factor
of [1 X Z Y] is all that the sampler needs. The column of ones in front makes centring exact: what is left of R below
its first row is the factor of the centred data, which has N - 1 rows. Everything is float64, and X'X is never formed,
which would square the condition number. Missing cells break the invariance: see `gibbs/rowwise.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from bayesreg.transforms import Standardisation, standardisation
from runtime.errors import InputError


@dataclass(frozen=True)
class Factor:
    """R factor of [1, D - shift] for the rows seen so far. Merging is associative, so the pass can be distributed."""

    r: np.ndarray
    """(min(N, W + 1), W + 1), upper triangular."""
    shift: np.ndarray
    """(W,), subtracted before factoring: near the mean, so that a large offset costs no digits."""
    num_rows: int


@dataclass(frozen=True)
class Compressed:
    """The centred data in a rotated frame of at most W rows."""

    rows: np.ndarray
    """(min(N - 1, W), W), columns X, Z, Y; upper triangular; original units."""
    mean: np.ndarray
    """(W,), column means."""
    num_rows: int
    """N, rows before centring."""
    num_covariates: int
    num_confounders: int
    num_targets: int

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviations of the columns with N - 1, (W,)."""
        return np.linalg.norm(self.rows, axis=0) / np.sqrt(self.num_rows - 1)


@dataclass(frozen=True)
class Rotated:
    """Standardised data in the rows of the SVD of X = U diag(d) V': row i of X is d_i v_i'."""

    y: np.ndarray
    """(n, K)."""
    z: np.ndarray
    """(n, C)."""
    singular: np.ndarray
    """(n,): d, 0 for rows that X does not reach."""
    rotation: np.ndarray
    """(P, r), columns v_i, r <= n."""
    total_rows: int
    """N - 1, zero rows included."""
    x_scaling: Standardisation
    z_scaling: Standardisation
    y_scaling: Standardisation

    @property
    def covariate_variance(self) -> float:
        """Mean squared length of a row of X."""
        return float(np.sum(self.singular**2) / self.total_rows)


_BLOCK_ROWS = 1024
"""Rows factored at once: the block of a usual table stays in the processor's cache; ten times that is half as fast."""


class FactorPass:
    """The running factor of a pass over rows: stack the current R on the next block and factor in place.

    Holds `max(1024, 2 W)` rows, whatever comes in.
    """

    def __init__(self, width: int, shift: np.ndarray | None = None) -> None:
        self._top = width + 1
        self._work = np.zeros((self._top + max(_BLOCK_ROWS, 2 * width), width + 1), order="F")
        self._filled = self._top
        self._shift = shift
        self.num_rows = 0

    def add(self, chunk: np.ndarray) -> None:
        """Take in rows, (m, W), finite; best in column order."""
        if not chunk.shape[0]:
            return
        if self._shift is None:
            self._shift = chunk.mean(axis=0)
        done = 0
        while done < chunk.shape[0]:
            take = min(chunk.shape[0] - done, self._work.shape[0] - self._filled)
            rows = slice(self._filled, self._filled + take)
            self._work[rows, 0] = 1.0
            np.subtract(chunk[done : done + take], self._shift, out=self._work[rows, 1:])
            self._filled += take
            done += take
            if self._filled == self._work.shape[0]:
                self._factor()
        self.num_rows += chunk.shape[0]

    def _factor(self) -> None:
        found = lapack.dgeqrf(self._work[: self._filled], overwrite_a=1)[0]
        self._work[: self._top] = np.triu(found[: self._top])
        self._filled = self._top

    def finish(self) -> Factor:
        """The factor of all rows.

        Raises:
            InputError: there were none.
        """
        if not self.num_rows:
            raise InputError("no rows", got=0, expected="at least 2")
        if self.num_rows == self._filled - self._top:  # all fit: without the zeros on top
            rows = self._work[self._top : self._filled]
            return Factor(np.linalg.qr(rows, mode="r"), self._shift, self.num_rows)
        if self._filled > self._top:
            self._factor()
        return Factor(
            self._work[: min(self.num_rows, self._top)].copy(), self._shift, self.num_rows
        )


def keep_columns(factor: Factor, kept: np.ndarray) -> Factor:
    """The factor without some columns.

    Args:
        factor: of [1, D - shift].
        kept: positions of columns of D, in any order.
    """
    r = np.linalg.qr(factor.r[:, np.concatenate([[0], np.asarray(kept, dtype=int) + 1])], mode="r")
    return Factor(r, factor.shift[kept], factor.num_rows)


def factor_chunk(chunk: np.ndarray, shift: np.ndarray | None = None) -> Factor:
    """The factor of one chunk of rows.

    Args:
        chunk: (m, W), columns X, Z, Y.
        shift: (W,); the chunk's means when None.

    Raises:
        InputError: the chunk is not a table of finite numbers.
    """
    chunk = np.asarray(chunk, dtype=np.float64)
    if chunk.ndim != 2 or chunk.shape[0] == 0:
        raise InputError("a chunk has no rows", got=chunk.shape, expected="a table with rows")
    refuse_odd(chunk)
    running = FactorPass(chunk.shape[1], chunk.mean(axis=0) if shift is None else shift)
    running.add(chunk)
    return running.finish()


def refuse_odd(chunk: np.ndarray) -> None:
    """Rows that are factored are complete and finite.

    Raises:
        InputError: cells that are not, with the positions of their columns.
    """
    bad = np.flatnonzero(~np.isfinite(chunk).all(axis=0))
    if bad.size:
        raise InputError(
            "values that are not finite",
            got=f"{int((~np.isfinite(chunk)).sum())} cell(s) in columns {', '.join(map(str, bad[:10]))}",
            expected="finite numbers; only targets may be missing, and then rows are not compressed",
        )


def merge(first: Factor, second: Factor) -> Factor:
    """The factor of both sets of rows, with the first one's shift."""
    moved = second.r.copy()
    moved[:, 1:] += np.outer(second.r[:, 0], second.shift - first.shift)
    r = np.linalg.qr(np.concatenate([first.r, moved]), mode="r")
    return Factor(r, first.shift, first.num_rows + second.num_rows)


def absorb(factor: Factor | None, chunk: np.ndarray) -> Factor:
    """The factor with one more chunk: stack the current R on the chunk and factor again, one QR a chunk."""
    if factor is None:
        return factor_chunk(chunk)
    return merge(factor, factor_chunk(chunk, factor.shift))


def finish(
    factor: Factor, *, num_covariates: int, num_confounders: int, num_targets: int
) -> Compressed:
    """Take the mean off and keep the rest, with signs that do not depend on how the rows came.

    Raises:
        InputError: fewer than two rows, or other columns than announced.
    """
    width = num_covariates + num_confounders + num_targets
    if factor.r.shape[1] != width + 1:
        raise InputError(
            "the number of columns is not that of X, Z and Y together",
            got=factor.r.shape[1] - 1,
            expected=str(width),
        )
    if factor.num_rows < 2:
        raise InputError("too few rows", got=factor.num_rows, expected="at least 2")
    mean = factor.shift + factor.r[0, 1:] / factor.r[0, 0]
    rows = positive_diagonal(factor.r)[1:, 1:]
    return Compressed(rows, mean, factor.num_rows, num_covariates, num_confounders, num_targets)


def positive_diagonal(r: np.ndarray) -> np.ndarray:
    """A triangular factor with the signs of its rows fixed: unique for columns that are not collinear."""
    return np.where(np.diagonal(r)[:, None] < 0, -r, r)


def compress(
    chunks: Iterable[tuple[np.ndarray, np.ndarray | None, np.ndarray]],
) -> Compressed:
    """One pass over chunks of (X, Z or None, Y), memory independent of the number of chunks.

    Raises:
        InputError: no rows at all, or a chunk that cannot be used.
    """
    running, sizes = None, (0, 0, 0)
    for x, z, y in chunks:
        z = np.zeros((x.shape[0], 0)) if z is None else z
        sizes = (x.shape[1], z.shape[1], y.shape[1])
        running = running or FactorPass(sum(sizes))
        chunk = np.concatenate([x, z, y], axis=1, dtype=np.float64)
        refuse_odd(chunk)
        running.add(chunk)
    if running is None:
        raise InputError("no rows", got=0, expected="at least 2")
    return finish(
        running.finish(), num_covariates=sizes[0], num_confounders=sizes[1], num_targets=sizes[2]
    )


def rotate(data: Compressed) -> Rotated:
    """Standardise the columns and rotate the rows by the SVD of X. Cost and memory do not depend on N.

    Directions of X below rounding error count as not reached, so collinear covariates and P > N need nothing special.

    Raises:
        InputError: a column that does not vary.
    """
    p, c = data.num_covariates, data.num_confounders
    deviations = data.deviations
    cuts = (slice(0, p), slice(p, p + c), slice(p + c, None))
    scalings = tuple(
        standardisation(data.mean[cut], deviations[cut], name)
        for cut, name in zip(cuts, ("X", "Z", "Y"), strict=True)
    )
    rows = data.rows / deviations
    top = min(rows.shape[0], p)  # the factor is triangular: X is zero below its first P rows
    left, singular, right = np.linalg.svd(rows[:top, :p], full_matrices=False)
    largest = right[np.arange(singular.size), np.argmax(np.abs(right), axis=1)]
    signs = np.where(largest < 0, -1.0, 1.0)  # the same directions, however the factor was made
    left, right = left * signs, right * signs[:, None]
    rounding = singular[:1].max(initial=0.0) * max(rows.shape[0], p) * np.finfo(float).eps
    singular = np.where(singular > rounding, singular, 0.0)
    rest = rows[:, p:].copy()
    rest[:top] = left.T @ rest[:top]
    singular = np.concatenate([singular, np.zeros(rows.shape[0] - singular.size)])
    # rows that X does not reach may be rotated among themselves: to the one form that does not depend on the pass
    beyond = np.flatnonzero(singular == 0)
    triangle = positive_diagonal(np.linalg.qr(rest[beyond], mode="r"))
    rest[beyond] = 0.0
    rest[beyond[: triangle.shape[0]]] = triangle
    return Rotated(
        y=rest[:, c:],
        z=rest[:, :c],
        singular=singular,
        rotation=right.T,
        total_rows=data.num_rows - 1,
        x_scaling=scalings[0],
        z_scaling=scalings[1],
        y_scaling=scalings[2],
    )
