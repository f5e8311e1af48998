"""Standardisation: what is stored undoes what was applied."""

from __future__ import annotations

import numpy as np
import pytest

from bayesreg import transforms
from runtime.errors import InputError

TABLE = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 20.0]])


def test_apply_gives_unit_columns_and_undo_gives_them_back() -> None:
    scaling = transforms.observed_standardisation(TABLE, "X")
    unit = scaling.apply(TABLE)
    np.testing.assert_allclose(unit.mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(unit.std(axis=0, ddof=1), 1.0)
    np.testing.assert_allclose(scaling.undo(unit), TABLE)


def test_missing_cells_are_left_out() -> None:
    holed = np.vstack([TABLE, [np.nan, np.nan]])
    first = transforms.observed_standardisation(TABLE, "Y")
    second = transforms.observed_standardisation(holed, "Y")
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.scale, second.scale)


def test_coefficients_change_units() -> None:
    # y = 3 x in original units: on the standardised scale 3 sd(x) / sd(y)
    x = transforms.Standardisation(np.zeros(1), np.array([2.0]))
    y = transforms.Standardisation(np.zeros(1), np.array([5.0]))
    coef = np.array([[3.0 * 2.0 / 5.0]])
    assert transforms.coefficients_in_units(coef, x, y) == pytest.approx(3.0)


def test_refusals_name_the_columns() -> None:
    with pytest.raises(InputError, match=r"Y has 1 column.*positions 1"):
        transforms.observed_standardisation(np.array([[1.0, 2.0], [2.0, 2.0]]), "Y")
    with pytest.raises(InputError, match="fewer than two observed cells; got positions 0"):
        transforms.observed_standardisation(np.array([[np.nan, 2.0], [1.0, 3.0]]), "Y")
    scaling = transforms.observed_standardisation(TABLE, "X")
    with pytest.raises(InputError, match="got 3; expected 2"):
        scaling.apply(np.zeros((4, 3)))
