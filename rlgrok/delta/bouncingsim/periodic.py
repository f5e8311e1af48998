"""Scenes of families H and I: a ball between two parallel walls, forth and back (delta-bouncingsim.md, section 5).

Ball and container have the same number of sides and the same orientation, and the ball moves along a normal of two
opposite sides, so that whole sides meet. Forth and back, to the same place and direction, takes four times the way from
the centre to a wall: T = 4 (R - r) cos(pi / N) / speed, with R and r the circumradii. That is the period written
here; the reference writes half of it for H and another number for I (quirk B9), and so do we with `compat`.
"""

from __future__ import annotations

import math
from typing import Any

from rlgrok.delta.bouncingsim import drawing
from rlgrok.delta.bouncingsim.composites import draw_composite
from rlgrok.delta.bouncingsim.families import BASE_DIAMETER, CENTER, COLORS
from runtime.seeding import Stream

RADIUS = 25.0
H_SIDES = (6, 8, 10, 12, 14)
H_SPEED = (200.0, 300.0, 400.0, 500.0, 600.0)
"""The reference stops at level 2; the last two go on in the same manner."""
I_SIDES = (6, 10, 10, 14, 14)
"""Two more than a multiple of four, or the vertical is no normal of a side."""
I_SIDES_COMPAT = (6, 8, 10, 12, 14)
I_SPEED = (20.0, 30.0, 40.0, 50.0, 60.0)
I_PERIOD_S = (9.6, 6.4, 3.2, 2.4, 1.6)
"""What the container's size aims at; whole metres change it a little."""
H_LEVELS_COMPAT = 3
ASIDE = 0.8
"""Share of what a ball may begin beside the middle of its way and still meet walls with a whole side."""


def true_period(diameter: float, radius: float, sides: int, speed: float) -> float:
    """Seconds to one wall, to the other, and back."""
    return 4 * (diameter / 2 - radius) * math.cos(math.pi / sides) / speed


def draw_periodic(
    letters: str, level: int, stream: Stream, *, scale: float = 1.0, compat: bool = False
) -> dict[str, Any]:
    """One candidate, numbers not yet rounded.

    Args:
        letters: H, I, or H with A, B or both.
        level: 0 to 4; with `compat`, H ends at 2.
        stream: consumed.
        scale: of the container's diameter.
        compat: sides, offset and periods of the reference.

    Raises:
        PlacementError: a level that the reference lacks.
    """
    if letters == "I":
        return _vertical(level, stream, scale=scale, compat=compat)
    if compat and level >= H_LEVELS_COMPAT:
        raise drawing.PlacementError(f"H has no level {level}")
    sides, speed = H_SIDES[level], H_SPEED[level]
    heading = math.pi / sides * (1 if compat else 1 + 2 * stream.below(sides))
    moving = (speed * math.cos(heading), speed * math.sin(heading))
    others = letters.replace("H", "")
    if others:
        scene = draw_composite(others, level, stream, scale=scale, compat=compat)
        about = scene["meta"] | {"scene_type": letters, "envelope_axes": list(letters)}
        about.pop("outer_rotation_profile", None)
        box, ball = scene["boxes"][0], scene["balls"][0]
        box["sides"] = ball["sides"] = sides
        ball["velocity"] = list(moving)
    else:
        about = drawing.meta("H", level)
        box = drawing.box((CENTER, CENTER), BASE_DIAMETER * scale, sides)
        ball = _ball(stream, moving, sides, "H", box["diameter"], compat=compat)
    radius = RADIUS if compat else ball["radius"]
    period = true_period(round(box["diameter"]), radius, sides, speed) / (2 if compat else 1)
    omega = 2 * math.pi / period if others else 0.0
    if "A" in others:
        ball["angular_velocity"] = omega
    if "B" in others:
        box["rotation_speed"] = omega
    about |= _motion(period, moving, speed, f"regular_{sides}_same_center_normal")
    if others:
        about["periodic_motion"] |= {"synchronized_rotation": True, "omega": omega}
    return {"physics": drawing.no_gravity(), "boxes": [box], "balls": [ball], "meta": about}


def _vertical(level: int, stream: Stream, *, scale: float, compat: bool) -> dict[str, Any]:
    sides = (I_SIDES_COMPAT if compat else I_SIDES)[level]
    speed, wanted = I_SPEED[level], I_PERIOD_S[level]
    way = speed * wanted / 4
    half = math.cos(math.pi / sides)
    radius = (RADIUS + way) / half if compat else RADIUS + way / half
    diameter = round(2 * radius * scale)
    period = wanted if compat else true_period(diameter, RADIUS, sides, speed)
    about = drawing.meta("I", level)
    about |= _motion(period, (0.0, speed), speed, f"regular_{sides}_I_vertical_face_bounce")
    ball = _ball(stream, (0.0, speed), sides, "I", diameter, compat=compat)
    box = drawing.box((CENTER, CENTER), diameter, sides)
    return {"physics": drawing.no_gravity(), "boxes": [box], "balls": [ball], "meta": about}


def _ball(
    stream: Stream,
    moving: tuple[float, float],
    sides: int,
    letter: str,
    diameter: float,
    *,
    compat: bool,
) -> dict[str, Any]:
    """Where its side meets the container's whole; the reference's ball may begin too far aside for that."""
    center = (float(CENTER), float(CENTER))
    place = drawing.near(stream, center, RADIUS)
    if not compat:
        # The ball's centre moves inside a polygon like the container's, of the difference of the radii.
        half_side = (diameter / 2 - RADIUS) * math.sin(math.pi / sides)
        speed = math.hypot(*moving)
        x, y = moving[0] / speed, moving[1] / speed
        along = RADIUS * (2 * stream.uniform() - 1)
        aside = ASIDE * half_side * (2 * stream.uniform() - 1)
        place = (CENTER + along * x - aside * y, CENTER + along * y + aside * x)
    return drawing.ball(place, moving, RADIUS, sides, COLORS[letter])


def _motion(period: float, moving: tuple[float, float], speed: float, name: str) -> dict[str, Any]:
    return {
        "periodic_motion": {
            "period": period,
            "period_type": "linear_1d",
            "chaotic": False,
            "velocity": [round(moving[0], 2), round(moving[1], 2)],
            "speed": speed,
            "config_name": name,
            "theoretical_period": period,
        },
        "key_timestamps": [round(period * quarter / 4, 3) for quarter in range(5)],
    }
