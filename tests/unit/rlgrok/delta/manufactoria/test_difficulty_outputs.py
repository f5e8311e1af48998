"""Every problem of the difficulty tables that rewrites the tape is solvable: its oracle leaves what it should.

A share of the problems in every run, by the plain interpreter; all of them, on more tapes, in the slow one. What should
be left comes from the families' own functions, which their own tests hold to independent readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.difficulties import Difficulty, all_difficulties
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, FamilyKind
from rlgrok.delta.manufactoria.families.number_transforms import runs
from rlgrok.delta.manufactoria.families.sequences import spread
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

REWRITING = [
    level for level in all_difficulties() if FAMILIES[level.family].kind is FamilyKind.TRANSFORM
]
LONGEST = 40
FAMILY_LEVELS = {
    "append_sequence": 1,
    "prepend_sequence": 3,
    "numerical_max_min": 1,
    "numerical_operations": 3,
}


@cache
def every_tape(alphabet: str, longest: int) -> tuple[str, ...]:
    return tuple(tapes(alphabet, longest))


def longer_tapes(alphabet: str, stream: Stream, count: int) -> Iterator[str]:
    """Up to 40 symbols: uniform ones, and behind every second one a few long runs."""
    for number in range(count):
        if number % 2:
            yield spread(stream, alphabet, 1, LONGEST)
        else:
            tail = runs(stream, LONGEST)
            yield spread(stream, alphabet, 0, LONGEST - len(tail)) + tail


def test_no_level_is_left_out() -> None:
    counts = {name: sum(level.family == name for level in REWRITING) for name in FAMILY_LEVELS}
    assert counts == FAMILY_LEVELS
    assert sum(counts.values()) == len(REWRITING)


@pytest.mark.parametrize("level", REWRITING, ids=lambda level: level.id)
def test_some_problems_of_every_level(level: Difficulty) -> None:
    family, alphabet = FAMILIES[level.family], ALPHABETS[level.colors]
    settings = Stream(0, "some", level.id).pick(level.settings(seed=0), min(6, level.capacity))
    for parameters in settings:
        program = family.solution(parameters, alphabet)
        assert is_canonical(program)
        stream = Stream(0, "longer", level.id, family.key(parameters))
        short = every_tape(alphabet, 7 if alphabet == "RB" else 4)
        for tape in (*short, *longer_tapes(alphabet, stream, 60)):
            done = run(program, tape)
            expected = family.transform(parameters, tape)
            assert (done.finished, done.final_tape) == (True, expected), family.key(parameters)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("level", REWRITING, ids=lambda level: level.id)
def test_every_problem_of_every_level(level: Difficulty) -> None:
    """Every tape up to 10 symbols with two colours and 6 with four, and 2,000 longer ones up to 40."""
    family, alphabet = FAMILIES[level.family], ALPHABETS[level.colors]
    settings = level.settings(seed=0)
    longer = tuple(longer_tapes(alphabet, Stream(0, "longer", level.id), 2000))
    short = every_tape(alphabet, 10 if alphabet == "RB" else 6)
    for parameters in settings:
        outcome = compile_program(family.solution(parameters, alphabet)).simulate
        transform = family.transform
        for tape in (*short, *longer):
            assert outcome(tape) == transform(parameters, tape), (family.key(parameters), tape)
    assert len(settings) == min(level.capacity, level.cap)
