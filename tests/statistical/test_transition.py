"""How often the transition detector is wrong, and whether its interval covers, on simulated curves.

Curves as in the default experiment: 31 evaluations (0 to 300 steps, every 10) of 14 held-out problems.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from rlgrok.transition import detect

pytestmark = pytest.mark.stat

STEPS = np.arange(0, 301, 10)
END = STEPS[-1]
COUNT = 14
REPEATS = 200


def rng_for(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def ramp(t: np.ndarray, start: float, end: float, before: float, after: float) -> np.ndarray:
    return before + (after - before) * np.clip((t - start) / (end - start), 0, 1)


def num_found(name: str, accuracy: Callable[[np.ndarray], np.ndarray]) -> int:
    rng = rng_for(name)
    probability = np.clip(accuracy(STEPS.astype(float)), 0, 1)
    draws = rng.binomial(COUNT, probability, size=(REPEATS, len(STEPS)))
    return sum(detect(STEPS, row, COUNT, num_resamples=2).found for row in draws)


NOT_TRANSITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flat at 0": lambda t: 0 * t,
    "flat at 0.07": lambda t: 0 * t + 0.07,
    "flat at 0.5": lambda t: 0 * t + 0.5,
    "flat at 0.95": lambda t: 0 * t + 0.95,
    "linear": lambda t: t / END,
    "linear from 0.1": lambda t: 0.1 + 0.9 * t / END,
    "square root": lambda t: np.sqrt(t / END),
    "quarter plateau then linear": lambda t: ramp(t, END / 4, END, 0, 1),
    "abrupt to 0.6": lambda t: ramp(t, 150, 180, 0, 0.6),
    "abrupt to 0.8": lambda t: ramp(t, 150, 180, 0, 0.8),
    "abrupt from 0.4": lambda t: ramp(t, 150, 180, 0.4, 1),
    "falls back": lambda t: ramp(t, 120, 150, 0, 1) - ramp(t, 210, 240, 0, 0.7),
}


@pytest.mark.parametrize("name", NOT_TRANSITIONS)
def test_false_alarm_rate(name: str) -> None:
    # Claim: at most 1 % false alarms for each of these shapes. Statistic: a count out of 200. The largest count that a
    # true rate of 1 % gives with probability 1 - 1e-5 is 11. Power: a true rate of 12 % exceeds it 99.9 % of the time.
    allowed = binom.isf(1e-5, REPEATS, 0.01)
    found = num_found(name, NOT_TRANSITIONS[name])
    assert found <= allowed, f"{found} false alarms in {REPEATS}, allowed {allowed}"


TRANSITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jump": lambda t: (t > 150) * 1.0,
    "climb of 60 steps": lambda t: ramp(t, 120, 180, 0, 1),
    "climb to 0.97 from 0.02": lambda t: ramp(t, 90, 135, 0.02, 0.97),
    "logistic to 0.98": lambda t: 0.98 / (1 + np.exp(-(t - 150) / 12)),
    "late, cut off soon after": lambda t: ramp(t, 225, 285, 0, 1),
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_miss_rate(name: str) -> None:
    # Claim: at most 3 % missed. The largest count that 3 % gives with probability 1 - 1e-5 is 18 of 200. Power: a true
    # miss rate of 17 % exceeds it 99.9 % of the time.
    allowed = binom.isf(1e-5, REPEATS, 0.03)
    missed = REPEATS - num_found(name, TRANSITIONS[name])
    assert missed <= allowed, f"{missed} missed in {REPEATS}, allowed {allowed}"


@pytest.mark.parametrize("shape", ["ramp", "logistic", "jittery ramp"])
def test_interval_covers_the_half_way_point(shape: str) -> None:
    # R = 300 curves with the half-way point uniform in [130, 170]; nominal 95 %. Widening by the evaluation gap makes
    # the interval conservative, so only too few is an error: at least ppf(1e-4) of Bin(300, 0.95) = 269. The jittery
    # ramp has an extra per-evaluation shift of the logit (sd 0.7). Power: the same interval without the widening of
    # eq. 5 covers 0.86 of the jittery ramps, which is below 269 with probability 0.95.
    rng = rng_for(f"transition-coverage-{shape}")
    repeats, covered = 300, 0
    for repeat in range(repeats):
        middle = rng.uniform(130, 170)
        t = STEPS.astype(float)
        probability = (
            1 / (1 + np.exp(-(t - middle) / 10))
            if shape == "logistic"
            else ramp(t, middle - 25, middle + 25, 0, 1)
        )
        if shape == "jittery ramp":
            kept = np.clip(probability, 1e-3, 1 - 1e-3)
            probability = 1 / (
                1 + np.exp(-(np.log(kept / (1 - kept)) + rng.normal(0, 0.7, len(t))))
            )
        found = detect(
            STEPS, rng.binomial(COUNT, probability), COUNT, num_resamples=200, seed=repeat
        )
        covered += found.found and found.interval_95[0] <= middle <= found.interval_95[1]
    assert covered >= binom.ppf(1e-4, repeats, 0.95), f"{shape}: covered {covered} of {repeats}"
