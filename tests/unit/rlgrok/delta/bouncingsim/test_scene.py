"""Scenes as JSON: the same bytes out, what they say, and where a mistake is."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from rlgrok.delta.bouncingsim.scene import (
    Path,
    PathKind,
    read_scene,
    read_tests,
    scene_text,
)
from rlgrok.delta.fields import RecordError


def test_bytes_survive(frozen: list[dict[str, Any]]) -> None:
    for entry in frozen:
        text = scene_text(entry["scene"])
        assert scene_text(json.loads(text)) == text


def test_numbers_and_expressions(frozen: list[dict[str, Any]]) -> None:
    scene = copy.deepcopy(frozen[0]["scene"])
    scene["boxes"][0] |= {"rotation": 90.0, "rotation_speed": "pi/4"}
    scene["balls"][0] |= {"velocity": ["100*sqrt(2)", -3], "rotation_affected": False}
    read = read_scene(scene)
    assert read.containers[0].angle == math.pi / 2
    assert read.containers[0].spin == math.pi / 4
    assert read.balls[0].velocity == (100 * math.sqrt(2), -3.0)
    assert not read.balls[0].rotates


def test_disabled_gravity_is_none(frozen: list[dict[str, Any]]) -> None:
    scene = copy.deepcopy(frozen[0]["scene"])
    scene["physics"] = {"gravity_enabled": False, "gravity_x": 3.0, "gravity_y": -9.0}
    assert read_scene(scene).gravity == (0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s: s.pop("boxes"), "boxes"),
        (lambda s: s.update(balls=[]), "balls"),
        (lambda s: s["boxes"][0].update(sides=2), "boxes[0].sides"),
        (lambda s: s["boxes"][0].update(sides=5.5), "boxes[0].sides"),
        (lambda s: s["boxes"][0].update(diameter=0.2), "boxes[0].diameter"),
        (lambda s: s["boxes"][0].update(center=[1]), "boxes[0].center"),
        (lambda s: s["boxes"][0].update(translation_path={"type": "spiral"}), "boxes[0].translation_path.type"),
        (lambda s: s["balls"][0].update(sides=17), "balls[0].sides"),
        (lambda s: s["balls"][0].update(velocity=[True, 1]), "balls[0].velocity[0]"),
        (lambda s: s["balls"][0].update(velocity=["os.exit", 1]), "balls[0].velocity[0]"),
        (lambda s: s["balls"][0].update(position=[float("nan"), 1]), "balls[0].position[0]"),
        (lambda s: s["balls"][0].update(radius=1e9), "balls[0].radius"),
        (lambda s: s["physics"].update(gravity_enabled=1), "physics.gravity_enabled"),
    ],
)  # fmt: skip
def test_where_the_mistake_is(frozen: list[dict[str, Any]], change: Any, field: str) -> None:
    scene = copy.deepcopy(frozen[0]["scene"])
    change(scene)
    with pytest.raises(RecordError) as caught:
        read_scene(scene, "scene")
    assert caught.value.field == f"scene.{field}"


def test_triangle_wave_is_one_sided() -> None:
    path = Path(PathKind.PIECEWISE, amplitude_x=30.0, segments=6)
    assert path.offset(0.0) == (0.0, 0.0)
    assert path.offset(1 / 12)[0] == pytest.approx(30.0)
    assert path.offset(1 / 24)[0] == pytest.approx(15.0)
    assert path.offset(1 / 6)[0] == pytest.approx(0.0, abs=1e-9)


def test_lissajous_starts_where_it_says(frozen: list[dict[str, Any]]) -> None:
    scene = copy.deepcopy(frozen[0]["scene"])
    path = {"type": "lissajous", "ax": 60, "ay": 70, "fx": 0.6, "fy": 0.9}
    scene["boxes"][0]["translation_path"] = path
    as_published = read_scene(scene).containers[0].path
    assert as_published is not None
    assert as_published.offset(0.0) == (0.0, 70.0)
    path["phase_y"] = 0.0
    mended = read_scene(scene).containers[0].path
    assert mended is not None
    assert mended.offset(0.0) == (0.0, 0.0)


def test_tests_that_a_scene_brings_along(frozen: list[dict[str, Any]]) -> None:
    scene = copy.deepcopy(frozen[0]["scene"])
    assert len(scene["balls"]) == 1
    assert read_tests(scene) is read_tests({**scene, "tests": []}) is None
    tests = [{"time": 0.25, "position": [[1, 2.004]]}, {"time": 3, "position": [[-1.5, 0.0]]}]
    assert read_tests({**scene, "tests": tests}) == [(0.25, [(1.0, 2.0)]), (3.0, [(-1.5, 0.0)])]


@pytest.mark.parametrize(
    ("test", "field"),
    [
        ({"position": [[1, 2]]}, "scene.tests[0].time"),
        ({"time": -1, "position": [[1, 2]]}, "scene.tests[0].time"),
        ({"time": 1}, "scene.tests[0].position"),
        ({"time": 1, "position": [[1, 2], [3, 4]]}, "scene.tests[0].position"),
        ({"time": 1, "position": [[1]]}, "scene.tests[0].position[0]"),
        ({"time": 1, "position": [[1, "2"]]}, "scene.tests[0].position[0][1]"),
        (7, "scene.tests[0]"),
    ],
)
def test_tests_that_are_none(frozen: list[dict[str, Any]], test: Any, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_tests({**frozen[0]["scene"], "tests": [test]}, "scene")
    assert caught.value.field == field
