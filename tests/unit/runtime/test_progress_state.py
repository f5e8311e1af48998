"""What a view is drawn from: kept values, the pace, the curve on its two fixed scales."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.progress_state import (
    TrainingState,
    format_duration,
    format_value,
    is_number,
    sparkline,
)


def make_state(**fields):
    """A state and the clock it reads, in seconds."""
    now = [1000.0]
    return TrainingState(clock=lambda: now[0], **fields), now


def test_absent_values_stay_and_none_takes_away():
    state, _ = make_state()
    state.update(1, {"reward": 0.5, "gate_distance": 0.1})
    state.update(2, {"reward": 0.6})
    assert state.values == {"reward": 0.6, "gate_distance": 0.1}
    state.update(3, {"gate_distance": None})
    assert state.shown() == [("reward", "0.600")]


def test_shown_values_are_labelled_in_a_fixed_order():
    state, _ = make_state()
    state.update(
        1,
        {
            "entropy": 1.25,
            "zero_variance_share": 0.634,
            "reward": math.nan,
            "full_pass": 0,
            "loss": 3.0,
        },
    )
    assert state.shown() == [
        ("full pass, training", "0.000"),
        ("zero-variance groups", "63 %"),
        ("entropy", "1.250 nats"),
    ]


def test_the_pace_is_that_of_the_last_steps():
    state, now = make_state()
    state.start(200, "demo")
    for step in range(1, 101):
        now[0] += 9.0 if step <= 40 else 2.0  # the first steps were slow
        state.update(step, {})
    assert state.step_s() == pytest.approx(2.0)
    assert state.left_s() == pytest.approx(200.0)
    assert state.elapsed_s() == pytest.approx(40 * 9 + 60 * 2)


def test_the_pace_is_unknown_before_two_steps_and_counts_from_a_resumed_step():
    state, now = make_state()
    state.start(200, "demo")
    assert (state.step_s(), state.left_s()) == (None, None)
    state.update(150, {})
    assert state.left_s() is None
    now[0] += 3.0
    state.update(151, {})
    assert state.left_s() == pytest.approx(49 * 3.0)


def test_nothing_is_left_after_the_last_step():
    state, now = make_state()
    state.start(2, "demo")
    for step in (1, 2, 3):
        now[0] += 1
        state.update(step, {})
    assert state.left_s() == 0


def test_the_curve_keeps_changes_only():
    state, _ = make_state()
    for step, value in enumerate([0.0, 0.0, 0.5, 0.5, None, math.nan, 0.5, 0.0]):
        state.update(step, {"heldout_full_pass": value})
    assert state.curve == [(0, 0.0), (2, 0.5), (7, 0.0)]


def test_only_the_last_notes_are_kept():
    state, now = make_state()
    for number in range(8):
        now[0] += 1
        state.add_note("warning", str(number))
    assert [(note.text, note.at_s) for note in state.notes] == [
        (str(n), n + 1.0) for n in range(3, 8)
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0:00"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (3599.6, "1:00:00"),
        (3661, "1:01:01"),
        (360000, "100:00:00"),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("reward", 1, "1.000"),
        ("zero_variance_share", 0.005, "0 %"),
        ("decisive_entropy", 0.12345, "0.123 nats"),
    ],
)
def test_values_carry_their_unit(key, value, text):
    assert format_value(key, value) == text


@pytest.mark.parametrize("value", [None, "x", True, math.nan, math.inf, [1.0]])
def test_what_is_no_number(value):
    assert not is_number(value)


def test_the_sparkline_is_placed_by_step():
    # 10 steps a column; the value of a column is the last one seen by its end
    curve = [(10, 0.0), (35, 0.5), (60, 1.0)]
    assert sparkline(curve, step=70, total_steps=100, width=10) == "▁▁▁▅▅██"
    assert sparkline(curve, step=70, total_steps=100, width=10, ascii_only=True) == "___==##"


def test_the_sparkline_is_blank_before_the_first_value_and_ends_at_the_step():
    assert sparkline([(50, 1.0)], step=60, total_steps=100, width=10) == "    ██"
    assert sparkline([], step=0, total_steps=100, width=10) == ""
    assert sparkline([(0, 0.0)], step=0, total_steps=0, width=10) == ""


def test_the_lowest_block_is_exactly_zero():
    assert sparkline([(1, 0.0)], step=1, total_steps=1, width=1) == "▁"
    assert sparkline([(1, 1e-9)], step=1, total_steps=1, width=1) == "▂"
    assert sparkline([(1, 1 - 1e-9)], step=1, total_steps=1, width=1) == "█"


@given(
    st.lists(st.tuples(st.integers(0, 500), st.floats(-1, 2)), max_size=20).map(sorted),
    st.integers(0, 600),
    st.integers(0, 500),
    st.integers(1, 120),
)
def test_the_sparkline_never_exceeds_its_width(curve, step, total, width):
    assert len(sparkline(curve, step, total, width)) <= width
