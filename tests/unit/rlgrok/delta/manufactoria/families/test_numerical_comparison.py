"""numerical_comparison: capacities, enumeration, labels, inputs in order, and the automaton."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.dsl import Kind
from rlgrok.delta.manufactoria.families import DEFAULT_RANGES, FAMILIES, Ranges
from rlgrok.delta.manufactoria.families.numbers import (
    LITERALS,
    SHORTEST,
    canonical_digits,
    digits_of,
    value_of,
)
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

FAMILY = FAMILIES["numerical_comparison"]


def comparing(operator: str, threshold: int) -> dict[str, str | int]:
    return {"operator": operator, "threshold": threshold}


def own(operator: str, threshold: int) -> list[str]:
    return FAMILY.own_inputs(comparing(operator, threshold), "RB", Stream(0, "unused"))


def test_tapes_as_numbers() -> None:
    assert [value_of(tape) for tape in ("", "R", "B", "RRB", "BRR", "BBBBBBBB")] == [
        0,
        0,
        1,
        1,
        4,
        255,
    ]
    assert [digits_of(value) for value in (0, 1, 6)] == ["R", "B", "BBR"]
    assert [canonical_digits(value) for value in (-3, 0, 1, 6)] == ["", "", "B", "BBR"]
    assert [value_of(tape) for tape in LITERALS] == [64, 128, 256, 170, 210, 191, 84, 42]


def test_capacities() -> None:
    assert FAMILY.capacity("RB", Ranges(thresholds=range(1, 64))) == 315
    assert FAMILY.capacity("RB", Ranges(thresholds=range(64, 128))) == 320
    assert FAMILY.capacity("RB", DEFAULT_RANGES) == 5 * 256


def test_enumeration_goes_by_operator_then_threshold() -> None:
    found = [FAMILY.key(p) for p in FAMILY.enumerate("RB", Ranges(thresholds=[4, 5]))]
    assert found == [">4", ">5", ">=4", ">=5", "<4", "<5", "<=4", "<=5", "=4", "=5"]
    with pytest.raises(IndexError, match="no comparison number 10 of 10"):
        FAMILY.nth("RB", Ranges(thresholds=[4, 5]), 10)


@pytest.mark.parametrize("threshold", [0, 1, 2, 5, 8, 21, 63, 100])
@pytest.mark.parametrize("operator", [">", ">=", "<", "<=", "="])
def test_labels_and_the_automaton_against_int(operator: str, threshold: int) -> None:
    parameters = comparing(operator, threshold)
    accepts = compile_program(FAMILY.solution(parameters, "RB")).accepts
    for tape in tapes("RB", 8):
        value = int("0" + "".join("01"[symbol == "B"] for symbol in tape), base=2)
        expected = {
            ">": value > threshold,
            ">=": value >= threshold,
            "<": value < threshold,
            "<=": value <= threshold,
            "=": value == threshold,
        }[operator]
        assert FAMILY.label(parameters, tape) == expected
        assert accepts(tape) == expected


def test_leading_reds_do_not_count() -> None:
    accepts = compile_program(FAMILY.solution(comparing("=", 5), "RB")).accepts
    assert accepts("R" * 900 + "BRB")
    assert not accepts("R" * 900 + "BRBR")


def test_the_solution_is_the_smallest_automaton() -> None:
    """Greater than 2**k - 1 needs only the number of digits: k states of exactly one puller."""
    solution = FAMILY.solution(comparing(">", 127), "RB")
    assert sum(node.kind is Kind.PULLER_RB for node in solution.nodes) == 8
    # = t: one state a digit, and one that wants nothing more
    assert len(FAMILY.solution(comparing("=", 63), "RB").nodes) == 7 + 2


@pytest.mark.parametrize(
    ("operator", "threshold", "values"),
    [
        (">", 3, [3, 1, 2, 4, 5, 6, 12, 103, 53]),
        (">=", 1, [1, 0, 2, 3, 2, 4, 101, 51]),
        (">=", 300, [300, 298, 299, 301, 302, 600, 400, 350]),
        ("<", 1, [1, 0, 0, 2, 3]),
        ("<=", 12, [12, 10, 11, 13, 14, 6, 3, 2, 7]),
        ("=", 1, [1, 0, 2, 3]),
        ("=", 7, [7, 6, 8, 5, 9]),
    ],
)
def test_own_inputs_are_in_the_order_of_the_specification(
    operator: str, threshold: int, values: list[int]
) -> None:
    inputs = own(operator, threshold)
    assert inputs[:7] == list(SHORTEST) == "R B RB BR RRB BBR RBRB".split()
    literals = list(LITERALS) if threshold >= 8 else []
    assert inputs[7:] == [digits_of(value) for value in values] + literals


def test_zero_is_written_as_one_red() -> None:
    assert own("<", 1)[8] == "R"


def test_telling_tapes_are_short_enough_and_of_both_kinds() -> None:
    stream = Stream(0, "telling")
    found = [FAMILY.telling(comparing("=", 200), "RB", stream, 30) for _ in range(300)]
    assert max(map(len, found)) <= 30
    assert 20 < sum(value_of(tape) == 200 for tape in found) < 150
    assert {198, 199, 201, 202} <= {value_of(tape) for tape in found}


def test_names_and_criteria() -> None:
    assert FAMILY.title(comparing(">=", 12)) == "Binary Greater Than Or Equal To 12"
    criteria = FAMILY.criteria(comparing("<", 9))
    assert "blue (B) is 1, red (R) is 0" in criteria
    assert criteria.endswith("when this number is less than 9.")
