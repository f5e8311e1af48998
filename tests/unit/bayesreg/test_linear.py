"""The ridge family against normal equations, and its choices on data that say what is right."""

from __future__ import annotations

import numpy as np
import pytest

from bayesreg.linear import fit_ridge_family, random_folds, standardised


def make_data(rows: int = 60, p: int = 4, k: int = 5, *, rank: int = 1, noise: float = 0.3):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(rows, p)) * [1.0, 10.0, 0.1, 2.0][:p] + 5.0
    coef = rng.normal(size=(p, rank)) @ rng.normal(size=(rank, k)) / x.std(axis=0)[:, None]
    return x, 2.0 + x @ coef + noise * rng.normal(size=(rows, k)), coef


def test_without_penalty_it_is_least_squares() -> None:
    x, y, _ = make_data()
    fit = fit_ridge_family(x, y, seed=0, penalties=(0.0,))
    expected = np.linalg.lstsq(np.column_stack([np.ones(60), x]), y)[0]
    np.testing.assert_allclose(fit.intercept, expected[0], rtol=1e-8)
    np.testing.assert_allclose(fit.coef, expected[1:], rtol=1e-8)
    np.testing.assert_allclose(fit.mean(x), fit.mixture(x).means[0])


def test_one_penalty_solves_the_normal_equations() -> None:
    x, y, _ = make_data()
    fit = fit_ridge_family(x, y, seed=0, penalties=(0.7,))
    data = standardised(x, y)
    unit = np.mean(np.linalg.svd(data.x)[1] ** 2)
    inner = data.x.T @ data.x + 0.7 * unit * np.eye(4)
    expected, intercept = data.in_units(np.linalg.solve(inner, data.x.T @ data.y))
    np.testing.assert_allclose(fit.coef, expected, rtol=1e-9)
    np.testing.assert_allclose(fit.intercept, intercept, rtol=1e-9)


def test_reduced_rank_is_the_best_of_its_rank() -> None:
    """Eckart-Young on the fitted values: no other rank-1 coefficients fit better, and the rank is found."""
    x, y, _ = make_data()
    fit = fit_ridge_family(x, y, seed=0, penalties=(0.0,), max_rank=3)
    assert fit.chosen["rank"] == 1.0
    data = standardised(x, y)
    fitted = data.x @ np.linalg.lstsq(data.x, data.y)[0]
    left, singular, right = np.linalg.svd(fitted, full_matrices=False)
    best = left[:, :1] * singular[:1] @ right[:1]
    np.testing.assert_allclose((fit.mean(x) - data.y_mean) / data.y_scale, best, atol=1e-9)


def test_pure_noise_is_predicted_by_the_mean() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(50, 8)), rng.normal(size=(50, 6))
    fit = fit_ridge_family(x, y, seed=0, penalties=(0.0,), max_rank=4)
    assert fit.chosen["rank"] == 0.0
    np.testing.assert_allclose(fit.mean(x), np.broadcast_to(y.mean(axis=0), y.shape), atol=1e-12)


def test_a_penalty_for_each_target_follows_its_signal() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(40, 20))
    strong, weak = x[:, 0] * 3.0, rng.normal(size=40)
    y = np.column_stack([strong, weak]) + 0.1 * rng.normal(size=(40, 2))
    fit = fit_ridge_family(x, y, seed=0, per_target=True)
    assert abs(fit.coef[0, 0] - 3.0) < 0.2
    assert np.abs(fit.coef[:, 1]).max() < 0.3
    with pytest.raises(ValueError, match="common rank"):
        fit_ridge_family(x, y, seed=0, per_target=True, max_rank=2)


def test_more_covariates_than_rows_and_a_constant_column() -> None:
    rng = np.random.default_rng(7)
    x = np.column_stack([rng.normal(size=(12, 30)), np.ones(12)])
    y = x[:, :2] @ rng.normal(size=(2, 3)) + 0.1 * rng.normal(size=(12, 3))
    fit = fit_ridge_family(x, y, seed=0)
    assert np.isfinite(fit.coef).all() and (fit.coef[-1] == 0.0).all()


def test_the_deviation_is_that_of_residuals_on_rows_that_were_not_fitted() -> None:
    """Noise of standard deviation .3, 60 rows: relative error .09; in-sample residuals of 20 covariates give .24."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(60, 20))
    y = x @ rng.normal(size=(20, 3)) + 0.3 * rng.normal(size=(60, 3))
    fit = fit_ridge_family(x, y, seed=0, penalties=(0.0,))
    assert (fit.sd > 0.28).all() and (fit.sd < 0.7).all()


def test_folds_part_the_rows_and_depend_on_the_seed_alone() -> None:
    folds = random_folds(23, 5, seed=1)
    np.testing.assert_array_equal(np.sort(np.concatenate([t for _, t in folds])), np.arange(23))
    for train, test in folds:
        assert not set(train) & set(test) and len(train) + len(test) == 23
    again = random_folds(23, 5, seed=1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(folds, again, strict=True))
    other = random_folds(23, 5, seed=2)
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(folds, other, strict=True))


def test_folds_in_which_a_column_does_not_vary_have_fewer_ranks() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 3))
    x[:, 2] = 0.0
    x[4, 2] = 1.0  # held out in one fold, where two columns are left
    y = x @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(30, 5))
    fit = fit_ridge_family(x, y, seed=0, max_rank=3)
    assert fit.coef.shape == (3, 5)
    assert np.isfinite(fit.coef).all()
