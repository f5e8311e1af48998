"""pass@k intervals over simulated sets of problems: do they cover as often as docs/methods/passk.md says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import binom

from rlgrok import passk

pytestmark = pytest.mark.stat


def rng_for(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def acceptance(rate: float, repeats: int) -> tuple[int, int]:
    """Counts of covered intervals that a true coverage of `rate` gives with probability 1 - 1e-4, two-sided."""
    return int(binom.ppf(5e-5, repeats, rate)), int(binom.isf(5e-5, repeats, rate))


def test_mean_is_unbiased_over_problems_and_draws() -> None:
    # Statistic: mean over 4,000 sets of 14 problems of the estimate. SE: s / sqrt(4000). z = 5.
    # Power: the plug-in estimator on the same counts is off by about 0.012 = 9 SE, asserted below.
    rng = rng_for("passk-unbiased")
    sets, problems, n, k = 4000, 14, 16, 4
    probabilities = rng.beta(0.3, 1.5, size=(sets, problems))
    counts = rng.binomial(n, probabilities)
    table = np.array([passk.pass_at_k(n, c, k) for c in range(n + 1)])
    plug_in_table = np.array([passk.success_to_pass_at_k(c / n, k) for c in range(n + 1)])
    errors = (table[counts] - (1 - (1 - probabilities) ** k)).mean(axis=1)
    se = errors.std(ddof=1) / np.sqrt(sets)
    bias = (plug_in_table[counts] - (1 - (1 - probabilities) ** k)).mean()
    facts = (
        f"error {errors.mean():.2e} se {se:.2e} z {errors.mean() / se:.2f} plug-in bias {bias:.4f}"
    )
    assert abs(errors.mean()) <= 5 * se, facts
    assert abs(bias) > 7.3 * se, facts


def test_pooled_bound_covers_the_mean_of_unequal_problems() -> None:
    # R = 500 sets of 20 problems whose p spread over four decades; one-sided level 0.9. The bound is conservative,
    # so only too few covered sets is an error: at least ppf(1e-4) of Bin(500, 0.9) = 424.
    rng = rng_for("passk-pooled")
    covered = 0
    for _ in range(500):
        probabilities = 10 ** rng.uniform(-5, -1, size=20)
        counts = rng.binomial(64, probabilities)
        truth = np.mean(1 - (1 - probabilities) ** 8)
        covered += truth <= passk.pooled_upper(counts.tolist(), [64] * 20, 8, 0.9)
    assert covered >= binom.ppf(1e-4, 500, 0.9), f"covered {covered} of 500"


@pytest.mark.parametrize(("problems", "true_coverage"), [(14, 0.929), (60, 0.938)])
def test_bootstrap_over_problems_covers_new_problems(problems: int, true_coverage: float) -> None:
    # R = 500 sets drawn from one population, 95 % intervals. A percentile bootstrap of a mean of m values covers less:
    # measured once with 6,000 other sets, 0.929 at m = 14 and 0.938 at m = 60 (SE 0.003). The acceptance band is the
    # exact binomial one, two-sided 1e-4. Power: an interval half as wide covers 0.67 and is far outside.
    rng = rng_for(f"passk-bootstrap-{problems}")
    n, k, repeats = 32, 4, 500
    population = rng.beta(0.4, 1.2, size=200_000)
    truth = np.mean(1 - (1 - population) ** k)
    covered = 0
    for repeat in range(repeats):
        counts = rng.binomial(n, rng.beta(0.4, 1.2, size=problems)).tolist()
        estimate = passk.mean_pass_at_k(counts, [n] * problems, k, seed=repeat, num_resamples=800)
        covered += estimate.low <= truth <= estimate.high
    low, high = acceptance(true_coverage, repeats)
    assert low <= covered <= high, f"covered {covered} of {repeats}, accepted {low} to {high}"
