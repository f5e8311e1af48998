"""Automata from step functions: exploring, minimising, and what becomes of them as programs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.dsl import Kind, format_program
from rlgrok.delta.manufactoria.regular import MAX_STATES, Dfa, explored, minimised, program_of
from rlgrok.delta.manufactoria.tables import compile_program


@st.composite
def automata(draw: st.DrawFn) -> Dfa:
    alphabet = draw(st.sampled_from(["RB", "RBYG"]))
    size = draw(st.integers(1, 6))
    state = st.integers(0, size - 1)
    moves = [tuple(draw(state) for _ in alphabet) for _ in range(size)]
    accepting = frozenset(draw(st.sets(state)))
    return Dfa(alphabet, tuple(moves), accepting)


@given(automata())
def test_the_minimal_automaton_and_the_program_accept_the_same(dfa: Dfa) -> None:
    small, program = minimised(dfa), program_of(dfa)
    assert is_canonical(program)
    accepts = compile_program(program).accepts
    for tape in tapes(dfa.alphabet, 7 if dfa.alphabet == "RB" else 4):
        assert dfa.accepts(tape) == small.accepts(tape) == accepts(tape)


@given(automata())
def test_no_two_states_of_the_minimal_automaton_agree_on_all_tapes(dfa: Dfa) -> None:
    small = minimised(dfa)
    assert minimised(small) == small
    behaviours = set()
    for start in range(len(small.moves)):
        levels, level = [], [start]
        for _ in range(len(small.moves)):
            levels += [state in small.accepting for state in level]
            level = [target for state in level for target in small.moves[state]][:4096]
        behaviours.add(tuple(levels))
    assert len(behaviours) == len(small.moves)


def test_values_are_found_in_breadth_first_order() -> None:
    dfa = explored("", lambda seen, symbol: (seen + symbol)[-1:], lambda seen: seen == "B", "RB")
    assert dfa.moves == ((1, 2), (1, 2), (1, 2))
    assert dfa.accepting == {2}
    assert minimised(dfa).moves == ((0, 1), (0, 1))


def test_all_tapes_and_none() -> None:
    everything = program_of(explored(0, lambda value, symbol: value, lambda value: True, "RB"))
    assert format_program(everything) == "START start:\n    NEXT end\nEND end"
    nothing = program_of(explored(0, lambda value, symbol: value, lambda value: False, "RBYG"))
    assert not any(compile_program(nothing).behaviour("RBYG", 4))


def test_a_decided_tape_is_read_no_further() -> None:
    """Begins with B: accepted at once, and rejected at once."""
    begun = program_of(
        explored("", lambda seen, symbol: seen or symbol, lambda seen: seen == "B", "RB")
    )
    assert [node.kind for node in begun.nodes] == [Kind.START, Kind.PULLER_RB, Kind.END]


def test_a_step_function_that_forgets_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_STATES} values"):
        explored(0, lambda value, symbol: value + 1, lambda value: False, "RB")
