"""Each family's oracle, enumeration and own inputs (section 6)."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Ranges
from rlgrok.delta.manufactoria.families.contains_substring import solution as substring_solution
from rlgrok.delta.manufactoria.generator import expected_test
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

WITH_SEQUENCE = [name for name, record in FAMILIES.items() if record.enumerates == ("lengths",)]


def inputs_of(family: str, sequence: str, colors: str = "two") -> list[str]:
    stream = Stream(0, "inputs", family, sequence)
    return FAMILIES[family].own_inputs({"sequence": sequence}, ALPHABETS[colors], stream)


def test_the_families_of_a_sequence_are_there() -> None:
    assert set(WITH_SEQUENCE) == {
        "append_sequence",
        "exact_sequence",
        "starts_with",
        "ends_with",
        "contains_substring",
        "contains_ordered",
    }


@pytest.mark.parametrize("family", WITH_SEQUENCE)
@pytest.mark.parametrize(
    ("colors", "lengths", "capacity"),
    [
        ("two", range(1, 7), 126),
        ("four", range(1, 7), 5460),
        ("two", range(1, 5), 30),
        ("four", range(1, 5), 340),
        ("two", [5, 5], 32),
    ],
)
def test_capacities(family: str, colors: str, lengths: list[int], capacity: int) -> None:
    assert FAMILIES[family].capacity(ALPHABETS[colors], Ranges(lengths=lengths)) == capacity


@pytest.mark.parametrize("family", WITH_SEQUENCE)
def test_enumeration_is_by_length_then_lexicographic_in_alphabet_order(family: str) -> None:
    sequences = [p["sequence"] for p in FAMILIES[family].enumerate("RB", Ranges(lengths=[2, 1]))]
    assert sequences == ["R", "B", "RR", "RB", "BR", "BB"]
    assert FAMILIES[family].nth("RBYG", Ranges(lengths=[1, 2]), 7) == {"sequence": "RG"}
    with pytest.raises(IndexError, match="no sequence number 6"):
        FAMILIES[family].nth("RB", Ranges(lengths=[1, 2]), 6)


@pytest.mark.parametrize(
    ("family", "accepted", "rejected"),
    [
        ("starts_with", ["RBR", "RBRB"], ["", "RB", "BRBR", "RBB"]),
        ("exact_sequence", ["RBR"], ["", "RB", "RBRR", "BRBR"]),
        ("ends_with", ["RBR", "BRBRBR"], ["", "BR", "RBRB", "RBRR", "YBR"]),
        ("contains_ordered", ["RBR", "RRBBR", "BRBBBR"], ["", "RB", "BBR", "RRBB", "YRB"]),
        ("contains_substring", ["RBR", "BRBRB", "RRBR"], ["", "RB", "RBBR", "RRBB", "RYBR"]),
    ],
)
def test_labels(family: str, accepted: list[str], rejected: list[str]) -> None:
    label = FAMILIES[family].label
    assert [label({"sequence": "RBR"}, tape) for tape in accepted] == [True] * len(accepted)
    assert [label({"sequence": "RBR"}, tape) for tape in rejected] == [False] * len(rejected)


def test_append_adds_at_the_back_and_accepts_everything() -> None:
    test = expected_test(FAMILIES["append_sequence"], {"sequence": "YG"}, "RB")
    assert (test.expected_output, test.expected_accepted, test.check_output) == ("RBYG", True, True)
    assert "'RB'" in test.description
    assert "'RBYG'" in test.description


def test_own_inputs_of_append_do_not_depend_on_the_sequence() -> None:
    assert [len(tape) for tape in inputs_of("append_sequence", "RB")] == [0, 1, 2, 4, 8, 12, 15]
    assert inputs_of("append_sequence", "RB")[:3] == ["", "R", "RB"]


def test_own_inputs_of_exact_are_in_the_order_of_the_specification() -> None:
    inputs = inputs_of("exact_sequence", "RBBR")
    assert inputs[:4] == ["RBBR", "RBB", "RBBRR", "BBBR"]
    assert inputs[4].startswith("RBBR")
    assert inputs[5].endswith("RBBR")
    assert inputs[6][3:7] == "RBBR"
    assert inputs[7].startswith("RBRR")  # the middle symbol replaced
    assert [len(tape) for tape in inputs[4:]] == [13, 10, 13, 10, 12]
    assert len(inputs_of("exact_sequence", "B")) == 6


def test_own_inputs_of_starts_with_are_in_the_order_of_the_specification() -> None:
    inputs = inputs_of("starts_with", "BRR")
    assert inputs[:3] == ["BRR", "BRRR", "RBRR"]
    assert inputs[3].startswith("BRR")
    assert inputs[4].startswith("BRRBRRBRR")
    assert inputs[5].startswith("RRR")
    assert inputs[6] == "R" * 12
    assert [len(tape) for tape in inputs[3:]] == [15, 12, 9, 12]


def test_own_inputs_of_ends_with_are_in_the_order_of_the_specification() -> None:
    inputs = inputs_of("ends_with", "BRR")
    s = "BRR"
    assert inputs[:3] == ["BRR", "RBRR", "BRRR"]
    assert inputs[3].endswith(s)
    assert inputs[4].endswith(s)
    assert (inputs[5][:9], inputs[5][12:]) == (s * 3, s)
    assert (inputs[6][:3], inputs[7][3:6]) == (s, s)
    assert inputs[8].endswith("BR")
    assert inputs[9].endswith("BRB")  # the last symbol replaced
    assert [len(tape) for tape in inputs[3:]] == [12, 18, 15, 9, 12, 8, 8]
    assert inputs_of("ends_with", "R")[8:] == ["B" * 12]
    assert len(inputs_of("ends_with", "RBY", "four")) == 11


def test_own_inputs_of_contains_ordered_are_in_the_order_of_the_specification() -> None:
    inputs = inputs_of("contains_ordered", "RBYG", "four")
    s = "RBYG"
    assert inputs[0] == s
    for gap, tape in enumerate(inputs[1:4], 1):  # one symbol in each inner gap
        assert (tape[:gap], tape[gap + 1 :]) == (s[:gap], s[gap:])
    assert inputs[4][::2] == s  # interleaved
    assert inputs[5][:4] == s
    assert inputs[6][6:] == s
    assert 4 + 2 + 2 + 3 <= len(inputs[7]) <= 4 + 4 + 4 + 9
    assert (inputs[8][:2], inputs[8][3:5], inputs[8][7:]) == ("RB", "YG", s)
    assert inputs[9:12] == ["BYG", "RBY", "RBG"]
    wrapped = [("GYBR", 2, 5), ("GRBY", 3, 3), ("RBG", 9, 9), ("RBG", 18, 18)]
    for tape, (inner, low, high) in zip(inputs[12:], wrapped, strict=True):
        width = (len(tape) - len(inner)) // 2
        assert low <= width <= high
        assert tape[:width] == tape[-width:]
        assert tape[width:-width] == inner


def test_own_inputs_of_contains_substring_are_in_the_order_of_the_specification() -> None:
    inputs = inputs_of("contains_substring", "RBR")
    s = "RBR"
    assert inputs[0] == s
    assert (inputs[1][:3], inputs[2][6:]) == (s, s)
    assert 5 <= len(inputs[3]) <= 9
    assert inputs[4].startswith(s)
    assert inputs[4].endswith(s)
    assert 9 <= len(inputs[5]) <= 13
    assert inputs[6] == "RBRBR"  # a symbol repeats: s, then s without its first
    assert inputs[7][::2] == s
    assert inputs[8][3:-3].count("R") >= 1  # the prefixes R and RB between two copies of a filler
    assert inputs[10][2:-2].count("RBR") == 1 or len(inputs[10]) > 7  # the reverse is s itself
    assert inputs[11][3:-3] == "BRR"  # equal to its reverse: the first two symbols swapped
    assert len(inputs[12]) == 4
    assert len(inputs) == 15


def test_inputs_that_avoid_the_sequence_need_a_symbol_to_spare() -> None:
    avoiding = [tape for tape in inputs_of("contains_ordered", "RBB", "four") if "R" not in tape]
    assert any(len(tape) == 12 and "B" not in tape for tape in avoiding)
    assert not any(
        len(tape) == 12 and "B" not in tape for tape in inputs_of("contains_ordered", "RBB")
    )


def test_the_substring_automaton_falls_back_to_the_longest_overlap() -> None:
    nodes = substring_solution({"sequence": "RRB"}, "RB").by_name
    assert [edge.target for edge in nodes["n2"].edges] == ["n2", "end"]
    assert [edge.target for edge in nodes["n1"].edges] == ["n2", "n0"]


def test_the_ends_with_automaton_goes_on_after_the_sequence() -> None:
    accepts = compile_program(FAMILIES["ends_with"].solution({"sequence": "RBR"}, "RB")).accepts
    assert accepts("RBRBR")
    assert accepts("RBRBBBRBR")
    assert not accepts("RBRB")


def test_available_nodes() -> None:
    assert FAMILIES["ends_with"].available_nodes("two") == ("START", "END", "PULLER_RB")
    assert FAMILIES["starts_with"].available_nodes("two") == ("START", "END", "PULLER_RB")
    assert len(FAMILIES["starts_with"].available_nodes("four")) == 8
    assert len(FAMILIES["contains_ordered"].available_nodes("two")) == 8


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("append_sequence", "Append RB"),
        ("exact_sequence", "Exactly RB"),
        ("starts_with", "Starts with RB"),
        ("ends_with", "Ends with RB"),
        ("contains_substring", "Contains 'RB'"),
        ("contains_ordered", "Contains RB"),
    ],
)
def test_names_and_criteria(family: str, name: str) -> None:
    assert FAMILIES[family].title({"sequence": "RB"}) == name
    assert "RB" in FAMILIES[family].criteria({"sequence": "RB"})
