"""Oracles of the four-colour data sets on every tape up to ten symbols: 1,398,101 tapes a problem.

Beside `test_difficulty_solutions.py`, which asks the families' own labels on tapes up to seven symbols: a label takes a
microsecond, so here the same is read off all tapes at once, in other words than the family's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from rlgrok.delta.manufactoria.automaton import num_tapes, tapes
from rlgrok.delta.manufactoria.batch import EncodedTests, judge_batch
from rlgrok.delta.manufactoria.dsl import Kind, format_program
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.named import named_sets, split
from rlgrok.delta.manufactoria.tables import compile_program
from rlgrok.types import TestCase

ALPHABET = "RBYG"
LONGEST = 10
Levels = list[list[np.ndarray]]


def problems(family: str) -> list[dict[str, Any]]:
    """Parameters of every four-colour problem of the family in any data set, each once."""
    found = {
        one.id: one.setting.parameters
        for name in named_sets()
        for part in split(name)
        for one in part
        if one.setting.family.name == family and one.setting.colors == "four"
    }
    return list(found.values())


@cache
def levels(longest: int) -> Levels:
    """For each length the symbols of all tapes, place by place, in the order of `tapes`: the first varies fastest."""
    return [
        [(np.arange(4**length) >> 2 * place & 3).astype(np.int8) for place in range(length)]
        for length in range(longest + 1)
    ]


@cache
def texts(longest: int) -> tuple[str, ...]:
    return tuple(tapes(ALPHABET, longest))


def codes(word: str) -> list[int]:
    return [ALPHABET.index(symbol) for symbol in word]


def has_substring(parameters: Any, tape: list[np.ndarray], size: int) -> np.ndarray:
    wanted = codes(parameters["sequence"])
    found = np.zeros(size, bool)
    for begin in range(len(tape) - len(wanted) + 1):
        here = np.ones(size, bool)
        for offset, code in enumerate(wanted):
            here &= tape[begin + offset] == code
        found |= here
    return found


def has_subsequence(parameters: Any, tape: list[np.ndarray], size: int) -> np.ndarray:
    wanted = np.array([*codes(parameters["sequence"]), -1], np.int8)
    matched = np.zeros(size, np.int64)
    for symbols in tape:
        matched += symbols == wanted[matched]
    return matched == len(wanted) - 1


def has_enough(parameters: Any, tape: list[np.ndarray], size: int) -> np.ndarray:
    enough = np.ones(size, bool)
    for symbol, least in parameters["requirements"]:
        (code,) = codes(symbol)
        seen = np.zeros(size, np.int8)
        for symbols in tape:
            seen += symbols == code
        enough &= seen >= least
    return enough


READINGS = {
    "contains_substring": has_substring,
    "contains_ordered": has_subsequence,
    "contains_count": has_enough,
}


def words_of(parts: list[list[str]], longest: int) -> set[str]:
    """All words of a pattern up to a length."""
    words = {""}
    for base, operator in parts:
        most = 1 if operator == "?" else longest
        copies = [base * count for count in range(operator == "+", most + 1)]
        words = {
            word + more for word in words for more in copies if len(word) + len(more) <= longest
        }
    return words


def place_of(word: str) -> int:
    """Where a tape stands in the order of `tapes`."""
    shorter = num_tapes(ALPHABET, len(word) - 1) if word else 0
    return shorter + sum(code << 2 * place for place, code in enumerate(codes(word)))


def readings(family: str, parameters: Any, longest: int) -> bytes:
    """Acceptance of every tape up to a length, one byte a tape, in the order of `tapes`."""
    if family == "regex_pattern":
        accepted = bytearray(num_tapes(ALPHABET, longest))
        for word in words_of(parameters["parts"], longest):
            accepted[place_of(word)] = 1
        return bytes(accepted)
    read = READINGS[family]
    return b"".join(
        read(parameters, tape, 4**length).astype(np.uint8).tobytes()
        for length, tape in enumerate(levels(longest))
    )


def check(family: str, every: int, longest: int) -> int:
    """Hold every n-th oracle to the reading; the number of problems held."""
    chosen = problems(family)[::every]
    for parameters in chosen:
        program = compile_program(FAMILIES[family].solution(parameters, ALPHABET))
        assert program.automaton is not None
        assert program.automaton.max_length >= longest
        found = program.behaviour(ALPHABET, longest)
        assert len(found) == num_tapes(ALPHABET, longest)
        assert found == readings(family, parameters, longest), FAMILIES[family].key(parameters)
    return len(chosen)


@pytest.mark.parametrize("family", [*READINGS, "regex_pattern"])
def test_a_reading_is_the_label(family: str) -> None:
    label = FAMILIES[family].label
    for parameters in problems(family)[::97]:
        expected = bytes(label(parameters, tape) for tape in texts(5))
        assert readings(family, parameters, 5) == expected


@pytest.mark.parametrize("family", [*READINGS, "regex_pattern"])
def test_some_problems_up_to_eight_symbols(family: str) -> None:
    assert check(family, every=37, longest=8) >= 5


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("family", "count"),
    [
        ("contains_substring", 390),
        ("contains_ordered", 390),
        ("contains_count", 244),
        ("regex_pattern", 810),
    ],
)
def test_every_problem_up_to_ten_symbols(family: str, count: int) -> None:
    assert check(family, every=1, longest=LONGEST) == count


def test_append_sequence_reads_nothing() -> None:
    """Without a puller a program does to one tape what it does to another: it paints the sequence behind it."""
    colors = {"R": "RED", "B": "BLUE", "Y": "YELLOW", "G": "GREEN"}
    chosen = problems("append_sequence")
    for parameters in chosen:
        nodes = FAMILIES["append_sequence"].solution(parameters, ALPHABET).by_name
        place, painted = nodes["start"].edges[0].target, []
        while place != "end":
            painted.append(nodes[place].kind)
            place = nodes[place].edges[0].target
        assert painted == [Kind(f"PAINTER_{colors[one]}") for one in parameters["sequence"]]
    assert len(chosen) == 125


def counted(longest: int) -> int:
    """Hold every oracle of regex_same_num to its label: each accepted tape, and how many are accepted in all.

    What is accepted has no symbol but red and blue (`test_a_tape_with_other_colours_is_rejected`).
    """
    every = EncodedTests([[TestCase(tape, check_output=False) for tape in texts(longest)]])
    family = FAMILIES["regex_same_num"]
    chosen = problems("regex_same_num")
    for parameters in chosen:
        program = family.solution(parameters, ALPHABET)
        accepted = [tape for tape in tapes("RB", longest) if family.label(parameters, tape)]
        assert all(compile_program(program).accepts(tape) for tape in accepted)
        (num_accepted,) = judge_batch([format_program(program)], [0], every).num_passed
        assert num_accepted == len(accepted), family.key(parameters)
    return len(chosen)


def test_a_tape_with_other_colours_is_rejected() -> None:
    label = FAMILIES["regex_same_num"].label
    others = [tape for tape in texts(6) if set(tape) & set("YG")]
    for parameters in problems("regex_same_num")[::9]:
        assert not any(label(parameters, tape) for tape in others)


def test_counting_up_to_six_symbols() -> None:
    assert counted(6) == 100


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_counting_up_to_ten_symbols() -> None:
    assert counted(LONGEST) == 100
