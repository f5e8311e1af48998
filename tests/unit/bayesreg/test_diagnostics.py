"""R-hat and ESS: against NumPyro's on the same numbers, and on chains whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpyro import diagnostics as reference

from bayesreg import diagnostics


def autoregressive(rho: float, chains: int = 4, count: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(int(100 * rho))
    noise = rng.normal(size=(chains, count)) * np.sqrt(1 - rho**2)
    values = np.empty((chains, count))
    values[:, 0] = rng.normal(size=chains)
    for t in range(1, count):
        values[:, t] = rho * values[:, t - 1] + noise[:, t]
    return values


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_size_agrees_with_numpyro_and_the_theory(rho: float) -> None:
    values = autoregressive(rho)
    found = diagnostics.effective_size(values)
    assert found == pytest.approx(float(reference.effective_sample_size(values)), rel=0.02)
    # an autoregression of order 1 has n (1 - rho) / (1 + rho); its estimate varies by about 10 % here
    assert found == pytest.approx(values.size * (1 - rho) / (1 + rho), rel=0.35)


def test_rhat_is_the_split_one_on_normal_scores() -> None:
    values = autoregressive(0.5)
    scores = diagnostics._normal_scores(values)
    assert diagnostics.rhat(values) >= float(reference.split_gelman_rubin(scores)) - 1e-12
    assert 1.0 <= diagnostics.rhat(values) + 1e-3 < 1.02


def shifted(values: np.ndarray) -> np.ndarray:
    return values + np.arange(4)[:, None]


def stretched(values: np.ndarray) -> np.ndarray:
    return values * (1.0 + 2.0 * np.arange(4)[:, None])


@pytest.mark.parametrize("change", [shifted, stretched])
def test_chains_that_differ_in_place_or_scale_are_caught(change) -> None:
    values = change(autoregressive(0.0))
    assert diagnostics.rhat(values) > 1.1
    found = diagnostics.diagnose(("a",), values[..., None])
    assert not found.passed


def test_a_stuck_chain_never_passes() -> None:
    values = np.ones((4, 100))
    assert diagnostics.effective_size(values) == 0.0
    assert diagnostics.rhat(values) == np.inf
    assert not diagnostics.diagnose(("a",), values[..., None]).passed


def test_good_chains_pass() -> None:
    values = np.stack([autoregressive(0.0), autoregressive(0.3)], axis=-1)
    found = diagnostics.diagnose(("a", "b"), values)
    assert found.passed, found
    assert np.all(found.ess_tail > 1000)
