"""Up to which length the oracles of the families that rewrite the tape are right: docs/methods/queue-programs.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import DEFAULT_RANGES, FAMILIES
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.tables import MAX_VISITS

PAGE = Path(__file__).parents[6] / "docs" / "methods" / "queue-programs.md"
OPERATIONS = FAMILIES["numerical_operations"]
SETTINGS = {OPERATIONS.key(p): p for p in OPERATIONS.enumerate("RB", DEFAULT_RANGES)}
LEVELS = {
    "max, min (512 of the tables)": find_difficulty("numerical_max_min", "two", "medium"),
    "prepend, no change": find_difficulty("prepend_sequence", "two", "easy"),
    "prepend, symbols changed": find_difficulty("prepend_sequence", "two", "medium"),
    "prepend, patterns changed": find_difficulty("prepend_sequence", "two", "hard"),
}
ROWS = {"nodes": 0, "visits at 40": 1, "solved up to": 2}


def worst_tapes(length: int) -> Iterator[str]:
    for begin, word in [("", "BR"), ("", "RB"), ("", "BBR"), ("", "B"), ("", "R"), ("B", "R")]:
        yield (begin + word * length)[:length]
    for begin, word in [("B", "BR"), ("BB", "BR"), ("B", "RB")]:
        yield (begin + word * length)[:length]


def most_visits(program: Program, every_tape: Iterator[str]) -> int:
    return max(len(run(program, tape, max_visits=10**5).path) for tape in every_tape)


@cache
def documented() -> dict[str, list[int]]:
    """Nodes, visits at 40 and reach of every operation, from the tables whose columns are operands."""
    found: dict[str, list[int]] = {}
    keys: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in DEFAULT_RANGES.operations and cells[1:] and cells[1].isdigit():
            other = cells[0] == "not"
            keys = [] if other else [cells[0] + operand for operand in cells[1:]]
            if other:
                found["not"] = [int(cell) for cell in cells[1:]]
        elif cells[0] in ROWS and keys:
            for name, cell in zip(keys, cells[1:], strict=True):
                found.setdefault(name, []).append(int(cell))
    return found


def of_levels() -> dict[str, list[int]]:
    """The rows of whole levels: fewest and most nodes, visits at 40, reach."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in LEVELS:
            found[cells[0]] = [int(number) for number in re.findall(r"\d+", " ".join(cells[1:]))]
    return found


def test_the_page_has_every_default_operation() -> None:
    assert set(documented()) == set(SETTINGS)
    assert set(of_levels()) == set(LEVELS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_documented_numbers_of_an_operation_are_measured(name: str) -> None:
    nodes, visits, reach = documented()[name]
    parameters = SETTINGS[name]
    program = OPERATIONS.solution(parameters, "RB")
    assert len(program.nodes) == nodes
    assert most_visits(program, worst_tapes(40)) == visits
    assert reach >= 40
    for tape in worst_tapes(reach):
        done = run(program, tape)
        assert (done.finished, done.final_tape) == (True, OPERATIONS.transform(parameters, tape))
    assert most_visits(program, worst_tapes(reach + 1)) > MAX_VISITS


@pytest.mark.parametrize("name", LEVELS)
def test_the_documented_numbers_of_a_level_are_measured(name: str) -> None:
    level, (fewest, most, visits, reach) = LEVELS[name], of_levels()[name]
    family = FAMILIES[level.family]
    programs = [family.solution(p, "RB") for p in level.settings(0)[:: 1 + level.capacity // 128]]
    sizes = [len(program.nodes) for program in programs]
    assert fewest <= min(sizes) <= max(sizes) <= most
    assert max(most_visits(program, worst_tapes(40)) for program in programs) == visits
    slowest = max(programs, key=lambda program: most_visits(program, worst_tapes(40)))
    assert most_visits(slowest, worst_tapes(reach)) <= MAX_VISITS
    assert most_visits(slowest, worst_tapes(reach + 1)) > MAX_VISITS


@pytest.mark.parametrize("name", ["add4", "subtract1", "xor4", "floor_div3", "not"])
def test_worst_tapes_are_the_worst(name: str) -> None:
    program = OPERATIONS.solution(SETTINGS[name], "RB")
    for length in (6, 7):
        every_tape = (tape for tape in tapes("RB", length) if len(tape) == length)
        assert most_visits(program, every_tape) == most_visits(program, worst_tapes(length))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SETTINGS)
def test_worst_tapes_are_the_worst_up_to_ten_symbols(name: str) -> None:
    program = OPERATIONS.solution(SETTINGS[name], "RB")
    worst = [0] * 11
    for tape in tapes("RB", 10):
        worst[len(tape)] = max(worst[len(tape)], len(run(program, tape).path))
    assert worst == [most_visits(program, worst_tapes(length)) for length in range(11)]
