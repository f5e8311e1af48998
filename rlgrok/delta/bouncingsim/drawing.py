"""What every family's scenes are drawn and put together with: numbers of two decimals, bodies, paths, `meta`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rlgrok.delta.bouncingsim.families import (
    AMPLITUDE,
    CENTER,
    GRAVITY,
    LEVELS,
    SPIN_SWING,
    TILT_DEGREES,
    Interval,
)
from runtime.seeding import Stream

ABOUT_LEVELS = (
    "large containers, few sides, slow balls",
    "large containers, some sides, moderate speed",
    "medium containers, more sides, fast balls",
    "small containers, many sides, faster balls",
    "smallest containers, most sides, fastest balls",
)
Point = tuple[float, float]


class PlacementError(Exception):
    """No room was found for a body: the attempt is given up, the next one draws anew."""


def between(stream: Stream, interval: Interval) -> float:
    """Uniform in an interval, two decimals."""
    low, high = interval
    return round(low + (high - low) * stream.uniform(), 2)


def direction(stream: Stream) -> float:
    """Radians, uniform over the circle."""
    return 2 * math.pi * stream.uniform()


def velocity(stream: Stream, speeds: Interval) -> Point:
    """Of a ball: its speed in the interval, any direction."""
    speed, angle = between(stream, speeds), direction(stream)
    return speed * math.cos(angle), speed * math.sin(angle)


def near(stream: Stream, center: Sequence[float], radius: float) -> Point:
    """Within two ball radii of a point, in x and in y."""
    x, y = (center[axis] + radius * (4 * stream.uniform() - 2) for axis in (0, 1))
    return x, y


def box(center: Sequence[float], diameter: float, sides: int) -> dict[str, Any]:
    """A container at rest, not turned."""
    return {
        "center": [center[0], center[1]],
        "diameter": diameter,
        "sides": sides,
        "rotation": 0.0,
        "friction": 0.0,
        "restitution": 1.0,
        "rotation_speed": 0.0,
    }


def ball(
    position: Point, speed: Point, radius: float, sides: int, color: Sequence[int]
) -> dict[str, Any]:
    """A ball that does not turn."""
    return {
        "position": list(position),
        "velocity": list(speed),
        "radius": radius,
        "density": 1.0,
        "restitution": 1.0,
        "color": list(color),
        "sides": sides,
        "rotation_affected": False,
    }


def spinning(one: dict[str, Any], omega: float, *, varies: bool) -> None:
    """Let a ball turn; `varies` is written down and has no effect, here as in the reference."""
    one |= {
        "rotation_affected": True,
        "inner_rotation_enabled": True,
        "angular_velocity": omega,
        "angular_time_variation": varies,
    }


def any_color(stream: Stream) -> list[int]:
    """Of balls whose family has none of its own."""
    return [stream.integer(50, 255) for _ in range(3)]


def rotation_profile(omega: float) -> dict[str, float]:
    """Of an angular velocity that swings: B from level 3 on."""
    return {"omega_base": omega, "omega_amp": round(SPIN_SWING * omega, 2)}


def lissajous(amplitude: float, *, compat: bool) -> dict[str, Any]:
    """Of C from level 3 on.

    The reference's path begins a quarter turn ahead in y, while its container begins at the centre, and is thrown
    there at the engine's top speed (quirk B1). Ours begins where the container is, and says so in `phase_y`.
    """
    path = {"type": "lissajous", "ax": amplitude, "ay": amplitude, "fx": 0.6, "fy": 0.9}
    return path if compat else {**path, "phase_y": 0.0}


def along_x(amplitude: float, frequency: float) -> dict[str, Any]:
    """Of C up to level 2."""
    return {"type": "sin1d", "amplitude": amplitude, "axis": "x", "freq": frequency}


def amplitude_of(stream: Stream, level: int, *, whole: bool) -> float:
    """Of C's path: whole metres in the single family, centimetres in combinations."""
    low, high = AMPLITUDE[level]
    return stream.integer(low, high) if whole else between(stream, (low, high))


def gravity(stream: Stream, level: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `physics` of D, and what it adds to `meta`."""
    strength = GRAVITY[level]
    if level < 3:
        return {"gravity_enabled": True, "gravity_x": 0.0, "gravity_y": -strength}, {}
    degrees = TILT_DEGREES * (2 * stream.uniform() - 1)
    tilt = math.radians(degrees)
    x, y = strength * math.sin(tilt), -strength * math.cos(tilt)
    profile = {"tilt_angle_deg": round(degrees, 2)}
    return {"gravity_enabled": True, "gravity_x": x, "gravity_y": y}, {"gravity_profile": profile}


def no_gravity() -> dict[str, Any]:
    """The `physics` of everything but D."""
    return {"gravity_enabled": False, "gravity_x": 0.0, "gravity_y": 0.0}


def meta(letters: str, level: int) -> dict[str, Any]:
    """What every scene says about itself; the generator adds seed, attempt and index."""
    return {
        "scene_type": letters,
        "difficulty": LEVELS[level],
        "seed": 0,
        "scene_space": {
            "width": 2.0 * CENTER,
            "height": 2.0 * CENTER,
            "center": [float(CENTER), float(CENTER)],
            "units": "meters",
        },
        "difficulty_config": {"description": ABOUT_LEVELS[level]},
        "generation_config": {"multi_container_config": {"min_gap": 50.0}},
    }


def rounded(scene: Mapping[str, Any]) -> dict[str, Any]:
    """The scene with its numbers as they are written: whole metres for places and sizes, two decimals for the rest."""
    physics = dict(scene["physics"])
    for name in ("gravity_x", "gravity_y"):
        physics[name] = _two(physics[name])
    boxes = [
        {
            **one,
            "center": [round(value) for value in one["center"]],
            "diameter": round(one["diameter"]),
            "rotation_speed": _two(one["rotation_speed"]),
        }
        for one in scene["boxes"]
    ]
    balls = [
        {
            **one,
            "position": [round(value) for value in one["position"]],
            "velocity": [_two(value) for value in one["velocity"]],
            "radius": _two(one["radius"]),
        }
        for one in scene["balls"]
    ]
    for one in balls:
        if "angular_velocity" in one:
            one["angular_velocity"] = _two(one["angular_velocity"])
    return {"physics": physics, "boxes": boxes, "balls": balls, "meta": dict(scene["meta"])}


def _two(value: float) -> float:
    return round(float(value), 2) + 0.0  # never minus zero
