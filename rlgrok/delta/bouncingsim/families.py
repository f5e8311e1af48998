"""The families and their five levels, as tables (delta-bouncingsim.md, sections 3 to 5).

A family is a letter: A a ball that turns, B containers that turn, C that are carried about, D gravity, F several
containers, G several balls, H and I motion between two parallel walls. A type is one letter or several, sorted. E, an
irregular ball, is none of ours: the engine never saw its shape, and the benchmark leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.errors import ConfigError

LEVELS = ("basic", "easy", "medium", "hard", "extreme")
CENTER = 750
"""Of the scene space, in x and in y; its width and height are twice that. Metres."""
BASE_DIAMETER = 300
SMALL = 0.65
"""Of the exploratory test scenes: their containers' diameters are so many times the family's."""
Interval = tuple[float, float]

NAMES: Mapping[str, str] = {
    "A": "ROTOBJ",
    "B": "ROTBOX",
    "C": "MOVBOX",
    "D": "GRAVITY",
    "F": "MULTIBOX",
    "G": "MULTIOBJ",
    "H": "PERIODIC_H",
    "I": "PERIODIC_I",
}
"""Letter to the word of the published data sets; H and I have none there."""
SINGLES = ("A", "B", "C", "D", "F", "G")
PERIODIC = ("H", "I")
PAIRS = (
    "AB", "AC", "AD", "AF", "AG", "BC", "BD", "BF", "BG", "CD", "CF", "CG", "DF", "DG", "FG",
)  # fmt: skip
"""The published ones."""
WITH_H = ("AH", "BH", "ABH")
"""Combinations of periodic motion: the container, the ball, or both turn once a period."""


@dataclass(frozen=True)
class Row:
    """What is drawn at one level of one family: closed intervals, metres and seconds."""

    ball_sides: tuple[int, int]
    box_sides: tuple[int, int]
    speed: Interval
    factor: float
    """Container diameter over `BASE_DIAMETER`."""
    ball_radius: float


_SIDES = ((3, 4), (5, 6), (6, 7), (7, 8), (8, 10))
_SPEEDS = ((200, 400), (400, 600), (600, 800), (800, 1000), (1000, 1200))
_FACTORS = (1.5, 1.4, 1.3, 1.2, 1.0)


def _rows(factors: tuple[float, ...], radii: tuple[float, ...]) -> tuple[Row, ...]:
    return tuple(map(Row, _SIDES, _SIDES, _SPEEDS, factors, radii))


_COMMON = _rows(_FACTORS, (40, 35, 30, 25, 20))
ROWS: Mapping[str, tuple[Row, ...]] = {
    "A": tuple(
        map(
            Row,
            ((3, 4), (5, 6), (6, 7), (7, 8), (8, 8)),
            ((3, 4), (3, 5), (3, 6), (3, 7), (3, 7)),
            ((200, 400), (400, 600), (600, 800), (600, 800), (600, 800)),
            _FACTORS,
            (40, 35, 30, 30, 30),
        )
    ),
    "B": _rows((1.5, 1.4, 1.3, 1.2, 0.8), (40, 35, 30, 25, 25)),
    "C": _COMMON,
    "D": _COMMON,
    "F": _COMMON,
    "G": tuple(Row((3, 6), (3, 6), speed, 2.5, 20) for speed in _SPEEDS),
}
"""Letter to its rows, level by level."""
BALL_SPIN: tuple[Interval, ...] = ((0.1, 0.2), (0.2, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 2.5))
"""A, radians a second."""
BOX_SPIN: tuple[Interval, ...] = ((0.1, 0.2), (0.2, 0.5), (0.5, 1.0), (1.0, 1.5), (2.0, 3.0))
"""B, radians a second."""
SPIN_SWING = 0.4
"""B, from level 3 on: amplitude of the angular velocity over its base."""
AMPLITUDE: tuple[tuple[int, int], ...] = ((0, 10), (20, 40), (40, 60), (60, 90), (90, 120))
"""C, metres."""
GRAVITY = (100.0, 1000.0, 10000.0, 10000.0, 10000.0)
"""D, metres a second squared: downwards, from level 3 on in a direction within `TILT` of downwards."""
TILT_DEGREES = 120.0
NUM_BOXES = (2, 2, 3, 4, 6)
"""F."""
NUM_BALLS = ((2, 2), (3, 3), (4, 5), (5, 6), (7, 9))
"""G."""
COLORS: Mapping[str, tuple[int, int, int]] = {
    "A": (255, 100, 50),
    "B": (60, 160, 255),
    "C": (120, 220, 80),
    "D": (240, 180, 60),
    "F": (100, 255, 200),
    "H": (128, 128, 128),
    "I": (128, 128, 128),
}


def check_type(letters: str) -> str:
    """The type with its letters sorted and each named once.

    Raises:
        ConfigError: a letter that is none, or periodic motion with something it does not go with.
    """
    sorted_letters = "".join(sorted(set(letters)))
    if not letters or not set(letters) <= set(NAMES):
        raise ConfigError(
            "no such type of scene", got=letters or "nothing", expected="letters of A B C D F G H I"
        )
    periodic = set(letters) & set(PERIODIC)
    if periodic and len(sorted_letters) > 1 and sorted_letters not in WITH_H:
        raise ConfigError(
            "periodic motion does not go with that",
            got=sorted_letters,
            expected=f"H or I alone, or {', '.join(WITH_H)}",
        )
    return sorted_letters


def type_name(letters: str) -> str:
    """The words of a type, as the published data sets are named: `ROTOBJ_ROTBOX`."""
    return "_".join(NAMES[letter] for letter in letters)
