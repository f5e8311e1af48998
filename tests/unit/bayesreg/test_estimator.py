"""The estimator among scikit-learn's tools, and scikit-learn's own checks.

Compiling costs nine seconds a shape of data and kind of model, so the quick tests share one: 3 covariates, 4 targets,
the ratio fixed. The checks that need other shapes are slow.
"""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from bayesreg import LatentNoiseRegressor
from runtime.errors import ConfigError

pytestmark = pytest.mark.timeout(900)  # compilation, on a machine that may be busy

WITHOUT_A_FIT = {
    "check_complex_data",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_requires_y_none",
    "check_set_params",
    "check_supervised_y_no_nan",
    "check_valid_tag_types",
}
"""Names of checks that sample nothing."""


def make_estimator(**changes) -> LatentNoiseRegressor:
    sizes = {"rank": 2, "num_chains": 2, "num_warmup": 100, "num_draws": 100}
    return LatentNoiseRegressor(**{**sizes, "latent_snr": 1.0, "random_state": 0, **changes})


def make_data(rows: int = 60, *, seed: int = 0, noise: float = 0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3)) * [1.0, 5.0, 0.2] + 1.0
    coef = np.outer([1.0, -0.2, 5.0], [1.0, 0.5, -2.0, 10.0])
    return x, x @ coef + 7.0 + noise * np.abs(coef).sum(axis=0) * rng.normal(size=(rows, 4)), coef


@pytest.fixture(scope="module")
def fitted() -> LatentNoiseRegressor:
    x, y, _ = make_data(300)
    return make_estimator().fit(x, y)


def check_names() -> list[str]:
    checks = estimator_checks_generator(make_estimator(), legacy=True)
    return [getattr(check, "func", check).__name__ for _, check in checks]


def run_check(name: str) -> None:
    estimator = make_estimator(num_warmup=50, num_draws=50, latent_snr=None)
    for given, check in estimator_checks_generator(estimator):
        if getattr(check, "func", check).__name__ == name:
            check(given)


@pytest.mark.parametrize("name", sorted(WITHOUT_A_FIT))
def test_checks_of_scikit_learn_that_sample_nothing(name: str) -> None:
    assert name in check_names()
    run_check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(check_names()) - WITHOUT_A_FIT))
def test_all_other_checks_of_scikit_learn(name: str) -> None:
    if name == "check_array_api_input":
        pytest.skip("asks for SCIPY_ARRAY_API in the environment; the tags promise no array API")
    run_check(name)


def test_coefficients_are_in_units_and_near_the_truth(fitted: LatentNoiseRegressor) -> None:
    """Least squares on 300 rows has standard errors of .03 to .3 of the coefficients here; the prior adds little."""
    x, y, coef = make_data(300)
    assert fitted.coef_.shape == (4, 3) and fitted.intercept_.shape == (4,)
    ones = np.column_stack([np.ones(300), x])
    least = np.linalg.lstsq(ones, y)[0]
    residual = y - ones @ least
    variance = residual.var(axis=0) * np.diag(np.linalg.inv(ones.T @ ones))[1:, None]
    assert (np.abs(fitted.coef_.T - coef) < 5 * np.sqrt(variance)).all()
    np.testing.assert_allclose(fitted.predict(x), x @ fitted.coef_.T + fitted.intercept_)
    assert fitted.score(x, y) > 0.2


def test_the_deviation_covers_new_observations(fitted: LatentNoiseRegressor) -> None:
    """4000 independent cells: standard error .0034 at 95 %, z = 5; half the deviation covers 67 %."""
    x, y, _ = make_data(1000, seed=9)
    mean, sd = fitted.predict(x, return_std=True)
    assert mean.shape == sd.shape == (1000, 4)
    np.testing.assert_allclose(mean, fitted.predict(x))
    inside = np.mean(np.abs(y - mean) < 1.96 * sd)
    assert (
        abs(inside - 0.95) < 5 * 0.0034 + 0.01
    )  # the floor: the deviation itself comes from 300 rows


def test_the_same_seed_gives_the_same_fit_and_another_does_not(fitted) -> None:
    x, y, _ = make_data(300)
    np.testing.assert_array_equal(clone(fitted).fit(x, y).coef_, fitted.coef_)
    assert not np.array_equal(make_estimator(random_state=1).fit(x, y).coef_, fitted.coef_)


def test_it_survives_pickling(fitted: LatentNoiseRegressor) -> None:
    x = make_data(5, seed=3)[0]
    again = pickle.loads(pickle.dumps(fitted))
    for one, other in zip(
        again.predict(x, return_std=True), fitted.predict(x, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_pipeline_cross_validation_and_search() -> None:
    """Folds of 60 rows share the shape after the rotation, so nothing is compiled again."""
    x, y, _ = make_data(60)
    model = make_pipeline(StandardScaler(), make_estimator())
    assert (cross_val_score(model, x, y, cv=2) > 0).all()
    search = GridSearchCV(make_estimator(), {"latent_snr": [1e-4, 1.0]}, cv=2).fit(x, y)
    assert search.best_params_ == {"latent_snr": 1.0}
    assert search.predict(x).shape == (60, 4)


def test_columns_that_do_not_vary_have_coefficient_zero() -> None:
    x, y, _ = make_data(60)
    wide = np.insert(x, 1, 3.0, axis=1)
    tall = np.insert(y, 0, -2.0, axis=1)
    fit = make_estimator().fit(wide, tall)
    assert (fit.coef_[:, 1] == 0).all() and (fit.coef_[0] == 0).all()
    np.testing.assert_array_equal(fit.coef_[1:][:, [0, 2, 3]], make_estimator().fit(x, y).coef_)
    mean, sd = fit.predict(wide, return_std=True)
    assert (mean[:, 0] == -2.0).all() and (sd[:, 0] == 0).all() and (sd[:, 1:] > 0).all()


def test_nothing_that_varies_predicts_the_mean() -> None:
    y = np.arange(10.0)
    fit = make_estimator().fit(np.ones((10, 2)), y)
    mean, sd = fit.predict(np.ones((3, 2)), return_std=True)
    assert (mean == 4.5).all() and mean.shape == sd.shape == (3,)


def test_refusals() -> None:
    x, y, _ = make_data(20)
    with pytest.raises(NotFittedError):
        make_estimator().predict(x)
    with pytest.raises(ValueError, match="NaN"):
        make_estimator().fit(np.where(x > 1.5, np.nan, x), y)
    with pytest.raises(ValueError, match="no observed value"):
        make_estimator().fit(x, np.full_like(y, np.nan))
    with pytest.raises(ConfigError, match="no such configuration; got other"):
        make_estimator(configuration="other").fit(x, y)
    with pytest.raises(ConfigError, match="no such signal covariance"):
        make_estimator(signal_covariance="other").fit(x, y)
    with pytest.raises(ConfigError, match="group sparsity needs the cluster"):
        make_estimator(configuration="information_sharing").fit(x, y)


@pytest.mark.slow
def test_missing_targets_are_imputed_and_empty_rows_dropped() -> None:
    x, y, _ = make_data(300)
    holes = y.copy()
    holes[::7, 1] = np.nan
    holes[5] = np.nan
    fit = make_estimator(num_draws=400).fit(x, holes)
    whole = make_estimator(num_draws=400).fit(x, y)
    apart = np.abs(fit.coef_ - whole.coef_) / np.abs(make_data(300)[2].T)
    assert apart.max() < 0.25
    assert np.isfinite(fit.predict(x, return_std=True)[1]).all()


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, bayesreg; print({'jax', 'sklearn', 'numpy'} & set(sys.modules)); bayesreg.Other"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()"
    assert "has no attribute 'Other'" in done.stderr
