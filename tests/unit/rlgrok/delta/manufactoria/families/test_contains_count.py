"""contains_count: capacities, enumeration, labels, inputs in order, and the automaton."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.dsl import Kind
from rlgrok.delta.manufactoria.families import FAMILIES, Ranges
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

FAMILY = FAMILIES["contains_count"]


def ranges(*counts: int) -> Ranges:
    return Ranges(counts=counts)


def keys(alphabet: str, *counts: int) -> list[str]:
    return [FAMILY.key(parameters) for parameters in FAMILY.enumerate(alphabet, ranges(*counts))]


def requiring(**required: int) -> dict[str, list[list[str | int]]]:
    return {"requirements": [[symbol, count] for symbol, count in required.items()]}


@pytest.mark.parametrize(("alphabet", "most"), [("RBYG", 6), ("RBYG", 11), ("RB", 6), ("RB", 2)])
def test_capacities(alphabet: str, most: int) -> None:
    c = len(alphabet)
    expected = c * most + comb(c, 2) * comb(most, 2) + comb(c, 3) * comb(most, 3)
    assert FAMILY.capacity(alphabet, ranges(*range(1, most + 1))) == expected
    assert (expected == 194) == ((alphabet, most) == ("RBYG", 6))


def test_enumeration_goes_by_number_of_symbols_then_alphabet_then_counts() -> None:
    assert keys("RB", 1, 2, 3) == ["R1", "R2", "R3", "B1", "B2", "B3", "R1B1", "R1B2", "R2B1"]
    four = keys("RBYG", *range(1, 7))
    assert len(set(four)) == len(four)
    assert four[:7] == ["R1", "R2", "R3", "R4", "R5", "R6", "B1"]
    assert four[24] == "R1B1"
    assert four[24 + 6 * 15] == "R1B1Y1"
    assert four[-1] == "B4Y1G1"  # never B and Y and G and R


def test_a_range_from_above_one_bounds_the_total_from_below() -> None:
    assert keys("RB", 3) == ["R3", "B3", "R1B2", "R2B1"]
    hard = list(FAMILY.enumerate("RBYG", ranges(7, 8, 9)))
    assert {FAMILY.size(parameters) for parameters in hard} == {7, 8, 9}
    with pytest.raises(IndexError, match="no requirement number 9 of 9"):
        FAMILY.nth("RB", ranges(1, 2, 3), 9)


@pytest.mark.parametrize(
    "required", [{"R": 2}, {"R": 1, "B": 3}, {"B": 2, "Y": 1, "G": 1}, {"Y": 4}]
)
def test_labels_and_the_automaton_against_a_counter(required: dict[str, int]) -> None:
    parameters = requiring(**required)
    accepts = compile_program(FAMILY.solution(parameters, "RBYG")).accepts
    for tape in tapes("RBYG", 6):
        expected = not Counter(required) - Counter(tape)
        assert FAMILY.label(parameters, tape) == expected
        assert accepts(tape) == expected


def test_the_solution_has_a_state_for_every_way_to_be_on_the_way() -> None:
    solution = FAMILY.solution(requiring(R=2, B=3), "RB")
    assert sum(node.kind is Kind.PULLER_RB for node in solution.nodes) == 3 * 4 - 1
    solution = FAMILY.solution(requiring(R=2), "RBYG")
    assert sum(node.kind is Kind.PULLER_YG for node in solution.nodes) == 2


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    parameters = requiring(R=3, Y=2)
    inputs = FAMILY.own_inputs(parameters, "RBYG", Stream(0, "count"))
    counts = [Counter(tape) for tape in inputs]
    assert counts[0] == Counter(R=3, Y=2)
    assert 4 <= counts[1]["R"] <= 5 and 3 <= counts[1]["Y"] <= 4 and len(counts[1]) == 2
    assert (counts[2]["R"], counts[2]["Y"], len(inputs[2])) == (3, 2, 8)
    assert len(inputs[3]) == 12 and counts[3]["R"] >= 3
    assert len(inputs[4]) == 18 and counts[4]["Y"] >= 2
    assert counts[5]["R"] == 3 and counts[5]["Y"] == 0 and len(inputs[5]) == 8
    assert (counts[6]["R"], counts[6]["Y"], len(inputs[6])) == (2, 2, 7)
    assert len(inputs[7]) == 12 and set(inputs[7]) <= set("BG")
    assert (counts[8]["R"], counts[8]["Y"], len(inputs[8])) == (2, 1, 12)
    assert len(inputs[9]) == 18 and counts[9]["R"] >= 2
    assert len(inputs) == 10
    labels = [FAMILY.label(parameters, tape) for tape in inputs]
    assert labels[:9] == [True] * 5 + [False] * 4


def test_without_other_symbols_the_inputs_that_need_them_are_left_out_or_shorter() -> None:
    inputs = FAMILY.own_inputs(requiring(R=2, B=2), "RB", Stream(0, "two"))
    assert [len(tape) for tape in inputs[3:]] == [18, 2, 3, 2, 18]
    assert len(inputs[2]) <= 8
    alone = FAMILY.own_inputs(requiring(R=1), "RB", Stream(0, "one"))
    assert Counter(alone[5]) == Counter(R=1, B=3)  # not one short: it would be none
    assert alone[6:8] == ["B" * 12, "B" * 12]


def test_telling_tapes_are_short_enough_and_of_both_kinds() -> None:
    stream = Stream(0, "telling")
    parameters = requiring(R=4, B=4)
    found = [FAMILY.telling(parameters, "RBYG", stream, 20) for _ in range(200)]
    assert max(map(len, found)) <= 20
    assert 60 < sum(FAMILY.label(parameters, tape) for tape in found) < 140
    assert any(len(tape) > 15 and not FAMILY.label(parameters, tape) for tape in found)


@pytest.mark.parametrize(
    ("required", "name", "asked"),
    [
        ({"R": 1}, "At least 1 R", "at least 1 R symbol;"),
        ({"G": 3}, "At least 3 Gs", "at least 3 G symbols;"),
        ({"R": 2, "B": 1}, "Need 2 Rs and 1 B", "at least 2 R symbols and at least 1 B symbol;"),
    ],
)
def test_names_and_criteria(required: dict[str, int], name: str, asked: str) -> None:
    assert FAMILY.title(requiring(**required)) == name
    assert asked in FAMILY.criteria(requiring(**required))
    assert "order does not matter" in FAMILY.criteria(requiring(**required))
