"""From a type, a level and an index to one scene: candidates are drawn until one is accepted.

Every attempt has its own stream, named by the seed, the type, the level, the index and the attempt, so that a scene
does not depend on which others are made, nor types on each other (the reference's seeds form one chain, quirk B12).
Where no candidate is accepted the result says so, and nothing else is disturbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlgrok.delta.bouncingsim.acceptance import Refusal, geometry, is_chaotic
from rlgrok.delta.bouncingsim.composites import draw_composite
from rlgrok.delta.bouncingsim.drawing import PlacementError, rounded
from rlgrok.delta.bouncingsim.families import LEVELS, PERIODIC, SMALL, check_type
from rlgrok.delta.bouncingsim.periodic import draw_periodic
from rlgrok.delta.bouncingsim.scene import read_scene
from rlgrok.delta.bouncingsim.singles import draw_single
from runtime.errors import ConfigError
from runtime.seeding import Stream

MAX_ATTEMPTS = 500
"""The reference's; at the highest levels of some types even that finds nothing."""


@dataclass(frozen=True)
class SceneName:
    """What identifies a scene, and what it is drawn from."""

    letters: str
    level: int
    index: int
    """From 1."""
    small: bool = False
    """Containers of `SMALL` times the size: the exploratory axis."""
    compat: bool = False
    """The reference's paths and periods (quirks B1 and B9)."""
    seed: int = 0

    @property
    def id(self) -> str:
        """As in the published records, `B_2_1`; a small one is `B-small_2_1`."""
        return f"{self.family}_{self.level}_{self.index}"

    @property
    def family(self) -> str:
        """The type, with its variant."""
        return f"{self.letters}{'-small' * self.small}"


@dataclass(frozen=True)
class Made:
    """A scene, or the reasons why there is none."""

    name: SceneName
    scene: Mapping[str, Any] | None
    """As JSON; None where every attempt was refused."""
    refusals: Mapping[Refusal, int]


def make_scene(name: SceneName, *, max_attempts: int = MAX_ATTEMPTS) -> Made:
    """Draw candidates until one is accepted.

    Args:
        name: what to make.
        max_attempts: candidates, at most.

    Raises:
        ConfigError: no such type or level.
    """
    letters = check_type(name.letters)
    if not 0 <= name.level < len(LEVELS):
        raise ConfigError("no such level", got=name.level, expected="0 to 4")
    refusals: Counter[Refusal] = Counter()
    for attempt in range(max_attempts):
        try:
            drawn = _draw(name, letters, attempt)
        except PlacementError:
            refusals[Refusal.PLACEMENT] += 1
            continue
        refusal = geometry(drawn)
        if refusal is None:
            scene = rounded(drawn)
            scene["meta"] |= {"index": name.index, "difficulty_level": name.level}
            scene["meta"] |= {"seed": name.seed, "attempt": attempt}
            if not is_chaotic(read_scene(scene)):
                return Made(name, scene, refusals)
            refusal = Refusal.CHAOTIC
        refusals[refusal] += 1
    return Made(name, None, refusals)


def _draw(name: SceneName, letters: str, attempt: int) -> dict[str, Any]:
    draw = draw_composite
    if set(letters) & set(PERIODIC):
        draw = draw_periodic
    elif len(letters) == 1:
        draw = draw_single
    path = ("bouncingsim", name.family, name.level, name.index, attempt)
    scale = SMALL if name.small else 1.0
    stream = Stream(name.seed, *path)
    return draw(letters, name.level, stream, scale=scale, compat=name.compat)
