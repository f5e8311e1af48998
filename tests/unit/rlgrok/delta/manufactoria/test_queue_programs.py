"""Programs written as tables of states, against Python on the same tape."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.dsl import Kind
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.queue_programs import (
    DONE,
    OTHERWISE,
    Step,
    copying,
    dropping,
    queue_program,
    stripping,
)

STATES = range(3)
TAPES = ["".join(tape) for length in range(7) for tape in product("RB", repeat=length)]


@given(
    table=st.fixed_dictionaries(
        {
            (q, c): st.tuples(st.text("RB", max_size=2), st.sampled_from(STATES))
            for q in STATES
            for c in "RB"
        }
    ),
    last=st.tuples(*(st.text("RB", max_size=2) for _ in STATES)),
)
def test_a_finite_transducer_is_one_pass(table: dict, last: tuple[str, ...]) -> None:
    rules = {q: {**{c: Step(*table[q, c]) for c in "RB"}, "Y": Step(last[q], None)} for q in STATES}
    program = queue_program(Step("Y", 0), rules)
    assert is_canonical(program)
    for tape in TAPES[:63]:
        state, out = 0, ""
        for symbol in tape:
            painted, state = table[state, symbol]
            out += painted
        done = run(program, tape)
        assert (done.finished, done.final_tape) == (True, out + last[state])


def test_two_passes_are_two_tables_put_together() -> None:
    """Leading R's dropped in the first pass, the rest doubled in the second."""
    rules = stripping("strip", "first", {"Y": Step("Y", "second")})
    rules |= copying("first", {"Y": Step("Y", "second")})
    rules |= {"second": {"R": Step("RR", "second"), "B": Step("BB", "second"), "Y": DONE}}
    program = queue_program(Step("Y", "strip"), rules)
    for tape in TAPES:
        expected = "".join(symbol * 2 for symbol in tape.lstrip("R"))
        assert run(program, tape).final_tape == expected
    visits = 2 + (2 * 40 + 3) + (3 * 40 + 2) + 1  # both pullers are asked for each Y
    assert len(run(program, "B" * 40).path) == visits


def test_a_pass_costs_two_visits_a_symbol() -> None:
    program = queue_program(Step("Y", "turn"), copying("turn", {"Y": DONE}))
    assert [len(run(program, "RB" * n).path) for n in (0, 1, 20)] == [5, 9, 85]


def test_states_that_do_the_same_become_one() -> None:
    rules = copying("a", {"Y": Step("", "b")}) | copying("b", {"Y": Step("", "b")})
    rules |= copying("c", {"Y": Step("", "b")})
    rules["a"]["R"] = Step("R", "c")
    program = queue_program(Step("Y", "a"), rules)
    kinds = [node.kind for node in program.nodes]
    assert (kinds.count(Kind.PULLER_RB), kinds.count(Kind.PULLER_YG)) == (1, 1)


def test_otherwise_pulls_nothing() -> None:
    drain = dropping("drain", {OTHERWISE: Step("B", None)})
    program = queue_program(Step("", "drain"), drain)
    assert [run(program, tape).final_tape for tape in ("", "RB", "RYB")] == ["B", "B", "YBB"]
    painting_only = {"paint": {OTHERWISE: Step("RB", None)}}
    assert run(queue_program(Step("G", "paint"), painting_only), "Y").final_tape == "YGRB"


def test_the_pair_of_the_first_rule_is_asked_first() -> None:
    rules = {"s": {"G": DONE, "R": DONE}}
    program = queue_program(Step("", "s"), rules)
    assert [node.kind for node in program.nodes][1:3] == [Kind.PULLER_YG, Kind.PULLER_RB]
    assert [run(program, tape).finished for tape in ("G", "R", "B", "Y", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_state_without_rules_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        queue_program(Step("", "s"), {"s": {"R": Step("", "nowhere")}})
