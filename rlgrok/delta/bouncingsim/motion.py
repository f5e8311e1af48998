"""A scene in motion, for pictures: where every body is and how it is turned, at even times, by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rlgrok.delta.bouncingsim.scene import Scene
from rlgrok.delta.bouncingsim.world import World

Pose = tuple[float, float, float]
"""x and y, metres; angle, radians."""
FRAMES_PER_S = 40
DURATION_S = 1.5


@dataclass(frozen=True)
class Motion:
    """A pose for each body at each time."""

    scene: Scene
    times: tuple[float, ...]
    balls: tuple[tuple[Pose, ...], ...]
    """By time, then by ball."""
    containers: tuple[tuple[Pose, ...], ...]
    """By time, then by container."""
    impacts: tuple[tuple[float, ...], ...]
    """For each ball, the frames' times between which its velocity changed more than free flight would."""


def record_motion(
    scene: Scene, *, duration_s: float = DURATION_S, frames_per_s: int = FRAMES_PER_S
) -> Motion:
    """Run a scene and keep a pose of every body for each frame, the beginning included."""
    count = round(duration_s * frames_per_s)
    times = tuple(round(frame / frames_per_s, 6) for frame in range(count + 1))
    world = World(scene)
    balls, containers, speeds = [], [], []
    for time in times:
        while world.time_s < time:
            world.step()
        balls.append(tuple(_pose(body) for body in world.balls))
        containers.append(tuple(_pose(body) for body in world.containers))
        speeds.append([tuple(body.linearVelocity) for body in world.balls])
    return Motion(scene, times, tuple(balls), tuple(containers), _impacts(scene, times, speeds))


def _pose(body: object) -> Pose:
    (x, y), angle = body.position, body.angle  # type: ignore[attr-defined] - the engine has no types
    return round(x, 2), round(y, 2), round(angle, 4)


def _impacts(
    scene: Scene, times: Sequence[float], speeds: Sequence[Sequence[tuple[float, float]]]
) -> tuple[tuple[float, ...], ...]:
    """Frames after which a ball no longer moves as gravity alone would have it."""
    gx, gy = scene.gravity
    swing = 0.0 if scene.oscillation is None else abs(scene.oscillation[2])
    found: list[list[float]] = [[] for _ in scene.balls]
    for (before, here), (after, there) in pairwise(zip(times, speeds, strict=True)):
        dt = after - before
        room = 1.0 + (swing + 0.05 * (abs(gx) + abs(gy))) * dt
        for place, ((ux, uy), (vx, vy)) in enumerate(zip(here, there, strict=True)):
            if abs(vx - ux - gx * dt) + abs(vy - uy - gy * dt) > room:
                found[place].append(after)
    return tuple(map(tuple, found))
