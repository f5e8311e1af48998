"""What passes a test (section 3), what a verdict counts, and that the fast verdict is the complete one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.judge import (
    PreparedTests,
    is_passed,
    judge,
    output_matches,
    to_verdict,
    verify,
    verify_prepared,
)
from rlgrok.types import Status, TestCase

ACCEPT_ALL = "START start:\n    NEXT end\nEND end"
REJECT_ALL = "START start:\n    NEXT NONE\nEND end"
PAINT_RED = "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT end\nEND end"
ENDLESS = "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT p\nEND end"


@pytest.mark.parametrize(
    ("final_tape", "expected_accepted", "check_output", "passed"),
    [
        ("R", True, True, True),
        ("B", True, True, False),
        (None, True, True, False),
        (None, False, True, True),
        ("R", False, True, False),
        ("B", False, True, True),  # accepted with another tape counts as not accepted (P8)
        ("B", True, False, True),
        ("R", False, False, False),
        (None, False, False, True),
        (None, True, False, False),
    ],
)
def test_what_passes(
    final_tape: str | None, expected_accepted: bool, check_output: bool, passed: bool
) -> None:
    test = TestCase("", "R", expected_accepted, check_output)
    assert is_passed(test, final_tape) is passed


@pytest.mark.parametrize(
    ("expected", "tape", "matches"),
    [
        ("RB", "RB", True),
        ("RB", "RBB", False),
        ("R*", "RRR", True),
        ("R+", "", False),
        ("(R|B)?", "B", True),
        ("R.", "RG", True),
        ("R+", "RRB", False),  # the whole tape, not a prefix (P9)
        ("(", "(", True),  # not a pattern: compared as text
        ("(", "R", False),
        ("[R]", "R", False),  # brackets, braces and anchors do not make a pattern
        ("R{2}", "RR", False),
        ("^R$", "R", False),
    ],
)
def test_expected_outputs_with_marks_are_patterns(expected: str, tape: str, matches: bool) -> None:
    assert output_matches(expected, tape) is matches


def test_a_record_has_everything_that_happened() -> None:
    tests = [TestCase("B", "BR", description="adds red"), TestCase("", "", False)]
    judgement = judge(PAINT_RED, tests, keep_paths=True)
    first, second = judgement.results
    assert (first.actual_output, first.actual_accepted, first.passed) == ("BR", True, True)
    assert (first.path, first.rejection_reason) == (("start", "p", "end"), None)
    assert (first.description, first.check_output) == ("adds red", True)
    assert second.passed  # accepted, but with R where the empty tape was expected
    assert (judgement.pass_rate, judgement.full_pass, judgement.message) == (1.0, True, None)


def test_paths_are_kept_only_on_demand() -> None:
    assert judge(ACCEPT_ALL, [TestCase("")]).results[0].path == ()


def test_no_tests_are_all_passed_and_no_full_pass() -> None:
    judgement = judge(ACCEPT_ALL, [])
    assert (judgement.all_passed, judgement.full_pass, judgement.pass_rate) == (True, False, 0.0)
    assert to_verdict(judgement, []).status is Status.FAILED
    assert verify_prepared(ACCEPT_ALL, PreparedTests(())).message == "there are no tests to pass"


def test_a_text_that_does_not_parse_passes_nothing() -> None:
    tests = (TestCase("", "", False, False), TestCase("R", "", True, False))
    judgement = judge("nonsense", tests)
    assert (judgement.valid, judgement.all_passed, judgement.results) == (False, False, ())
    assert judgement.message.startswith("DSL Parse Error: Line 1: invalid node declaration")
    verdict = to_verdict(judgement, tests)
    assert (verdict.status, verdict.num_passed, verdict.num_tests) == (Status.PARSE_ERROR, 0, 2)
    assert to_verdict(judge("  ", tests), tests).status is Status.NO_PROGRAM


def test_strict_reaches_the_machine() -> None:
    text = "START start:\n    NEXT END\nEND end"
    test = TestCase("", check_output=False)
    assert not judge(text, [test]).all_passed
    assert judge(text, [test], strict=True).all_passed


def test_counts_tell_accepting_from_rejecting_tests_by_expectation() -> None:
    problem = build(["starts_with"], "two", [3], seed=0).train[0]
    num_accepting = sum(test.expected_accepted for test in problem.tests)
    accept_all, reject_all = verify(problem, ACCEPT_ALL), verify(problem, REJECT_ALL)
    assert accept_all.num_passed == accept_all.num_accepting_passed == num_accepting
    assert (reject_all.num_passed, reject_all.num_accepting_passed) == (
        len(problem.tests) - num_accepting,
        0,
    )
    assert accept_all.balanced_pass_rate == reject_all.balanced_pass_rate == 0.5


def test_the_message_names_the_first_failure() -> None:
    problem = build(["starts_with"], "two", [3], seed=0).train[0]
    verdict = verify(problem, ACCEPT_ALL)
    failed = verdict.num_tests - verdict.num_passed
    assert verdict.message == (
        f"{failed} of {verdict.num_tests} tests failed; first: input '' was accepted"
    )
    problem = build(["append_sequence"], "two", [1], seed=0).train[0]
    assert "was accepted with output '', expected output 'R'" in verify(problem, ACCEPT_ALL).message


def test_an_endless_program_fails_and_is_no_error() -> None:
    problem = build(["append_sequence"], "two", [1], seed=0).train[0]
    assert verify(problem, ENDLESS).status is Status.FAILED


def test_the_same_id_with_other_tests_is_judged_by_its_own_tests() -> None:
    one = build(["contains_ordered"], "two", [3], tests="delta", seed=0).train[0]
    other = build(["contains_ordered"], "two", [3], tests="ladder", seed=0).train[0]
    assert one.id == other.id
    counts = [verify(problem, ACCEPT_ALL).num_tests for problem in (one, other, one)]
    assert counts == [len(one.tests), len(other.tests), len(one.tests)]


PROBLEMS = [
    *build(["contains_ordered", "exact_sequence", "append_sequence"], "four", [2], seed=1).train[
        ::7
    ],
    *build(["contains_substring"], "two", [3], tests="ladder", seed=1).train[::3],
]


@given(data=st.data())
def test_the_fast_verdict_is_the_complete_one(
    data: st.DataObject, any_program: st.SearchStrategy
) -> None:
    text = format_program(data.draw(any_program))
    text = text[: data.draw(st.one_of(st.just(len(text)), st.integers(0, len(text))))]
    problem = data.draw(st.sampled_from(PROBLEMS))
    assert verify(problem, text) == to_verdict(judge(text, problem.tests), problem.tests)
