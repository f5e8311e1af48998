"""Data sets: the split, the draw, the ids, and what a user may get wrong."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.types import DataSet, TestSource
from runtime.errors import ConfigError


def make(**changes: Any) -> DataSet:
    arguments = {
        "families": ["contains_ordered"],
        "colors": "two",
        "lengths": [3, 4, 5],
        "heldout_share": 0.25,
        "seed": 0,
    } | changes
    return build(**arguments)


def ids(problems: tuple) -> list[str]:
    return [problem.id for problem in problems]


def test_the_default_split_is_42_and_14() -> None:
    data = make()
    assert (len(data.train), len(data.heldout)) == (42, 14)
    assert data.name == "contains_ordered-two-3-5"
    by_length = [sum(len(p.parameters["sequence"]) == n for p in data.heldout) for n in (3, 4, 5)]
    assert by_length == [2, 4, 8]


def test_parts_are_disjoint_and_ids_unique_and_readable() -> None:
    data = make(families=["contains_ordered", "starts_with"])
    everything = ids(data.train) + ids(data.heldout)
    assert len(set(everything)) == len(everything) == 112
    assert "starts_with:two:RBRBR" in everything


def test_parts_are_in_enumeration_order() -> None:
    assert ids(make(lengths=[2], heldout_share=0.0).train) == [
        f"contains_ordered:two:{s}" for s in ("RR", "RB", "BR", "BB")
    ]


def test_the_seed_decides_everything_and_nothing_else_does() -> None:
    assert make() == make()
    assert ids(make().heldout) != ids(make(seed=1).heldout)
    both = make(families=["contains_ordered", "exact_sequence"])
    alone = {problem.id: problem for problem in make().train + make().heldout}
    together = {problem.id: problem for problem in both.train + both.heldout}
    assert all(together[key] == problem for key, problem in alone.items())
    assert {key for key in ids(both.heldout) if key in alone} == set(ids(make().heldout))


def test_the_kind_of_tests_does_not_move_the_split() -> None:
    ladder = make(lengths=[2, 3], tests=TestSource.LADDER)
    assert ids(ladder.heldout) == ids(make(lengths=[2, 3]).heldout)


def test_max_problems_draws_before_the_split() -> None:
    data = make(max_problems=20)
    assert len(data.train) + len(data.heldout) == 20
    assert set(ids(data.train) + ids(data.heldout)) <= set(ids(make().train) + ids(make().heldout))
    assert ids(make(max_problems=20).train) == ids(data.train)
    assert ids(make(max_problems=20, seed=1).train) != ids(data.train)
    assert make(max_problems=1000) == make()


def test_long_four_colour_sequences_are_drawn_without_listing_them() -> None:
    data = make(colors="four", lengths=[12], max_problems=5, heldout_share=0.2)
    assert (len(data.train), len(data.heldout)) == (4, 1)


def test_two_colour_criteria_say_so_and_four_colour_ones_say_nothing() -> None:
    assert make(lengths=[2]).train[0].criteria.endswith("only red (R) and blue (B) symbols.")
    assert "only" not in make(lengths=[2], colors="four").train[0].criteria


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"families": ["contains_orderd"]}, "did you mean contains_ordered"),
        ({"families": []}, "named once each"),
        ({"families": ["starts_with", "starts_with"]}, "named once each"),
        ({"colors": "three"}, "unknown colours; got three; expected two or four"),
        ({"lengths": []}, "no sequence length"),
        ({"lengths": [0, 1]}, "below 1"),
        ({"heldout_share": 1.0}, "share out of range"),
        ({"lengths": [1], "heldout_share": 0.9}, "no problem is left to train on"),
        ({"lengths": [9], "colors": "four"}, "too many problems"),
        ({"families": ["append_sequence"], "tests": "ladder"}, "ladder tests exist only"),
        (
            {"families": ["regex_same_num"], "tests": "ladder"},
            "no ladder tests for this problem: a program that reads what it has painted",
        ),
        (
            {"families": ["numerical_comparison"], "colors": "four"},
            "numerical_comparison is not defined for these colours; got four; expected two",
        ),
    ],
)
def test_what_a_user_may_get_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**changes)
    assert message in f"{caught.value} {caught.value.hint}"
