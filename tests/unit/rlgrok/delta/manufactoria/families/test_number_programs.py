"""Programs on binary numbers, against arithmetic: every short tape, long carries, and the ways that they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import bitwise_programs as bitwise
from rlgrok.delta.manufactoria.families.arithmetic_programs import MAX_LOW_PASSES, sum_program
from rlgrok.delta.manufactoria.families.low_digits import (
    Passes,
    digit_words,
    passes_of,
    set_apart,
)
from rlgrok.delta.manufactoria.families.number_transforms import runs
from rlgrok.delta.manufactoria.families.numbers import canonical_digits, value_of
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.queue_programs import DONE, OTHERWISE, Step, queue_program
from runtime.seeding import Stream

SHORT = tuple(tapes("RB", 6))


def long_tapes() -> Iterator[str]:
    """All ones and zeros, a carry through everything, one that is stopped at each place, and long runs."""
    yield from ("B" * 40, "R" * 40, "B" + "R" * 39, "RB" * 20, "BR" * 20)
    for place in range(0, 40, 3):
        yield "B" * place + "R" + "B" * (39 - place)
        yield "B" + "R" * place + "B" * (39 - place)
    stream = Stream(0, "long")
    yield from (runs(stream, 40) for _ in range(20))


def assert_computes(program: Program, function: Callable[[int], int]) -> None:
    assert is_canonical(program)
    for tape in (*SHORT, *long_tapes()):
        done = run(program, tape)
        expected = canonical_digits(function(value_of(tape)))
        assert (done.finished, done.final_tape) == (True, expected), tape


@pytest.mark.parametrize("operand", [1, 2, 3, 5, 6, 12, 21, 44, 100, 128, 127])
def test_sums_and_differences(operand: int) -> None:
    assert_computes(sum_program(operand), lambda value: value + operand)
    assert_computes(sum_program(operand, subtract=True), lambda value: value - operand)


@pytest.mark.parametrize("operation", bitwise.BITWISE)
@pytest.mark.parametrize("operand", [1, 2, 5, 6, 9, 44, 128])
def test_bitwise_operations(operation: str, operand: int) -> None:
    program = bitwise.bitwise_program(operation, operand)
    assert_computes(program, lambda value: bitwise.BITWISE[operation](value, operand))


def test_a_wide_operand_sets_its_digits_apart_and_a_narrow_one_holds_them_back() -> None:
    """A pass a digit, or one pass in all; the smaller program wins."""
    narrow, wide = bitwise.bitwise_program("or", 2), bitwise.bitwise_program("or", 64)
    assert len(run(narrow, "B" * 20).path) < 50
    assert len(run(wide, "B" * 20).path) > 7 * 40
    assert len(wide.nodes) < 64


def test_complement_and_shifts() -> None:
    width = bitwise.NOT_WIDTH
    assert_computes(
        bitwise.complement_program(), lambda v: v ^ ((1 << max(width, v.bit_length())) - 1)
    )
    for count in (1, 2, 5, 7):
        assert_computes(bitwise.shift_program(count), lambda v, count=count: v >> count)


def test_doing_nothing_and_dropping_all() -> None:
    assert_computes(bitwise.unchanged_program(), lambda value: value)
    assert_computes(bitwise.empty_program(), lambda value: 0)


def test_digits_are_cut_into_passes() -> None:
    assert passes_of("RRRRR", 2) == [Passes("RR", 2), Passes("R", 1)]
    assert passes_of("BBBRRB", 2) == [Passes("RB", 1), Passes("BR", 1), Passes("BB", 1)]
    assert passes_of("BBBB", 1) == [Passes("B", 4)]
    assert passes_of("", 1) == []
    assert digit_words(2) == ["RR", "RB", "BR", "BB"]


@pytest.mark.parametrize("operand", [1, 3, 8, 31, 34, 42, 46, 62, 99, 127, 128])
def test_a_run_over_40_digits_stays_within_the_limit(operand: int) -> None:
    """Low digits take three passes at most; each costs 2n visits of the thousand, the search needs the rest."""
    digits = operand.bit_length()
    width = max(1, -(-digits // MAX_LOW_PASSES))
    assert sum(one.count for one in passes_of("B" * digits, width)) <= MAX_LOW_PASSES
    for subtract in (False, True):
        program = sum_program(operand, subtract=subtract)
        for tape in ("BR" * 20, "B" + "BR" * 19 + "B", "B" * 40, "B" + "R" * 39):
            assert run(program, tape).finished


@pytest.mark.parametrize("subtract", [False, True])
def test_low_digits_are_set_apart_with_their_carry(subtract: bool) -> None:
    """What the tape holds between the two halves of the work: R high separator low."""
    rest = {"stop": {OTHERWISE: DONE}}
    first, rules = set_apart(passes_of("BRB", 2), Step("", "stop"), subtract=subtract)
    program = queue_program(first, rules | rest)
    for tape in SHORT:
        value = value_of(tape)
        total = value - 5 if subtract else value + 5
        low, carry = total % 8, not 0 <= value % 8 + (-5 if subtract else 5) < 8
        expected = f"R{canonical_digits(value >> 3)}{'G' if carry else 'Y'}"
        assert run(program, tape).final_tape == expected + canonical_digits(low).rjust(3, "R")


def test_runs_have_at_most_four_colours_in_a_row() -> None:
    stream = Stream(0, "runs")
    for longest in (0, 3, 40):
        seen = [runs(stream, longest) for _ in range(200)]
        assert max(map(len, seen)) == min(longest, 16)
        assert all(tape.count("RB") + tape.count("BR") <= 3 for tape in seen)
