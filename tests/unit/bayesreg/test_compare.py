"""Baselines by name, folds, and comparisons of methods that need no compilation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import MultiTaskElasticNet

from bayesreg import baselines
from bayesreg.baselines import POINT_METHODS, fit_baseline
from bayesreg.compare import SCORES, compare, comparison_figure, make_folds
from bayesreg.compare_config import METHODS, Split
from bayesreg.linear import standardised
from runtime.errors import ConfigError, InputError


def make_data(rows: int = 80, p: int = 4, k: int = 3, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, p)) + 2.0
    y = x[:, :1] @ np.array([[1.0, -2.0, 0.5][:k]]) + 0.5 * rng.normal(size=(rows, k))
    return x, y


def test_every_name_has_a_fit() -> None:
    assert set(METHODS) == set(baselines.METHODS)
    with pytest.raises(ConfigError, match=r"no such method; got lasso; expected latent_noise"):
        fit_baseline("lasso", *make_data(), 0)


@pytest.mark.parametrize("name", POINT_METHODS)
def test_every_point_method_finds_a_plain_signal(name: str) -> None:
    """One covariate explains 4/5, 16/17 and 1/2 of the targets; 80 rows leave at most a few percent of that unfound."""
    x, y = make_data()
    fit = fit_baseline(name, x, y, 0)
    x_new, y_new = make_data(400, seed=1)
    error = np.mean((y_new - fit.mean(x_new)) ** 2, axis=0)
    assert (error < 0.25 * 1.3).all()
    mixture = fit.mixture(x_new)
    np.testing.assert_allclose(mixture.means[0], fit.mean(x_new))
    assert ((mixture.scales > 0.4) & (mixture.scales < 0.7)).all()


def test_rotating_the_rows_leaves_the_elastic_net_as_it_is() -> None:
    """The path against scikit-learn on all rows, both to full convergence of this small problem."""
    x, y = make_data()
    data = standardised(x, y)
    path = baselines._multitask_path(data.x, data.y, 0.5)
    assert not path[0].any()
    largest = np.sqrt(((data.x.T @ data.y / 80) ** 2).sum(axis=1)).max() / 0.5
    alphas = largest * np.geomspace(1.0, 0.05, len(path))
    for coef, alpha in zip(path[1:], alphas[1:], strict=True):
        plain = MultiTaskElasticNet(alpha=alpha, l1_ratio=0.5, fit_intercept=False, tol=1e-8)
        np.testing.assert_allclose(coef, plain.fit(data.x, data.y).coef_.T, atol=0.01)


def test_fewer_components_are_a_part_of_more() -> None:
    x, y = make_data()
    fit = fit_baseline("pls", x, y, 0)
    count = int(fit.chosen["components"])
    plain = PLSRegression(count, scale=True).fit(x, y)
    np.testing.assert_allclose(fit.mean(x), plain.predict(x), atol=2e-3)


def test_confounders_are_not_penalised() -> None:
    """A confounder that explains nearly everything is taken out whole, whatever the penalty."""
    x, y = make_data()
    rng = np.random.default_rng(4)
    z = rng.normal(size=(80, 1))
    fit = fit_baseline("ridge", x + 3.0 * z, y + 100.0 * z, 0, z=z)
    plain = fit_baseline("ridge", x, y, 0)
    z_new = rng.normal(size=(5, 1))
    expected = plain.mean(x[:5]) + 100.0 * z_new
    np.testing.assert_allclose(fit.mean(x[:5] + 3.0 * z_new, z_new), expected, atol=0.2)
    np.testing.assert_allclose(fit.mixture(x[:5], z_new).means[0], fit.mean(x[:5], z_new))


def test_folds_over_time_look_only_back() -> None:
    folds = make_folds(100, 4, Split.TIME, seed=0)
    assert [len(train) for train, _ in folds] == [20, 40, 60, 80]
    for train, test in folds:
        np.testing.assert_array_equal(train, np.arange(len(train)))
        np.testing.assert_array_equal(test, len(train) + np.arange(20))
    with pytest.raises(InputError, match="too few rows for the folds; got 30 rows in 5 folds"):
        make_folds(30, 5, Split.TIME, seed=0)


def test_a_comparison_pairs_methods_on_the_same_rows() -> None:
    x, y = make_data()
    y[3, 1] = y[10] = np.nan
    wide = np.column_stack([x, np.ones(80)])
    seen = []
    found = compare(
        wide, y, methods=["ridge", "least_squares"], folds=make_folds(80, 4, Split.RANDOM, 0), seed=0,
        on_done=lambda method, fold, scores: seen.append((method, fold)),
    )  # fmt: skip
    assert seen == [(m, fold) for fold in range(4) for m in ("ridge", "least_squares")]
    rows = found.table()
    assert [row["method"] for row in rows] == ["ridge", "least_squares"]
    assert set(rows[0]) >= {*SCORES, *(f"{name}_se" for name in SCORES), "ptve_advantage_se"}
    values = found.values
    apart = values["ridge"]["ptve"] - values["least_squares"]["ptve"]
    assert rows[1]["ptve_advantage"] == pytest.approx(apart.mean())
    assert rows[1]["ptve_advantage_se"] == pytest.approx(apart.std(ddof=1) / 2.0)
    assert rows[0]["ptve"] > 0.7 and 0.7 < rows[0]["coverage"] <= 1.0
    # a normal with the noise's deviation of one half, per target in units of its standard deviation
    assert rows[0]["log_density"] == pytest.approx(-0.4, abs=0.4)
    assert comparison_figure(found.table(), title="two methods", note="note").startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="methods are named once"):
        compare(x, y, methods=["ridge", "ridge"], folds=make_folds(80, 2, Split.RANDOM, 0), seed=0)


def test_units_of_a_target_do_not_decide() -> None:
    x, y = make_data()
    folds = make_folds(80, 4, Split.RANDOM, 0)

    def scores(table: np.ndarray) -> np.ndarray:
        found = compare(x, table, methods=["ridge"], folds=folds, seed=0)
        return np.array([found.values["ridge"][name] for name in ("ptve", "log_density", "crps")])

    np.testing.assert_allclose(scores(y), scores(y * [1.0, 1e4, 1e-4] + 5.0), rtol=1e-6)
