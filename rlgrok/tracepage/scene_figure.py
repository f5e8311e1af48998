"""The trajectories of a scene as a PNG: outlines where they begin and end, the way of every ball, and a prediction.

Drawn with matplotlib's Agg canvas, as the figures of a run are: no window system, no global state.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlgrok.delta.bouncingsim.motion import Motion, Pose
from rlgrok.delta.bouncingsim.world import polygon
from rlgrok.figures import INK, PALETTE, SOFT, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[tuple[float, float] | None]
"""Of one ball at some times; None where a program returned no position."""
WIDTH_IN, HEIGHT_IN, DPI = 6.4, 6.2, 90
GAP = 5
"""Frames between two outlines of a ball along its way."""


def trajectory_figure(
    motion: Motion, *, title: str, predicted: Sequence[Points] | None = None
) -> bytes:
    """A scene from above.

    Args:
        motion: of the truth.
        title: first line of the figure.
        predicted: for each ball, what a program says at the motion's times; drawn dashed.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, layout="constrained")
        axes = figure.add_subplot()
        _containers(axes, motion)
        for place in range(len(motion.scene.balls)):
            _ball(axes, motion, place)
            if predicted is not None:
                _prediction(axes, predicted[place], PALETTE[place % len(PALETTE)])
        axes.set_aspect("equal")
        axes.set(title=title, xlabel="x (m)", ylabel="y (m)")
        axes.grid(False)
        _legend(axes, motion, with_prediction=predicted is not None)
        output = io.BytesIO()
        FigureCanvasAgg(figure).print_png(output, metadata={"Software": None})
    return output.getvalue()


def placed(shape: Sequence[tuple[float, float]], pose: Pose) -> list[tuple[float, float]]:
    """A shape around the origin, turned and moved, and closed."""
    x, y, angle = pose
    cos, sin = math.cos(angle), math.sin(angle)
    moved = [(x + cos * px - sin * py, y + sin * px + cos * py) for px, py in shape]
    return [*moved, moved[0]]


def outline(radius: float, sides: int) -> list[tuple[float, float]]:
    """A regular polygon, or many sides for a disc."""
    return polygon(radius, sides if sides > 2 else 48)


def _containers(axes: Axes, motion: Motion) -> None:
    last = len(motion.times) - 1
    for place, one in enumerate(motion.scene.containers):
        shape = outline(one.radius, one.sides)
        poses = [motion.containers[frame][place] for frame in (0, last // 2, last)]
        moves = poses[0] != poses[1] or poses[0] != poses[2]
        for pose, shade in zip(poses if moves else poses[:1], (1.0, 0.35, 0.6), strict=False):
            axes.plot(
                *zip(*placed(shape, pose), strict=True),
                color=INK,
                linewidth=1.8 if shade == 1.0 else 1.0,
                alpha=shade,
                linestyle="-" if shade == 1.0 else (0, (4, 2)),
            )


def _ball(axes: Axes, motion: Motion, place: int) -> None:
    one, color = motion.scene.balls[place], PALETTE[place % len(PALETTE)]
    poses = [frame[place] for frame in motion.balls]
    axes.plot([pose[0] for pose in poses], [pose[1] for pose in poses], color=color, linewidth=1.4)
    shape = outline(one.radius, one.sides)
    for frame in range(0, len(poses), GAP):
        x, y = zip(*placed(shape, poses[frame]), strict=True)
        axes.plot(x, y, color=color, linewidth=0.6, alpha=0.35)
    for frame, face in ((0, "white"), (len(poses) - 1, color)):
        x, y = zip(*placed(shape, poses[frame]), strict=True)
        axes.fill(x, y, facecolor=face, alpha=0.85, edgecolor=color, linewidth=1.6, zorder=3)
    seen = {time: index for index, time in enumerate(motion.times)}
    hits = [poses[seen[time]] for time in motion.impacts[place]]
    axes.scatter(
        [x for x, _, _ in hits], [y for _, y, _ in hits], s=16, color=color, marker="x", zorder=4
    )


def _prediction(axes: Axes, points: Points, color: str) -> None:
    x = [math.nan if point is None else point[0] for point in points]
    y = [math.nan if point is None else point[1] for point in points]
    axes.plot(x, y, color=color, linewidth=1.2, linestyle=":", zorder=5)
    axes.scatter(x[-1:], y[-1:], s=70, facecolors="none", edgecolors=INK, zorder=6)


def _legend(axes: Axes, motion: Motion, *, with_prediction: bool) -> None:
    from matplotlib.lines import Line2D

    end = motion.times[-1]
    color = PALETTE[0]
    shown = [
        Line2D([], [], color=color, label=f"way of a ball, 0 to {end:g} s"),
        Line2D([], [], color=color, marker="o", mfc="white", linestyle="", label="beginning"),
        Line2D([], [], color=color, marker="o", linestyle="", label="end"),
        Line2D([], [], color=color, marker="x", linestyle="", label="just after an impact"),
    ]
    if any(a != b for a, b in zip(motion.containers[0], motion.containers[-1], strict=True)):
        label = "outline half-way and at the end"
        shown.append(Line2D([], [], color=SOFT, linestyle=(0, (4, 2)), label=label))
    if with_prediction:
        shown.append(Line2D([], [], color=color, linestyle=":", label="as the program says"))
    axes.figure.legend(handles=shown, loc="outside lower center", ncols=3, fontsize=8.5)
