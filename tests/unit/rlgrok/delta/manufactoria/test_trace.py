"""Traces: the same run as the machine's, step by step, in words that say what happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.trace import trace

ROTATE = (
    "START start:\n    NEXT a\nPULLER_RB a:\n    [R] p\n    [EMPTY] end\n"
    "PAINTER_YELLOW p:\n    NEXT a\nEND end"
)


@given(st.data())
def test_a_trace_is_the_machines_run(any_program, any_tape, data) -> None:
    program, tape = data.draw(any_program), data.draw(any_tape)
    strict, visits = data.draw(st.booleans()), data.draw(st.integers(1, 40))
    done = run(program, tape, max_visits=visits, strict=strict)
    made = trace(program, tape, max_visits=visits, strict=strict)
    assert tuple(step.node for step in made.steps) == done.path
    assert made.finished == done.finished
    assert made.final_tape == done.final_tape
    assert made.rejection_reason == done.rejection_reason
    assert made.tape(0) == tape
    for number in range(1, len(made.steps)):  # each step starts where cutting the run off leaves it
        assert made.tape(number) == run(program, tape, max_visits=number, strict=strict).final_tape
        assert made.event(number)
    for step, after in zip(made.steps, made.steps[1:], strict=False):
        as_end = strict and step.target == "END" and "END" not in program.by_name
        assert after.node == ("end" if as_end else step.target)


def test_every_kind_of_event() -> None:
    made = trace(parse(ROTATE), "RRB")
    assert [(step.node, made.tape(i), made.event(i)) for i, step in enumerate(made.steps)] == [
        ("start", "RRB", "start"),
        ("a", "RRB", "pull R from the front"),
        ("p", "RB", "paint Y at the back"),
        ("a", "RBY", "pull R from the front"),
        ("p", "BY", "paint Y at the back"),
        ("a", "BYY", "pull B from the front; no [B] route"),
        ("NONE", "YY", "rejected"),
    ]
    assert (made.belt, made.final_tape) == ("RRBYY", "YY")
    made = trace(parse(ROTATE), "")
    assert [made.event(i) for i in range(3)] == ["start", "the tape is empty", "accepted"]
    made = trace(parse(ROTATE), "G")
    assert made.event(1) == "the front is G, not R or B: pull nothing"
    made = trace(parse(ROTATE.replace("    [EMPTY] end\n", "")), "G")
    assert made.event(1) == "the front is G, not R or B: pull nothing; no [EMPTY] route"
    made = trace(parse("START start:\n    NEXT END\nEND end"), "")
    assert made.event(1) == "rejected: no node is named END, the END node is named end"


def test_a_loop_is_found_where_node_and_tape_come_back() -> None:
    around = ROTATE.replace("PAINTER_YELLOW", "PAINTER_RED")
    made = trace(parse(around), "R")
    assert made.loop() == (1, 3)
    assert made.rejection_reason == "iteration limit"
    growing = "START start:\n    NEXT a\nPAINTER_RED a:\n    NEXT a\nEND end"
    assert trace(parse(growing), "").loop() is None


def test_the_limit_applies_the_last_node() -> None:
    growing = "START start:\n    NEXT a\nPAINTER_RED a:\n    NEXT a\nEND end"
    made = trace(parse(growing), "")
    assert (len(made.steps), len(made.final_tape)) == (1000, 999)
