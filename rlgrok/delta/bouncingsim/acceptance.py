"""Which candidates become scenes (delta-bouncingsim.md, section 6).

A candidate must leave room around its balls, and its motion must not depend on the length of a time step: where steps
of 1/3000 s and of 1/4000 s end up apart, the motion is chaotic, and no program could be asked for it. What surprises:
at high levels this chooses scenes with few impacts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rlgrok.delta.bouncingsim.flight import simulate
from rlgrok.delta.bouncingsim.scene import Scene
from rlgrok.delta.bouncingsim.world import STEP_S, Point

MARGIN_M = 5.0
"""Between two balls' circles, and between a ball's circle and its container's inscribed circle."""
COARSE_STEP_S = 1.0 / 3000
CHECKED_TIMES_S = (0.5, 1.0, 1.5)
MAX_APART_M = 15.0


class Refusal(StrEnum):
    """Why a candidate is none."""

    PLACEMENT = "placement"
    OVERLAP = "overlap"
    OUTSIDE = "outside"
    CHAOTIC = "chaotic"


def geometry(scene: Mapping[str, Any]) -> Refusal | None:
    """What is wrong with a candidate's places, its numbers not yet rounded; None: nothing."""
    balls = scene["balls"]
    for index, one in enumerate(balls):
        for other in balls[:index]:
            room = one["radius"] + other["radius"] + MARGIN_M
            if math.dist(one["position"], other["position"]) < room:
                return Refusal.OVERLAP
    for one in balls:
        nearest = min(scene["boxes"], key=lambda box: math.dist(box["center"], one["position"]))
        inradius = nearest["diameter"] / 2 * math.cos(math.pi / nearest["sides"])
        if math.dist(nearest["center"], one["position"]) > inradius - one["radius"] - MARGIN_M:
            return Refusal.OUTSIDE
    return None


def is_chaotic(scene: Scene) -> bool:
    """Whether two lengths of a time step end up apart."""
    fine, coarse = (
        simulate(scene, CHECKED_TIMES_S, step_s=step_s) for step_s in (STEP_S, COARSE_STEP_S)
    )
    return largest_distance(fine, coarse) > MAX_APART_M


def largest_distance(these: Sequence[Sequence[Point]], those: Sequence[Sequence[Point]]) -> float:
    """Over times and balls, in metres."""
    return max(
        math.dist(p, q)
        for here, there in zip(these, those, strict=True)
        for p, q in zip(here, there, strict=True)
    )
