"""Oracle solutions, and the questions that a supervised corpus asks about programs.

Every problem of every family has a constructed program in canonical form that is right on all tapes the step limit
allows: the proof that the benchmark is fair, and what a reference policy may be taught.
"""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import canonicalise, is_canonical, rewire
from rlgrok.delta.manufactoria.dsl import Program, format_program
from rlgrok.delta.manufactoria.exhaustive import behaviour, solves, target_behaviour
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.types import Problem

__all__ = [
    "behaviour",
    "canonicalise",
    "is_canonical",
    "oracle",
    "oracle_program",
    "rewire",
    "solves",
    "target_behaviour",
]


def oracle_program(problem: Problem) -> Program:
    """A right program for the problem, canonical."""
    family = FAMILIES[problem.family]
    return family.solution(problem.parameters, ALPHABETS[problem.colors])


def oracle(problem: Problem) -> str:
    """The text of `oracle_program`."""
    return format_program(oracle_program(problem))
