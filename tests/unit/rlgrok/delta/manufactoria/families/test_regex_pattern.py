"""regex_pattern: capacities, enumeration, labels, inputs in order, and the automaton."""

from __future__ import annotations

import re
from itertools import product

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.families import DEFAULT_RANGES, FAMILIES, Ranges
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

FAMILY = FAMILIES["regex_pattern"]
ONE = Ranges(regex_parts=1, regex_lengths=(1, 2))
TWO = Ranges(regex_parts=2, regex_lengths=(1, 2))
THREE = Ranges(regex_parts=3, regex_lengths=(1, 2))


def made_of(*parts: str) -> dict[str, list[list[str]]]:
    """Parts such as RB+."""
    return {"parts": [[part[:-1], part[-1]] for part in parts]}


def language(parameters: dict[str, list[list[str]]], longest: int) -> set[str]:
    """Every matching tape, put together from copies of the bases."""
    copies = {"+": range(1, longest + 1), "*": range(longest + 1), "?": range(2)}
    choices = [[base * n for n in copies[operator]] for base, operator in parameters["parts"]]
    found = {""}
    for choice in choices:
        found = {a + b for a in found for b in choice if len(a + b) <= longest}
    return found


@pytest.mark.parametrize(
    ("alphabet", "ranges", "capacity"),
    [("RBYG", ONE, 60), ("RBYG", TWO, 3600), ("RBYG", THREE, 216000), ("RB", TWO, 324)],
)
def test_capacities(alphabet: str, ranges: Ranges, capacity: int) -> None:
    assert FAMILY.capacity(alphabet, ranges) == capacity
    assert FAMILY.capacity(alphabet, DEFAULT_RANGES) == (252**2 if alphabet == "RBYG" else 42**2)


def test_enumeration_is_a_power_with_operators_inside_and_the_last_part_fastest() -> None:
    one = [FAMILY.key(parameters) for parameters in FAMILY.enumerate("RB", ONE)]
    assert one[:4] == ["(R)+", "(R)?", "(R)*", "(B)+"]
    assert one[6:9] == ["(RR)+", "(RR)?", "(RR)*"]
    two = [FAMILY.key(parameters) for parameters in FAMILY.enumerate("RB", TWO)]
    assert two == [first + second for first, second in product(one, repeat=2)]
    assert FAMILY.key(FAMILY.nth("RBYG", THREE, 61)) == "(R)+(R)?(R)?"
    with pytest.raises(IndexError, match="no pattern number 60 of 60"):
        FAMILY.nth("RBYG", ONE, 60)


@pytest.mark.parametrize(
    "parts",
    [
        ("R+",),
        ("RB?",),
        ("YG*",),
        ("R*", "B*"),
        ("RR*", "R+"),
        ("RB+", "RB?", "R*"),
        ("RB*", "RBY+"),
        ("R?", "R?", "R?"),
        ("RB*", "BR*", "R*"),
    ],
)
def test_labels_and_the_automaton_against_the_language_itself(parts: tuple[str, ...]) -> None:
    parameters = made_of(*parts)
    accepts = compile_program(FAMILY.solution(parameters, "RBYG")).accepts
    matching = language(parameters, 6)
    for tape in tapes("RBYG", 6):
        assert FAMILY.label(parameters, tape) == (tape in matching)
        assert accepts(tape) == (tape in matching)


def test_every_pattern_of_two_parts_has_a_right_automaton() -> None:
    for parameters in FAMILY.enumerate("RB", TWO):
        pattern = re.compile("".join(f"(?:{base}){op}" for base, op in parameters["parts"]))
        seen = compile_program(FAMILY.solution(parameters, "RB")).behaviour("RB", 7)
        assert seen == bytes(pattern.fullmatch(tape) is not None for tape in tapes("RB", 7))


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    parameters = made_of("RB+", "Y*")
    inputs = FAMILY.own_inputs(parameters, "RBYG", Stream(0, "regex"))
    assert re.fullmatch("RBY{0,2}", inputs[0])
    assert re.fullmatch("(RB){1,3}Y{1,3}", inputs[1])
    assert re.fullmatch("(RB){2,4}Y{2,4}", inputs[2])
    assert inputs[3:7] == ["RB", "RBYY", "Y", "YRB"]
    assert re.fullmatch("RB.Y", inputs[7])
    assert re.fullmatch(r"(...)R\1", inputs[8])
    assert 5 <= len(inputs[9]) <= 8
    assert len(inputs) == 10


def test_own_inputs_of_other_operators_and_one_part() -> None:
    inputs = FAMILY.own_inputs(made_of("R*", "BB?", "G+"), "RBYG", Stream(0, "more"))
    assert re.fullmatch("R{2,4}BBG{2,4}", inputs[2])
    assert inputs[3:7] == ["RR", "G", "RBB", "GBBR"]
    option = FAMILY.own_inputs(made_of("R?", "B?"), "RB", Stream(0, "option"))
    assert option[2:5] == ["RB", "B", "BR"]  # no input of the first part alone
    alone = FAMILY.own_inputs(made_of("RB+"), "RB", Stream(0, "alone"))
    assert len(alone) == 5
    assert re.fullmatch(r"(...)R\1", alone[3])


def test_telling_tapes_are_short_enough_and_of_both_kinds() -> None:
    stream = Stream(0, "telling")
    parameters = made_of("RB+", "YG*", "R?")
    found = [FAMILY.telling(parameters, "RBYG", stream, 20) for _ in range(300)]
    assert max(map(len, found)) <= 20
    assert 100 < sum(FAMILY.label(parameters, tape) for tape in found) < 230
    assert any(tape.endswith("R") and FAMILY.label(parameters, tape) for tape in found)


def test_names_and_criteria() -> None:
    assert FAMILY.title(made_of("RB+", "Y*")) == "Regex Pattern: (RB)+(Y)*"
    criteria = FAMILY.criteria(made_of("RB+"))
    assert "matches the pattern (RB)+ and" in criteria
    assert all(f"(...){operator} " in criteria for operator in "+*?")
