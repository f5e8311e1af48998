"""A scene as JSON and as numbers: what the physics, the prompt and the judge read (delta-bouncingsim.md, section 2).

The JSON object is kept as it came, so that writing it gives the bytes that were read; `Scene` is what it says, with
expressions evaluated and degrees turned into radians. What surprises: the rotation profile and the oscillation of
gravity stand in `meta`, because that is where the reference looks for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rlgrok.delta.bouncingsim.expressions import ExpressionError, evaluate
from rlgrok.delta.fields import RecordError, number, required, shown, typed

MAX_BALL_SIDES = 16
"""The engine's polygons have no more vertices."""
MAX_BODIES = 64
"""Containers, and balls, of one scene."""
MAX_COORDINATE = 1e6
"""Metres, metres a second, radians a second: beyond, single precision has no digits left."""
MIN_RADIUS = 0.5
MAX_TESTS = 1_000
"""That a scene brings along."""
MAX_TEST_TIME_S = 60.0
Point = tuple[float, float]


class PathKind(StrEnum):
    """How a container is carried about."""

    SIN1D = "sin1d"
    LISSAJOUS = "lissajous"
    PIECEWISE = "piecewise"


@dataclass(frozen=True)
class Path:
    """A container's translation: displacement from its centre at time t (s), in metres.

    `sin1d`: amplitude_x sin(2 pi frequency_x t) in x, the same in y with the other two. `lissajous`: both, y with
    `phase_y`. `piecewise`: a triangle wave 0, amplitude_x, 0 in x, `segments` times a second.
    """

    kind: PathKind
    amplitude_x: float = 0.0
    amplitude_y: float = 0.0
    frequency_x: float = 0.0
    frequency_y: float = 0.0
    phase_y: float = 0.0
    segments: int = 1

    def offset(self, t: float) -> tuple[float, float]:
        """Displacement at time t."""
        if self.kind is PathKind.PIECEWISE:
            place = (t % 1.0) / (1.0 / self.segments)
            return self.amplitude_x * (1.0 - 2.0 * abs(place - int(place) - 0.5)), 0.0
        x = self.amplitude_x * math.sin(2 * math.pi * self.frequency_x * t)
        y = self.amplitude_y * math.sin(2 * math.pi * self.frequency_y * t + self.phase_y)
        return x, y


@dataclass(frozen=True)
class Container:
    """A regular polygon that moves as prescribed; balls bounce off its outline, on either side."""

    center: tuple[float, float]
    radius: float
    """Of the circle through the vertices."""
    sides: int
    angle: float = 0.0
    """Radians; 0: the first vertex is to the right of the centre."""
    spin: float = 0.0
    """Radians a second, constant; a scene's rotation profile takes its place."""
    path: Path | None = None
    restitution: float = 1.0
    friction: float = 0.0


@dataclass(frozen=True)
class Ball:
    """A regular polygon, or a disc for `sides` below 3."""

    position: tuple[float, float]
    velocity: tuple[float, float]
    radius: float
    sides: int
    rotates: bool = False
    """Whether it turns, by itself and in impacts."""
    spin: float = 0.0
    density: float = 1.0
    restitution: float = 1.0


@dataclass(frozen=True)
class Scene:
    """Everything that the physics depends on."""

    containers: tuple[Container, ...]
    balls: tuple[Ball, ...]
    gravity: tuple[float, float] = (0.0, 0.0)
    oscillation: tuple[float, float, float, float] | None = None
    """Of gravity: base x, base y, amplitude (m/s2) and frequency (Hz) of the y component."""
    profile: tuple[float, float] | None = None
    """Of every container's rotation: base and amplitude, omega(t) = base + amplitude sin t."""


def scene_text(data: Mapping[str, Any]) -> str:
    """The JSON text of a scene file: indented by two, in the order of its fields, without a last line break."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def read_scene(data: object, where: str = "") -> Scene:
    """What a scene's JSON object says.

    Args:
        data: decoded.
        where: path of the object in what it came in, such as `scene`.

    Raises:
        RecordError: the first field that is missing, of the wrong type or out of range.
    """
    prefix = f"{where}." if where else ""
    fields = typed(data, dict, where)
    boxes = required(fields, "boxes", list, f"{prefix}boxes")
    balls = required(fields, "balls", list, f"{prefix}balls")
    for name, bodies in (("boxes", boxes), ("balls", balls)):
        if len(bodies) > MAX_BODIES:
            raise RecordError(f"{prefix}{name}", f"{len(bodies)} of them, at most {MAX_BODIES}")
    if not balls:
        raise RecordError(f"{prefix}balls", "a scene without balls")
    meta = typed(fields.get("meta") or {}, dict, f"{prefix}meta")
    gravity, oscillation = _gravity(fields.get("physics") or {}, meta, prefix)
    profile = meta.get("outer_rotation_profile")
    containers = tuple(_container(box, f"{prefix}boxes[{i}]") for i, box in enumerate(boxes))
    return Scene(
        containers,
        tuple(_ball(ball, f"{prefix}balls[{i}]") for i, ball in enumerate(balls)),
        gravity,
        oscillation,
        None if not profile else _profile(profile, f"{prefix}meta.outer_rotation_profile"),
    )


def read_tests(data: Mapping[str, Any], where: str = "") -> list[tuple[float, list[Point]]] | None:
    """Times and positions that a scene brings along, which then take the place of a simulation; None where it has none.

    Args:
        data: the JSON object of a scene that `read_scene` takes.
        where: as there.

    Raises:
        RecordError: as there; also for positions of another number of balls.
    """
    if not data.get("tests"):
        return None
    prefix = f"{where}.tests" if where else "tests"
    tests = typed(data["tests"], list, prefix)
    if len(tests) > MAX_TESTS:
        raise RecordError(prefix, f"{len(tests)} of them, at most {MAX_TESTS}")
    found = []
    for place, test in enumerate(tests):
        here = f"{prefix}[{place}]"
        fields = typed(test, dict, here)
        time = number(fields.get("time"), f"{here}.time")
        if not 0 <= time <= MAX_TEST_TIME_S:
            raise RecordError(f"{here}.time", f"expected 0 to {MAX_TEST_TIME_S:g} s, got {time:g}")
        points = required(fields, "position", list, f"{here}.position")
        if len(points) != len(data["balls"]):
            raise RecordError(
                f"{here}.position", f"{len(points)} points for {len(data['balls'])} balls"
            )
        at = [_point(point, f"{here}.position[{ball}]") for ball, point in enumerate(points)]
        found.append((round(time, 2), at))
    return found


def _gravity(
    physics: object, meta: Mapping[str, Any], prefix: str
) -> tuple[tuple[float, float], tuple[float, float, float, float] | None]:
    where = f"{prefix}physics"
    fields = typed(physics, dict, where)
    x, y = (_quantity(fields.get(f"gravity_{a}", 0.0), f"{where}.gravity_{a}") for a in "xy")
    enabled = typed(fields.get("gravity_enabled", False), bool, f"{where}.gravity_enabled")
    profile = typed(meta.get("gravity_profile") or {}, dict, f"{prefix}meta.gravity_profile")
    varies = profile.get("time_variation")
    oscillation = None
    if varies:
        place = f"{prefix}meta.gravity_profile.time_variation"
        varies = typed(varies, dict, place)
        amplitude = _quantity(varies.get("amp", 0.0), f"{place}.amp")
        oscillation = (x, y, amplitude, _quantity(varies.get("freq", 1.0), f"{place}.freq"))
    return ((x, y) if enabled else (0.0, 0.0)), oscillation


def _profile(profile: object, where: str) -> tuple[float, float]:
    fields = typed(profile, dict, where)
    base, amplitude = (
        number(fields.get(f"omega_{name}", 0.0), f"{where}.omega_{name}")
        for name in ("base", "amp")
    )
    return base, amplitude


def _container(box: object, where: str) -> Container:
    fields = typed(box, dict, where)
    sides = whole(fields, "sides", where)
    if not 3 <= sides <= 64:
        raise RecordError(f"{where}.sides", f"expected 3 to 64, got {sides}")
    path = fields.get("translation_path")
    return Container(
        center=_pair(fields, "center", where),
        radius=_radius(_positive(fields, "diameter", where) / 2, f"{where}.diameter"),
        sides=sides,
        angle=math.radians(number(fields.get("rotation", 0.0), f"{where}.rotation")),
        spin=_quantity(fields.get("rotation_speed", 0.0), f"{where}.rotation_speed"),
        path=None if not path else _path(path, f"{where}.translation_path"),
        restitution=number(fields.get("restitution", 1.0), f"{where}.restitution"),
        friction=number(fields.get("friction", 0.0), f"{where}.friction"),
    )


def _path(path: object, where: str) -> Path:
    fields = typed(path, dict, where)

    def value(name: str, default: float) -> float:
        return _quantity(fields.get(name, default), f"{where}.{name}")

    kind = required(fields, "type", str, f"{where}.type")
    if kind == PathKind.SIN1D:
        amplitude, frequency = value("amplitude", 0.0), value("freq", 1.0)
        if fields.get("axis", "x") == "x":
            return Path(PathKind.SIN1D, amplitude_x=amplitude, frequency_x=frequency)
        return Path(PathKind.SIN1D, amplitude_y=amplitude, frequency_y=frequency)
    if kind == PathKind.LISSAJOUS:
        return Path(
            PathKind.LISSAJOUS,
            value("ax", 0.0),
            value("ay", 0.0),
            value("fx", 1.0),
            value("fy", 1.0),
            value("phase_y", math.pi / 2),
        )
    if kind == PathKind.PIECEWISE:
        segments = max(1, int(value("segments", 4)))
        return Path(PathKind.PIECEWISE, value("amplitude", 0.0), segments=segments)
    raise RecordError(f"{where}.type", f"expected sin1d, lissajous or piecewise, got {kind!r}")


def _ball(ball: object, where: str) -> Ball:
    fields = typed(ball, dict, where)
    sides = whole(fields, "sides", where)
    if sides > MAX_BALL_SIDES:
        raise RecordError(f"{where}.sides", f"expected at most {MAX_BALL_SIDES}, got {sides}")
    rotates = typed(fields.get("rotation_affected", True), bool, f"{where}.rotation_affected")
    return Ball(
        position=_pair(fields, "position", where),
        velocity=_pair(fields, "velocity", where),
        radius=_radius(_positive(fields, "radius", where), f"{where}.radius"),
        sides=sides,
        rotates=rotates,
        spin=_quantity(fields.get("angular_velocity", 0.0), f"{where}.angular_velocity"),
        density=number(fields.get("density", 1.0), f"{where}.density"),
        restitution=number(fields.get("restitution", 1.0), f"{where}.restitution"),
    )


def whole(fields: Mapping[str, Any], name: str, where: str) -> int:
    """A field that must be there and be a whole number.

    Raises:
        RecordError: it is not.
    """
    place = f"{where}.{name}" if where else name
    value = number(fields.get(name), place)
    if value != int(value):
        raise RecordError(place, f"expected a whole number, got {value}")
    return int(value)


def _positive(fields: Mapping[str, Any], name: str, where: str) -> float:
    if name not in fields:
        raise RecordError(f"{where}.{name}", "missing")
    return _quantity(fields[name], f"{where}.{name}")


def _radius(radius: float, where: str) -> float:
    if radius < MIN_RADIUS:
        raise RecordError(where, f"too small, a radius of {radius:g}; at least {MIN_RADIUS:g}")
    return radius


def _pair(fields: Mapping[str, Any], name: str, where: str) -> tuple[float, float]:
    place = f"{where}.{name}"
    pair = required(fields, name, list, place)
    if len(pair) != 2:
        raise RecordError(place, f"expected two numbers, got {shown(pair)}")
    return _quantity(pair[0], f"{place}[0]"), _quantity(pair[1], f"{place}[1]")


def _point(point: object, where: str) -> Point:
    pair = typed(point, list, where)
    if len(pair) != 2:
        raise RecordError(where, f"expected two numbers, got {shown(pair)}")
    x, y = (round(number(value, f"{where}[{axis}]"), 2) for axis, value in enumerate(pair))
    return x, y


def _quantity(value: object, where: str) -> float:
    """A number, or an expression for one."""
    if isinstance(value, str):
        try:
            found = evaluate(value)
        except ExpressionError as error:
            raise RecordError(where, f"no arithmetic: {error}") from error
    else:
        found = number(value, where)
    if abs(found) > MAX_COORDINATE:
        raise RecordError(where, f"too large: {found:g}")
    return found
