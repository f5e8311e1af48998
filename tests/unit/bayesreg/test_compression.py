"""The streamed QR and the rotation: invariants of the data to rounding, whatever the chunks, shapes and ranks."""

from __future__ import annotations

import numpy as np
import pytest

from bayesreg import compression
from runtime.errors import InputError


def make_table(rows: int, width: int, *, offset: float = 3.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)) + offset


def cut(table: np.ndarray, p: int, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return table[:, :p], table[:, p : p + c], table[:, p + c :]


@pytest.mark.parametrize("sizes", [[40], [1] * 40, [7, 33], [25, 1, 14]])
def test_the_factor_is_that_of_the_centred_table_whatever_the_chunks(sizes: list[int]) -> None:
    table = make_table(40, 6)
    cuts = np.split(table, np.cumsum(sizes)[:-1])
    data = compression.compress([cut(chunk, 3, 1) for chunk in cuts])
    centred = table - table.mean(axis=0)
    assert data.num_rows == 40
    assert data.rows.shape == (6, 6)
    np.testing.assert_allclose(data.mean, table.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(data.rows.T @ data.rows, centred.T @ centred, rtol=1e-11)
    np.testing.assert_allclose(data.deviations, table.std(axis=0, ddof=1), rtol=1e-12)


def test_merging_is_associative() -> None:
    a, b, c = (compression.factor_chunk(make_table(9, 4, seed=s, offset=s)) for s in range(3))
    left = compression.merge(compression.merge(a, b), c)
    right = compression.merge(a, compression.merge(b, c))
    assert left.num_rows == right.num_rows == 27
    np.testing.assert_allclose(left.r.T @ left.r, right.r.T @ right.r, rtol=1e-11)


def test_a_large_offset_costs_no_digits() -> None:
    table = make_table(60, 4)
    data = compression.compress([cut(chunk + 1e9, 2, 0) for chunk in np.split(table, 3)])
    # the offset itself rounds the entries at 1e9 * 1e-16: deviations of order 1 keep seven digits, not fewer
    np.testing.assert_allclose(data.deviations, table.std(axis=0, ddof=1), rtol=1e-6)


@pytest.mark.parametrize("rows", [2, 4, 7, 8])
def test_fewer_rows_than_columns_keep_all_rows_but_the_mean(rows: int) -> None:
    table = make_table(rows, 7)
    data = compression.compress([cut(table, 4, 0)])
    centred = table - table.mean(axis=0)
    assert data.rows.shape == (min(rows - 1, 7), 7)
    np.testing.assert_allclose(data.rows.T @ data.rows, centred.T @ centred, atol=1e-11)


@pytest.mark.parametrize(("rows", "p", "c"), [(50, 3, 2), (12, 20, 1), (12, 20, 0), (50, 1, 0)])
def test_rotation_keeps_every_inner_product(rows: int, p: int, c: int) -> None:
    table = make_table(rows, p + c + 4)
    rotated = compression.rotate(compression.compress([cut(table, p, c)]))
    x, z, y = cut((table - table.mean(0)) / table.std(0, ddof=1), p, c)
    r = rotated.rotation.shape[1]
    x_rotated = rotated.singular[:r, None] * rotated.rotation.T
    assert rotated.total_rows == rows - 1
    np.testing.assert_allclose(rotated.rotation.T @ rotated.rotation, np.eye(r), atol=1e-12)
    np.testing.assert_allclose(x_rotated.T @ x_rotated, x.T @ x, atol=1e-10)
    np.testing.assert_allclose(x_rotated.T @ rotated.y[:r], x.T @ y, atol=1e-10)
    np.testing.assert_allclose(x_rotated.T @ rotated.z[:r], x.T @ z, atol=1e-10)
    np.testing.assert_allclose(rotated.y.T @ rotated.y, y.T @ y, atol=1e-10)
    np.testing.assert_allclose(rotated.z.T @ rotated.y, z.T @ y, atol=1e-10)
    assert rotated.covariate_variance == pytest.approx(p)


def test_collinear_covariates_reach_fewer_rows() -> None:
    table = make_table(50, 6)
    table[:, 1] = 2.0 * table[:, 0] - 5.0
    rotated = compression.rotate(compression.compress([cut(table, 3, 0)]))
    assert np.count_nonzero(rotated.singular) == 2


def test_a_scale_of_a_million_changes_nothing_after_standardisation() -> None:
    table = make_table(50, 5)
    scaled = table * np.array([1.0, 1.0, 1.0, 1e6, 1e-6])
    first = compression.rotate(compression.compress([cut(table, 3, 0)]))
    second = compression.rotate(compression.compress([cut(scaled, 3, 0)]))
    np.testing.assert_allclose(np.abs(first.y), np.abs(second.y), atol=1e-9)


def test_what_cannot_be_compressed_is_named() -> None:
    table = make_table(10, 4)
    with pytest.raises(InputError, match=r"not finite; got 1 cell\(s\) in columns 2"):
        bad = table.copy()
        bad[3, 2] = np.nan
        compression.compress([cut(bad, 2, 0)])
    with pytest.raises(InputError, match="too few rows; got 1"):
        compression.compress([cut(table[:1], 2, 0)])
    with pytest.raises(InputError, match="no rows"):
        compression.compress([])
    with pytest.raises(InputError, match=r"X has 1 column\(s\) that do not vary; got positions 1"):
        bad = table.copy()
        bad[:, 1] = 4.2
        compression.rotate(compression.compress([cut(bad, 2, 0)]))
