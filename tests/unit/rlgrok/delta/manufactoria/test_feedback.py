"""What a failed program is told: which tests are shown, how many, and in whose words."""

from __future__ import annotations

import re

import pytest

from rlgrok.delta.manufactoria import SCOPE
from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.feedback import FEEDBACK_WORDS, fresh_tests, write_feedback
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.tokenizer import build_tokenizer
from rlgrok.types import Problem, PromptStyle, TestSource
from runtime.errors import ConfigError

ACCEPT_ALL = "START start:\n    NEXT end\nEND end\n"


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    found = {}
    for name in ("contains_ordered", "append_sequence"):
        data = SCOPE.build(
            families=[name], colors="two", lengths=[3], difficulty=None, heldout_share=0.0,
            max_problems=2, tests=TestSource.DELTA, seed=0,
        )  # fmt: skip
        found[name] = data.train[0]
    return found


def test_fresh_tests_are_short_right_and_not_scored(problems) -> None:
    for problem in problems.values():
        fresh = fresh_tests(problem)
        assert len(fresh) == 200
        assert not {test.input for test in fresh} & {test.input for test in problem.tests}
        assert max(len(test.input) for test in fresh) <= 10
        told = write_feedback(
            problem, oracle(problem), PromptStyle.FULL, fresh=True, max_cases=3
        )
        assert "0 of 200 tests fail" in told
    label = FAMILIES["contains_ordered"].label
    problem = problems["contains_ordered"]
    assert all(
        test.expected_accepted == label(problem.parameters, test.input)
        for test in fresh_tests(problem)
    )


def test_cases_are_failures_and_no_more_than_asked_for(problems) -> None:
    problem = problems["contains_ordered"]
    told = write_feedback(problem, ACCEPT_ALL, PromptStyle.FULL, fresh=True, max_cases=2)
    shown = re.findall(r"On (\S+): expected rejected, came out accepted", told)
    assert len(shown) == 2
    assert set(shown) <= {test.input or "(empty)" for test in fresh_tests(problem)}
    num_wrong = sum(not test.expected_accepted for test in fresh_tests(problem))
    assert f"{num_wrong} of 200 tests fail" in told and f"- {num_wrong - 2} more." in told


def test_scored_tests_are_shown_only_when_asked_for(problems) -> None:
    problem = problems["contains_ordered"]
    scored = {test.input or "(empty)" for test in problem.tests}
    leaked = write_feedback(problem, ACCEPT_ALL, PromptStyle.FULL, fresh=False, max_cases=9)
    assert set(re.findall(r"On (\S+):", leaked)) <= scored
    kept = write_feedback(problem, ACCEPT_ALL, PromptStyle.FULL, fresh=True, max_cases=9)
    assert not set(re.findall(r"On (\S+):", kept)) & scored


def test_counts_name_no_case(problems) -> None:
    for problem in problems.values():
        told = write_feedback(problem, ACCEPT_ALL, PromptStyle.FULL, fresh=False, max_cases=None)
        assert "tests fail" in told and "On " not in told


def test_an_output_is_told_with_its_tape(problems) -> None:
    told = write_feedback(
        problems["append_sequence"], ACCEPT_ALL, PromptStyle.FULL, fresh=True, max_cases=1
    )
    assert re.search(r"expected accepted with the tape [RB]+, came out accepted with the tape", told)


def test_a_text_that_does_not_parse_is_told_why(problems) -> None:
    problem = problems["contains_ordered"]
    told = write_feedback(problem, "START start:", PromptStyle.FULL, fresh=True, max_cases=3)
    assert "does not parse" in told
    compact = write_feedback(problem, "no", PromptStyle.COMPACT, fresh=True, max_cases=3)
    assert compact == "\n# does not parse\n# again\n"


def test_compact_feedback_is_words_of_the_tiny_policy_and_comments_to_the_parser(problems) -> None:
    tokenizer = build_tokenizer(feedback=True)
    plain = build_tokenizer()
    assert len(tokenizer) == len(plain) + len(FEEDBACK_WORDS)
    for problem in problems.values():
        told = write_feedback(problem, ACCEPT_ALL, PromptStyle.COMPACT, fresh=True, max_cases=3)
        ids = tokenizer(told)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == told
        assert told.count("\n# wrong on") == 3
        program = oracle(problem)
        assert parse(told + program) == parse(program)
        # The ids of everything else are those of a policy without feedback.
        assert tokenizer(program)["input_ids"] == plain(program)["input_ids"]


def test_a_problem_without_a_label_function_has_no_fresh_tests(problems) -> None:
    problem = problems["contains_ordered"]
    record = Problem(
        "x", "manufactoria", problem.family, "x", "", "two", {}, problem.tests
    )
    with pytest.raises(ConfigError, match=r"no fresh tests"):
        fresh_tests(record)
