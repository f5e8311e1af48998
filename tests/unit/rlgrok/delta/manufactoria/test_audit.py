"""What tests pay for nothing, and when they are fooled: against exact numbers of small cases."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria import audit
from rlgrok.delta.manufactoria.checks import SetCheck, check_set, num_duplicates, why_unsolved
from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.types import Problem, TestSource


def problem(
    family: str, sequence: str = "RB", tests: TestSource = TestSource.DELTA, colors: str = "two"
) -> Problem:
    return make_problem(FAMILIES[family], {"sequence": sequence}, colors, tests=tests)


@pytest.mark.parametrize("colors", ALPHABETS)
def test_trivial_programs_do_what_they_are_called(colors: str) -> None:
    programs = audit.trivial_programs(ALPHABETS[colors])
    expected = {
        "accept all": lambda tape: True,
        "reject all": lambda tape: False,
        "drain": lambda tape: True,
        "empty tape": lambda tape: not tape,
        "any symbol": lambda tape: bool(tape),
        "even length": lambda tape: len(tape) % 2 == 0,
        "odd length": lambda tape: len(tape) % 2 == 1,
    }
    for symbol in ALPHABETS[colors]:
        expected[f"first {symbol}"] = lambda tape, symbol=symbol: tape[:1] == symbol
        expected[f"some {symbol}"] = lambda tape, symbol=symbol: symbol in tape
    assert set(programs) == set(expected)
    last = ALPHABETS[colors][-1]
    for tape in ("", "R", last, "RB", last + "R", "BRB", "R" + last + "RR", "BB" + last):
        for name, text in programs.items():
            result = run(parse(text), tape)
            assert result.finished == expected[name](tape), (name, tape)
            if name in ("accept all", "drain"):
                assert result.final_tape == ("" if name == "drain" else tape)


def test_constant_programs_earn_the_shares_of_the_labels_and_balanced_one_half() -> None:
    one = problem("exact_sequence")
    accepting = sum(test.expected_accepted for test in one.tests) / len(one.tests)
    rows = {row.program: row for row in audit.trivial_earnings([one])}
    assert rows["accept all"].pass_rate == pytest.approx(accepting)
    assert rows["reject all"].pass_rate == pytest.approx(1 - accepting)
    assert rows["reject all"].balanced == rows["accept all"].balanced == 0.5
    assert all(row.full_pass == 0 for row in rows.values())
    (tests,) = audit.family_tests([one])
    assert (tests.num_problems, tests.num_tests) == (1, len(one.tests))
    assert tests.accepting_share == pytest.approx(accepting)


def test_a_trivial_program_may_be_right() -> None:
    rows = audit.trivial_earnings([problem("starts_with", "R"), problem("starts_with", "RRB")])
    assert {row.program: row.full_pass for row in rows}["first R"] == 0.5


def test_balanced_is_plain_where_every_tape_is_accepted() -> None:
    for row in audit.trivial_earnings([problem("append_sequence", "R", colors="four")]):
        assert row.pass_rate == row.balanced


def test_near_misses_are_drawn_once_and_depend_on_the_seed_only() -> None:
    one = problem("contains_ordered", "RBR")
    found = list(audit.near_misses(one, 30))
    assert len(set(found)) == len(found) > 30
    assert oracle(one) not in found
    assert found == list(audit.near_misses(one, 30))
    assert found != list(audit.near_misses(one, 30, seed=1))


def test_false_passes_are_passes_that_are_wrong_elsewhere() -> None:
    """The benchmark's tests of a short pattern are fooled by near misses; ladder tests are not."""
    counts = {}
    for tests in TestSource:
        one = problem("exact_sequence", "RBRB", tests)
        pairs = [(one, text) for text in audit.near_misses(one, 60)] + [(one, oracle(one))]
        (counts[tests],) = audit.false_passes(pairs)
    delta, ladder = counts[TestSource.DELTA], counts[TestSource.LADDER]
    assert delta.num_programs == ladder.num_programs
    assert delta.num_false > 0 == ladder.num_false
    assert delta.first_problem == "exact_sequence:two:RBRB"
    assert delta.false_share == delta.num_false / delta.num_full_pass
    assert ladder.num_full_pass >= 1
    assert audit.FalsePassCount("x", 3, 0, 0, None, None).false_share is None


def test_some_problems_of_each_family() -> None:
    data = build(["starts_with", "exact_sequence"], "two", [1, 2])
    some = audit.some_of_each_family(data.train, 4)
    assert [one.family for one in some] == ["starts_with"] * 4 + ["exact_sequence"] * 4
    assert len(audit.some_of_each_family(data.train, 99)) == 12


def test_a_set_that_keeps_its_promises() -> None:
    found = check_set("fdiv")
    assert found.passed
    assert (found.num_train, found.num_test, found.published) == (0, 7, (0, 7))
    assert (found.solved_share, found.first_unsolved) == (1.0, None)


@pytest.mark.parametrize(
    ("duplicates", "overlapping", "unsolved"), [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
)
def test_a_set_that_does_not(duplicates: int, overlapping: int, unsolved: int) -> None:
    found = SetCheck("x", 5, 5, None, duplicates, overlapping, unsolved, None, 0.0)
    assert not found.passed
    assert not SetCheck("x", 0, 0, None, 0, 0, 0, None, 0.0).passed


def test_a_problem_twice_and_one_that_nothing_solves_are_found() -> None:
    one = problem("starts_with")
    assert num_duplicates([one, one, problem("starts_with", "RR")]) == 1
    assert why_unsolved(one) is None
    flipped = [(t.input, not t.expected_accepted) for t in one.tests]
    wrong = Problem(
        **{
            **{name: getattr(one, name) for name in one.__dataclass_fields__},
            "tests": tuple(
                type(one.tests[0])(tape, expected_accepted=label, check_output=False)
                for tape, label in flipped
            ),
        }
    )
    assert "tests failed" in str(why_unsolved(wrong))
