"""Prompts: nine words for the tiny policy, every part in order for a language model, no hidden test in either."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.prompts import FAMILY_WORDS, compact, render
from rlgrok.types import Problem, PromptStyle
from runtime.errors import InputError


def problem_of(family: str, sequence: str = "RBR", colors: str = "two") -> Problem:
    return make_problem(FAMILIES[family], {"sequence": sequence}, colors)


def test_the_compact_prompt_has_nine_words() -> None:
    rendered = render(problem_of("contains_ordered"), PromptStyle.COMPACT)
    assert rendered == "contains_ordered two R B R _ _ _ :"
    assert render(problem_of("starts_with", "YG", "four"), PromptStyle.COMPACT) == (
        "starts_with four Y G _ _ _ _ :"
    )
    assert compact("regex_pattern", "two", "") == "regex_pattern two _ _ _ _ _ _ :"


def test_every_family_has_its_word_among_the_benchmarks_thirteen() -> None:
    assert set(FAMILIES) <= set(FAMILY_WORDS)
    assert len(set(FAMILY_WORDS)) == len(FAMILY_WORDS) == 13


def test_the_compact_prompt_refuses_what_it_has_no_room_for() -> None:
    with pytest.raises(InputError, match=r"no room for the sequence; got RRRRRRR \(7 symbols\)"):
        render(problem_of("contains_ordered", "R" * 7), PromptStyle.COMPACT)


def test_the_full_prompt_has_its_parts_in_order() -> None:
    problem = problem_of("contains_ordered")
    rendered = render(problem, PromptStyle.FULL)
    parts = [
        "# Manufactoria",
        "Robots and tapes",
        "Pull:",
        "Paint:",
        "## Objective",
        "START start:",
        "PULLER_RB name:",
        "PULLER_YG name:",
        "leads to NONE",
        "PAINTER_RED name:",
        "PAINTER_BLUE name:",
        "PAINTER_YELLOW name:",
        "PAINTER_GREEN name:",
        "## Syntax rules",
        "## Example",
        "## Your task",
        problem.criteria,
    ]
    places = [rendered.index(part) for part in parts]
    assert places == sorted(places)
    assert rendered.endswith(problem.criteria)


def test_the_objective_depends_on_whether_outputs_are_looked_at() -> None:
    accept = render(problem_of("starts_with"), PromptStyle.FULL)
    transform = render(problem_of("append_sequence"), PromptStyle.FULL)
    assert "wrong tape" not in accept
    assert "reaches END with a wrong tape" in " ".join(transform.split())


@pytest.mark.parametrize("tests", ["delta", "ladder"])
def test_no_hidden_test_is_in_a_prompt(tests: str) -> None:
    families = ["contains_ordered", "contains_substring", "starts_with", "exact_sequence"]
    for problem in build(families, "two", [3], tests=tests, seed=3).train:
        words = set(render(problem, PromptStyle.FULL).replace("'", " ").replace(",", " ").split())
        shown = words & {test.input for test in problem.tests if len(test.input) > 1}
        assert shown <= {problem.parameters["sequence"]}
