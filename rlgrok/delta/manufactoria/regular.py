"""Finite automata from a step function: explored, minimised, and written as a canonical program.

A family says what is worth remembering about the tape read so far (any hashable value) and how a symbol changes it;
the smallest program that remembers just enough follows. Not for programs that read what they have painted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from rlgrok.delta.manufactoria.canonical import ACCEPT, acceptor_program, chain_program
from rlgrok.delta.manufactoria.dsl import Program

MAX_STATES = 10_000
"""Beyond, a step function does not forget enough."""


@dataclass(frozen=True)
class Dfa:
    """A complete deterministic automaton; the start is state 0."""

    alphabet: str
    moves: tuple[tuple[int, ...], ...]
    """For each state, the next state of each symbol, in alphabet order."""
    accepting: frozenset[int]

    def accepts(self, tape: str) -> bool:
        """Whether a tape over the alphabet is accepted."""
        state = 0
        for symbol in tape:
            state = self.moves[state][self.alphabet.index(symbol)]
        return state in self.accepting


def explored(
    start: Hashable,
    step: Callable[[Hashable, str], Hashable],
    is_accepting: Callable[[Hashable], bool],
    alphabet: str,
) -> Dfa:
    """The automaton of a step function: every value that some tape leads to, in breadth-first order.

    Raises:
        ValueError: more than `MAX_STATES` values.
    """
    numbers = {start: 0}
    moves = []
    for value in (queue := [start]):
        targets = [step(value, symbol) for symbol in alphabet]
        for target in targets:
            if target not in numbers:
                numbers[target] = len(numbers)
                queue.append(target)
        moves.append(tuple(numbers[target] for target in targets))
        if len(numbers) > MAX_STATES:
            raise ValueError(f"the step function has more than {MAX_STATES} values")
    accepting = frozenset(numbers[value] for value in queue if is_accepting(value))
    return Dfa(alphabet, tuple(moves), accepting)


def minimised(dfa: Dfa) -> Dfa:
    """The smallest automaton that accepts the same tapes; states are numbered in breadth-first order.

    Source:
        E. F. Moore, "Gedanken-experiments on sequential machines" (1956): classes of states are split until no symbol
        tells two states of a class apart.
    """
    classes = [int(state in dfa.accepting) for state in range(len(dfa.moves))]
    count = 0
    while count != (count := len(set(classes))):
        looks = [
            (classes[state], *(classes[target] for target in targets))
            for state, targets in enumerate(dfa.moves)
        ]
        numbers = {look: number for number, look in enumerate(dict.fromkeys(looks))}
        classes = [numbers[look] for look in looks]
    states = dict(zip(reversed(classes), reversed(range(len(classes))), strict=True))
    return explored(
        classes[0],
        lambda number, symbol: classes[dfa.moves[states[number]][dfa.alphabet.index(symbol)]],
        lambda number: states[number] in dfa.accepting,
        dfa.alphabet,
    )


def program_of(dfa: Dfa) -> Program:
    """The canonical program with one state for each state of the minimal automaton.

    A state that no further symbol can change becomes END or no route at all.
    """
    small = minimised(dfa)
    settled = {state for state, targets in enumerate(small.moves) if set(targets) == {state}}
    if 0 in settled & small.accepting:
        return chain_program([])
    moves = [
        {
            symbol: ACCEPT if target in small.accepting & settled else target
            for symbol, target in zip(small.alphabet, targets, strict=True)
            if target not in settled or target in small.accepting
        }
        for targets in small.moves
    ]
    return acceptor_program(moves, small.alphabet, accepting=small.accepting - settled)
