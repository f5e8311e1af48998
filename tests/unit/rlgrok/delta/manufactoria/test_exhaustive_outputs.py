"""The exhaustive verdict on programs that rewrite the tape nearly as they should."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.dsl import Program, format_program
from rlgrok.delta.manufactoria.exhaustive import checks_of, verify_exhaustive
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.families.arithmetic_programs import sum_program
from rlgrok.delta.manufactoria.families.numbers import value_of
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.queue_programs import DONE, Rules, Step, copying, queue_program
from rlgrok.types import Problem, Status


def operation(name: str, operand: int) -> Problem:
    setting = {"operation": name, "operand": operand}
    return make_problem(FAMILIES["numerical_operations"], setting, "two")


def carry_of_at_most(count: int) -> Program:
    """Adds one, but a carry through more than so many blues is lost: what a finite memory does in one pass."""
    states = ["", *("R" + "B" * n for n in range(count + 1)), "B" * (count + 1)]
    rules: dict[str, dict[str, Step]] = {}
    for held in states:
        added = "B" + "R" * len(held) if "R" not in held else "B" + "R" * (len(held) - 1)
        rules[held] = {"R": Step(held, "R"), "Y": Step(added, None)}
        grown = held + "B"
        rules[held]["B"] = Step("", grown) if grown in states else Step(held, "B" * (count + 1))
    # Leading reds are dropped: nothing but blues has been seen while no red is held.
    rules[""] = {"R": Step("", ""), "B": Step("", "lead" + "B"), "Y": Step("B", None)}
    for length in range(1, count + 2):
        lead, longer = "lead" + "B" * length, "lead" + "B" * (length + 1)
        onward = Step("", longer) if length <= count else Step("B", lead)
        rules[lead] = {"R": Step("B" * length, "R"), "B": onward}
        rules[lead]["Y"] = Step("B" + "R" * length, None)
    return queue_program(Step("Y", ""), rules)


def test_the_oracle_passes_and_leaving_the_tape_alone_does_not() -> None:
    problem = operation("or", 4)
    right = format_program(FAMILIES["numerical_operations"].solution(problem.parameters, "RB"))
    assert verify_exhaustive(problem, right).status is Status.PASSED
    verdict = verify_exhaustive(problem, "START start:\n    NEXT end\nEND end")
    assert verdict.status is Status.FAILED
    assert 0 < verdict.num_passed < verdict.num_tests == verdict.num_accepting
    assert "input ''" in verdict.message


def test_leading_reds_on_the_output_are_wrong() -> None:
    """Subtraction that forgets them, on the tapes whose highest digit goes."""
    rules: Rules = copying("turn", {"Y": DONE})
    problem = operation("and", 127)
    program = format_program(queue_program(Step("Y", "turn"), rules))
    verdict = verify_exhaustive(problem, program)
    assert verdict.status is Status.FAILED
    assert verdict.num_passed > 100  # all tapes of up to seven digits that begin with a blue


@pytest.mark.parametrize("count", [8, 10, 12])
def test_a_carry_that_is_lost_after_a_while_is_found(count: int) -> None:
    """The tests of the benchmark have at most ten digits, and do not see it."""
    problem = operation("add", 1)
    text = format_program(carry_of_at_most(count))
    assert verify(problem, text).full_pass
    verdict = verify_exhaustive(problem, text)
    assert verdict.status is Status.FAILED
    assert verdict.num_passed > 1000


def test_telling_tapes_are_short_enough_for_a_program_that_carries_one_digit_a_pass() -> None:
    """A right but slow program is not refused for tapes that no test of the benchmark comes near."""
    for operand in (1, 64, 128):
        checks = checks_of(operation("subtract", operand))
        assert max(len(test.input) for test in checks.longer.tests) <= 24
        assert any(value_of(test.input) < operand for test in checks.longer.tests)


@pytest.mark.parametrize(
    ("setting", "other"),
    [
        ({"operation": "add", "operand": 64}, sum_program(32)),
        ({"operation": "subtract", "operand": 2}, sum_program(2)),
    ],
)
def test_the_neighbour_s_solution_is_refused(setting: dict[str, Any], other: Program) -> None:
    problem = make_problem(FAMILIES["numerical_operations"], setting, "two")
    assert not verify(problem, format_program(other)).full_pass
    assert verify_exhaustive(problem, format_program(other)).status is Status.FAILED
