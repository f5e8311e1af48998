"""numerical_max_min: enumeration, function, inputs and words (sections 6.9, 6.15 and 14)."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.families.numerical_max_min import (
    FAMILY,
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

LITERALS = [
    "BRRRRRR",
    "BRRRRRRR",
    "BRRRRRRRR",
    "BRBRBRBR",
    "RBBRBRRBR",
    "BRBBBBBB",
    "RBRBRBRR",
    "BRBRBR",
    "BRBBRBBR",
    "RBBRRBBR",
]


def number(tape: str) -> int:
    """The sum of the powers of two at which a B stands."""
    return sum(2**place for place, symbol in enumerate(reversed(tape)) if symbol == "B")


def written(value: int) -> str:
    """By dividing again and again."""
    tape = ""
    while value > 0:
        value, digit = divmod(value, 2)
        tape = "RB"[digit] + tape
    return tape


def test_512_problems_maxima_first() -> None:
    assert FAMILY.capacity("RB", DEFAULT_RANGES) == 512
    keys = [key(parameters) for parameters in FAMILY.enumerate("RB", DEFAULT_RANGES)]
    assert keys == [f"{word}{n}" for word in ("max", "min") for n in range(1, 257)]
    few = Ranges(extrema=("min",), extremum_operands=(5, 7))
    assert [key(p) for p in FAMILY.enumerate("RB", few)] == ["min5", "min7"]
    with pytest.raises(IndexError, match="no maximum or minimum number 512 of 512"):
        nth("RB", DEFAULT_RANGES, 512)


@pytest.mark.parametrize("word", ["max", "min"])
def test_the_function_is_python_s_on_independent_numbers(word: str) -> None:
    for n in range(1, 257, 5):
        for value in (*range(0, 40), n - 1, n, n + 1, 1000):
            for zeros in ("", "RR"):
                tape = zeros + written(value)
                assert number(tape) == value
                expected = written((max if word == "max" else min)(n, value))
                assert transform({"operation": word, "operand": n}, tape) == expected


def test_zero_is_the_empty_tape() -> None:
    assert transform({"operation": "min", "operand": 3}, "RRR") == ""
    assert transform({"operation": "max", "operand": 3}, "") == "BB"


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    inputs = own_inputs({"operation": "max", "operand": 4}, "RB", Stream(0))
    assert inputs[:8] == ["", "R", "B", "RB", "BR", "RRB", "BBR", "RBRB"]
    values = [0, 1, 2, 3, 4, 5, 6, 8, 16, 32, 64, 128, 7, 15, 31, 63, 127, 85, 170, 255]
    assert inputs[8:] == [*map(written, values), *LITERALS]
    assert [number(tape) for tape in LITERALS] == [64, 128, 256, 170, 210, 191, 84, 42, 182, 102]
    small = own_inputs({"operation": "max", "operand": 2}, "RB", Stream(0))
    assert [number(tape) for tape in small[8:15]] == [0, 1, 2, 3, 4, 8, 16]


def test_most_problems_lose_literals_to_the_cut() -> None:
    """498 of the 512 are cut at 35 tests (section 6.9); one stream of corner cases more or less moves a few."""
    full = [
        len(make_problem(FAMILY, parameters, "two").tests) == 35
        for parameters in list(FAMILY.enumerate("RB", DEFAULT_RANGES))[::8]
    ]
    assert 58 <= sum(full) <= 64


def test_words_say_how_to_write_the_result() -> None:
    parameters = {"operation": "min", "operand": 12}
    assert FAMILY.title(parameters) == "Numerical MIN(12, input)"
    words = FAMILY.criteria(parameters)
    for part in ("blue (B) is 1", "the smaller of this number and 12", "zero is the empty tape"):
        assert part in words
    assert "larger" in FAMILY.criteria({"operation": "max", "operand": 12})


@pytest.mark.parametrize("operand", [0, 1, 2, 5, 11, 12, 128])
def test_solutions_near_the_operand_and_far_from_it(operand: int) -> None:
    for word, extremum in (("max", max), ("min", min)):
        program = solution({"operation": word, "operand": operand}, "RB")
        assert len(program.nodes) <= 70
        for value in (*range(2 * operand + 3), 10**9, 2**39):
            for tape in (written(value), ("RRR" + written(value))[-40:]):
                done = run(program, tape)
                assert (done.finished, done.final_tape) == (True, written(extremum(operand, value)))
                assert len(done.path) < 200


def test_telling_tapes_stand_near_the_operand() -> None:
    stream = Stream(0, "telling")
    tapes = [telling({"operation": "max", "operand": 200}, "RB", stream, 40) for _ in range(200)]
    values = [number(tape) for tape in tapes]
    assert {abs(value - 200) <= 2 for value in values} == {True, False}
    assert set(values) <= {v + d for v in (100, 200, 400) for d in range(-2, 3)}
    assert any(tape.startswith("R") for tape in tapes)
    assert max(map(len, tapes)) <= 12
    assert all(
        len(telling({"operation": "max", "operand": 200}, "RB", stream, 3)) <= 3 for _ in "x"
    )
