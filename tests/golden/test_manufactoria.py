"""What must not move by accident: prompts, generated problems, oracle programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.prompts import render
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.types import Problem, PromptStyle, TestSource

WITH_SEQUENCE = (
    "append_sequence",
    "exact_sequence",
    "starts_with",
    "contains_substring",
    "contains_ordered",
)
CASES = [("two", "RBR"), ("four", "YRG")]


def problem_of(family: str, colors: str, sequence: str, tests: TestSource) -> Problem:
    return make_problem(FAMILIES[family], {"sequence": sequence}, colors, tests=tests, seed=0)


@pytest.mark.parametrize("family", ["append_sequence", "contains_ordered"])
def test_full_prompts(golden: Callable[[str, Any], None], family: str) -> None:
    problem = problem_of(family, "two", "RBR", TestSource.DELTA)
    golden(f"manufactoria/prompt-full-{family}.txt", render(problem, PromptStyle.FULL) + "\n")


def test_compact_prompts_and_criteria(golden: Callable[[str, Any], None]) -> None:
    lines = []
    for family in WITH_SEQUENCE:
        for colors, sequence in CASES:
            problem = problem_of(family, colors, sequence, TestSource.DELTA)
            lines += [
                problem.id,
                problem.name,
                problem.criteria,
                render(problem, PromptStyle.COMPACT),
                "",
            ]
    golden("manufactoria/prompts-compact.txt", "\n".join(lines))


def test_oracle_programs(golden: Callable[[str, Any], None]) -> None:
    parts = []
    for family in WITH_SEQUENCE:
        for colors, sequence in CASES:
            problem = problem_of(family, colors, sequence, TestSource.DELTA)
            parts.append(f"# {problem.id}\n{oracle(problem)}\n")
    golden("manufactoria/oracles.txt", "\n".join(parts))


@pytest.mark.parametrize("tests", TestSource)
def test_generated_tests(golden: Callable[[str, Any], None], tests: TestSource) -> None:
    found = {}
    for family in WITH_SEQUENCE:
        if family == "append_sequence" and tests is TestSource.LADDER:
            continue  # a family without rejecting tests has no ladder
        for colors, sequence in CASES:
            problem = problem_of(family, colors, sequence, tests)
            found[problem.id] = [
                [test.input, test.expected_output if test.check_output else test.expected_accepted]
                for test in problem.tests
            ]
    golden(f"manufactoria/tests-{tests}.json", found)


def test_the_default_split(golden: Callable[[str, Any], None]) -> None:
    data = build(["contains_ordered"], "two", [3, 4, 5], heldout_share=0.25, seed=0)
    golden("manufactoria/default-heldout.json", [problem.id for problem in data.heldout])


ACCEPT_CASES = [
    ("ends_with", "two", {"sequence": "RBR"}),
    ("ends_with", "four", {"sequence": "YRG"}),
    ("contains_count", "four", {"requirements": [["R", 2]]}),
    ("contains_count", "two", {"requirements": [["R", 1], ["B", 2]]}),
    ("contains_count", "four", {"requirements": [["B", 1], ["Y", 1], ["G", 1]]}),
    ("numerical_comparison", "two", {"operator": ">", "threshold": 5}),
    ("numerical_comparison", "two", {"operator": ">=", "threshold": 64}),
    ("numerical_comparison", "two", {"operator": "<", "threshold": 12}),
    ("numerical_comparison", "two", {"operator": "<=", "threshold": 3}),
    ("numerical_comparison", "two", {"operator": "=", "threshold": 9}),
    ("regex_pattern", "four", {"parts": [["Y", "+"]]}),
    ("regex_pattern", "four", {"parts": [["RB", "+"], ["G", "*"]]}),
    ("regex_pattern", "two", {"parts": [["R", "?"], ["BR", "+"], ["B", "?"]]}),
    ("regex_same_num", "two", {"runs": [["R", "n"], ["B", "2n"]]}),
    ("regex_same_num", "four", {"runs": [["B", "n+1"], ["R", "n"], ["B", "n+1"]]}),
]


def accept_problems() -> list[Problem]:
    return [
        make_problem(FAMILIES[family], parameters, colors, seed=0)
        for family, colors, parameters in ACCEPT_CASES
    ]


def test_words_and_oracles_of_the_other_families_that_accept(
    golden: Callable[[str, Any], None],
) -> None:
    parts = [f"# {p.id}\n# {p.name}\n# {p.criteria}\n{oracle(p)}\n" for p in accept_problems()]
    golden("manufactoria/accept-oracles.txt", "\n".join(parts))


def test_generated_tests_of_the_other_families_that_accept(
    golden: Callable[[str, Any], None],
) -> None:
    golden(
        "manufactoria/accept-tests.json",
        {
            p.id: [[test.input, test.expected_accepted] for test in p.tests]
            for p in accept_problems()
        },
    )
