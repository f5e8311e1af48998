"""The page of a scene: one HTML file that opens offline, plays the truth beside a prediction, and can load nothing.

Made like the page of a trace: the motion goes in as JSON, a content security policy forbids every request and every
script but its own, and the same motion gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlgrok.delta.bouncingsim.motion import Motion
from rlgrok.delta.bouncingsim.scene import Scene
from rlgrok.figures import PALETTE
from rlgrok.tracepage.page import embedded
from rlgrok.tracepage.scene_figure import Points

_HERE = Path(__file__).parent
_MARGIN = 0.04
"""Of the picture, around everything that is ever drawn."""


@dataclass(frozen=True)
class TestRow:
    """One test of a program, in words."""

    __test__ = False  # not a pytest class

    time: str
    mean: str
    largest: str
    verdict: str


@dataclass(frozen=True)
class Outcome:
    """What a program came to."""

    full_pass: bool
    words: str
    rows: tuple[TestRow, ...] = ()


def scene_page(
    motion: Motion,
    *,
    title: str,
    predicted: Sequence[Points] | None = None,
    outcome: Outcome | None = None,
) -> str:
    """The HTML of a scene.

    Args:
        motion: the truth.
        title: shown as text.
        predicted: for each ball, what a program says at the motion's times.
        outcome: of that program.
    """
    import jinja2  # 40 ms, and only pages need it

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = (_HERE / "scene.js").read_text(encoding="utf-8")
    style = [(_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "scene.css")]
    digest = hashlib.sha256(script.encode()).digest()
    return environment.from_string((_HERE / "scene.html.j2").read_text(encoding="utf-8")).render(
        title=title,
        num_containers=len(motion.scene.containers),
        num_balls=len(motion.scene.balls),
        num_frames=len(motion.times),
        seconds=f"{motion.times[-1]:g}",
        gravity=_gravity(motion.scene),
        predicted=predicted is not None,
        outcome=outcome,
        rows=outcome.rows if outcome is not None else (),
        style="".join(style),
        script=script,
        script_hash=base64.b64encode(digest).decode("ascii"),
        data=embedded(_data(motion, predicted)),
    )


def _data(motion: Motion, predicted: Sequence[Points] | None) -> dict[str, Any]:
    scene = motion.scene
    by_time = None
    if predicted is not None:
        by_time = [list(row) for row in zip(*predicted, strict=True)]
    return {
        "times": motion.times,
        "bounds": _bounds(motion),
        "boxes": [(one.sides, one.radius) for one in scene.containers],
        "shapes": [(one.sides, one.radius) for one in scene.balls],
        "colors": [PALETTE[place % len(PALETTE)] for place in range(len(scene.balls))],
        "containers": motion.containers,
        "balls": motion.balls,
        "predicted": by_time,
    }


def _bounds(motion: Motion) -> tuple[float, float, float, float]:
    """Left, low, right, high of everything in the truth; a prediction may leave the picture."""
    placed = [
        (x, y, one.radius)
        for bodies, frames in (
            (motion.scene.containers, motion.containers),
            (motion.scene.balls, motion.balls),
        )
        for frame in frames
        for one, (x, y, _) in zip(bodies, frame, strict=True)
    ]
    left, low = min(x - r for x, _, r in placed), min(y - r for _, y, r in placed)
    right, high = max(x + r for x, _, r in placed), max(y + r for _, y, r in placed)
    room = _MARGIN * max(right - left, high - low)
    return left - room, low - room, right + room, high + room


def _gravity(scene: Scene) -> str:
    if scene.oscillation is not None:
        return "gravity that varies"
    x, y = scene.gravity
    return f"gravity ({x:g}, {y:g}) m/s\N{SUPERSCRIPT TWO}" if x or y else "no gravity"
