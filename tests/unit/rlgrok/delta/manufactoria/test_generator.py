"""The benchmark's own tests: the rules of section 5, and the measured ranges of section 6.15."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.generator import (
    FIXED_CORNERS,
    corner_cases,
    delta_tests,
    deterministic_inputs,
)
from rlgrok.types import TestCase
from runtime.seeding import Stream


def test_corner_cases_have_the_fixed_seven_and_at_most_five_more() -> None:
    for colors in ("RB", "RBYG"):
        corners = corner_cases(colors, Stream(0, "corners"))
        assert set(FIXED_CORNERS) <= set(corners)
        assert len(corners) == len(set(corners)) <= len(FIXED_CORNERS) + 5
        assert all(len(tape) <= 2 for tape in set(corners) - set(FIXED_CORNERS))


def test_inputs_start_with_the_three_shortest_and_never_repeat() -> None:
    family = FAMILIES["contains_ordered"]
    inputs = deterministic_inputs(family, {"sequence": "RB"}, "RBYG", Stream(1, "x"))
    assert inputs[:3] == ["", "R", "RB"]
    assert len(inputs) == len(set(inputs))


def test_labels_come_from_the_oracle_and_outputs_are_not_looked_at() -> None:
    tests = delta_tests(FAMILIES["starts_with"], {"sequence": "RB"}, "RB", Stream(0, "x"))
    for test in tests:
        assert test == TestCase(test.input, "", test.input.startswith("RB"), False, "")


def test_a_rare_label_is_drawn_up_to_three_times_where_it_can_be() -> None:
    for seed in range(20):
        family = FAMILIES["contains_substring"]
        tests = delta_tests(family, {"sequence": "R"}, "RB", Stream(seed, "x"))
        assert sum(not test.expected_accepted for test in tests) >= 3


def test_exact_has_one_accepting_test_and_that_is_tolerated() -> None:
    tests = delta_tests(FAMILIES["exact_sequence"], {"sequence": "RBRBR"}, "RB", Stream(0, "x"))
    assert [test.input for test in tests if test.expected_accepted] == ["RBRBR"]


def test_the_cut_keeps_three_of_each_label() -> None:
    """The reference cuts after balancing, so that a label could vanish (G3)."""
    family = FAMILIES["starts_with"]
    many = ["B" + format(number, "06b").replace("0", "R").replace("1", "B") for number in range(60)]
    late = ["RB", "RBR", "RBB", "RBRR"]

    class Long:
        name, kind, label = family.name, family.kind, staticmethod(family.label)

        @staticmethod
        def own_inputs(*_: object) -> list[str]:
            return many + late

    tests = delta_tests(Long, {"sequence": "RB"}, "RB", Stream(0, "x"))
    assert len(tests) == 35
    assert sum(test.expected_accepted for test in tests) == 3


def test_the_same_stream_gives_the_same_tests() -> None:
    family = FAMILIES["contains_ordered"]
    first, again, other = (
        delta_tests(family, {"sequence": "RBB"}, "RB", Stream(seed, "x")) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("family", "colors", "lengths", "fewest", "most", "mean", "accepting", "longest"),
    [
        ("append_sequence", "four", range(1, 5), 12, 17, 15.7, 1.0, 15),
        ("exact_sequence", "two", range(1, 7), 13, 20, 18.1, 0.06, 15),
        ("starts_with", "two", range(1, 7), 13, 18, 16.4, 0.25, 21),
        ("contains_substring", "four", range(1, 5), 18, 30, 27.9, 0.30, 15),
        ("contains_ordered", "four", range(1, 5), 15, 30, 27.2, 0.42, 39),
    ],
)
def test_sizes_and_shares_are_those_measured_on_the_reference(
    family: str,
    colors: str,
    lengths: range,
    fewest: int,
    most: int,
    mean: float,
    accepting: float,
    longest: int,
) -> None:
    """Draws differ from the reference's, so ranges may be off by two tests and one share by .01.

    A kind of input that was left out, or drawn for the wrong lengths, moves the mean by about one test.
    """
    problems = build([family], colors, lengths, seed=11).train
    sizes = [len(problem.tests) for problem in problems]
    shares = [sum(t.expected_accepted for t in p.tests) / len(p.tests) for p in problems]
    assert abs(min(sizes) - fewest) <= 2
    assert abs(max(sizes) - most) <= 1
    assert sum(sizes) / len(sizes) == pytest.approx(mean, abs=0.4)
    assert sum(shares) / len(shares) == pytest.approx(accepting, abs=0.015)
    assert abs(max(len(t.input) for p in problems for t in p.tests) - longest) <= 2
