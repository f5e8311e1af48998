"""Ground truth: the benchmark's own numbers, one pass for all times, and what the motion must keep."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rlgrok.delta.bouncingsim.flight import is_flown, simulate
from rlgrok.delta.bouncingsim.scene import Ball, Container, Scene, read_scene
from rlgrok.delta.bouncingsim.world import World, simulate_stepwise

TIMES = (0.1, 0.3, 0.7, 1.0, 1.5)


def test_the_benchmarks_numbers(frozen: list[dict[str, Any]]) -> None:
    assert len(frozen) == 14
    for entry in frozen:
        scene = read_scene(entry["scene"])
        expected = [[tuple(point) for point in points] for points in entry["positions"]]
        assert simulate(scene, entry["timestamps"]) == expected, entry["id"]


def test_flight_is_the_engine(frozen: list[dict[str, Any]]) -> None:
    times = [0.05 * count for count in range(31)]
    for entry in frozen[::3]:
        scene = read_scene(entry["scene"])
        assert simulate(scene, times) == simulate_stepwise(scene, times), entry["id"]


def test_one_pass_is_every_query_from_scratch(frozen: list[dict[str, Any]]) -> None:
    for entry in frozen[::4]:
        scene = read_scene(entry["scene"])
        together = simulate(scene, TIMES)
        assert [simulate(scene, [time])[0] for time in TIMES] == together
        assert simulate(scene, TIMES[::-1]) == together[::-1]


def test_several_balls_among_several_outlines_are_left_to_the_engine(
    frozen: list[dict[str, Any]],
) -> None:
    flown = {entry["id"]: is_flown(read_scene(entry["scene"])) for entry in frozen}
    assert not flown["FG_1_1"]
    assert flown["F_2_1"]
    assert flown["G_1_1"]


@pytest.mark.parametrize(
    ("time", "extra"), [(0.1, 0), (0.2, 0), (0.3, 1), (0.7, 1), (1.2, 1), (1.3, 0), (1.5, 0)]
)
def test_steps_to_a_time(time: float, extra: int) -> None:
    world = World(Scene((), (Ball((0, 0), (1, 0), 1, 4),)))
    steps = 0
    while world.time_s < time:
        world.step()
        steps += 1
    assert steps == round(4000 * time) + extra


def test_a_wall_turns_a_ball_round_without_loss() -> None:
    """A square ball and a square container, face to face: 4 (R - r) cos(pi/4) / speed forth and back."""
    box, ball = Container((0, 0), 200, 4), Ball((0, 0), (300, 300), 20, 4)
    period = 4 * (200 - 20) * math.cos(math.pi / 4) / math.hypot(300, 300)
    for x, y in (points[0] for points in simulate(Scene((box,), (ball,)), [period, 2 * period])):
        assert math.hypot(x, y) < 1.0


def test_an_outline_acts_from_outside_too() -> None:
    box, ball = Container((0, 0), 100, 4, angle=math.pi / 4), Ball((300, 0), (-400, 0), 20, 3)
    [[(x, _)]] = simulate(Scene((box,), (ball,)), [1.0])
    wall = 100 * math.cos(math.pi / 4) + 20 / 2  # the triangle meets it with its side
    assert x == pytest.approx(wall + 400 - (300 - wall), abs=0.5)


def test_free_flight_has_gravity() -> None:
    scene = Scene((), (Ball((750, 750), (10, 0), 20, 5),), gravity=(0.0, -100.0))
    [[(x, y)]] = simulate(scene, [1.0])
    assert x == pytest.approx(760, abs=0.01)
    assert y == pytest.approx(700, abs=0.05)
