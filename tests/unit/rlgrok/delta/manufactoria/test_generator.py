"""The benchmark's own tests: the rules of section 5, and the measured ranges of section 6.15."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.families import FAMILIES, Ranges
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
    ("family", "colors", "ranges", "fewest", "most", "mean", "accepting", "longest"),
    [
        ("append_sequence", "four", {"lengths": (1, 2, 3, 4)}, 12, 17, 15.7, 1.0, 15),
        ("exact_sequence", "two", {}, 13, 20, 18.1, 0.06, 15),
        ("starts_with", "two", {}, 13, 18, 16.4, 0.25, 21),
        ("ends_with", "two", {}, 15, 21, 19.5, 0.27, 27),
        ("contains_substring", "four", {"lengths": (1, 2, 3, 4)}, 18, 30, 27.9, 0.30, 15),
        ("contains_ordered", "four", {"lengths": (1, 2, 3, 4)}, 15, 30, 27.2, 0.42, 39),
        ("contains_count", "four", {"counts": range(1, 7)}, 18, 23, 21.5, 0.30, 18),
        ("numerical_comparison", "two", {"thresholds": range(1, 64)}, 11, 29, 25.5, 0.46, 9),
        ("numerical_comparison", "two", {"thresholds": range(64, 128)}, 22, 29, 27.1, 0.46, 9),
        (
            "regex_pattern",
            "four",
            {"regex_parts": 1, "regex_lengths": (1, 2)},
            12,
            18,
            15.2,
            0.18,
            8,
        ),
        ("regex_pattern", "four", {"regex_lengths": (1, 2)}, 14, 24, 19.8, 0.21, 16),
        ("regex_same_num", "four", {}, 20, 28, 24.9, 0.16, 24),
    ],
)
def test_sizes_and_shares_are_those_measured_on_the_reference(
    family: str,
    colors: str,
    ranges: dict[str, Any],
    fewest: int,
    most: int,
    mean: float,
    accepting: float,
    longest: int,
) -> None:
    """Draws differ from the reference's, so ranges may be off by two tests and one share by .01.

    A kind of input that was left out, or drawn for the wrong lengths, moves the mean by about one test.
    """
    problems = build([family], colors, ranges=Ranges(**ranges), max_problems=400, seed=11).train
    sizes = [len(problem.tests) for problem in problems]
    shares = [sum(t.expected_accepted for t in p.tests) / len(p.tests) for p in problems]
    assert abs(min(sizes) - fewest) <= 2
    assert abs(max(sizes) - most) <= 1
    assert sum(sizes) / len(sizes) == pytest.approx(mean, abs=0.4)
    assert sum(shares) / len(shares) == pytest.approx(accepting, abs=0.015)
    assert abs(max(len(t.input) for p in problems for t in p.tests) - longest) <= 2
