"""Programs for a scene, as text: the oracle, and three baselines that pass some tests without it. None runs here."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlgrok.delta.bouncingsim import templates
from rlgrok.delta.bouncingsim.scene import Ball, Container, PathKind, Scene

BASELINES: Mapping[str, Callable[[float], list[list[float]]]] = {
    "static": templates.static,
    "free flight": templates.free_flight,
    "disc reflection": templates.disc,
}
"""Programs that pass some tests without knowing what happens."""


def baseline(name: str, scene: Scene, times: Sequence[float] | None = None) -> str:
    """The text of one of `BASELINES` for a scene; `times` as for `oracle_text`."""
    return _text([BASELINES[name]], scene, times)


def oracle_text(scene: Scene, times: Sequence[float] | None = None) -> str:
    """The text of a program that finds every impact.

    Args:
        scene: what it is for.
        times: of the list setting, where the function takes no argument; None: the function setting.
    """
    return _text([templates.time_for, templates.event], scene, times)


def _text(
    functions: Sequence[Callable[..., Any]], scene: Scene, times: Sequence[float] | None
) -> str:
    *helpers, main = functions
    inner = "".join(f"{textwrap.indent(inspect.getsource(one), '    ')}\n" for one in helpers)
    source = inspect.getsource(main).replace("SCENE", repr(numbers(scene)))
    head, body = source.split("\n", 1)
    head = head.replace(f"def {main.__name__}(", "def predict_position(")
    text = f"{head}\n{inner}{body}"
    if times is not None:
        text = (
            f"def predict_position():\n{textwrap.indent(text.replace('predict_position', 'at'), '    ')}\n"
            f"    return [at(t) for t in {list(times)!r}]\n"
        )
    return f"import math\n\n\n{text}"


def numbers(scene: Scene) -> tuple[Any, ...]:
    """A scene as nested tuples: containers, balls, gravity, its oscillation, the rotation profile."""
    return (
        tuple(_box(one) for one in scene.containers),
        tuple(_ball(one) for one in scene.balls),
        scene.gravity,
        scene.oscillation,
        scene.profile,
    )


def _box(one: Container) -> tuple[Any, ...]:
    path: tuple[Any, ...] | None = None
    if one.path is not None and one.path.kind is PathKind.PIECEWISE:
        path = ("zigzag", one.path.amplitude_x, one.path.segments)
    elif one.path is not None:
        at = one.path
        path = ("waves", at.amplitude_x, at.amplitude_y, at.frequency_x, at.frequency_y, at.phase_y)
    return (*one.center, one.radius, one.sides, one.angle, one.spin, path)


def _ball(one: Ball) -> tuple[Any, ...]:
    return (
        *one.position, *one.velocity, one.radius, one.sides, one.spin, one.density, one.rotates,
    )  # fmt: skip
