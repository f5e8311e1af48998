"""The generator: shares add up, the truth is the truth, the same seed is the same data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bayesreg.simulate import Covariates, SimulationSettings, simulate
from runtime.errors import ConfigError


@pytest.mark.parametrize("mixture", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("covariates", list(Covariates))
def test_shares_are_exact_in_the_population(mixture: float, covariates: Covariates) -> None:
    made = simulate(SimulationSettings(noise_mixture=mixture, covariates=covariates), seed=3)
    signal = np.trace(made.coef.T @ made.covariate_covariance @ made.coef)
    assert signal == pytest.approx(60 * 0.03)
    assert np.trace(made.noise_covariance) == pytest.approx(60 * 0.97)
    # structured noise beside the residual's 0.2 a target
    structured = made.noise_covariance - 0.2 * np.eye(60)
    assert np.linalg.matrix_rank(structured) == (3 if mixture in {0.0, 1.0} else 6)


def test_population_ptve_is_that_of_the_truth_and_falls_with_error() -> None:
    made = simulate(SimulationSettings(), seed=3)
    assert made.population_ptve(made.coef) == pytest.approx(0.03)
    assert made.population_ptve(np.zeros_like(made.coef)) == pytest.approx(0.0)
    assert made.population_ptve(-made.coef) == pytest.approx(-0.09)


def test_latent_snr_is_the_ratio_of_traces() -> None:
    made = simulate(SimulationSettings(num_covariates=5), seed=0)
    # both go through the same loadings, which have the same expected size in every component
    assert made.latent_snr == pytest.approx(0.03 / 0.77, rel=0.5)
    assert simulate(SimulationSettings(noise_mixture=1.0), seed=0).latent_snr == np.inf


def test_counts_are_counts() -> None:
    made = simulate(SimulationSettings(), seed=0)
    assert set(np.unique(made.x)) == {0.0, 1.0, 2.0}
    assert made.x.shape == (500, 30)
    assert made.y_test.shape == (5000, 60)


def test_the_seed_decides() -> None:
    first, again, other = (simulate(SimulationSettings(), seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.array_equal(first.y, other.y)


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_rows", 1), ("rank", 0), ("signal_share", -0.1), ("residual_share", 0.99), ("num_test_rows", -1)],
)  # fmt: skip
def test_values_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=r"value out of range|add up to more than 1"):
        dataclasses.replace(SimulationSettings(), **{field: value})
