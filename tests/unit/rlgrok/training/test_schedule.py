"""When a run is paid what: every way to switch, hysteresis, and resume."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.training.schedule import (
    FamilySchedules,
    Phase,
    PhaseChange,
    Schedule,
    build_schedule,
)

STAGED = ScheduleConfig(
    kind=ScheduleKind.STAGED,
    dense_reward=DenseReward.PASS_RATE,
    switch_on=SwitchOn.FULL_PASS,
    switch_step=None,
    switch_threshold=0.8,
    switch_patience=2,
    running_window=3,
    plateau_delta=0.01,
    fallback_step=None,
)


def feed(schedule: Schedule, curve: list[float]) -> list[PhaseChange | None]:
    """The change after each step, or None."""
    return [
        next(iter(schedule.update(step, full_pass=value, dense=value)), None)
        for step, value in enumerate(curve, 1)
    ]


@pytest.mark.parametrize(
    ("kind", "phase"), [(ScheduleKind.DENSE, Phase.DENSE), (ScheduleKind.BINARY, Phase.BINARY)]
)
def test_a_schedule_of_one_kind_never_changes(kind, phase):
    schedule = Schedule(replace(STAGED, kind=kind))
    assert feed(schedule, [1.0] * 50) == [None] * 50
    assert schedule.phase is phase
    assert schedule.gate_distance() == 0.0


def test_the_gate_needs_a_full_window_and_patience():
    schedule = Schedule(STAGED)
    changes = feed(schedule, [0.0, 0.9, 0.9, 0.9, 0.9, 0.9])
    # Means over three steps: -, -, .6, .9, .9: open at steps 4 and 5, so step 6 is the first binary one.
    assert [index for index, change in enumerate(changes, 1) if change] == [5]
    change = changes[4]
    assert (change.step, change.old, change.new) == (6, Phase.DENSE, Phase.BINARY)
    assert "full_pass 0.900" in change.reason
    assert schedule.phase is Phase.BINARY


def test_hysteresis_one_bad_window_starts_the_count_again():
    schedule = Schedule(replace(STAGED, running_window=1))
    changes = feed(schedule, [0.9, 0.7, 0.9, 0.9])
    assert [change is not None for change in changes] == [False, False, False, True]


def test_the_gate_distance_is_how_far_the_running_mean_is_below():
    schedule = Schedule(STAGED)
    assert schedule.gate_distance() == pytest.approx(0.8)
    feed(schedule, [0.2, 0.4, 0.6])
    assert schedule.gate_distance() == pytest.approx(0.4)


def test_dense_reward_can_be_the_gate():
    schedule = Schedule(replace(STAGED, switch_on=SwitchOn.DENSE_REWARD, switch_patience=1, running_window=1))
    assert schedule.update(1, full_pass=0.0, dense=0.79) == []
    [change] = schedule.update(2, full_pass=0.0, dense=0.81)
    assert change.step == 3
    assert "dense_reward" in change.reason


def test_switch_at_a_step_names_the_first_binary_step():
    schedule = Schedule(replace(STAGED, switch_on=SwitchOn.STEP, switch_step=4))
    changes = feed(schedule, [0.0] * 6)
    assert [change.step for change in changes if change] == [4]
    assert changes[2] is not None


def test_plateau_counts_steps_without_a_rise():
    schedule = Schedule(
        replace(STAGED, switch_on=SwitchOn.PLATEAU, switch_patience=3, running_window=1, plateau_delta=0.05)
    )
    changes = feed(schedule, [0.1, 0.2, 0.22, 0.23, 0.24, 0.9])
    # .2 is the last rise of at least .05; three steps without one end with step 5.
    assert [index for index, change in enumerate(changes, 1) if change] == [5]


def test_the_fallback_forces_a_gate_that_never_opens():
    schedule = Schedule(replace(STAGED, fallback_step=5))
    changes = feed(schedule, [0.0] * 8)
    assert [(change.step, change.reason) for change in changes if change] == [(5, "fallback at step 5")]


@pytest.mark.parametrize("switch_on", [SwitchOn.FULL_PASS, SwitchOn.PLATEAU, SwitchOn.DENSE_REWARD])
@pytest.mark.parametrize("cut", range(9))
def test_a_resumed_schedule_switches_at_the_same_step(switch_on, cut):
    config = replace(STAGED, switch_on=switch_on)
    curve = [0.1, 0.5, 0.85, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9]
    whole = Schedule(config)
    feed(whole, curve)
    first = Schedule(config)
    feed(first, curve[:cut])
    second = Schedule(config)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for step, value in enumerate(curve[cut:], cut + 1):
        second.update(step, full_pass=value, dense=value)
    assert second.change is not None
    assert second.change == whole.change
    assert second.state_dict() == whole.state_dict()


def test_a_mixed_schedule_moves_in_a_straight_line():
    schedule = Schedule(replace(STAGED, kind=ScheduleKind.MIXED, mix_steps=[4, 8]))
    weights = [schedule.binary_weight(step, "any") for step in range(1, 11)]
    assert weights == [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    changes = feed(schedule, [1.0] * 10)  # whatever is learned
    assert [change.step for change in changes if change] == [8]
    assert schedule.phase is Phase.BINARY


def test_the_weight_of_a_staged_schedule_is_its_phase():
    schedule = Schedule(replace(STAGED, switch_on=SwitchOn.STEP, switch_step=3))
    assert schedule.binary_weight(1, "any") == 0.0
    feed(schedule, [0.0, 0.0])
    assert schedule.binary_weight(3, "any") == 1.0


def families(window: int = 1) -> FamilySchedules:
    config = replace(STAGED, per_family=True, running_window=window, switch_patience=1)
    made = build_schedule(config, ["easy", "hard"])
    assert isinstance(made, FamilySchedules)
    return made


def test_each_family_turns_by_itself():
    made = families()
    shares = {"easy": (0.9, 0.9), "hard": (0.1, 0.4)}
    [change] = made.update(1, full_pass=0.5, dense=0.5, by_family=shares)
    assert (change.family, change.step) == ("easy", 2)
    assert [made.binary_weight(2, family) for family in ("easy", "hard")] == [1.0, 0.0]
    assert made.phase is Phase.DENSE and made.change is None
    assert made.gate_distance() == pytest.approx(0.7)
    # A family that no completion is of stays as it is.
    assert made.update(2, full_pass=1.0, dense=1.0, by_family={"easy": (1.0, 1.0)}) == []
    [change] = made.update(3, full_pass=1.0, dense=1.0, by_family={"hard": (0.9, 0.9)})
    assert (change.family, change.step) == ("hard", 4)
    assert made.phase is Phase.BINARY and made.change == change


def test_family_schedules_survive_a_checkpoint():
    made = families()
    made.update(1, full_pass=0.5, dense=0.5, by_family={"easy": (0.9, 0.9), "hard": (0.1, 0.4)})
    again = families()
    again.load_state_dict(json.loads(json.dumps(made.state_dict())))
    assert again.state_dict() == made.state_dict()
    assert again.binary_weight(2, "easy") == 1.0
    again.update(2, full_pass=1.0, dense=1.0, by_family={"hard": (0.9, 0.9)})
    assert again.change is not None and again.change.family == "hard"
