"""What a family is: a generator of problems with its own oracle, as a record of pure functions.

No base class and no registry: a family's module fills in one `Family`, and `families/__init__.py` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families.ranges import Ranges
from runtime.seeding import Stream

Parameters = Mapping[str, Any]
"""JSON-able, and enough to rebuild everything about a problem but its tests."""

ALPHABETS: Mapping[str, str] = {"two": "RB", "four": "RBYG"}
"""Colour mode to alphabet, in enumeration order."""
ALL_NODES = (
    "START",
    "END",
    "PULLER_RB",
    "PULLER_YG",
    "PAINTER_RED",
    "PAINTER_BLUE",
    "PAINTER_YELLOW",
    "PAINTER_GREEN",
)
TWO_COLOR_READERS = ("START", "END", "PULLER_RB")


class FamilyKind(StrEnum):
    """What a program of the family must get right."""

    ACCEPT = "accept"
    """Which tapes it accepts; what it leaves on the tape does not matter."""
    TRANSFORM = "transform"
    """What it leaves on the tape; it must accept every tape."""


@dataclass(frozen=True)
class Family:
    """One family. Every function is pure; randomness comes in as a stream.

    Exactly one of `label` and `transform` is given, as `kind` says.
    """

    name: str
    kind: FamilyKind
    enumerates: tuple[str, ...]
    """The fields of `Ranges` that it reads."""
    capacity: Callable[[str, Ranges], int]
    """(alphabet, ranges) -> how many parameter settings there are."""
    nth: Callable[[str, Ranges, int], Parameters]
    """(alphabet, ranges, index) -> the setting at a position of the enumeration order, from 0. IndexError outside."""
    key: Callable[[Parameters], str]
    """The setting as text; two settings with the same key are the same problem."""
    size: Callable[[Parameters], int]
    """Length of the longest minimal tape that decides the problem; also the stratum of the held-out split."""
    own_inputs: Callable[[Parameters, str, Stream], list[str]]
    """(parameters, alphabet, stream) -> the family's own test inputs, in the order of the specification."""
    title: Callable[[Parameters], str]
    criteria: Callable[[Parameters], str]
    """What the program must do, for the prompt; the sentence about two colours is added elsewhere."""
    solution: Callable[[Parameters, str], Program]
    """(parameters, alphabet) -> a right program, in canonical form."""
    available_nodes: Callable[[str], tuple[str, ...]]
    """(colors) -> the node kinds listed in the problem record; informative, never enforced."""
    label: Callable[[Parameters, str], bool] | None = None
    """For `accept`: whether a tape must be accepted."""
    transform: Callable[[Parameters, str], str] | None = None
    """For `transform`: the tape that must be left."""
    colors: tuple[str, ...] = tuple(ALPHABETS)
    """The colour modes that it is defined for."""
    telling: Callable[[Parameters, str, Stream, int], str] | None = None
    """(parameters, alphabet, stream, longest) -> a tape of at most so many symbols that random ones would miss.

    About as often accepted as rejected: accepted tapes, and such that lack little. For families where a random tape is
    nearly always rejected, so that a program which rejects everything long would pass random checks.
    """

    def enumerate(self, alphabet: str, ranges: Ranges) -> Iterator[Parameters]:
        """Every setting, in enumeration order."""
        for index in range(self.capacity(alphabet, ranges)):
            yield self.nth(alphabet, ranges, index)
