"""numerical_operations: enumeration, functions, inputs and words (sections 6.10 and 14)."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.families.numerical_operations import (
    FAMILY,
    OPERATIONS,
    key,
    nth,
    own_inputs,
    solution,
    telling,
    transform,
)
from rlgrok.delta.manufactoria.families.ranges import DEFAULT_RANGES, Ranges
from rlgrok.delta.manufactoria.machine import run
from runtime.seeding import Stream

OPERANDS = [1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 7, 15, 31, 63, 127]


def setting(operation: str, operand: int | None = None) -> dict[str, object]:
    return {"operation": operation} | ({} if operand is None else {"operand": operand})


def number(tape: str) -> int:
    return sum(2**place for place, symbol in enumerate(reversed(tape)) if symbol == "B")


def written(value: int) -> str:
    tape = ""
    while value > 0:
        value, digit = divmod(value, 2)
        tape = "RB"[digit] + tape
    return tape


def digit_by_digit(operation: str, tape: str, n: int) -> str:
    """And, or, exclusive or and not on the written digits, without Python's operators on numbers."""
    tape = tape.lstrip("R")
    width = max(len(tape), len(written(n)), 8 if operation == "not" else 0)
    pairs = zip(tape.rjust(width, "R"), written(n).rjust(width, "R"), strict=True)
    blue = {
        "and": lambda a, b: a == b == "B",
        "or": lambda a, b: "B" in (a, b),
        "xor": lambda a, b: a != b,
        "not": lambda a, b: a == "R",
    }[operation]
    return "".join("RB"[blue(a, b)] for a, b in pairs).lstrip("R")


def test_83_problems_in_order() -> None:
    assert FAMILY.capacity("RB", DEFAULT_RANGES) == 83 == 15 * 2 + 15 * 3 + 1 + 7
    keys = [key(parameters) for parameters in FAMILY.enumerate("RB", DEFAULT_RANGES)]
    expected = [f"{word}{n}" for word in ("add", "subtract", "and", "or", "xor") for n in OPERANDS]
    assert keys == [*expected, "not", *(f"floor_div{k}" for k in range(1, 8))]
    assert nth("RB", DEFAULT_RANGES, 75) == {"operation": "not"}
    with pytest.raises(IndexError, match="no operation number 83 of 83"):
        nth("RB", DEFAULT_RANGES, 83)


def test_operands_above_128_are_left_out() -> None:
    ranges = Ranges(operations=("xor", "floor_div"), operands=(3, 200, 128), max_shift=2)
    found = [key(parameters) for parameters in FAMILY.enumerate("RB", ranges)]
    assert found == ["xor3", "xor128", "floor_div1", "floor_div2"]


@pytest.mark.parametrize(
    ("operation", "operand", "tape", "output"),
    [
        ("add", 3, "RRB", "BRR"),
        ("subtract", 5, "BRR", ""),
        ("subtract", 4, "BRR", ""),
        ("and", 5, "BBBB", "BRB"),
        ("or", 4, "", "BRR"),
        ("xor", 3, "RBB", ""),
        ("not", None, "", "BBBBBBBB"),
        ("not", None, "BBBBBBBB", ""),
        ("not", None, "BRRRRRRRR", "BBBBBBBB"),
        ("floor_div", 2, "BBRB", "BB"),
    ],
)
def test_golden_vectors(operation: str, operand: int | None, tape: str, output: str) -> None:
    parameters = setting(operation, operand)
    assert transform(parameters, tape) == output
    done = run(solution(parameters, "RB"), tape)
    assert (done.finished, done.final_tape) == (True, output)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_functions_against_independent_arithmetic(operation: str) -> None:
    for n in (0, 1, 2, 5, 12, 127, 128):
        parameters = setting(operation, None if operation == "not" else n)
        for tape in (*tapes("RB", 5), "BRRBRBBRRBRB", "B" * 12, "RB" * 9):
            if operation == "add":
                expected = written(number(tape) + n)
            elif operation == "subtract":
                expected = written(number(tape) - n)
            elif operation == "floor_div":
                expected = tape.lstrip("R")[: max(0, len(tape.lstrip("R")) - n)]
            else:
                expected = digit_by_digit(operation, tape, 0 if operation == "not" else n)
            assert transform(parameters, tape) == expected, (n, tape)


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    begin = ["", "R", "B", "RB", "BR", "RRB", "BBR", "RBRB"]
    values = {
        ("add", 5): [0, 1, 4, 5, 6, 10, 20, 64, 128, 255, 127, 63, 31, 15],
        ("subtract", 1): [0, 1, 2, 4, 64, 128, 255, 127, 63, 31, 15],
        ("xor", 64): [0, 1, 64, 63, 65, 85, 170, 255, 127, 31, 15],
        ("not", None): [0, 1, 15, 31, 63, 127, 255, 85, 170],
        ("floor_div", 3): [0, 1, 7, 8, 9, 16, 24, 255, 127, 63, 31, 15],
    }
    for (operation, operand), expected in values.items():
        inputs = own_inputs(setting(operation, operand), "RB", Stream(0))
        assert inputs[:8] == begin
        assert inputs[8:-10] == [written(value) for value in expected]
        assert inputs[-2:] == ["BRBBRBBR", "RBBRRBBR"]


def test_values_outside_the_guard_are_no_inputs() -> None:
    inputs = own_inputs(setting("add", 0), "RB", Stream(0))
    assert inputs[8:-10] == [written(v) for v in (0, 1, 64, 128, 255, 127, 63, 31, 15)]
    assert written(1024) not in own_inputs(setting("floor_div", 10), "RB", Stream(0))


@pytest.mark.parametrize(
    ("operation", "operand", "name"),
    [
        ("add", 3, "Numerical Add 3"),
        ("and", 3, "Numerical Bitwise AND With 3"),
        ("not", None, "Numerical Bitwise NOT"),
        ("floor_div", 3, "Numerical Floor Division By 2^3"),
    ],
)
def test_names(operation: str, operand: int | None, name: str) -> None:
    assert FAMILY.title(setting(operation, operand)) == name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_criteria_say_everything_that_the_result_depends_on(operation: str) -> None:
    words = FAMILY.criteria(setting(operation, None if operation == "not" else 12))
    for part in ("blue (B) is 1", "without leading red symbols", "zero is the empty tape"):
        assert part in words
    assert ("12" in words) == (operation != "not")
    assert ("below zero" in words) == (operation == "subtract")
    assert ("to 8 digits" in words) == (operation == "not")
    assert "{n}" not in words


def test_an_operand_of_zero() -> None:
    for operation in ("add", "subtract", "and", "or", "xor"):
        program = solution(setting(operation, 0), "RB")
        for tape in ("", "RR", "RBR", "BBRB"):
            expected = "" if operation == "and" else tape.lstrip("R")
            assert run(program, tape).final_tape == expected
            assert transform(setting(operation, 0), tape) == expected


def test_sizes_count_the_digits_that_matter() -> None:
    found = {key(p): FAMILY.size(p) for p in FAMILY.enumerate("RB", DEFAULT_RANGES)}
    assert [found[k] for k in ("add1", "xor128", "and5", "not", "floor_div7")] == [1, 8, 3, 8, 8]


def test_telling_tapes_are_long_runs() -> None:
    stream = Stream(0, "telling")
    seen = [telling(setting("add", 4), "RB", stream, 40) for _ in range(300)]
    assert max(map(len, seen)) <= 16 + 3
    assert any("B" * 12 in tape for tape in seen)
    assert any("R" * 12 in tape for tape in seen)
    assert all(len(telling(setting("xor", 128), "RB", stream, 5)) <= 5 for _ in range(50))
    ends = [telling(setting("xor", 5), "RB", stream, 40) for _ in range(50)]
    assert all(tape.endswith("BRB") for tape in ends)
