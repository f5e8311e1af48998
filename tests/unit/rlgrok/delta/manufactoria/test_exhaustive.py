"""The exhaustive verdict against running every tape one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.automaton import num_tapes, tapes
from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.dsl import format_program, parse
from rlgrok.delta.manufactoria.exhaustive import (
    behaviour,
    bound,
    checks_of,
    solves,
    target_behaviour,
    verify_exhaustive,
)
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.ladder_checks import false_passes
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.solutions import oracle, oracle_program
from rlgrok.types import Problem, Status


def problem_of(family: str, sequence: str, colors: str = "two") -> Problem:
    return make_problem(FAMILIES[family], {"sequence": sequence}, colors)


AT_LEAST_TWO = (
    "START start:\n    NEXT a\nPULLER_RB a:\n    [R] b\n    [B] b\n"
    "PULLER_RB b:\n    [R] end\n    [B] end\nEND end"
)


def test_tapes_come_shorter_first_each_once() -> None:
    listed = list(tapes("RB", 3))
    assert listed[:7] == ["", "R", "B", "RR", "BR", "RB", "BB"]
    assert len(set(listed)) == len(listed) == num_tapes("RB", 3) == 15


@settings(max_examples=50)
@given(data=st.data())
def test_a_behaviour_is_the_verdict_on_every_tape(
    data: st.DataObject, any_program: st.SearchStrategy
) -> None:
    program = data.draw(any_program)
    alphabet, length = data.draw(st.sampled_from([("RB", 5), ("RBYG", 3)]))
    expected = bytes(run(program, tape).finished for tape in tapes(alphabet, length))
    assert behaviour(program, alphabet, length) == expected


def test_a_target_behaviour_is_the_label_and_the_oracle_has_it() -> None:
    problem = problem_of("contains_ordered", "RB")
    target = target_behaviour(problem, 3)
    accepted = [t for t, a in zip(tapes("RB", 3), target, strict=True) if a]
    assert accepted == ["RB", "RBR", "RRB", "BRB", "RBB"]
    assert behaviour(oracle_program(problem), "RB", 3) == target
    assert target_behaviour(problem_of("append_sequence", "R"), 2) == b"\x01" * 7


@pytest.mark.parametrize(
    ("colors", "sequence", "length"),
    [
        ("two", "R", 9),
        ("two", "RRRRRRR", 9),
        ("two", "RRRRRRRR", 10),
        ("two", "R" * 12, 14),
        ("four", "RBY", 6),
        ("four", "RBYGR", 7),
        ("four", "R" * 12, 8),
    ],
)
def test_the_bound_is_two_past_the_sequence_while_that_is_affordable(
    colors: str, sequence: str, length: int
) -> None:
    problem = problem_of("contains_ordered", sequence, colors)
    assert bound(problem) == length
    verdict = verify_exhaustive(problem, oracle(problem))
    extra = 200 if len(sequence) + 2 <= length else 2000
    assert verdict.num_tests == num_tapes(ALPHABETS[colors], length) + extra
    assert verdict.status is Status.PASSED


def test_longer_tapes_are_longer_and_of_both_labels() -> None:
    for colors in ("two", "four"):
        checks = checks_of(problem_of("contains_substring", "RBRB", colors))
        assert min(len(test.input) for test in checks.longer.tests) > checks.max_length
        assert 50 < checks.longer.num_accepting < 200


@settings(max_examples=8)  # each runs thousands of tapes, some of them to the limit
@given(data=st.data())
def test_a_verdict_counts_what_running_every_tape_counts(
    data: st.DataObject, any_program: st.SearchStrategy
) -> None:
    program = data.draw(any_program)
    family = data.draw(st.sampled_from(["contains_ordered", "exact_sequence", "append_sequence"]))
    problem = problem_of(family, data.draw(st.sampled_from(["R", "BR"])))
    oracle_of = FAMILIES[family]
    tried = [*tapes("RB", 9), *(test.input for test in checks_of(problem).longer.tests)]
    num_passed = num_accepting_passed = 0
    for tape in tried:
        done = run(program, tape)
        if oracle_of.label is not None:
            wanted = oracle_of.label(problem.parameters, tape)
            passed = done.finished == wanted
        else:
            wanted = True
            passed = done.finished and done.final_tape == oracle_of.transform(
                problem.parameters, tape
            )
        num_passed += passed
        num_accepting_passed += passed and wanted
    verdict = verify_exhaustive(problem, format_program(program))
    assert (verdict.num_passed, verdict.num_accepting_passed) == (num_passed, num_accepting_passed)
    assert verdict.full_pass is (num_passed == len(tried)) is solves(program, problem)


def test_a_program_that_counts_instead_of_reading_is_caught() -> None:
    problem = problem_of("contains_ordered", "RB")
    verdict = verify_exhaustive(problem, AT_LEAST_TWO)
    assert verdict.status is Status.FAILED
    assert verdict.message.endswith("first: input 'RR' was accepted")
    assert not solves(parse(AT_LEAST_TWO), problem)


def test_a_failure_on_longer_tapes_only_is_caught_and_described() -> None:
    """Accepts R, and every tape of ten symbols or more."""
    states = "".join(f"PULLER_RB c{i}:\n    [R] c{i + 1}\n    [B] c{i + 1}\n" for i in range(1, 9))
    text = (
        "START start:\n    NEXT p\nPULLER_RB p:\n    [R] q\n    [B] c1\n"
        "PULLER_RB q:\n    [R] c2\n    [B] c2\n    [EMPTY] end\n"
        f"{states}PULLER_RB c9:\n    [R] end\n    [B] end\nEND end"
    )
    problem = problem_of("exact_sequence", "R")
    verdict = verify_exhaustive(problem, text)
    assert (verdict.num_passed, verdict.num_tests) == (1023, 1223)
    first = checks_of(problem).longer.tests[0].input
    assert verdict.message == f"200 of 1223 tests failed; first: input {first!r} was accepted"
    assert not solves(parse(text), problem)


def test_painters_do_not_stop_the_exhaustive_verdict() -> None:
    """A rotation: pull a symbol, paint the same, for ever."""
    text = "START start:\n    NEXT p\nPULLER_RB p:\n    [R] q\n    [B] end\nPAINTER_RED q:\n    NEXT p\nEND end"
    problem = problem_of("contains_ordered", "B")
    verdict = verify_exhaustive(problem, text)
    assert verdict.full_pass  # a tape without B turns round until the limit rejects it
    assert solves(parse(text), problem)


def test_bad_programs_get_their_status() -> None:
    problem = problem_of("contains_ordered", "RB")
    assert verify_exhaustive(problem, "").status is Status.NO_PROGRAM
    assert verify_exhaustive(problem, "x").status is Status.PARSE_ERROR
    assert verify_exhaustive(problem, "x").num_tests == 1223


def test_tests_may_pass_what_the_exhaustive_verdict_refuses() -> None:
    """Why there are two verdicts: the benchmark's own tests let programs with one or two wrong edges through."""
    problems = build(["contains_ordered"], "two", [3], seed=1).train
    found = [(problem, false_passes(problem)) for problem in problems]
    slips = [(problem, slip.first) for problem, slip in found if slip.first is not None]
    assert slips
    for problem, text in slips:
        assert verify(problem, text).full_pass
        assert not verify_exhaustive(problem, text).full_pass
