"""prepend_sequence: three tiers of changes, the function, inputs and words (sections 6.11 and 14, G5 to G7)."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.families.prepend_sequence import (
    FAMILY,
    key,
    mutated,
    mutations,
    nth,
    own_inputs,
    solution,
    title,
    transform,
)
from rlgrok.delta.manufactoria.families.ranges import Mutations, Ranges
from rlgrok.delta.manufactoria.machine import run
from runtime.seeding import Stream

FOUR = Ranges(lengths=range(1, 5))


def replacing(source: str, target: str, sequence: str = "") -> dict[str, str]:
    return {"sequence": sequence, "mutation": "replace", "source": source, "target": target}


def by_hand(parameters: dict[str, str], tape: str) -> str:
    """The changed tape, symbol by symbol."""
    if parameters.get("mutation") == "swap":
        return "".join({"R": "B", "B": "R"}.get(symbol, symbol) for symbol in tape)
    if parameters.get("mutation") is None:
        return tape
    source, out, at = parameters["source"], "", 0
    while at < len(tape):
        found = tape[at : at + len(source)] == source
        out += parameters["target"] if found else tape[at]
        at += len(source) if found else 1
    return out


@pytest.mark.parametrize(
    ("tier", "repeated", "capacity"),
    [
        (Mutations.NONE, False, 30),
        (Mutations.SYMBOLS, True, 570),
        (Mutations.SYMBOLS, False, 390),
        (Mutations.PATTERNS, False, 720),
    ],
)
def test_capacities_are_what_is_enumerated(tier: str, repeated: bool, capacity: int) -> None:
    """Section 14 has the tiers as the reference lists them, repeats included; G6: one formula, the enumeration's."""
    ranges = FOUR.changed(mutations=tier, repeated_mutations=repeated)
    assert FAMILY.capacity("RB", ranges) == capacity
    settings = list(FAMILY.enumerate("RB", ranges))
    assert len(settings) == capacity
    keys = {key(parameters) for parameters in settings}
    assert len(keys) == (420 if repeated else capacity)  # 14 of 19 changes differ, G5
    with pytest.raises(IndexError, match=f"no change and sequence number {capacity} of"):
        nth("RB", ranges, capacity)


def test_changes_of_symbols_in_the_reference_s_order() -> None:
    listed = [
        (m.get("source", "swap"), m.get("target"))
        for m in mutations("RB", Mutations.SYMBOLS, repeated=True)
    ]
    targets = ["R", "B", "R", "B", "RR", "RB", "BR", "BB"]
    changing = [(color, target) for target in targets for color in "BR"]
    assert listed == [("B", ""), ("R", ""), ("swap", None), *changing]
    assert len(listed) == 19
    functions = {tuple(mutated(m, t) for t in tapes("RB", 4)) for m in mutations("RB", "symbols")}
    assert len(functions) == len(mutations("RB", Mutations.SYMBOLS)) == 13
    assert tuple(tapes("RB", 4)) not in functions


def test_changes_of_patterns_in_order() -> None:
    listed = [(m["source"], m["target"]) for m in mutations("RB", Mutations.PATTERNS)]
    assert listed[:6] == [("RR", t) for t in ("", "R", "B", "RB", "BR", "BB")]
    assert listed[6:12] == [("RB", t) for t in ("", "R", "B", "RR", "BR", "BB")]
    assert len(listed) == len(set(listed)) == 24


def test_changes_run_fastest_then_sequences() -> None:
    ranges = FOUR.changed(mutations="patterns")
    assert nth("RB", ranges, 0) == replacing("RR", "", "R")
    assert nth("RB", ranges, 23) == replacing("BB", "BR", "R")
    assert nth("RB", ranges, 24) == replacing("RR", "", "B")
    assert nth("RB", ranges, 719) == replacing("BB", "BR", "BBBB")
    assert nth("RB", FOUR.changed(mutations="none"), 5) == {"sequence": "BB"}


@pytest.mark.parametrize(
    ("parameters", "tape", "output"),
    [
        (replacing("BR", "B"), "BRBRB", "BBB"),
        (replacing("RR", "R"), "RRRR", "RR"),
        (replacing("RR", ""), "RRR", "R"),
        (replacing("B", "BR"), "BRB", "BRRBR"),
        ({"sequence": "", "mutation": "swap"}, "BRYB", "RBYR"),
    ],
)
def test_golden_changes(parameters: dict[str, str], tape: str, output: str) -> None:
    assert mutated(parameters, tape) == output
    assert transform({**parameters, "sequence": "RB"}, tape) == "RB" + output


def test_changes_against_going_symbol_by_symbol() -> None:
    settings = [m for tier in Mutations for m in mutations("RB", tier, repeated=True)]
    for parameters in settings:
        for tape in tapes("RB", 6):
            assert mutated(parameters, tape) == by_hand(dict(parameters), tape)


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    inputs = own_inputs({"sequence": "BB"}, "RB", Stream(0, "x"))
    assert inputs[:7] == ["", "R", "B", "RB", "BR", "RR", "BB"]
    assert inputs[8:12] == ["BBB", "RRR", "BRBR", "RBRB"]
    assert [len(inputs[7]), *map(len, inputs[12:])] == [4, 8, 12]


def test_a_change_that_changes_nothing_is_no_change() -> None:
    plain, same = {"sequence": "RB"}, replacing("B", "B", "RB")
    assert key(plain) == key(same) == "RB"
    assert title(plain) == title(same) == "Prepend RB"
    assert FAMILY.criteria(plain) == FAMILY.criteria(same)
    assert solution(plain, "RB") == solution(same, "RB")


def test_words() -> None:
    assert title(replacing("RB", "", "B")) == "Remove RB, Prepend B"
    assert title({"sequence": "B", "mutation": "swap"}) == "Swap R and B, Prepend B"
    assert "'BR'" in FAMILY.criteria(replacing("R", "BR", "B"))
    overlap = "occurrences do not overlap"
    assert overlap in FAMILY.criteria(replacing("RB", "B", "B"))
    assert overlap not in FAMILY.criteria(replacing("R", "BR", "B"))


def test_a_solution_marks_the_end_and_turns_the_tape_once() -> None:
    program = solution(replacing("RB", "B", "RR"), "RB")
    assert run(program, "RRBRB").final_tape == "RRRBB"
    assert len(run(program, "RB" * 20).path) <= 2 + 1 + 2 + 3 * 40


def test_four_colours_leave_no_mark() -> None:
    assert FAMILY.colors == ("two",)
    with pytest.raises(ValueError, match="no program puts anything in front of a tape"):
        solution({"sequence": "R"}, "RBYG")
