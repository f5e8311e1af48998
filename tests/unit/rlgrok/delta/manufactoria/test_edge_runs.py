"""Pairs of wrong edges that pass: the pruned search finds what running every pair as a text finds."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.automaton import encode
from rlgrok.delta.manufactoria.canonical import chain_program
from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.dsl import Kind, format_program, parse
from rlgrok.delta.manufactoria.edge_runs import EdgeRuns, passing_pairs
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.judge import PreparedTests, verify_prepared
from rlgrok.delta.manufactoria.ladder_checks import false_pairs, false_passes
from rlgrok.delta.manufactoria.mutants import apply_changes, mutants, num_mutants
from rlgrok.delta.manufactoria.solutions import oracle_program

SETTINGS = [
    ("contains_ordered", "two", {"sequence": "RBR"}),
    ("contains_substring", "four", {"sequence": "YG"}),
    ("ends_with", "two", {"sequence": "RB"}),
    ("numerical_comparison", "two", {"operator": ">=", "threshold": 4}),
    ("regex_pattern", "four", {"parts": [["Y", "*"]]}),
]


@pytest.mark.parametrize(("family", "colors", "parameters"), SETTINGS)
@pytest.mark.parametrize("num_tests", [0, 4, 9, None])
def test_exactly_the_pairs_that_pass_are_found(
    family: str, colors: str, parameters: dict[str, Any], num_tests: int | None
) -> None:
    problem = make_problem(FAMILIES[family], parameters, colors)
    program = oracle_program(problem)
    tests = problem.tests[:num_tests]
    prepared = PreparedTests(tests)
    passing = [
        changes
        for changes in mutants(program, 2)
        if not tests
        or verify_prepared(format_program(apply_changes(program, changes)), prepared).full_pass
    ]
    codes = [(encode(test.input) or b"", test.expected_accepted) for test in tests]
    assert list(passing_pairs(program, codes)) == passing
    if num_tests == 0:
        assert len(passing) == num_mutants(program, 2)
    assert passing or num_tests is None


@pytest.mark.parametrize(("family", "colors", "parameters"), SETTINGS)
def test_false_pairs_are_counted_as_one_by_one(
    family: str, colors: str, parameters: dict[str, Any]
) -> None:
    problem = make_problem(FAMILIES[family], parameters, colors)
    every, single = false_passes(problem), false_passes(problem, max_wrong=1)
    found = false_pairs(problem)
    assert found.num_false == every.num_false - single.num_false
    assert found.num_tried == every.num_tried - single.num_tried
    assert single.num_false or found.first == every.first


def test_the_limit_on_visits_is_exact() -> None:
    eats = parse("START start:\n    NEXT p\nPULLER_RB p:\n    [R] p\n    [EMPTY] end\nEND end")
    runs = EdgeRuns(eats)
    assert [runs.run((), bytes(n) + b"\x04") for n in (996, 997, 998)] == [
        (True, 3),
        (True, 3),
        (False, 3),
    ]


def test_a_program_that_paints_is_refused() -> None:
    with pytest.raises(ValueError, match="node n1 paints"):
        EdgeRuns(chain_program([Kind.PULLER_RB, Kind.PAINTER_RED]))


def test_tests_of_outputs_are_refused() -> None:
    problem = make_problem(FAMILIES["append_sequence"], {"sequence": "R"}, "two")
    with pytest.raises(ValueError, match="not a test of acceptance"):
        false_pairs(problem)
