"""Canonical programs: one form, the same behaviour, and rewiring that keeps the form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.canonical import (
    ACCEPT,
    acceptor_program,
    canonicalise,
    chain_program,
    is_canonical,
    read_every_color,
    rewire,
)
from rlgrok.delta.manufactoria.dsl import NONE_TARGET, Kind, format_program, parse
from rlgrok.delta.manufactoria.families import FAMILIES, Ranges
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.solutions import behaviour
from runtime.seeding import Stream

LOOSE = """\
END end
PULLER_RB unreached:
    [R] end
PULLER_RB second:
    [B] first
    [EMPTY] NONE
    [B] end
START start:
    NEXT first
PULLER_RB first:
    [EMPTY] start
    [B] start
    [R] second
"""
CANONICAL = """\
START start:
    NEXT n0
PULLER_RB n0:
    [R] n1
    [B] n0
    [EMPTY] n0
PULLER_RB n1:
    [R] NONE
    [B] n0
END end"""


def test_the_canonical_form_of_a_loose_program() -> None:
    assert format_program(canonicalise(parse(LOOSE))) == CANONICAL
    assert is_canonical(parse(CANONICAL))
    assert not is_canonical(parse(LOOSE))


@given(data=st.data())
def test_the_canonical_form_does_the_same_and_is_its_own(
    data: st.DataObject, any_program: st.SearchStrategy, any_tape: st.SearchStrategy
) -> None:
    program, tape = data.draw(any_program), data.draw(any_tape)
    canonical = canonicalise(program)
    before, after = run(program, tape), run(canonical, tape)
    assert before.finished is after.finished
    if before.finished:
        assert before.final_tape == after.final_tape
    assert is_canonical(canonical)
    assert parse(format_program(canonical)) == canonical


def test_a_two_colour_acceptor_has_one_puller_a_state() -> None:
    program = acceptor_program([{"R": 0, "B": 1}, {"R": ACCEPT}], "RB")
    assert format_program(program) == (
        "START start:\n    NEXT n0\nPULLER_RB n0:\n    [R] n0\n    [B] n1\n"
        "PULLER_RB n1:\n    [R] end\n    [B] NONE\nEND end"
    )


def test_a_four_colour_state_asks_both_pairs_where_it_must() -> None:
    program = acceptor_program([{"R": 1, "Y": 0}, {"G": ACCEPT}], "RBYG")
    assert [node.kind for node in program.nodes] == [
        Kind.START,
        Kind.PULLER_RB,
        Kind.PULLER_YG,
        Kind.PULLER_YG,
        Kind.END,
    ]
    assert [run(program, tape).finished for tape in ("YYRG", "RG", "RY", "YG", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("alphabet", ["RB", "RBYG"])
def test_a_state_that_accepts_the_end_of_the_tape_rejects_every_symbol(alphabet: str) -> None:
    program = acceptor_program([{}], alphabet, accepting={0})
    assert run(program, "").finished
    assert not any(run(program, symbol).finished for symbol in alphabet)


def test_a_chain_visits_its_nodes_in_order() -> None:
    program = chain_program([Kind.PAINTER_RED, Kind.PAINTER_GREEN])
    assert run(program, "B").final_tape == "BRG"
    assert is_canonical(program)


def test_rewiring_keeps_the_way_to_acceptance_and_its_rate() -> None:
    """A rejecting route moves with the given probability: 5 SE around it, on 2000 routes; no other ever does."""
    program = acceptor_program([{"R": 1}, {"R": ACCEPT}], "RB")
    stream = Stream(0, "rewire")
    rewired = [rewire(program, stream, 0.3) for _ in range(1000)]
    assert all(is_canonical(each) for each in rewired)
    moved = 0
    for each in rewired:
        assert each.nodes[0] == program.nodes[0]
        assert [node.edges[0] for node in each.nodes[1:3]] == [
            node.edges[0] for node in program.nodes[1:3]
        ]
        moved += sum(node.edges[1].target != NONE_TARGET for node in each.nodes[1:3])
    assert moved / 2000 == pytest.approx(0.3, abs=5 * (0.3 * 0.7 / 2000) ** 0.5)


def test_rewiring_nothing_and_everything() -> None:
    program = acceptor_program([{"R": 1}, {"R": ACCEPT}], "RB")
    assert rewire(program, Stream(0, "x"), 0.0) == program
    targets = {
        tuple(node.edges[1].target for node in rewire(program, Stream(seed, "x"), 1.0).nodes[1:3])
        for seed in range(100)
    }
    # Every node is a target of every rejecting route, its own node among them.
    assert targets == {(one, two) for one in ("n0", "n1") for two in ("n0", "n1")}


def test_a_program_that_rejects_nothing_is_not_rewired() -> None:
    program = acceptor_program([{"R": 1, "B": 0}, {"R": ACCEPT, "B": 1}], "RB")
    assert rewire(program, Stream(0, "x"), 1.0) == program


@pytest.mark.parametrize("name", ["starts_with", "exact_sequence"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_states_that_read_every_color_give_the_same_verdicts(name: str, length: int) -> None:
    family, ranges = FAMILIES[name], Ranges(lengths=(length,))
    for index in range(0, 4**length, 3):
        program = family.solution(family.nth("RBYG", ranges, index), "RBYG")
        whole = read_every_color(program)
        assert is_canonical(whole)
        assert behaviour(whole, "RBYG", length + 2) == behaviour(program, "RBYG", length + 2)
        # A puller of each pair for every state, so every symbol has a route that can be sent elsewhere.
        pullers = [node for node in whole.nodes if node.kind in (Kind.PULLER_RB, Kind.PULLER_YG)]
        states = length + (name == "exact_sequence")
        assert len(pullers) == 2 * states
        assert sum(condition in "RBYG" for node in pullers for condition, _ in node.edges) == 4 * states
        assert read_every_color(whole) == whole
