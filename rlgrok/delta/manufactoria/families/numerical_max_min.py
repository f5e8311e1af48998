"""numerical_max_min: leave the larger or the smaller of a constant and the tape (delta-manufactoria.md, section 6.9).

The reference's criteria do not say how the result must be written (G9); ours do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.number_transforms import CANONICAL, inputs_of
from rlgrok.delta.manufactoria.families.numbers import (
    ENCODING,
    canonical_digits,
    digits_of,
    value_of,
)
from rlgrok.delta.manufactoria.families.ranges import Ranges
from rlgrok.delta.manufactoria.queue_programs import (
    DONE,
    OTHERWISE,
    Step,
    copying,
    dropping,
    queue_program,
)
from runtime.seeding import Stream

_EXTREMA: Mapping[str, Callable[[int, int], int]] = {"max": max, "min": min}
_WORDS: Mapping[str, str] = {"max": "larger", "min": "smaller"}
_COMMON_VALUES = (3, 5, 7, 15, 31, 63, 127, 85, 170, 255)
_POWERS = (2, 4, 8, 16, 32, 64, 128)
_MAX_LEADING = 3


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Operations times operands."""
    del alphabet
    return len(ranges.extrema) * len(ranges.extremum_operands)


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Operations in order, and for each the operands.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    if not 0 <= index < capacity(alphabet, ranges):
        raise IndexError(f"no maximum or minimum number {index} of {capacity(alphabet, ranges)}")
    which, operand = divmod(index, len(ranges.extremum_operands))
    return {"operation": ranges.extrema[which], "operand": ranges.extremum_operands[operand]}


def key(parameters: Parameters) -> str:
    """Such as max12."""
    return f"{parameters['operation']}{parameters['operand']}"


def size(parameters: Parameters) -> int:
    """Digits of the operand."""
    return len(digits_of(int(parameters["operand"])))


def transform(parameters: Parameters, tape: str) -> str:
    """The larger or smaller number in canonical form."""
    extremum = _EXTREMA[parameters["operation"]]
    return canonical_digits(extremum(int(parameters["operand"]), value_of(tape)))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.9, in its order; nothing is drawn. Most literals fall to the cut at 35."""
    del alphabet, stream
    n = int(parameters["operand"])
    values = [0, 1, *((n - 2, n - 1) if n > 2 else ()), n, n + 1, n + 2]
    values += [power for power in _POWERS if power != n]
    return inputs_of([*values, *_COMMON_VALUES])


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """A number close to the operand or to its half or double, often behind some reds."""
    del alphabet
    n = int(parameters["operand"])
    value = stream.choice((n, n, n // 2, 2 * n)) + stream.integer(-2, 2)
    digits = canonical_digits(value)
    leading = stream.integer(0, min(_MAX_LEADING, max(0, longest - len(digits))))
    return ("R" * leading + digits)[:longest]


def criteria(parameters: Parameters) -> str:
    """What to leave on the tape."""
    return (
        f"{ENCODING} Accept every tape, and leave the {_WORDS[parameters['operation']]} of this number and "
        f"{parameters['operand']}. {CANONICAL}"
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Numerical {parameters['operation'].upper()}({parameters['operand']}, input)"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """Turn the number round once to compare the lengths and, if they are equal, again to compare digit by digit.

    As soon as the operand is the answer, everything is taken off the tape and the operand painted.
    """
    del alphabet
    digits = canonical_digits(int(parameters["operand"]))
    more, less = ("keep", "drop") if parameters["operation"] == "max" else ("drop", "keep")
    rules: dict[Hashable, Mapping[str, Step]] = {}
    for count in range(len(digits) + 1):
        onward = ("length", count + 1) if count < len(digits) else more
        moves = {symbol: _turned(symbol, onward) for symbol in "RB"}
        if count == 0:
            moves["R"] = Step("", ("length", 0))
        rules["length", count] = {**moves, OTHERWISE: Step("", less)}
    rules["length", len(digits)][OTHERWISE] = Step("Y", "equally long")
    rules["equally long"] = {"Y": Step("", ("same", 0))}
    for place, digit in enumerate(digits):
        other, decided = ("R", less) if digit == "B" else ("B", more)
        rules["same", place] = {
            digit: Step(digit, ("same", place + 1)),
            other: _turned(other, decided),
        }
    rules["same", len(digits)] = {OTHERWISE: Step("", "keep")}
    rules |= copying("keep", {"Y": DONE})
    rules |= dropping("drop", {"Y": Step("", "drop"), OTHERWISE: Step(digits, None)})
    return queue_program(Step("Y", ("length", 0)), rules)


def _turned(symbol: str, then: Hashable) -> Step:
    """Put the symbol at the back, unless everything is to be taken off anyway."""
    return Step("" if then == "drop" else symbol, then)


FAMILY = Family(
    name="numerical_max_min",
    kind=FamilyKind.TRANSFORM,
    enumerates=("extrema", "extremum_operands"),
    capacity=capacity,
    nth=nth,
    key=key,
    size=size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    transform=transform,
    colors=("two",),
    telling=telling,
)
