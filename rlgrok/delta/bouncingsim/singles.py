"""Scenes of one family: A, B, C, D, F, G (delta-bouncingsim.md, section 3)."""

from __future__ import annotations

import math
from typing import Any

from rlgrok.delta.bouncingsim import drawing
from rlgrok.delta.bouncingsim.families import (
    BALL_SPIN,
    BASE_DIAMETER,
    BOX_SPIN,
    CENTER,
    COLORS,
    NUM_BALLS,
    NUM_BOXES,
    ROWS,
)
from runtime.seeding import Stream

DISTANCE = (250.0, 280.0)
"""F, metres between the first container's centre and another's: less than both radii, so outlines cross (quirk B7)."""
EDGE_GAP = 50.0
PLACE_TRIES = 200


def draw_single(
    letter: str, level: int, stream: Stream, *, scale: float = 1.0, compat: bool = False
) -> dict[str, Any]:
    """One candidate, numbers not yet rounded.

    Args:
        letter: of `SINGLES`.
        level: 0 to 4.
        stream: consumed.
        scale: of the containers' diameters.
        compat: paths as in the reference.

    Raises:
        PlacementError: balls that found no room.
    """
    row = ROWS[letter][level]
    diameter = BASE_DIAMETER * row.factor * scale
    sides = stream.integer(*row.box_sides)
    boxes = [drawing.box((CENTER, CENTER), diameter, sides)]
    about = drawing.meta(letter, level)
    physics = drawing.no_gravity()
    if letter == "F":
        boxes += more_boxes(stream, NUM_BOXES[level] - 1, diameter, row.box_sides)
        about["multiple_containers"] = {
            "container_count": len(boxes),
            "container_layout": "overlapping",
            "interaction_rule": "balls_hit_every_outline",
        }
    centers = [(float(CENTER), float(CENTER))]
    if letter == "G":
        count = stream.integer(*NUM_BALLS[level])
        centers = _spread(stream, count, diameter, sides, row.ball_radius)
        about["multi_object_count"] = count
    balls = [
        drawing.ball(
            drawing.near(stream, center, row.ball_radius),
            drawing.velocity(stream, row.speed),
            row.ball_radius,
            stream.integer(*row.ball_sides),
            COLORS[letter] if letter in COLORS else drawing.any_color(stream),
        )
        for center in centers
    ]
    if letter == "A":
        drawing.spinning(balls[0], drawing.between(stream, BALL_SPIN[level]), varies=level > 2)
    elif letter == "B":
        omega = drawing.between(stream, BOX_SPIN[level])
        boxes[0]["rotation_speed"] = omega
        if level > 2:
            about["outer_rotation_profile"] = drawing.rotation_profile(omega)
    elif letter == "C":
        amplitude = drawing.amplitude_of(stream, level, whole=True)
        if amplitude:
            boxes[0]["translation_path"] = _path(level, amplitude, compat=compat)
    elif letter == "D":
        physics, more = drawing.gravity(stream, level)
        about |= more
    return {"physics": physics, "boxes": boxes, "balls": balls, "meta": about}


def more_boxes(
    stream: Stream, count: int, diameter: float, sides: tuple[int, int]
) -> list[dict[str, Any]]:
    """F's further containers, around the first one; nobody checks whether they overlap."""
    low, high = DISTANCE
    high = min(high, CENTER - diameter / 2 - EDGE_GAP)
    made = []
    for _ in range(count):
        angle = drawing.direction(stream)
        distance = min(low, high - 10.0) + (high - min(low, high - 10.0)) * stream.uniform()
        center = (CENTER + distance * math.cos(angle), CENTER + distance * math.sin(angle))
        made.append(drawing.box(center, diameter, stream.integer(*sides)))
    return made


def _path(level: int, amplitude: float, *, compat: bool) -> dict[str, Any]:
    if level < 3:
        return drawing.along_x(amplitude, (0.1, 0.5, 1.0)[level])
    return drawing.lissajous(amplitude, compat=compat)


def _spread(
    stream: Stream, count: int, diameter: float, sides: int, radius: float
) -> list[tuple[float, float]]:
    """G's centres, apart from each other; each ball then moves a little away from its own."""
    room = diameter / 2 * math.cos(math.pi / sides) - radius - 5
    found: list[tuple[float, float]] = []
    while len(found) < count:
        for _ in range(PLACE_TRIES):
            away, angle = room * stream.uniform(), drawing.direction(stream)
            place = (CENTER + away * math.cos(angle), CENTER + away * math.sin(angle))
            if all(math.dist(place, other) >= 2 * radius + 4 for other in found):
                found.append(place)
                break
        else:
            raise drawing.PlacementError(f"{count} balls")
    return found
