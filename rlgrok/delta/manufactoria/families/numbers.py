"""Tapes as binary numbers: blue is 1, red is 0, the front of the tape is the highest digit.

Leading reds are allowed on input and the empty tape is 0. Test inputs that the numeric families share stand here too.
"""

from __future__ import annotations

SHORTEST = ("R", "B", "RB", "BR", "RRB", "BBR", "RBRB")
"""The first inputs of every numeric family (delta-manufactoria.md, sections 6.8 to 6.10)."""
LITERALS = (
    "BRRRRRR",
    "BRRRRRRR",
    "BRRRRRRRR",
    "BRBRBRBR",
    "RBBRBRRBR",
    "BRBBBBBB",
    "RBRBRBRR",
    "BRBRBR",
)
"""64, 128, 256, 170, 210, 191, 84, 42 (section 6.8)."""
ENCODING = (
    "Read the tape as a binary number: blue (B) is 1, red (R) is 0, the front of the tape is the highest digit, "
    "and the empty tape is 0."
)
"""The sentence that the criteria of every numeric family begin with."""


def value_of(tape: str) -> int:
    """The number that a tape of R and B stands for."""
    return int("0" + tape.replace("R", "0").replace("B", "1"), 2)


def digits_of(value: int) -> str:
    """The shortest tape for a number; for zero one red symbol (see `canonical_digits`)."""
    return f"{value:b}".replace("0", "R").replace("1", "B")


def canonical_digits(value: int) -> str:
    """What a numeric family must leave on the tape: no leading red; zero and below are the empty tape."""
    return digits_of(value) if value > 0 else ""
