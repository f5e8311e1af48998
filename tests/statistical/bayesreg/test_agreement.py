"""Samplers of different kinds on the same data: Gibbs and NUTS, rotated and row by row.

Statistics, for every entry of B: the difference of posterior means in posterior standard deviations, and the ratio of
standard deviations. Bounds 0.05 and 5 %. Means are Rao-Blackwellised, which leaves them a standard error of at most
1 / sqrt(ESS); with 10,000 effective draws a side a difference has SE 0.014 and a ratio 0.01, so the bounds are 3.5 and
5 standard errors. Power: the authors' sweep order halves the standard deviation; a lost factor of 1.1 is seen.
"""

from __future__ import annotations

import logging

import jax
import numpy as np
import pytest

from bayesreg import diagnostics, inference, posterior
from bayesreg.prepare import Prepared, prepare
from bayesreg.simulate import Covariates, SimulationSettings, simulate
from bayesreg.types import CONFIGURATIONS, Draws, ModelSettings

pytestmark = [pytest.mark.stat, pytest.mark.slow, pytest.mark.timeout(3600)]

LOG = logging.getLogger(__name__)
SMALL = SimulationSettings(
    num_rows=80, num_test_rows=0, num_covariates=5, num_targets=8, rank=2, signal_share=0.1,
    covariates=Covariates.GAUSSIAN,
)  # fmt: skip
SETTINGS = {
    "latent_noise": ModelSettings(rank=2),
    "independent_noise": CONFIGURATIONS["independent_noise"].with_(rank=2, noise_rank=2),
}


def prepared_data(settings: ModelSettings, *, by_rows: bool = False) -> Prepared:
    made = simulate(SMALL, seed=11)
    return prepare(made.x, made.y, settings=settings, by_rows=by_rows)


def gibbs(prepared: Prepared, *, num_draws: int = 8000) -> Draws:
    fit = inference.fit_gibbs(
        prepared, seed=5, num_warmup=1000, num_draws=num_draws, block=1000, thin=2
    )
    names, values = diagnostics.invariants(fit.draws, num_entries=40)
    entries = [index for index, name in enumerate(names) if name.startswith("B[")]
    found = diagnostics.diagnose(tuple(names[i] for i in entries), values[..., entries])
    assert found.rhat.max() <= 1.01, dict(zip(found.names, found.rhat, strict=True))
    return fit.draws


def assert_agree(first: Draws, second: Draws) -> None:
    a, b = posterior.summarise_coef(first), posterior.summarise_coef(second)
    difference = np.abs(a.mean - b.mean) / b.sd
    ratio = a.sd / b.sd
    LOG.info(
        "largest standardised difference %.3f, ratios %.3f to %.3f",
        difference.max(), ratio.min(), ratio.max(),
    )  # fmt: skip
    assert difference.max() < 0.05, f"largest standardised difference {difference.max():.3f}"
    assert np.abs(np.log(ratio)).max() < np.log(1.05), (
        f"ratios {ratio.min():.3f} to {ratio.max():.3f}"
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_gibbs_agrees_with_nuts(name: str) -> None:
    prepared = prepared_data(SETTINGS[name])
    nuts = inference.fit_nuts(prepared, seed=6, num_warmup=1000, num_draws=5000)
    assert_agree(gibbs(prepared), nuts.draws)


@pytest.mark.parametrize("name", SETTINGS)
def test_rotated_agrees_with_row_by_row(name: str) -> None:
    rotated = gibbs(prepared_data(SETTINGS[name]))
    rows = gibbs(prepared_data(SETTINGS[name], by_rows=True))
    assert_agree(rotated, rows)


def test_variational_means_follow_gibbs() -> None:
    prepared = prepared_data(SETTINGS["latent_noise"])
    with jax.numpy_rank_promotion("allow"):  # NumPyro's guide promotes ranks when it draws
        quick = posterior.coef_mean(inference.fit_svi(prepared, seed=0).draws)
    exact = posterior.coef_mean(gibbs(prepared, num_draws=2000))
    assert np.corrcoef(quick.ravel(), exact.ravel())[0, 1] > 0.95
