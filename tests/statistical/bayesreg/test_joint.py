"""The joint-distribution test of every configuration and switch, and mistakes that it must catch.

Statistic: for each of some 30 quantities, the mean difference between a chain started from the prior after its
alternations and its start, over independent replicates, in standard errors (SE = s / sqrt(replicates), exact). Bound 4:
at 30 quantities and 10 tests a right sampler exceeds it once in 50 seeds, so seeds are fixed. Power: stated by the
negative controls, which are the smallest mistakes of their kind (one degree of freedom, one missing Jacobian) and must
exceed the same bound. `-o log_cli=true --log-cli-level=INFO` shows what was found.
"""

from __future__ import annotations

import dataclasses
import logging

import pytest

from bayesreg import checks
from bayesreg.types import CONFIGURATIONS, ModelSettings, SignalCovariance

pytestmark = [
    pytest.mark.stat,
    pytest.mark.timeout(3600),
]  # compilation, on a machine that may be busy

BOUND = 4.0
LOG = logging.getLogger(__name__)
TINY = {"rank": 2, "noise_rank": 2, "latent_snr_location": 0.0, "confounder_scale": 1.0}
LATENT = CONFIGURATIONS["latent_noise"].with_(**TINY)
ONE_RATIO = LATENT.with_(signal_covariance=SignalCovariance.COMMON)
EVERYTHING = CONFIGURATIONS["information_sharing"].with_(
    **TINY, signal_covariance=SignalCovariance.FREE, sample_shrinkage=True
)
CASES = {
    "latent noise": LATENT,
    "information sharing": CONFIGURATIONS["information_sharing"].with_(**TINY),
    "independent noise": CONFIGURATIONS["independent_noise"].with_(**TINY),
    "brrr": CONFIGURATIONS["brrr"].with_(**TINY),
    "one ratio": ONE_RATIO,
    "beta fixed": ONE_RATIO.with_(latent_snr=1.0),
    "unit variance of psi": ONE_RATIO.with_(normalise_latent=False),
    "sampled shrinkage": ONE_RATIO.with_(sample_shrinkage=True),
    "everything and confounders": EVERYTHING,
}


def sizes_of(settings: ModelSettings) -> checks.CheckSizes:
    sizes = checks.default_sizes(settings)
    if settings != EVERYTHING:
        return sizes
    return dataclasses.replace(sizes, num_confounders=1, num_rows=sizes.num_rows + 1)


def run(settings: ModelSettings, *, replicates: int, defect: str | None = None) -> checks.JointTest:
    return checks.joint_distribution_test(
        settings, sizes_of(settings), seed=0, num_replicates=replicates, defect=defect
    )


def largest(name: str, found: checks.JointTest) -> float:
    """Largest |z|, logged."""
    LOG.info("%s: largest |z| %.1f of %d (%s)", name, found.largest, len(found.z), found.worst)
    return found.largest


def test_the_default_sampler_is_exact_and_mistakes_are_seen() -> None:
    # one program serves all four: the mistakes are other numbers
    assert largest("rotated", run(LATENT, replicates=4000)) < BOUND
    for defect in checks.DEFECTS:
        assert largest(defect, run(LATENT, replicates=4000, defect=defect)) > BOUND, defect


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_configuration_and_switch(name: str) -> None:
    assert largest(f"rotated, {name}", run(CASES[name], replicates=4000)) < BOUND


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_row_by_row_with_missing_cells(name: str) -> None:
    settings = CASES[name]
    found = checks.row_joint_distribution_test(
        settings, sizes_of(settings), seed=0, num_missing=6, num_replicates=4000
    )
    assert largest(f"row by row, {name}", found) < BOUND, found


def test_missing_cells_are_exact() -> None:
    found = checks.row_joint_distribution_test(LATENT, seed=0, num_missing=6, num_replicates=3000)
    assert largest("row by row", found) < BOUND


@pytest.mark.slow
def test_the_wrong_order_is_seen() -> None:
    found = checks.row_joint_distribution_test(
        LATENT, seed=0, num_missing=6, num_replicates=3000, wrong_order=True
    )
    assert largest("wrong order", found) > 2 * BOUND


@pytest.mark.slow
def test_ranks_are_uniform_and_a_mistake_is_seen() -> None:
    # 800 data sets, 63 nearly independent draws, 16 bins, 50 expected in each. Failure rate 1e-5 a quantity.
    good = checks.simulation_based_calibration(LATENT, seed=0)
    LOG.info("ranks: smallest p %.2g of %d", good.p_values().min(), len(good.names))
    assert good.p_values().min() > 1e-5, dict(zip(good.names, good.p_values(), strict=True))
    bad = checks.simulation_based_calibration(
        LATENT, seed=0, num_replicates=3200, defect="jacobian"
    )
    LOG.info("ranks, a missing Jacobian: smallest p %.2g", bad.p_values().min())
    assert bad.p_values().min() < 1e-5
