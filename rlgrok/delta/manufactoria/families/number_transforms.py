"""What the two families that compute a number share beside `numbers.py`: inputs, the canonical form in words."""

from __future__ import annotations

from collections.abc import Iterable

from rlgrok.delta.manufactoria.families.numbers import LITERALS, SHORTEST, canonical_digits
from runtime.seeding import Stream

MAX_INPUT = 1023
"""The largest value among the inputs that are made of values."""
CANONICAL = (
    "Write the result as a binary number in the same way, without leading red symbols: it begins with blue (B), "
    "and zero is the empty tape."
)
"""The sentence about output that the reference leaves out for some operations (G9)."""
_LONGEST_RUNS = 16
_LONG_LITERALS = (*LITERALS, "BRBBRBBR", "RBBRRBBR")  # 182 and 102; the strings are what counts


def inputs_of(values: Iterable[int]) -> list[str]:
    """The shortest tapes, each value once in canonical form, and the ten literals (sections 6.9 and 6.10).

    Args:
        values: those outside [0, 1023] are left out.
    """
    distinct = dict.fromkeys(value for value in values if 0 <= value <= MAX_INPUT)
    written = [canonical_digits(value) for value in distinct]
    return ["", *SHORTEST, *written, *_LONG_LITERALS]


def runs(stream: Stream, longest: int) -> str:
    """A tape of one to four runs of one colour: long carries, which random tapes hardly have.

    It has at most `longest` symbols, and at most 16, rather more than fewer. A program that carries one digit in a
    pass is right too, but would need more visits than a run has on tapes much longer than that.
    """
    limit = min(longest, _LONGEST_RUNS)
    length = max(stream.integer(0, limit), stream.integer(0, limit))
    cuts = sorted(stream.integer(0, length) for _ in range(stream.integer(0, 3)))
    tape, color = "", stream.choice("RB")
    for begin, end in zip([0, *cuts], [*cuts, length], strict=True):
        tape += color * (end - begin)
        color = "R" if color == "B" else "B"
    return tape
