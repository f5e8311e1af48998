"""regex_same_num: capacity, enumeration, golden vectors, inputs in order, and programs that count."""

from __future__ import annotations

import re

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.families import DEFAULT_RANGES, FAMILIES
from rlgrok.delta.manufactoria.families.regex_same_num import instance
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

FAMILY = FAMILIES["regex_same_num"]
ALL = {FAMILY.key(parameters): parameters for parameters in FAMILY.enumerate("RB", DEFAULT_RANGES)}
SOLVED_UP_TO = 197
"""Symbols: every solution is right on every tape up to here. Longer members may need more visits than a run has."""


def test_there_are_a_hundred_whatever_the_colours() -> None:
    assert FAMILY.capacity("RB", DEFAULT_RANGES) == FAMILY.capacity("RBYG", DEFAULT_RANGES) == 100
    assert len(ALL) == 100
    with pytest.raises(IndexError, match="no template number 100"):
        FAMILY.nth("RB", DEFAULT_RANGES, 100)


@pytest.mark.parametrize(
    ("index", "template"),
    [
        (0, "R{n}B{n}"),
        (1, "R{n}B{n+1}"),
        (5, "R{n+1}B{n}"),
        (25, "B{n}R{n}"),
        (51, "R{n+1}B{n}R{n+1}"),
        (76, "B{n}R{n+1}B{n}"),
    ],
)
def test_enumeration_order(index: int, template: str) -> None:
    assert list(ALL)[index] == template


@pytest.mark.parametrize(
    ("template", "tape", "accepted"),
    [
        ("R{n}B{2n}", "RBB", True),
        ("R{n}B{2n}", "RRBBB", False),
        ("R{n+1}B{n}", "RRB", True),
        ("R{n}B{n}R{n}", "RBR", True),
        ("B{2n}R{n+3}B{2n}", "BBRRRRBB", True),
        ("R{n}B{n}", "", False),
        ("R{n+3}B{n+1}", "RRRB", False),  # n would be 0
    ],
)
def test_golden_vectors(template: str, tape: str, accepted: bool) -> None:
    assert FAMILY.label(ALL[template], tape) == accepted
    assert compile_program(FAMILY.solution(ALL[template], "RB")).accepts(tape) == accepted


def counted(template: str, tape: str) -> bool:
    """The template read literally: the runs of the tape, and some n that explains each of them."""
    names = re.findall(r"([RB])\{(.*?)\}", template)
    runs = [(match[0][0], len(match[0])) for match in re.finditer("R+|B+|Y+|G+", tape)]
    if [color for color, _ in runs] != [color for color, _ in names]:
        return False
    return any(
        all(
            length == eval(name.replace("2n", "2*n"), {"n": n})
            for (_, length), (_, name) in zip(runs, names, strict=True)
        )
        for n in range(1, len(tape) + 1)
    )


@pytest.mark.parametrize("template", list(ALL)[::9])
def test_labels_and_programs_against_the_template_read_literally(template: str) -> None:
    two = compile_program(FAMILY.solution(ALL[template], "RB"))
    four = compile_program(FAMILY.solution(ALL[template], "RBYG"))
    for tape in tapes("RB", 9):
        expected = counted(template, tape)
        assert FAMILY.label(ALL[template], tape) == expected
        assert two.accepts(tape) == four.accepts(tape) == expected
    for tape in tapes("RBYG", 5):
        assert four.accepts(tape) == FAMILY.label(ALL[template], tape) == counted(template, tape)


@pytest.mark.parametrize("template", ["R{n}B{n}", "B{n}R{2n}B{n}", "R{2n}B{n+1}", "B{n+2}R{n}"])
@pytest.mark.parametrize("foreign", ["Y", "G"])
def test_a_mark_on_the_tape_is_not_taken_for_the_programs_own(template: str, foreign: str) -> None:
    """With a Y or G put anywhere, also between two right tapes or many, nothing is accepted."""
    parameters = ALL[template]
    accepts = compile_program(FAMILY.solution(parameters, "RBYG")).accepts
    first, second = instance(parameters, 1), instance(parameters, 4)
    for tape in (first, second):
        assert accepts(tape)
        for place in range(len(tape) + 1):
            assert not accepts(tape[:place] + foreign + tape[place:])
    for whole in (first, second):
        for copies in range(2, 5):
            assert not accepts(foreign.join([whole] * copies))
            assert not accepts(foreign.join([whole] * copies) + foreign)
    assert not accepts(foreign)


def test_every_solution_is_right_up_to_the_promised_length() -> None:
    shortest_unsolved = []
    for parameters in ALL.values():
        tables = compile_program(FAMILY.solution(parameters, "RBYG"))
        n = 1
        while tables.accepts(instance(parameters, n)):
            n += 1
        shortest_unsolved.append(len(instance(parameters, n)))
    assert min(shortest_unsolved) - 1 == SOLVED_UP_TO


def test_own_inputs_are_in_the_order_of_the_specification() -> None:
    inputs = FAMILY.own_inputs(ALL["R{n}B{2n}"], "RB", Stream(0, "same"))
    assert inputs[:4] == ["RBB", "RRBBBB", "RRRBBBBBB", "RRRRBBBBBBBB"]
    assert inputs[4][:3] == "RBB" and len(inputs[4]) == 4
    assert inputs[5:10] == ["RB", "BBBBRR", "RBBBB", "", "R"]
    assert inputs[10] == "B"
    assert [2 <= len(tape) <= 8 for tape in inputs[11:]] == [True] * 3
    longer = FAMILY.own_inputs(ALL["R{n+1}B{n}R{n+1}"], "RBYG", Stream(0, "same"))
    assert longer[3] == "RRRRRBBBBRRRRR"
    # the runs backwards are the same; red and blue in turn; the first run one shorter; the empty tape; each colour
    assert longer[5:13] == ["RRBR", "RBRRR", "RRBBRRR", "", "R", "B", "Y", "G"]
    turns = FAMILY.own_inputs(ALL["B{n+2}R{n}"], "RB", Stream(0, "same"))
    assert turns[4][:4] == "BBBR"
    assert turns[5:8] == [
        "BBB",
        "RRBBBB",
        "RBBB",
    ]  # red and blue in turn, as long as there are both


def test_telling_tapes_are_of_both_kinds() -> None:
    stream = Stream(0, "telling")
    parameters = ALL["R{n+3}B{n+3}R{n+3}"]
    found = [FAMILY.telling(parameters, "RB", stream, 40) for _ in range(200)]
    assert max(map(len, found)) <= 40
    assert 60 < sum(FAMILY.label(parameters, tape) for tape in found) < 140
    assert len({tape for tape in found if FAMILY.label(parameters, tape)}) > 5


def test_names_and_criteria() -> None:
    assert FAMILY.title(ALL["R{n}B{2n}"]) == "Variable Pattern: R{n}B{2n}"
    assert FAMILY.criteria(ALL["B{n}R{n+1}B{n}"]) == (
        "Accept the tape exactly when it reads B{n}R{n+1}B{n} for some whole number n of at least 1: n blue, then "
        "n+1 red, then n blue symbols, and nothing else. Reject every other tape."
    )
