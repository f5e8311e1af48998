"""Which settings of a long enumeration are taken: the first ones, or some drawn from a seed.

The reference takes the first thousand of every enumeration, so a wide range of thresholds gives only `>` (quirk G15).
Here a cap draws, unless the first ones are asked for; either way the result says how many there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from runtime.seeding import Stream


class Selection(StrEnum):
    """What a cap below the capacity leaves."""

    RANDOM = "random"
    """Some of all, drawn without replacement; kept in enumeration order."""
    FIRST = "first"
    """The first in enumeration order."""


@dataclass(frozen=True)
class Selected:
    """The settings taken, by number."""

    indices: Sequence[int]
    """In increasing order, below `capacity`."""
    capacity: int
    """How many settings there are."""
    selection: Selection
    """How they were chosen where there are more than were taken."""

    @property
    def is_all(self) -> bool:
        """Whether nothing was left out."""
        return len(self.indices) == self.capacity

    def describe(self) -> str:
        """What was taken, in words: never silently fewer than there are."""
        if self.is_all:
            return f"all {self.capacity}"
        if self.selection is Selection.FIRST:
            return f"the first {len(self.indices)} of {self.capacity}"
        return f"{len(self.indices)} of {self.capacity}, drawn"


def select(
    capacity: int, cap: int | None, stream: Stream, selection: Selection = Selection.RANDOM
) -> Selected:
    """Choose at most `cap` of `capacity` settings, without listing all of them.

    Args:
        capacity: how many there are.
        cap: take at most so many. None: all.
        stream: consumed by a draw, untouched where nothing is drawn.
        selection: what to take where there are more than the cap.
    """
    if cap is None or cap >= capacity:
        return Selected(range(capacity), capacity, selection)
    if selection is Selection.FIRST:
        return Selected(range(cap), capacity, selection)
    drawn: set[int] = set()
    while len(drawn) < cap:
        drawn.add(stream.below(capacity))
    return Selected(sorted(drawn), capacity, selection)
