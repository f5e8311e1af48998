"""BouncingSim's prompts and scenes, as text: nothing of them moves by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlgrok.delta.bouncingsim.assertions import Setting
from rlgrok.delta.bouncingsim.generator import SceneName, make_scene
from rlgrok.delta.bouncingsim.prompts import prompt_text
from rlgrok.delta.bouncingsim.scene import scene_text
from rlgrok.delta.bouncingsim.truth import DEFAULT_TIMES

UNIT = Path(__file__).parents[1] / "unit" / "rlgrok" / "delta" / "bouncingsim"
FROZEN = {
    entry["id"]: entry["scene"]
    for entry in map(json.loads, (UNIT / "frozen.jsonl").read_text(encoding="utf-8").splitlines())
}
Golden = Callable[[str, Any], None]


@pytest.mark.parametrize(
    ("scene_id", "setting"),
    [("B_3_1", Setting.FUNCTION), ("CF_1_1", Setting.FUNCTION), ("G_1_1", Setting.LIST)],
)
def test_prompt(golden: Golden, scene_id: str, setting: Setting) -> None:
    text = prompt_text(FROZEN[scene_id], setting, DEFAULT_TIMES)
    golden(f"bouncingsim/prompt_{scene_id}_{setting}.txt", text + "\n")


def test_what_prompts_say_of_every_kind_of_motion(golden: Golden) -> None:
    """The bullets of containers, balls and gravity, without the parts that all prompts share."""
    scene = json.loads(json.dumps(FROZEN["A_1_1"]))
    box, ball = scene["boxes"][0], scene["balls"][0]
    paths = [
        {"type": "sin1d", "amplitude": 12, "axis": "y", "freq": 0.5},
        {"type": "lissajous", "ax": 60, "ay": 70, "fx": 0.6, "fy": 0.9, "phase_y": 0.0},
        {"type": "lissajous", "ax": 60, "ay": 70, "fx": 0.6, "fy": 0.9},
        {"type": "piecewise", "segments": 6, "amplitude": 97.5},
    ]
    scene["boxes"] = [{**box, "translation_path": path} for path in paths]
    scene["boxes"].append({**box, "rotation": 30.0, "rotation_speed": "2*pi/(3*sqrt(3))"})
    scene["balls"] = [ball, {**ball, "sides": 0, "velocity": ["100*sqrt(2)", 5]}]
    scene["balls"].append({**ball, "rotation_affected": False})
    variation = {"amp": 3.5, "freq": 1.25}
    scene["meta"]["gravity_profile"] = {"tilt_angle_deg": 20, "time_variation": variation}
    text = prompt_text(scene, Setting.FUNCTION, DEFAULT_TIMES)
    begin, end = text.index("#### Containers"), text.index("### Conventions")
    golden("bouncingsim/bullets.txt", text[begin:end])


def test_tilted_gravity_is_constant() -> None:
    text = prompt_text(FROZEN["D_3_1"], Setting.FUNCTION, DEFAULT_TIMES)
    assert "the constant vector" in text
    assert "Nothing else changes with time" in text


def test_a_prompt_of_the_function_setting_hides_the_times() -> None:
    text = prompt_text(FROZEN["B_3_1"], Setting.FUNCTION, DEFAULT_TIMES)
    assert "0.10" not in text
    assert "0.10, 0.20" in prompt_text(FROZEN["B_3_1"], Setting.LIST, DEFAULT_TIMES)


def test_scene(golden: Golden) -> None:
    made = make_scene(SceneName("BF", 1, 1, seed=42)).scene
    assert made is not None
    golden("bouncingsim/scene_BF_1_1.json", scene_text(made))
