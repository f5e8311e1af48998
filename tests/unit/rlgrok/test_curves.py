"""Curves read from records: axes, overwritten steps, the stricter verdict, smoothing."""

from __future__ import annotations

import numpy as np
import pytest

from rlgrok.curves import PhaseChange, centred_mean, find_transition, heldout_name, read_curves


def test_numbers_become_series_and_words_do_not() -> None:
    curves = read_curves(
        [
            {"step": 0, "time": 1.0, "heldout_full_pass": 0.0},
            {"step": 1, "time": 2.0, "phase": "dense", "reward": 0.5, "solved": True, "loss": None},
            {"step": 2, "time": 3.0, "reward": 1, "heldout_full_pass": 0.5},
        ]
    )
    assert set(curves.series) == {"heldout_full_pass", "reward"}
    steps, values = curves.get("reward")
    assert (steps.tolist(), values.tolist()) == ([1, 2], [0.5, 1.0])
    assert curves.get("heldout_full_pass").steps.tolist() == [0, 2]
    assert not curves.get("absent")
    assert curves.last_step == 2


def test_the_later_of_two_lines_for_a_step_counts_and_steps_are_sorted() -> None:
    curves = read_curves(
        [{"step": 2, "reward": 0.2}, {"step": 1, "reward": 0.1}, {"step": 2, "reward": 0.9}]
    )
    assert curves.get("reward").values.tolist() == [0.1, 0.9]


def test_phase_changes_and_greedy_rollouts() -> None:
    curves = read_curves(
        [],
        [
            {"kind": "checkpoint_saved", "step": 3},
            {
                "kind": "phase_changed",
                "step": 6,
                "first_step": 7,
                "old": "dense",
                "new": "binary",
                "reason": "gate",
            },
        ],
        [
            {"problem_id": "a", "step": 0, "full_pass": False},
            {"problem_id": "b", "step": 0, "full_pass": False},
            {"problem_id": "a", "step": 5, "full_pass": True},
        ],
    )
    assert curves.changes == (PhaseChange(7, "dense", "binary", "gate"),)
    assert curves.num_heldout == 2
    assert curves.by_problem["a"][5]["full_pass"] is True
    assert read_curves([]).num_heldout is None
    assert read_curves([]).last_step == 0


def test_the_transition_is_looked_for_under_the_stricter_verdict() -> None:
    def lines(name: str, climb_at: int) -> list[dict]:
        return [{"step": step, name: float(step >= climb_at)} for step in range(0, 200, 10)]

    tests_only = read_curves(lines("heldout_full_pass", 60))
    assert heldout_name(tests_only) == "heldout_full_pass"
    assert find_transition(tests_only, num_heldout=14, seed=0).step == 55
    both = read_curves([*lines("heldout_full_pass", 60), *lines("heldout_exhaustive", 120)])
    assert heldout_name(both) == "heldout_exhaustive"
    assert find_transition(both, num_heldout=14, seed=0).step == 115


@pytest.mark.parametrize("window", [1, 3, 5])
def test_centred_mean_against_its_definition(window: int) -> None:
    values = np.array([3.0, -1.0, 4.0, 1.0, 5.0, 9.0])
    half = window // 2
    expected = [values[max(0, i - half) : i + half + 1].mean() for i in range(len(values))]
    assert centred_mean(values, window) == pytest.approx(expected)
    assert centred_mean([], window).tolist() == []
