"""The machine against every run row of the differential checklist (section 13), and against the plain interpreter."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.dsl import PULLER_COLORS, Program, format_program, parse
from rlgrok.delta.manufactoria.machine import (
    ITERATION_LIMIT,
    ROUTED_TO_NONE,
    UNKNOWN_NODE,
    Execution,
    accepts,
    run,
)
from rlgrok.delta.manufactoria.tables import ACCEPT, Tables, compile_program

EAT_RED = "START start:\n    NEXT p\nPULLER_RB p:\n    [R] p\n    [EMPTY] end\nEND end"
PAINT_LOOP = "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT p\nEND end"


def program_with(node: str, first: str = "p") -> str:
    return f"START start:\n    NEXT {first}\n{node}\nEND end"


@pytest.mark.parametrize(
    ("text", "tape", "reason", "final_tape", "visited"),
    [
        ("START start:\n    NEXT end\nEND end", "", None, "", ["start", "end"]),
        ("START start:\n    NEXT END\nEND end", "", UNKNOWN_NODE, "", ["start", "END"]),
        ("START start:\n    NEXT NONE\nEND end", "", ROUTED_TO_NONE, "", ["start", "NONE"]),
        ("END end\nSTART start:\n    NEXT end", "", None, "", ["start", "end"]),
        (program_with("PULLER_RB p:"), "R", ROUTED_TO_NONE, "", ["start", "p", "NONE"]),
        (program_with("PULLER_RB p:"), "", ROUTED_TO_NONE, "", ["start", "p", "NONE"]),
        (
            program_with("PULLER_RB p:\n    [R] end\n    [R] NONE"),
            "R",
            None,
            "",
            ["start", "p", "end"],
        ),
        (
            program_with("PULLER_RB END:\n    [R] end", "END"),
            "R",
            None,
            "",
            ["start", "END", "end"],
        ),
        (
            program_with("PULLER_RB NONE:\n    [R] end", "NONE"),
            "R",
            ROUTED_TO_NONE,
            "R",
            ["start", "NONE"],
        ),
        (program_with("PULLER_RB p:\n    [EMPTY] end"), "YR", None, "YR", ["start", "p", "end"]),
        (program_with("PULLER_RB p:\n    [EMPTY] end"), "xR", None, "xR", ["start", "p", "end"]),
        (
            program_with("PULLER_YG p:\n    [G] end"),
            "RG",
            ROUTED_TO_NONE,
            "RG",
            ["start", "p", "NONE"],
        ),
        (program_with("PAINTER_GREEN p:\n    NEXT end"), "RB", None, "RBG", ["start", "p", "end"]),
    ],
)
def test_runs(
    text: str, tape: str, reason: str | None, final_tape: str, visited: list[str]
) -> None:
    assert run(parse(text), tape) == Execution(reason is None, final_tape, tuple(visited), reason)
    assert accepts(parse(text), tape) is (reason is None)


def test_an_endless_painter_visits_a_thousand_nodes_and_leaves_999_symbols() -> None:
    done = run(parse(PAINT_LOOP), "")
    assert (len(done.path), done.final_tape) == (1000, "R" * 999)
    assert done.rejection_reason == ITERATION_LIMIT
    assert not accepts(parse(PAINT_LOOP), "")


def test_a_start_that_leads_to_itself_hits_the_limit() -> None:
    program = parse("START start:\n    NEXT start\nEND end")
    assert run(program, "R") == Execution(False, "R", ("start",) * 1000, ITERATION_LIMIT)
    assert not accepts(program, "R")


@pytest.mark.parametrize(("count", "accepted"), [(0, True), (996, True), (997, True), (998, False)])
def test_the_limit_counts_start_and_end(count: int, accepted: bool) -> None:
    done = run(parse(EAT_RED), "R" * count)
    assert done.finished is accepted
    assert accepts(parse(EAT_RED), "R" * count) is accepted
    assert len(done.path) == min(count + 3, 1000)
    assert done.final_tape == ""  # the thousandth visited node still pulls the last symbol


def test_the_limit_counts_empty_routes_too() -> None:
    """Two nodes a symbol: 498 symbols are 1 + 996 + 2 + 1 = 1000 visits."""
    text = (
        "START start:\n    NEXT p\nPULLER_YG p:\n    [EMPTY] q\n"
        "PULLER_RB q:\n    [R] p\n    [EMPTY] end\nEND end"
    )
    for count, accepted in ((498, True), (499, False)):
        assert run(parse(text), "R" * count).finished is accepted
        assert accepts(parse(text), "R" * count) is accepted


def test_strict_reads_upper_case_end_as_the_end_unless_it_is_declared() -> None:
    to_end = parse("START start:\n    NEXT END\nEND end")
    assert run(to_end, "", strict=True) == Execution(True, "", ("start", "end"), None)
    assert accepts(to_end, "", strict=True)
    declared = parse(program_with("PULLER_RB END:\n    [R] end", "END"))
    assert not run(declared, "B", strict=True).finished
    assert not accepts(declared, "B", strict=True)


def test_a_tape_of_a_million_symbols_is_judged_quickly() -> None:
    tape = "R" * 1_000_000
    assert not run(parse(EAT_RED), tape).finished
    assert not accepts(parse(EAT_RED), tape)


def test_a_program_of_many_nodes_is_compiled_without_an_automaton() -> None:
    chain = [f"PULLER_RB p{i}:\n    [R] p{i + 1}" for i in range(400)]
    text = "\n".join(
        ["START start:\n    NEXT p0", *chain, "PULLER_RB p400:\n    [R] end", "END end"]
    )
    assert Tables(parse(text)).automaton is None
    assert accepts(parse(text), "R" * 401)
    assert not accepts(parse(text), "R" * 400)


@given(data=st.data())
def test_the_compiled_program_agrees_with_the_machine(
    data: st.DataObject, any_program: st.SearchStrategy, any_tape: st.SearchStrategy
) -> None:
    program, tape, strict = data.draw(any_program), data.draw(any_tape), data.draw(st.booleans())
    done = run(program, tape, strict=strict)
    assert accepts(program, tape, strict=strict) is done.finished
    tables = compile_program(program, strict)
    left = done.final_tape if done.finished else None
    assert tables.simulate(tape) == tables.outcome(tape) == left


@given(data=st.data())
def test_an_automaton_agrees_with_the_machine_on_long_tapes(
    data: st.DataObject, reader_program: st.SearchStrategy
) -> None:
    program = data.draw(reader_program)
    automaton = Tables(program).automaton
    assert automaton is not None
    length = data.draw(st.integers(0, min(automaton.max_length, 1000)))
    tape = data.draw(st.text("RBYG", min_size=3, max_size=6)) * (length // 3 + 1)
    for probe in (tape[:length], tape[: automaton.max_length]):
        assert accepts(program, probe) is run(program, probe).finished


@given(data=st.data())
def test_the_plain_interpreter_gives_the_same_record(
    data: st.DataObject,
    plain: ModuleType,
    any_program: st.SearchStrategy,
    any_tape: st.SearchStrategy,
) -> None:
    text, tape = format_program(data.draw(any_program)), data.draw(any_tape)
    done = run(parse(text), tape)
    assert plain.run(plain.parse(text), tape) == (
        done.finished,
        done.final_tape,
        list(done.path),
        done.rejection_reason,
    )


@given(data=st.data())
def test_changing_routes_of_a_compiled_program_is_compiling_the_changed_one(
    data: st.DataObject, reader_program: st.SearchStrategy, any_tape: st.SearchStrategy
) -> None:
    program, tape = data.draw(reader_program), data.draw(any_tape)
    edited = list(program.nodes)
    changes = []
    for index, node in enumerate(program.nodes):
        if node.kind in PULLER_COLORS and node.edges:
            first, *rest = node.edges
            edited[index] = node._replace(edges=(first._replace(target="end"), *rest))
            changes.append((index, first.condition, ACCEPT))
    changed = Program(tuple(edited))
    assert Tables(program).rerouted(changes).accepts(tape) is run(changed, tape).finished
