"""What ladder tests pay rises with the states of a program and with its right edges (docs/methods/ladder.md)."""

from __future__ import annotations

import itertools

import pytest

from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.families import FAMILIES, Ranges
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.types import Problem, TestSource

TOLERANCE = 0.025
"""One test: 42 tests a problem, means over every pattern and every choice of loops."""


def program(pattern: str, num_states: int, loops: set[int]) -> str:
    lines = ["START start:", "    NEXT n0"]
    for state in range(num_states):
        onward = "end" if state == num_states - 1 else f"n{state + 1}"
        other = f"n{state}" if state in loops else "NONE"
        red, blue = (onward, other) if pattern[state] == "R" else (other, onward)
        lines += [f"PULLER_RB n{state}:", f"    [R] {red}", f"    [B] {blue}"]
    return "\n".join([*lines, "END end"])


def mean_reward(problems: list[Problem], num_states: int, num_loops: int) -> float:
    rewards = [
        verify(problem, program(problem.parameters["sequence"], num_states, set(loops))).pass_rate
        for problem in problems
        for loops in itertools.combinations(range(num_states), num_loops)
    ]
    return sum(rewards) / len(rewards)


@pytest.mark.parametrize("length", [4, 5])
def test_more_states_and_more_right_edges_never_earn_less(length):
    family = FAMILIES["contains_ordered"]
    problems = [
        make_problem(family, parameters, "two", tests=TestSource.LADDER, seed=0)
        for parameters in family.enumerate("RB", Ranges(lengths=[length]))
    ][::2]
    table = {
        (states, loops): mean_reward(problems, states, loops)
        for states in range(1, length + 1)
        for loops in range(states + 1)
    }
    for (states, loops), reward in table.items():
        if states < length:
            assert table[states + 1, loops] >= reward - TOLERANCE, (states, loops)
        if states == length and loops:
            assert reward > table[states, loops - 1] + TOLERANCE, (states, loops)
    assert table[length, length] == 1.0
