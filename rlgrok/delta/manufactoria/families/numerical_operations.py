"""numerical_operations: leave a function of the tape's binary number (delta-manufactoria.md, section 6.10).

The reference's criteria for `not` leave out how many digits are changed (G9); ours do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.arithmetic_programs import sum_program
from rlgrok.delta.manufactoria.families.bitwise_programs import (
    BITWISE,
    NOT_WIDTH,
    bitwise_program,
    complement_program,
    empty_program,
    shift_program,
    unchanged_program,
)
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.number_transforms import CANONICAL, inputs_of, runs
from rlgrok.delta.manufactoria.families.numbers import (
    ENCODING,
    canonical_digits,
    digits_of,
    value_of,
)
from rlgrok.delta.manufactoria.families.ranges import Ranges
from runtime.seeding import Stream

MAX_OPERAND = 128
"""Larger operands are not enumerated."""


class Operation(NamedTuple):
    """A function of the tape's number and the operand, in code and in words."""

    compute: Callable[[int, int], int]
    name: str
    """For the title; `{n}` is the operand."""
    words: str
    """For the criteria, after "leave"."""


def _complement(value: int, operand: int) -> int:
    del operand
    return value ^ ((1 << max(NOT_WIDTH, value.bit_length())) - 1)


OPERATIONS: Mapping[str, Operation] = {
    "add": Operation(lambda v, n: v + n, "Add {n}", "the sum of this number and {n}"),
    "subtract": Operation(
        lambda v, n: v - n,
        "Subtract {n}",
        "this number minus {n}; where that is below zero, leave the empty tape, as for zero",
    ),
    "and": Operation(
        BITWISE["and"], "Bitwise AND With {n}", "the bitwise AND of this number and {n}"
    ),
    "or": Operation(BITWISE["or"], "Bitwise OR With {n}", "the bitwise OR of this number and {n}"),
    "xor": Operation(
        BITWISE["xor"], "Bitwise XOR With {n}", "the bitwise exclusive OR of this number and {n}"
    ),
    "not": Operation(
        _complement,
        "Bitwise NOT",
        f"its bitwise complement: every digit of the number without leading red symbols is changed, and a number of "
        f"fewer than {NOT_WIDTH} digits is first filled up with red in front to {NOT_WIDTH} digits",
    ),
    "floor_div": Operation(
        lambda v, n: v >> n,
        "Floor Division By 2^{n}",
        "this number divided by 2^{n}, rounded down to a whole number",
    ),
}
"""For floor_div the operand is the exponent; `not` has none."""


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Operands of every operation; 83 by default."""
    del alphabet
    return sum(len(_operands(operation, ranges)) for operation in ranges.operations)


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Operations in order, and for each the operands; powers from 1 for floor_div, a single entry for not.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    rest = index
    for operation in ranges.operations:
        operands = _operands(operation, ranges)
        if 0 <= rest < len(operands):
            operand = operands[rest]
            setting = {} if operand is None else {"operand": operand}
            return {"operation": operation, **setting}
        rest -= len(operands)
    raise IndexError(f"no operation number {index} of {capacity(alphabet, ranges)}")


def key(parameters: Parameters) -> str:
    """Such as add12, floor_div3, not."""
    return f"{parameters['operation']}{parameters.get('operand', '')}"


def size(parameters: Parameters) -> int:
    """Digits that the operation is about: of the operand, or those that are dropped or changed at least."""
    operation, n = _read(parameters)
    if operation == "not":
        return NOT_WIDTH
    return n + 1 if operation == "floor_div" else len(digits_of(n))


def transform(parameters: Parameters, tape: str) -> str:
    """The result in canonical form."""
    operation, n = _read(parameters)
    return canonical_digits(OPERATIONS[operation].compute(value_of(tape), n))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.10, in its order; nothing is drawn."""
    del alphabet, stream
    operation, n = _read(parameters)
    if operation in ("add", "subtract"):
        values = [0, 1, n - 1, n, n + 1, 2 * n, 4 * n, 64, 128, 255, 127, 63, 31, 15]
    elif operation == "not":
        values = [0, 1, 15, 31, 63, 127, 255, 85, 170]
    elif operation == "floor_div":
        d = 1 << n
        values = [0, 1, d - 1, d, d + 1, 2 * d, 3 * d, 255, 127, 63, 31, 15]
    else:
        values = [0, 1, n, n - 1, n + 1, 85, 170, 255, 127, 63, 31, 15]
    return inputs_of(values)


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """A tape of few runs, or such a tape with the operand's digits at its end."""
    del alphabet
    operation, n = _read(parameters)
    tail = canonical_digits(n) if operation in BITWISE or stream.bernoulli(0.25) else ""
    return (runs(stream, max(0, longest - len(tail))) + tail)[:longest]


def criteria(parameters: Parameters) -> str:
    """What to leave on the tape."""
    operation, n = _read(parameters)
    words = OPERATIONS[operation].words.replace("{n}", str(n))
    return f"{ENCODING} Accept every tape, and leave {words}. {CANONICAL}"


def title(parameters: Parameters) -> str:
    """The problem's name."""
    operation, n = _read(parameters)
    return "Numerical " + OPERATIONS[operation].name.replace("{n}", str(n))


def solution(parameters: Parameters, alphabet: str) -> Program:
    """By the kind of operation; see `arithmetic_programs` and `bitwise_programs`."""
    del alphabet
    operation, n = _read(parameters)
    if operation == "not":
        return complement_program()
    if operation == "floor_div":
        return shift_program(n)
    if n == 0:
        return empty_program() if operation == "and" else unchanged_program()
    if operation in BITWISE:
        return bitwise_program(operation, n)
    return sum_program(n, subtract=operation == "subtract")


def _operands(operation: str, ranges: Ranges) -> list[int | None]:
    if operation == "not":
        return [None]
    if operation == "floor_div":
        return list(range(1, ranges.max_shift + 1))
    return [operand for operand in ranges.operands if operand <= MAX_OPERAND]


def _read(parameters: Parameters) -> tuple[str, int]:
    """The operation and its operand, 0 where it has none."""
    return str(parameters["operation"]), int(parameters.get("operand", 0))


FAMILY = Family(
    name="numerical_operations",
    kind=FamilyKind.TRANSFORM,
    enumerates=("operations", "operands", "max_shift"),
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
