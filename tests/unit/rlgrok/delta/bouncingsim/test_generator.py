"""Scenes of every family: repeatable, independent, within bounds; none where none can be."""

from __future__ import annotations

import math

import pytest

from rlgrok.delta.bouncingsim.acceptance import Refusal, geometry
from rlgrok.delta.bouncingsim.composites import draw_composite
from rlgrok.delta.bouncingsim.families import PAIRS, PERIODIC, ROWS, SINGLES, check_type, type_name
from rlgrok.delta.bouncingsim.flight import simulate
from rlgrok.delta.bouncingsim.generator import SceneName, make_scene
from rlgrok.delta.bouncingsim.scene import read_scene, scene_text
from runtime.errors import ConfigError
from runtime.seeding import Stream


@pytest.mark.parametrize("letters", [*SINGLES, *PERIODIC, *PAIRS])
def test_every_type_has_scenes(letters: str) -> None:
    made = make_scene(SceneName(letters, 0, 1))
    assert made.scene is not None
    assert made.scene["meta"]["scene_type"] == letters
    again = make_scene(SceneName(letters, 0, 1)).scene
    assert again is not None
    assert scene_text(again) == scene_text(made.scene)


@pytest.mark.parametrize("level", range(5))
def test_the_table_is_kept(level: int) -> None:
    for letters in "BCDFG":
        scene = make_scene(SceneName(letters, level, 3)).scene
        assert scene is not None
        row = ROWS[letters][level]
        assert scene["boxes"][0]["diameter"] == round(300 * row.factor)
        for ball in scene["balls"]:
            assert row.ball_sides[0] <= ball["sides"] <= row.ball_sides[1]
            assert ball["radius"] == row.ball_radius
            speed = math.hypot(*ball["velocity"])
            assert row.speed[0] - 0.01 <= speed <= row.speed[1] + 0.01


def test_scenes_differ_and_do_not_depend_on_each_other() -> None:
    first, second = (make_scene(SceneName("B", 1, index)).scene for index in (1, 2))
    other = make_scene(SceneName("B", 1, 1, seed=1)).scene
    assert first is not None
    assert second is not None
    assert other is not None
    assert len({scene_text(scene["balls"][0]) for scene in (first, second, other)}) == 3


def test_small_containers() -> None:
    scene = make_scene(SceneName("D", 2, 1, small=True)).scene
    assert scene is not None
    assert scene["boxes"][0]["diameter"] == round(300 * 1.3 * 0.65)


def test_exhaustion_is_a_result() -> None:
    made = make_scene(SceneName("AD", 2, 1), max_attempts=3)
    assert made.scene is None
    assert sum(made.refusals.values()) == 3
    assert made.refusals[Refusal.CHAOTIC] > 0


def test_letters_in_any_order() -> None:
    assert check_type("BAAB") == "AB"
    assert type_name("DG") == "GRAVITY_MULTIOBJ"
    with pytest.raises(ConfigError, match="no such type"):
        check_type("BE")
    with pytest.raises(ConfigError, match="periodic motion"):
        check_type("CH")


def test_a_combination_of_all_six() -> None:
    scene = draw_composite("ABCDFG", 1, Stream(0, "test"))
    assert len(scene["boxes"]) == 2
    assert len(scene["balls"]) == 3
    assert all(ball["rotation_affected"] for ball in scene["balls"])
    assert scene["physics"]["gravity_y"] == -1000.0
    assert {box["translation_path"]["freq"] for box in scene["boxes"]} == {0.3}


def test_geometry_refuses() -> None:
    scene = draw_composite("G", 0, Stream(1, "test"))
    assert geometry(scene) is None
    crowded = [{**ball, "position": [750.0, 750.0]} for ball in scene["balls"]]
    assert geometry({**scene, "balls": crowded}) is Refusal.OVERLAP
    outside = [{**scene["balls"][0], "position": [1400.0, 750.0]}]
    assert geometry({**scene, "balls": outside}) is Refusal.OUTSIDE


@pytest.mark.parametrize("letters", PERIODIC)
@pytest.mark.parametrize("level", range(5))
def test_the_period_is_true(letters: str, level: int) -> None:
    scene = make_scene(SceneName(letters, level, 2)).scene
    assert scene is not None
    period = scene["meta"]["periodic_motion"]["period"]
    start = scene["balls"][0]["position"]
    half, whole = simulate(read_scene(scene), [period / 2, period])
    assert math.dist(whole[0], start) < 2.0
    (cx, cy), (x, y), (hx, hy) = scene["boxes"][0]["center"], start, half[0]
    vx, vy = scene["balls"][0]["velocity"]
    # Half a period later: as far on the other side of the middle of its way, and as far aside.
    along, later = ((a - cx) * vx + (b - cy) * vy for a, b in ((x, y), (hx, hy)))
    aside, then = ((a - cx) * vy - (b - cy) * vx for a, b in ((x, y), (hx, hy)))
    speed = math.hypot(vx, vy)
    assert abs(along + later) / speed < 2.0
    assert abs(aside - then) / speed < 2.0


def test_compat_keeps_the_references_periods_and_paths() -> None:
    ours, theirs = (make_scene(SceneName("H", 1, 1, compat=flag)).scene for flag in (False, True))
    assert ours is not None
    assert theirs is not None
    periods = [one["meta"]["periodic_motion"]["period"] for one in (ours, theirs)]
    assert periods[0] == pytest.approx(2 * periods[1])
    assert make_scene(SceneName("H", 3, 1, compat=True), max_attempts=2).scene is None
    path = make_scene(SceneName("C", 3, 1)).scene["boxes"][0]["translation_path"]  # type: ignore[index]
    assert path["phase_y"] == 0.0
