"""Ladder tests: no nearly right program passes them, every right state earns, and nothing cheap earns much."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.automaton import distinguishing_tape
from rlgrok.delta.manufactoria.canonical import chain_program
from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.dsl import Kind, parse
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.ladder import ladder_tests
from rlgrok.delta.manufactoria.ladder_checks import earnings, false_pairs, false_passes
from rlgrok.delta.manufactoria.mutants import (
    Change,
    Mutator,
    NoLadderError,
    apply_changes,
    drawn_mutants,
    edges_of,
    mutants,
    num_mutants,
    wrong_targets,
)
from rlgrok.delta.manufactoria.oracle_path import OraclePath
from rlgrok.delta.manufactoria.solutions import oracle, oracle_program, solves
from rlgrok.delta.manufactoria.tables import Tables
from rlgrok.types import Problem, TestSource
from runtime.seeding import Stream

CONTAINS = ("contains_ordered", "contains_substring")
ACCEPT_ALL = "START start:\n    NEXT end\nEND end"
REJECT_ALL = "START start:\n    NEXT NONE\nEND end"


def problem_of(family: str, sequence: str, colors: str = "two", seed: int = 0) -> Problem:
    return make_problem(
        FAMILIES[family], {"sequence": sequence}, colors, tests=TestSource.LADDER, seed=seed
    )


def all_problems(family: str, lengths: list[int], seed: int = 0) -> tuple[Problem, ...]:
    return build([family], "two", lengths, tests="ladder", seed=seed).train


@pytest.mark.parametrize("family", CONTAINS)
def test_no_program_within_two_wrong_edges_passes_and_is_wrong(family: str) -> None:
    for problem in all_problems(family, [1, 2, 3]):
        found = false_passes(problem)
        assert (found.num_false, found.first) == (0, None), problem.id
    size = num_mutants(oracle_program(problem), 1) + num_mutants(oracle_program(problem), 2)
    assert found.num_tried == size == 6 * 4 + 15 * 16


@pytest.mark.slow
@pytest.mark.parametrize("family", CONTAINS)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_program_within_two_wrong_edges_passes_and_is_wrong_up_to_five(
    family: str, seed: int
) -> None:
    found = [false_passes(problem) for problem in all_problems(family, [1, 2, 3, 4, 5], seed)]
    assert sum(f.num_tried for f in found) == 67_992
    assert [f.first for f in found if f.num_false] == []


@pytest.mark.slow
@pytest.mark.parametrize("family", CONTAINS)
@pytest.mark.parametrize("length", [2, 3, 4])
def test_drawn_four_colour_mutants_do_not_slip_through(family: str, length: int) -> None:
    """All single wrong edges, and 3000 pairs a problem, drawn apart from those that the tests were mended with."""
    problems = build([family], "four", [length], tests="ladder", seed=0, max_problems=6).train
    found = [false_passes(problem, drawn=3000) for problem in problems]
    assert [f.first for f in found if f.num_false] == []


OTHER_PROBLEMS = [
    ("ends_with", "two", {"sequence": "RBR"}),
    ("ends_with", "four", {"sequence": "G"}),
    ("contains_count", "two", {"requirements": [["R", 2], ["B", 1]]}),
    ("contains_count", "four", {"requirements": [["Y", 2]]}),
    ("numerical_comparison", "two", {"operator": ">", "threshold": 5}),
    ("numerical_comparison", "two", {"operator": ">=", "threshold": 4}),
    ("numerical_comparison", "two", {"operator": "<", "threshold": 3}),
    ("numerical_comparison", "two", {"operator": "<=", "threshold": 1}),
    ("numerical_comparison", "two", {"operator": "=", "threshold": 6}),
    ("regex_pattern", "two", {"parts": [["R", "+"], ["B", "*"]]}),
    ("regex_pattern", "two", {"parts": [["RB", "?"], ["R", "*"]]}),
    ("regex_pattern", "two", {"parts": [["RB", "?"]]}),
    ("regex_pattern", "four", {"parts": [["Y", "*"]]}),
]


@pytest.mark.parametrize(("family", "colors", "parameters"), OTHER_PROBLEMS)
def test_no_program_within_two_wrong_edges_passes_in_the_other_families(
    family: str, colors: str, parameters: dict[str, Any]
) -> None:
    problem = make_problem(FAMILIES[family], parameters, colors, tests=TestSource.LADDER, seed=0)
    found = false_passes(problem)
    program = oracle_program(problem)
    assert (found.num_false, found.first) == (0, None)
    assert found.num_tried == num_mutants(program, 1) + num_mutants(program, 2)
    assert verify(problem, oracle(problem)).full_pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "colors", "difficulty"),
    [
        ("exact_sequence", "two", "basic"),
        ("starts_with", "two", "basic"),
        ("ends_with", "two", "easy"),
        ("ends_with", "two", "medium"),
        ("contains_substring", "four", "easy"),
        ("contains_substring", "four", "hard"),
        ("contains_ordered", "four", "easy"),
        ("contains_ordered", "four", "hard"),
        ("contains_count", "four", "easy"),
        ("numerical_comparison", "two", "easy"),
        ("numerical_comparison", "two", "medium"),
        ("numerical_comparison", "two", "hard"),
        ("regex_pattern", "four", "easy"),
        ("regex_pattern", "four", "medium"),
        ("regex_pattern", "four", "hard"),
    ],
)
def test_no_mutant_of_the_difficulty_tables_slips_through(
    family: str, colors: str, difficulty: str
) -> None:
    """Every pair of wrong edges by the few that could pass, and some drawn ones as texts through the judge."""
    settings = find_difficulty(family, colors, difficulty).settings(seed=0)
    for parameters in settings[:: max(1, len(settings) // 15)]:
        problem = make_problem(FAMILIES[family], parameters, colors, tests=TestSource.LADDER)
        assert false_passes(problem, max_wrong=1).first is None, problem.id
        assert false_pairs(problem).first is None, problem.id
        assert false_passes(problem, drawn=300).first is None, problem.id


@pytest.mark.parametrize("family", ["starts_with", "exact_sequence"])
@pytest.mark.parametrize("sequence", ["R", "BR", "RBB"])
def test_the_other_accept_families_have_ladders_too(family: str, sequence: str) -> None:
    problem = problem_of(family, sequence)
    assert verify(problem, oracle(problem)).full_pass
    assert false_passes(problem).num_false == 0


@pytest.mark.parametrize("family", CONTAINS)
def test_the_benchmarks_own_tests_let_some_through(family: str) -> None:
    """The self-test can fail: with the other tests it does."""
    problems = build([family], "two", [3], tests="delta", seed=0).train
    assert sum(false_passes(problem).num_false for problem in problems) > 0


@pytest.mark.parametrize("family", CONTAINS)
def test_no_right_state_costs_anything_and_nothing_degraded_earns_as_much(family: str) -> None:
    for problem in all_problems(family, [2, 3, 4]):
        found = earnings(problem)
        assert found.is_monotone, problem.id
        assert found.shortened[-1] == 1.0
        assert len(found.shortened) == len(problem.parameters["sequence"])


@pytest.mark.slow
@pytest.mark.parametrize("family", CONTAINS)
def test_earnings_are_monotone_at_length_five(family: str) -> None:
    assert all(earnings(problem).is_monotone for problem in all_problems(family, [5]))


def test_a_program_one_state_short_loses_enough_whichever_state_it_lacks() -> None:
    """The policies that got stuck were one state short and earned .90; every such program must earn clearly less."""
    left_out = [pay for p in all_problems("contains_ordered", [5]) for pay in earnings(p).left_out]
    assert max(left_out) < 0.9
    assert sum(left_out) / len(left_out) < 0.8


@pytest.mark.parametrize("family", CONTAINS)
def test_constant_and_counting_programs_earn_little(family: str) -> None:
    counting = (
        "START start:\n    NEXT a\nPULLER_RB a:\n    [R] b\n    [B] b\n"
        "PULLER_RB b:\n    [R] c\n    [B] c\nPULLER_RB c:\n    [R] end\n    [B] end\nEND end"
    )
    for problem in all_problems(family, [3, 4]):
        assert verify(problem, ACCEPT_ALL).pass_rate < 0.5
        assert verify(problem, REJECT_ALL).pass_rate < 0.6
        assert verify(problem, counting).pass_rate < 0.75


def test_tests_have_the_promised_shape() -> None:
    problem = problem_of("contains_ordered", "RBBRB")
    accepting = [test.input for test in problem.tests if test.expected_accepted]
    rejecting = [test.input for test in problem.tests if not test.expected_accepted]
    assert accepting[0] == "RBBRB"
    assert len(accepting) >= 1 + 3 * 5 + 3
    assert len(rejecting) >= 1 + 3 * 5 + 3
    inputs = [test.input for test in problem.tests]
    assert len(set(inputs)) == len(inputs)
    for position, symbol in enumerate("RBBRB"):
        other = "B" if symbol == "R" else "R"
        assert "RBBRB"[:position] + other + "RBBRB"[position + 1 :] in rejecting
    path = OraclePath(oracle_program(problem), "RB")
    depths = [path.depth(tape) for tape in rejecting]
    assert depths.count(4) > depths.count(3) > 0
    assert min(depths) < 3


def test_detours_fail_every_wrong_target_that_leads_back() -> None:
    """The edge that keeps state 1 on a red symbol: sent back, or to NONE, each of its three tapes is rejected."""
    problem = problem_of("contains_ordered", "RBR")
    program = oracle_program(problem)
    path = OraclePath(program, "RB")
    tapes = path.detours(1, Stream(0, "x"))[:3]
    assert all(path.accepts(tape) for tape in tapes)
    for target in ("n0", "NONE"):
        mutant = Tables(apply_changes(program, [Change(2, 0, target)]))
        assert not any(mutant.accepts(tape) for tape in tapes), target


def test_the_same_stream_gives_the_same_ladder() -> None:
    first, again, other = (problem_of("contains_ordered", "RBB", seed=seed) for seed in (1, 1, 2))
    assert first.tests == again.tests
    assert first.tests != other.tests


@pytest.mark.parametrize(
    "parameters", [{"operator": "<", "threshold": 5}, {"operator": "<=", "threshold": 12}]
)
def test_an_oracle_that_accepts_the_empty_tape_is_seen_the_other_way_round(
    parameters: dict[str, Any],
) -> None:
    """The pattern is then the shortest rejected tape: the first number that is too large."""
    family = FAMILIES["numerical_comparison"]
    path = OraclePath(family.solution(parameters, "RB"), "RB")
    assert path.pattern == {5: "BRB", 12: "BBRB"}[parameters["threshold"]]
    assert not path.accepts("")
    assert path.accepts(path.pattern)
    problem = make_problem(family, parameters, "two", tests=TestSource.LADDER)
    labels = {test.input: test.expected_accepted for test in problem.tests}
    assert labels[path.pattern] is False
    assert labels == {tape: family.label(parameters, tape) for tape in labels}
    assert 0.3 < sum(labels.values()) / len(labels) < 0.7


def test_an_oracle_that_paints_before_it_reads_has_no_ladder() -> None:
    with pytest.raises(NoLadderError, match="accepts every tape or none"):
        ladder_tests(
            FAMILIES["append_sequence"], {"sequence": "R"}, ALPHABETS["two"], Stream(0, "x")
        )
    reads_paint = (
        "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT q\nPULLER_RB q:\n    [R] end\nEND end"
    )
    with pytest.raises(NoLadderError, match="not a finite automaton"):
        Mutator(parse(reads_paint))


def test_earnings_need_one_puller_a_symbol() -> None:
    with pytest.raises(ValueError, match="one puller a symbol"):
        earnings(problem_of("contains_ordered", "RB", "four"))


def test_mutants_are_enumerated_once_each() -> None:
    program = oracle_program(problem_of("contains_ordered", "RB"))
    assert len(edges_of(program)) == 4
    assert wrong_targets(program, 1, 0) == ["n0", "end", "NONE"]
    for num_wrong in (1, 2):
        found = [apply_changes(program, changes) for changes in mutants(program, num_wrong)]
        assert len(found) == len(set(found)) == num_mutants(program, num_wrong)
        assert program not in found


def test_drawn_mutants_have_that_many_wrong_edges() -> None:
    program = oracle_program(problem_of("contains_ordered", "RBR", "four"))
    for changes in drawn_mutants(program, 2, 50, Stream(0, "x")):
        pairs = zip(program.nodes, apply_changes(program, changes).nodes, strict=True)
        different = [
            was != now
            for before, after in pairs
            for was, now in zip(before.edges, after.edges, strict=True)
        ]
        assert sum(different) == 2


@pytest.mark.parametrize(
    ("family", "colors"), [("contains_ordered", "two"), ("exact_sequence", "four")]
)
def test_a_mutants_automaton_is_that_of_the_changed_program(family: str, colors: str) -> None:
    program = oracle_program(problem_of(family, "RB", colors))
    mutator = Mutator(program)
    for changes in mutants(program, 1):
        built = Tables(apply_changes(program, changes)).automaton
        assert distinguishing_tape(mutator.mutant(changes), built, ALPHABETS[colors]) is None


def test_a_distinguishing_tape_is_the_shortest_difference() -> None:
    one, other = (
        Tables(oracle_program(problem_of("contains_ordered", s))).automaton for s in ("RB", "RR")
    )
    assert distinguishing_tape(one, other, "RB") == "RR"
    assert distinguishing_tape(one, one, "RB") is None


def test_no_tape_distinguishes_an_oracle_from_itself_with_a_detour() -> None:
    problem = problem_of("contains_ordered", "R")
    detour = parse(
        "START start:\n    NEXT a\nPULLER_RB a:\n    [R] end\n    [B] b\n"
        "PULLER_RB b:\n    [R] end\n    [B] a\nEND end"
    )
    assert solves(detour, problem)
    automata = Tables(detour).automaton, Tables(oracle_program(problem)).automaton
    assert distinguishing_tape(*automata, "RB") is None


def test_a_chain_of_painters_accepts_every_tape() -> None:
    with pytest.raises(NoLadderError, match="accepts every tape or none"):
        OraclePath(chain_program([Kind.PAINTER_RED]), "RB")
