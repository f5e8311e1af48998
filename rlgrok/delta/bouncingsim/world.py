"""A scene on Box2D, stepped to the times asked for (delta-bouncingsim.md, section 1).

One pass serves all times of a scene, with the numbers of a run from scratch for each: the clock is a sum of steps in
either case. Numbers of a scene are metres and radians, y is up. What surprises: at 1/4000 s the sum of steps passes
0.3 s only one step after 1200 of them, so some times take a step more than they seem to need.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from rlgrok.delta.bouncingsim.scene import Ball, Container, Scene

with warnings.catch_warnings():
    # Types of the binding lack `__module__`, which Python deprecates; as an error that warning crashes the import.
    warnings.simplefilter("ignore")
    import Box2D

STEP_S = 1.0 / 4000
"""Of ground truth."""
ITERATIONS = 100
"""Of the engine's solver, for velocities and for positions."""
Point = tuple[float, float]


def polygon(radius: float, sides: int) -> list[Point]:
    """Vertices of a regular polygon around the origin, the first one to the right, counter-clockwise."""
    step = 2 * math.pi / sides
    return [(radius * math.cos(i * step), radius * math.sin(i * step)) for i in range(sides)]


class World:
    """A scene in the engine, and its clock.

    Args:
        scene: read.
        step_s: seconds of one step.
    """

    def __init__(self, scene: Scene, step_s: float = STEP_S) -> None:
        self.scene = scene
        self.step_s = step_s
        self.time_s = 0.0
        self.engine = Box2D.b2World(gravity=scene.gravity, doSleep=True)
        self.containers = [_add_container(self.engine, one) for one in scene.containers]
        self.balls = [_add_ball(self.engine, one) for one in scene.balls]
        # A container without a path or a profile keeps its angular velocity by itself.
        self.driven = [
            (body, one)
            for body, one in zip(self.containers, scene.containers, strict=True)
            if one.path is not None or scene.profile is not None
        ]

    def step(self) -> None:
        """Advance by one step: the clock first, then what it drives, then the engine."""
        self.time_s += self.step_s
        if self.scene.oscillation is not None:
            x, y, amplitude, frequency = self.scene.oscillation
            swing = math.sin(2 * math.pi * frequency * self.time_s)
            self.engine.gravity = (x, y + amplitude * swing)
        for body, one in self.driven:
            dx, dy = (0.0, 0.0) if one.path is None else one.path.offset(self.time_s)
            position, (x, y) = body.position, one.center
            body.linearVelocity = (
                (x + dx - position.x) / self.step_s,
                (y + dy - position.y) / self.step_s,
            )
            body.angularVelocity = (self.angle(one) - body.angle) / self.step_s
        self.engine.Step(self.step_s, ITERATIONS, ITERATIONS)  # clears forces by itself

    def angle(self, one: Container) -> float:
        """The angle that a driven container is to have now, in radians."""
        if self.scene.profile is None:
            return one.angle + one.spin * self.time_s
        base, amplitude = self.scene.profile
        return one.angle + base * self.time_s - amplitude * math.cos(self.time_s) + amplitude

    def positions(self) -> list[Point]:
        """Of the balls, rounded as ground truth is."""
        return [(round(ball.position.x, 2), round(ball.position.y, 2)) for ball in self.balls]


def simulate_stepwise(
    scene: Scene, times: Sequence[float], *, step_s: float = STEP_S
) -> list[list[Point]]:
    """Positions of every ball at every time, by the engine alone: the definition that `flight.simulate` reproduces.

    Args:
        scene: read.
        times: seconds, in any order.
        step_s: of one step.

    Returns:
        For each time in the order given, a point for each ball, rounded to two decimals.
    """
    world = World(scene, step_s)
    found: dict[float, list[Point]] = {}
    for time in sorted(set(times)):
        while world.time_s < time:
            world.step()
        found[time] = world.positions()
    return [found[time] for time in times]


def _add_container(engine: Any, one: Container) -> Any:  # noqa: ANN401 - the engine has no types
    body = engine.CreateKinematicBody(position=one.center, angle=one.angle)
    body.CreateChainFixture(
        vertices_loop=polygon(one.radius, one.sides),
        friction=one.friction,
        restitution=one.restitution,
    )
    body.angularVelocity = one.spin
    return body


def _add_ball(engine: Any, one: Ball) -> Any:  # noqa: ANN401 - the engine has no types
    body = engine.CreateDynamicBody(
        position=one.position, linearVelocity=one.velocity, angularVelocity=one.spin
    )
    body.bullet = True
    if not one.rotates:
        body.fixedRotation = True
    material = {"density": one.density, "restitution": one.restitution, "friction": 0.0}
    if one.sides > 2:
        body.CreatePolygonFixture(vertices=polygon(one.radius, one.sides), **material)
    else:
        body.CreateCircleFixture(radius=one.radius, **material)
    return body
