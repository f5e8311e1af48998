"""The word that a live view shows: hand-made curves with a known answer."""

from __future__ import annotations

from itertools import groupby

import pytest

from rlgrok.training.stage import CLIMBING, MIN_WINDOW, PLATEAU, SOLVED, Stage


def words(curve: list[tuple[float, float]], max_steps: int = 300, first: int = 0) -> list[str]:
    stage = Stage(max_steps)
    return [stage.update(first + number, *point) for number, point in enumerate(curve)]


def in_order(curve: list[tuple[float, float]], **settings: int) -> list[str]:
    return [word for word, _ in groupby(words(curve, **settings))]


def test_a_plateau_then_a_climb_to_near_perfect() -> None:
    rising = [min(1.0, max(0.0, (step - 50) / 20)) for step in range(100)]
    jumping = [0.0 if step < 60 else 1.0 for step in range(100)]
    curve = list(zip(jumping, rising, strict=True))
    assert in_order(curve) == [PLATEAU, CLIMBING, SOLVED]
    said = words(curve)
    assert said.index(CLIMBING) == 53  # the first step at which training is above a tenth
    assert said.index(SOLVED) == 68  # where training reaches nine tenths; held-out was there before


@pytest.mark.parametrize("level", [0.0, 0.1, 0.33, 0.85])
def test_staying_is_a_plateau_at_any_level(level: float) -> None:
    said = words([(level, level)] * 100)
    assert said[MIN_WINDOW + 1 :] == [PLATEAU] * (100 - MIN_WINDOW - 1)
    assert said[0] == (PLATEAU if level <= 0.1 else CLIMBING)


def test_one_lucky_problem_of_ten_is_no_climb() -> None:
    assert in_order([(0.1 * (step % 7 == 0), 0.02) for step in range(60)]) == [PLATEAU]


def test_falling_back_is_no_climb() -> None:
    assert words([(1.0, 1.0)] * 30 + [(0.5, 0.5)] * 30)[-25:] == [PLATEAU] * 25


def test_held_out_alone_is_not_solved() -> None:
    assert words([(1.0, 0.2)] * 50)[-1] == PLATEAU


def test_a_long_run_is_given_more_time() -> None:
    slow = [(0.0, step / 400) for step in range(200)]  # a tenth in 40 steps
    assert in_order(slow, max_steps=300) == [PLATEAU]
    assert in_order(slow, max_steps=1302) == [PLATEAU, CLIMBING]


def test_resumed_half_way_up_is_climbing() -> None:
    assert words([(0.4, 0.3)], first=57) == [CLIMBING]
