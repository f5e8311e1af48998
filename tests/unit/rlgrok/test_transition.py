"""The transition detector on curves whose answer can be read off, and its refusals with their reasons."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rlgrok.transition import Criterion, Transition, detect, dispersion, fit_ramps

STEPS = list(range(0, 200, 10))


def curve(
    start: float, end: float, before: float, after: float, steps: list[int] = STEPS
) -> list[int]:
    """Noise-free successes of 100 problems along a ramp."""
    rise = np.clip((np.array(steps) - start) / (end - start), 0, 1)
    return [round(value) for value in 100 * (before + (after - before) * rise)]


def test_a_ramp_is_recovered_exactly() -> None:
    found = detect(STEPS, curve(80, 120, 0.0, 1.0), 100)
    assert found.found
    assert (found.climb_start, found.climb_end, found.step, found.plateau_steps) == (
        80,
        120,
        100,
        80,
    )
    assert found.steepness == pytest.approx(1 / 40)
    assert (found.level_before, found.level_after) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert found.reason == "climb of 40 steps after a plateau of 80, from 0.00 to 1.00"
    assert found.support == 1.0


def test_a_jump_between_two_evaluations_has_the_width_of_the_gap() -> None:
    successes = [0] * 8 + [14] * 12
    found = detect(STEPS, successes, 14)
    assert (found.step, found.interval_95) == (75, (70, 80))
    assert found.steepness == pytest.approx(0.1)


def test_a_run_that_stops_at_the_top_is_found() -> None:
    found = detect([0, 10, 20, 30, 40, 50, 60], [0, 0, 0, 1, 8, 13, 14], 14)
    assert found.found
    assert 30 < found.step < 50


def test_the_interval_holds_the_step_and_grows_with_fewer_problems() -> None:
    shares = np.array(curve(80, 140, 0.0, 1.0)) / 100
    widths = []
    for count in (400, 5):
        found = detect(STEPS, np.round(shares * count).astype(int).tolist(), count)
        low, high = found.interval_95
        assert low < found.step < high
        widths.append(high - low)
    assert widths[1] > widths[0]


def test_repeatable_and_dependent_on_the_seed_only() -> None:
    successes = curve(80, 140, 0.02, 0.97)
    assert detect(STEPS, successes, 100, seed=4) == detect(STEPS, successes, 100, seed=4)
    other = detect(STEPS, successes, 100, seed=5)
    assert other.step == detect(STEPS, successes, 100, seed=4).step


def test_stretching_the_step_axis_stretches_the_answer() -> None:
    successes = curve(80, 120, 0.0, 1.0)
    wide = detect([7 * step for step in STEPS], successes, 100)
    assert (wide.step, wide.plateau_steps, wide.climb_end) == (700, 560, 840)


@pytest.mark.parametrize(
    ("successes", "reason"),
    [
        ([0] * 20, r"no climb: fitted level 0\.00 before, 0\.00 after, needed 0\.9"),
        ([50] * 20, r"no climb: fitted level 0\.50"),
        ([97] * 20, r"no plateau near zero: fitted level 0\.97"),
        (curve(0, 190, 0.0, 1.0), "no plateau: the climb starts at step 0, after 1 evaluations"),
        (
            curve(60, 190, 0.0, 1.0),
            "not abrupt: a climb of 130 steps after a plateau of 60, longer than 60",
        ),
        (curve(80, 100, 0.0, 0.75), r"does not reach and hold near-perfect: .* 0\.75 after"),
        (curve(80, 100, 0.4, 1.0), r"no plateau near zero: fitted level 0\.40"),
        ([0] * 8 + [100] * 5 + [20] * 7, "does not reach and hold|no climb"),
        ([0, 100] + [100] * 18, "no plateau"),
    ],
)
def test_no_transition_and_why(successes: list[int], reason: str) -> None:
    answer = detect(STEPS, successes, 100)
    assert not answer.found
    assert answer.step is None
    assert answer.interval_95 is None
    assert answer.plateau_steps is None
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(answer.reason)


def test_too_few_evaluations() -> None:
    assert detect([0, 10, 20], [0, 0, 14], 14).reason == "3 evaluations, at least 4 are needed"
    assert detect([], [], 14) == Transition(False, "0 evaluations, at least 4 are needed")


def test_the_criterion_is_an_argument() -> None:
    slow = curve(60, 190, 0.0, 1.0)
    assert not detect(STEPS, slow, 100).found
    assert detect(STEPS, slow, 100, criterion=Criterion(max_climb_ratio=3.0)).found
    low_top = curve(80, 100, 0.0, 0.75)
    assert detect(STEPS, low_top, 100, criterion=Criterion(high=0.7)).found


def test_summary_has_the_documented_keys_and_plain_values() -> None:
    found = detect(STEPS, curve(80, 120, 0.0, 1.0), 100).summary()
    assert found["transition_step"] == 100
    assert found["plateau_steps"] == 80
    assert all(isinstance(bound, int) for bound in found["transition_interval_95"])
    absent = detect(STEPS, [0] * 20, 100).summary()
    assert absent["transition_step"] is None
    assert set(found) == set(absent)


def test_levels_are_the_least_squares_solution() -> None:
    # one pair of knots only (two evaluations): the ramp goes through both points
    fit = fit_ramps(np.array([0.0, 10.0]), np.array([[0.25], [0.75]]), np.array([4.0, 4.0]))
    assert (fit.before[0], fit.after[0]) == pytest.approx((0.25, 0.75))
    # against a generic solver, on a fixed noisy curve
    steps = np.arange(12.0)
    rates = np.array([0.1, 0, 0.05, 0, 0.3, 0.5, 0.8, 0.9, 1, 0.95, 1, 0.9])
    fit = fit_ramps(steps, rates[:, None], np.full(12, 20.0))
    best = np.inf
    for i in range(12):
        for j in range(i + 1, 12):
            rise = np.clip((steps - i) / (j - i), 0, 1)
            _, residual, *_ = np.linalg.lstsq(np.stack([1 - rise, rise], 1), rates, rcond=None)
            best = min(best, residual[0])
    rise = np.clip((steps - fit.start[0]) / (fit.end[0] - fit.start[0]), 0, 1)
    fitted = fit.before[0] + (fit.after[0] - fit.before[0]) * rise
    assert np.sum((rates - fitted) ** 2) == pytest.approx(best, rel=1e-9)


def test_many_evaluations_are_thinned_not_refused() -> None:
    steps = list(range(0, 4000, 10))
    found = detect(steps, curve(1000, 1400, 0.0, 1.0, steps), 100, num_resamples=20)
    assert found.step == pytest.approx(1200, abs=50)  # the knots are 50 steps apart


def test_dispersion_is_one_for_smooth_and_large_for_jittery_curves() -> None:
    probability, counts = np.full(20, 0.5), np.full(20, 100.0)
    assert dispersion(probability, np.full(20, 50.0), counts) == 1.0
    jitter = np.where(np.arange(20) % 2, 70.0, 30.0)  # 4 binomial standard deviations each time
    assert dispersion(probability, jitter, counts) == pytest.approx(16 * 20 / 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 10, 10, 20], [0, 0, 0, 1], 4), "strictly increasing"),
        (([0, 10, 20, 30], [0, 0, 5, 1], 4), "0 <= successes <= counts"),
        (([0, 10, 20], [0, 0, 0, 1], 4), "equally long"),
    ],
)
def test_bad_input_is_named(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detect(*arguments)


def test_the_answer_cannot_be_edited() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        detect(STEPS, [0] * 20, 100).found = True  # type: ignore[misc]
