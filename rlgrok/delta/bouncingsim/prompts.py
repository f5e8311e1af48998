"""A scene put into words, completely: two people who read the text and nothing else compute the same positions.

The structure is the published one (delta-bouncingsim.md, section 8), the words are ours. Mended: the phase of a
Lissajous path and the exact shape of a piecewise one are given (quirk B2), constant tilted gravity is called constant
(B3), and it is said that outlines act from both sides (B7).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rlgrok.delta.bouncingsim.assertions import Setting
from rlgrok.delta.bouncingsim.scene import Ball, Container, Path, PathKind, Scene, read_scene

NO_SPIN = 1e-4
"""Radians a second below which a ball is said not to turn."""

_GENERAL = """## Bouncing polygons
Write one Python function that says where every ball of a two-dimensional scene is {when}. Balls move inside \
containers, bounce off their walls and off each other, and lose no energy.

### Mechanics
- Between impacts a ball moves under constant acceleration: x(t) = x0 + vx t + ax t^2 / 2, and the same for y.
- An impact is perfectly elastic and without friction. Let n be the unit normal of the wall at the point of contact, \
towards the ball, and u the velocity of the ball at that point relative to the wall's. If u . n < 0, the ball's \
velocity v becomes v - 2 (u . n) n; where a wall stands still, u is v.
- Two balls exchange momentum along the normal of their contact, again without loss. A ball's mass is its area, of \
density 1.
- Size counts: a ball is a polygon (or a disc), and an impact happens when its outline meets a wall or another ball's \
outline, not when its centre does.
- Metres, seconds, radians; +x points right, +y points up.

### Rules
- Define {function} and nothing else: no globals, no other top-level code.
- Use no module but math. Do not read, write or print anything, and use no random numbers.
- Round every coordinate to two decimals, and return 0.0 in place of -0.0.

### What is checked
- {returns}
- {independence}
- Impacts do happen within the times that are tested: a ball that is to hit a wall must come back from it."""

_WORDS: Mapping[Setting, Mapping[str, str]] = {
    Setting.FUNCTION: {
        "when": "at a time t that is given to it",
        "function": "predict_position(t)",
        "returns": "predict_position(t) returns one [x, y] for each ball, in the order of the objects below.",
        "independence": "Every call starts from the initial conditions; nothing is kept from one call to the next.",
    },
    Setting.LIST: {
        "when": "at the times that the task below lists",
        "function": "predict_position(), without parameters,",
        "returns": "predict_position() returns one list for each time, with one [x, y] for each ball in the order of "
        "the objects below.",
        "independence": "Every time is computed from the initial conditions.",
    },
}

_CONVENTIONS = (
    "- Containers are regular convex polygons. Radius means the radius of the circle through the vertices.",
    "- At orientation 0 a polygon's first vertex lies in the direction +x from its centre; positive angles turn "
    "counter-clockwise. Every ball begins at orientation 0.",
    "- Containers move as prescribed, whatever hits them.",
    "- A container is its outline, a closed line without thickness: it stops a ball on either side. Where outlines "
    "cross, a ball can be stopped by the outline of any container, from inside or from outside.",
    "- Containers pass through each other.",
)


def prompt_text(scene: Mapping[str, Any], setting: Setting, times: Sequence[float]) -> str:
    """The one user message of a record.

    Args:
        scene: its JSON.
        setting: what is to be defined.
        times: seconds; the list setting names them, the function setting does not.

    Raises:
        RecordError: no scene.
    """
    read = read_scene(scene)
    general = _GENERAL.format(**_WORDS[setting])
    boxes = [
        f"- Container {place}: {_container(one, read, raw)}"
        for place, (one, raw) in enumerate(zip(read.containers, scene["boxes"], strict=True), 1)
    ]
    balls = [
        f"- Ball {place}: {_ball(one, raw)}"
        for place, (one, raw) in enumerate(zip(read.balls, scene["balls"], strict=True), 1)
    ]
    parts = [
        "### Scene description",
        "#### Containers",
        *(boxes or ["- None."]),
        "",
        "#### Objects",
        *balls,
        "",
        "### Physics",
        f"- Gravity: {_gravity(read)}.",
        "",
        "### Dynamics",
        *_dynamics(read),
        "",
        "### Conventions for this scene",
        *_CONVENTIONS,
        "",
        "### Task",
        *_task(setting, len(read.balls), times),
        "",
        "### Output",
        _output(setting, len(read.balls), len(times)),
    ]
    return f"{general}\n\n" + "\n".join(parts)


def compact_text(scene: Mapping[str, Any]) -> str:
    """Type and level only, for a policy that knows its scenes."""
    about = scene.get("meta") or {}
    return f"bouncingsim {about.get('scene_type', '?')} {about.get('difficulty', '?')} :"


def _container(one: Container, scene: Scene, raw: Mapping[str, Any]) -> str:
    x, y = raw["center"]
    parts = [
        f"regular polygon with {one.sides} sides, radius {one.radius:.2f} m, centre at ({x}, {y})",
        f"initial orientation {one.angle:.3f} rad",
    ]
    if scene.profile is not None:
        base, swing = scene.profile
        parts.append(
            f"turns about its centre at omega(t) = {base:.3f} + {swing:.3f} sin(t) rad/s, so its orientation is "
            f"{one.angle:.3f} + {base:.3f} t + {swing:.3f} (1 - cos(t)) rad"
        )
    elif one.spin:
        given = raw["rotation_speed"]
        amount = given if isinstance(given, str) else f"{given:.3f}"
        parts.append(f"turns about its centre at a constant {amount} rad/s")
    if one.path is not None:
        parts.append(_path(one.path))
    return "; ".join(parts)


def _path(path: Path) -> str:
    if path.kind is PathKind.PIECEWISE:
        period = f"1/{path.segments} s"
        return (
            f"its centre moves on a piecewise linear path: displaced in +x by a triangle wave that starts at 0, rises "
            f"linearly to {path.amplitude_x:g} m in half a period, falls linearly back to 0, and repeats with period "
            f"{period}; never in -x, never in y"
        )
    if path.kind is PathKind.SIN1D:
        axis = "x" if path.amplitude_x or not path.amplitude_y else "y"
        amplitude = path.amplitude_x or path.amplitude_y
        frequency = path.frequency_x or path.frequency_y
        return (
            f"its centre moves on a sinusoidal path along {axis}: displaced by {amplitude:g} sin(2 pi {frequency:g} t) "
            f"m (amplitude {amplitude:g} m, frequency {frequency:g} Hz)"
        )
    phase = {0.0: "", math.pi / 2: " + pi/2"}.get(path.phase_y, f" + {path.phase_y:g}")
    jump = ""
    if path.phase_y:
        start = path.amplitude_y * math.sin(path.phase_y)
        jump = (
            f"; it begins undisplaced, and is first carried to its path, {start:g} m away in y, in steps of 2 m "
            "every 1/4000 s"
        )
    return (
        f"its centre moves on a Lissajous path: displaced by {path.amplitude_x:g} sin(2 pi {path.frequency_x:g} t) m "
        f"in x and {path.amplitude_y:g} sin(2 pi {path.frequency_y:g} t{phase}) m in y (amplitudes "
        f"{path.amplitude_x:g} and {path.amplitude_y:g} m, frequencies {path.frequency_x:g} and "
        f"{path.frequency_y:g} Hz){jump}"
    )


def _ball(one: Ball, raw: Mapping[str, Any]) -> str:
    shape = "disc" if one.sides < 3 else f"regular polygon with {one.sides} sides"
    x, y = raw["position"]
    vx, vy = raw["velocity"]
    spin = raw.get("angular_velocity", 0.0)
    parts = [
        shape,
        f"radius {raw['radius']} m",
        f"initial position ({x}, {y})",
        f"initial velocity ({vx}, {vy}) m/s",
    ]
    if not one.rotates:
        parts.append("angular velocity none: it never turns, not even in an impact")
        return ", ".join(parts)
    amount = spin if isinstance(spin, str) else f"{spin:.3f}"
    start = f"initial angular velocity {amount} rad/s" if abs(one.spin) > NO_SPIN else "not turning"
    parts.append(
        f"{start}; it turns freely, and an impact also changes its rotation: it is a rigid body of even density, and "
        "the impulse acts along the normal at the point of contact"
    )
    return ", ".join(parts)


def _gravity(scene: Scene) -> str:
    if scene.oscillation is not None:
        x, y, amplitude, frequency = scene.oscillation
        return (
            f"the vector ({x:.2f}, {y:.2f}) m/s^2, to whose y component {amplitude:.2f} sin(2 pi {frequency:.2f} t) "
            f"m/s^2 is added (amplitude {amplitude:.2f} m/s^2, frequency {frequency:.2f} Hz)"
        )
    x, y = scene.gravity
    if not x and not y:
        return "none"
    return f"the constant vector ({x:.2f}, {y:.2f}) m/s^2"


def _dynamics(scene: Scene) -> list[str]:
    parts = []
    if scene.profile is not None and any(scene.profile):
        parts.append("- The angular velocity of the containers varies with time, as given above.")
    if any(one.path is not None for one in scene.containers):
        parts.append("- Containers are carried along the paths given above.")
    if scene.oscillation is not None:
        parts.append("- Gravity varies with time, as given above.")
    return parts or ["- Nothing else changes with time."]


def _task(setting: Setting, num_balls: int, times: Sequence[float]) -> list[str]:
    lines = [f"- Number of balls: {num_balls}"]
    fence = "```python\n(your program)\n```"
    if setting is Setting.LIST:
        named = ", ".join(f"{time:.2f}" for time in times)
        lines.insert(0, f"- Times, in seconds: {named} ({len(times)} of them)")
        answer = f"<think>(your reasoning)</think>\n{fence}"
    else:
        answer = f"(your reasoning)\n{fence}"
    return [*lines, "- Think step by step, then write the program. Answer in this form:", answer]


def _output(setting: Setting, num_balls: int, num_times: int) -> str:
    points = f"{num_balls} point{'s' * (num_balls > 1)} [x, y]"
    if setting is Setting.FUNCTION:
        return f"- predict_position(t: float) returns a list of {points}, numbers of two decimals."
    return (
        f"- predict_position() returns a list of {num_times} lists, each of {points}, numbers of two "
        "decimals, in the order of the times."
    )
