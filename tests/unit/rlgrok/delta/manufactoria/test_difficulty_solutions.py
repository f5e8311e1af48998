"""Every problem of the difficulty tables is solvable: its oracle is right on every short tape and on many longer ones.

A share of the problems in every run; all of them, on more tapes, in the slow one. The labels come from the families'
own functions, which their own tests hold to independent readings.
"""

from __future__ import annotations

from functools import cache

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.difficulties import Difficulty, all_difficulties
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, FamilyKind
from rlgrok.delta.manufactoria.families.sequences import spread
from rlgrok.delta.manufactoria.tables import compile_program
from runtime.seeding import Stream

ACCEPTING = [
    level
    for level in all_difficulties()
    if level.family in FAMILIES and FAMILIES[level.family].kind is FamilyKind.ACCEPT
]
LONGEST = 40


@cache
def every_tape(alphabet: str, longest: int) -> tuple[str, ...]:
    return tuple(tapes(alphabet, longest))


def check(level: Difficulty, *, every: int, short: dict[str, int], num_longer: int) -> int:
    """Hold the oracles of every n-th problem of a level to the label; the number of problems held."""
    family, alphabet = FAMILIES[level.family], ALPHABETS[level.colors]
    chosen = level.settings(seed=0)[::every]
    for parameters in chosen:
        program = family.solution(parameters, alphabet)
        assert is_canonical(program)
        tables = compile_program(program)
        seen = tables.behaviour(alphabet, short[level.colors])
        label = family.label
        wanted = bytes(
            [label(parameters, tape) for tape in every_tape(alphabet, short[level.colors])]
        )
        assert seen == wanted, family.key(parameters)
        stream = Stream(0, "longer", level.id, family.key(parameters))
        for number in range(num_longer):
            if number % 2 and family.telling is not None:
                tape = family.telling(parameters, alphabet, stream, LONGEST)
            else:
                tape = spread(stream, alphabet, 1, LONGEST)
            assert tables.accepts(tape) == label(parameters, tape), (family.key(parameters), tape)
    return len(chosen)


@pytest.mark.parametrize("level", ACCEPTING, ids=lambda level: level.id)
def test_some_problems_of_every_level(level: Difficulty) -> None:
    every = max(1, min(level.capacity, level.cap) // 8)
    assert check(level, every=every, short={"two": 8, "four": 4}, num_longer=60) >= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("level", ACCEPTING, ids=lambda level: level.id)
def test_every_problem_of_every_level(level: Difficulty) -> None:
    """Every tape up to 10 symbols with two colours and 7 with four, and 2,000 longer ones up to 40."""
    assert check(level, every=1, short={"two": 10, "four": 7}, num_longer=2000) == min(
        level.capacity, level.cap
    )
