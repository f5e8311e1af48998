"""Scenes of two families or more, by their envelope (delta-bouncingsim.md, section 4).

Sides and speeds come from the hull of the members' intervals, the ball's radius is the smallest, every other number
comes from the family that it belongs to. The order of the letters does not matter. What surprises: the first ball is
exactly at its container's centre, and paths have other frequencies than in the single family (quirk B8).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rlgrok.delta.bouncingsim import drawing
from rlgrok.delta.bouncingsim.families import (
    BALL_SPIN,
    BASE_DIAMETER,
    BOX_SPIN,
    CENTER,
    NUM_BALLS,
    NUM_BOXES,
    ROWS,
)
from rlgrok.delta.bouncingsim.singles import more_boxes
from runtime.seeding import Stream

RADIAL = (0.15, 0.85)
"""Share of the container's radius at which further balls begin."""
APART_M = 20.0
"""Between the centres of two balls as they are placed; the acceptance check asks for more."""
PLACE_TRIES = 100


def hull(intervals: Iterable[tuple[Any, Any]]) -> tuple[Any, Any]:
    """The smallest interval that holds all of them."""
    every = list(intervals)
    return min(low for low, _ in every), max(high for _, high in every)


def draw_composite(
    letters: str, level: int, stream: Stream, *, scale: float = 1.0, compat: bool = False
) -> dict[str, Any]:
    """One candidate, numbers not yet rounded.

    Args:
        letters: of `SINGLES`, sorted, at least one.
        level: 0 to 4.
        stream: consumed.
        scale: of the containers' diameters.
        compat: paths as in the reference.

    Raises:
        PlacementError: balls that found no room.
    """
    rows = [ROWS[letter][level] for letter in letters]
    box_sides = hull(row.box_sides for row in rows)
    ball_sides = hull(row.ball_sides for row in rows)
    speeds = hull(row.speed for row in rows)
    radius = min(row.ball_radius for row in rows)
    about = _meta(letters, level, box_sides, ball_sides)
    boxes = _boxes(stream, letters, level, box_sides, scale)
    if "F" in letters:
        about["multiple_containers"] = {"container_count": len(boxes), "layout": "overlapping"}
        about["multi_container_base"] = True
    if "B" in letters:
        omega = drawing.between(stream, BOX_SPIN[level])
        for one in boxes:
            one["rotation_speed"] = omega
        if level > 2:
            about["outer_rotation_profile"] = drawing.rotation_profile(omega)
    if "C" in letters:
        amplitude = drawing.amplitude_of(stream, level, whole=False)
        for one in boxes if amplitude else ():
            one["translation_path"] = _path(level, amplitude, compat=compat)
        if amplitude and "F" in letters:
            about["rigid_group_motion"] = True
    physics = drawing.no_gravity()
    if "D" in letters:
        physics, more = drawing.gravity(stream, level)
        about |= {**more, "gravity_mode_selected": "tilted" if more else "down"}
    count = stream.integer(*NUM_BALLS[level]) if "G" in letters else 1
    balls = [
        drawing.ball(
            place,
            drawing.velocity(stream, speeds),
            radius,
            stream.integer(*ball_sides),
            drawing.any_color(stream),
        )
        for place in _places(stream, count, boxes, scale, is_multiple="F" in letters)
    ]
    if "A" in letters:
        _spin(stream, level, balls, about, all_of_them="G" in letters)
    return {"physics": physics, "boxes": boxes, "balls": balls, "meta": about}


def _meta(
    letters: str, level: int, box_sides: tuple[int, int], ball_sides: tuple[int, int]
) -> dict[str, Any]:
    return {
        **drawing.meta(letters, level),
        "envelope": True,
        "envelope_axes": list(letters),
        "order_invariant": True,
        "envelope_ranges": {
            "inner_sides_range": list(ball_sides),
            "box_sides_range": list(box_sides),
        },
    }


def _boxes(
    stream: Stream, letters: str, level: int, sides: tuple[int, int], scale: float
) -> list[dict[str, Any]]:
    center = (CENTER, CENTER)
    if "F" in letters:  # keeps its own sizes
        diameter = int(BASE_DIAMETER * ROWS["F"][level].factor * scale)
        first = drawing.box(center, diameter, stream.integer(*sides))
        return [first, *more_boxes(stream, NUM_BOXES[level] - 1, diameter, sides)]
    number = stream.integer(*sides)
    factor = drawing.between(stream, hull((ROWS[a][level].factor,) * 2 for a in letters))
    return [drawing.box(center, BASE_DIAMETER * factor * scale, number)]


def _path(level: int, amplitude: float, *, compat: bool) -> dict[str, Any]:
    if level < 3:
        return drawing.along_x(amplitude, (0.3, 0.3, 0.6)[level])
    if level == 3:
        return drawing.lissajous(amplitude, compat=compat)
    return {"type": "piecewise", "segments": 6, "amplitude": amplitude}


def _places(
    stream: Stream, count: int, boxes: list[dict[str, Any]], scale: float, *, is_multiple: bool
) -> list[tuple[float, float]]:
    """Where balls begin: the first at the centre, the others around the centre of their container."""
    found: list[tuple[float, float]] = []
    for index in range(count):
        one = boxes[index % len(boxes)]
        x, y = one["center"]
        # Without F, half of the base diameter, whatever the container's own is (quirk B8).
        radius = one["diameter"] / 2 if is_multiple else BASE_DIAMETER * scale / 2
        if not found:
            found.append((x, y))
            continue
        for _ in range(PLACE_TRIES):
            angle = drawing.direction(stream)
            low, high = RADIAL
            away = radius * (low + (high - low) * stream.uniform())
            place = (x + away * math.cos(angle), y + away * math.sin(angle))
            if all(math.dist(place, other) >= APART_M for other in found):
                found.append(place)
                break
        else:
            raise drawing.PlacementError(f"{count} balls")
    return found


def _spin(
    stream: Stream,
    level: int,
    balls: list[dict[str, Any]],
    about: dict[str, Any],
    *,
    all_of_them: bool,
) -> None:
    omega = drawing.between(stream, BALL_SPIN[level])
    for one in balls if all_of_them else balls[:1]:
        drawing.spinning(one, omega, varies=False)
    if all_of_them:
        about["inner_rotation_assigned_balls"] = list(range(len(balls)))
    else:
        about["inner_rotation_assigned_ball"] = 0
