"""numerical_comparison: accept a binary number on one side of a threshold (delta-manufactoria.md, section 6.8).

What surprises: in the test inputs of this family zero is written as one red symbol, not as the empty tape (G13).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.numbers import (
    ENCODING,
    LITERALS,
    SHORTEST,
    digits_of,
    value_of,
)
from rlgrok.delta.manufactoria.families.ranges import Ranges
from rlgrok.delta.manufactoria.regular import explored, program_of
from runtime.seeding import Stream


class Comparison(NamedTuple):
    """An operator in code and in words."""

    holds: Callable[[int, int], bool]
    words: str


COMPARISONS: Mapping[str, Comparison] = {
    ">": Comparison(operator.gt, "greater than"),
    ">=": Comparison(operator.ge, "greater than or equal to"),
    "<": Comparison(operator.lt, "less than"),
    "<=": Comparison(operator.le, "less than or equal to"),
    "=": Comparison(operator.eq, "equal to"),
}
"""In enumeration order."""
GUARD = 1024
"""Test inputs far above a threshold stay below this value."""
_MAX_LEADING = 3


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Five operators a threshold."""
    del alphabet
    return len(COMPARISONS) * len(ranges.thresholds)


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Operators in order, and for each the thresholds.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    if not 0 <= index < capacity(alphabet, ranges):
        raise IndexError(f"no comparison number {index} of {capacity(alphabet, ranges)}")
    which, threshold = divmod(index, len(ranges.thresholds))
    return {"operator": list(COMPARISONS)[which], "threshold": ranges.thresholds[threshold]}


def key(parameters: Parameters) -> str:
    """Such as >=12."""
    return f"{parameters['operator']}{parameters['threshold']}"


def size(parameters: Parameters) -> int:
    """Digits of the threshold."""
    return len(digits_of(int(parameters["threshold"])))


def label(parameters: Parameters, tape: str) -> bool:
    """The comparison holds."""
    return COMPARISONS[parameters["operator"]].holds(value_of(tape), parameters["threshold"])


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.8, in its order; nothing is drawn."""
    del alphabet, stream
    sign, t = parameters["operator"], int(parameters["threshold"])
    values: list[int] = []
    if t > 0 and sign in (">", ">="):
        values = [t, t - 2, t - 1, t + 1, t + 2, 2 * t]
    elif t > 0 and sign in ("<", "<="):
        values = [t, max(0, t - 2), max(0, t - 1), t + 1, t + 2]
    elif t > 0:
        values = [t, max(0, t - 1), t + 1, t - 2, t + 2]
    if sign in (">", ">="):
        values += [value for value in (4 * t, t + 100, t + 50) if value < GUARD]
    if sign in ("<", "<=") and t > 10:
        values += [t // 2, t // 4, max(1, t - 10), max(1, t - 5)]
    inputs = [*SHORTEST, *(digits_of(value) for value in values if value >= 0)]
    return [*inputs, *LITERALS] if t >= 8 else inputs


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """A number within two of the threshold or its half or double, behind some reds."""
    del alphabet
    t = int(parameters["threshold"])
    near = stream.choice((t, t, t // 2, 2 * t)) + stream.integer(-2, 2)
    digits = digits_of(max(0, near))
    room = max(0, longest - len(digits))
    leading = stream.integer(0, room) if stream.bernoulli(0.5) else min(_MAX_LEADING, room)
    return "R" * leading + digits


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    words = COMPARISONS[parameters["operator"]].words
    return (
        f"{ENCODING} Accept the tape exactly when this number is {words} {parameters['threshold']}."
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    words = COMPARISONS[parameters["operator"]].words
    return f"Binary {words.title()} {parameters['threshold']}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """The smallest automaton that knows the number read so far, or that it is past the threshold."""
    t = int(parameters["threshold"])
    holds = COMPARISONS[parameters["operator"]].holds

    def step(value: int, symbol: str) -> int:
        return min(2 * value + (symbol == "B"), t + 1)

    return program_of(explored(0, step, lambda value: holds(value, t), alphabet))


FAMILY = Family(
    name="numerical_comparison",
    kind=FamilyKind.ACCEPT,
    enumerates=("thresholds",),
    capacity=capacity,
    nth=nth,
    key=key,
    size=size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    label=label,
    colors=("two",),
    telling=telling,
)
