"""Which problems ask for the same function: what keeps a test problem from being a training problem in other words.

Two problems are held to ask for the same when a right program for one does on every short tape what a right program for
the other does. Short is up to 8 symbols, for two colours and for four; where four colours have too many tapes, because
the tape is rewritten or a right program is no finite automaton, up to 5. A lower bound finds more problems equal, never
fewer, so it errs to the safe side. Problems of different colours, or where one accepts and one rewrites, never agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from rlgrok.delta.manufactoria.automaton import Automaton, tapes
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Family, Parameters
from rlgrok.delta.manufactoria.tables import compile_program
from rlgrok.types import Problem

SHORT = 8
SHORT_WITHOUT_AUTOMATON = 5
"""With four colours: 1,365 tapes instead of 87,381."""
_ROUGH = 4  # 31 or 341 tapes, which tell most problems apart
_DIGEST = 16


class Setting(NamedTuple):
    """A problem before it has tests."""

    family: Family
    parameters: Parameters
    colors: str

    @property
    def id(self) -> str:
        """The id of the problem that it becomes."""
        return f"{self.family.name}:{self.colors}:{self.family.key(self.parameters)}"


def setting_of(problem: Problem) -> Setting:
    """The setting of a problem that has its parameters."""
    return Setting(FAMILIES[problem.family], problem.parameters, problem.colors)


def fingerprints(settings: Sequence[Setting]) -> list[bytes]:
    """One mark a setting; equal for those that ask for the same function, as far as short tapes can tell.

    Comparable only within one call: what few tapes tell apart is not compared on more.
    """
    rough = [_rough(setting) for setting in settings]
    alike: dict[bytes, list[int]] = defaultdict(list)
    for index, mark in enumerate(rough):
        alike[mark].append(index)
    marks = list(rough)
    for mark, members in alike.items():
        if len(members) > 1:
            exact = _behaviours([settings[index] for index in members])
            for index, behaviour in zip(members, exact, strict=True):
                marks[index] = mark + _digest(behaviour)
    return marks


def _rough(setting: Setting) -> bytes:
    """Colours, kind, and what a right program does on the shortest tapes."""
    shortest = _tapes(ALPHABETS[setting.colors], _ROUGH)
    return _digest(f"{setting.colors} {setting.family.kind} ".encode() + _on(shortest, setting))


def _behaviours(settings: Sequence[Setting]) -> Iterable[bytes]:
    """What right programs do on every short tape, for settings of the same colours and kind."""
    alphabet = ALPHABETS[settings[0].colors]
    if len(alphabet) == 2:
        return (_on(_tapes(alphabet, SHORT), setting) for setting in settings)
    if settings[0].family.label is not None:
        automata = [_automaton(setting) for setting in settings]
        if all(automaton is not None for automaton in automata):
            return (automaton.behaviour(alphabet, SHORT) for automaton in automata if automaton)
    return (_on(_tapes(alphabet, SHORT_WITHOUT_AUTOMATON), setting) for setting in settings)


def _on(every_tape: Sequence[str], setting: Setting) -> bytes:
    """What a right program does on some tapes, by the family's own oracle."""
    family, parameters, _ = setting
    if family.label is not None:
        label = family.label
        return bytes([label(parameters, tape) for tape in every_tape])
    if family.transform is None:
        raise ValueError(f"family {family.name} has neither label nor transform")
    transform = family.transform
    return ",".join([transform(parameters, tape) for tape in every_tape]).encode()


def _automaton(setting: Setting) -> Automaton | None:
    """A right program as a finite automaton that stands for it on every short tape, where it is one."""
    program = setting.family.solution(setting.parameters, ALPHABETS[setting.colors])
    automaton = compile_program(program).automaton
    return automaton if automaton is not None and automaton.max_length >= SHORT else None


@lru_cache(maxsize=16)
def _tapes(alphabet: str, max_length: int) -> tuple[str, ...]:
    return tuple(tapes(alphabet, max_length))


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=_DIGEST).digest()
