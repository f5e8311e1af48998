"""The difficulty tables: every level of the specification, its capacity, and what a damaged table says."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.difficulties import (
    CAP,
    Certainty,
    all_difficulties,
    find_difficulty,
    read_difficulty,
)
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Ranges
from rlgrok.delta.manufactoria.prompts import FAMILY_WORDS
from rlgrok.delta.manufactoria.selection import Selection
from runtime.errors import ConfigError

PUBLISHED = {
    "exact_sequence:two:basic": 126,
    "starts_with:two:basic": 126,
    "contains_count:four:easy": 194,
    "contains_ordered:four:easy": 340,
    "contains_substring:four:easy": 340,
    "numerical_comparison:two:easy": 315,
    "regex_pattern:four:easy": 60,
    "regex_pattern:four:medium": 3600,
    "prepend_sequence:two:easy": 30,
    "prepend_sequence:two:hard": 720,
    "numerical_operations:two:easy": 7,
    "numerical_operations:two:medium": 21,
    "numerical_operations:two:hard": 14,
    "numerical_max_min:two:medium": 512,
    "regex_same_num:four:hard": 100,
}
ROW = {"ranges": {"lengths": "1-3"}, "capacity": 14, "certainty": "high", "evidence": "a test"}


def row(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (ROW | changes).items() if value is not None}


def test_every_family_has_a_level_and_no_level_stands_twice() -> None:
    levels = all_difficulties()
    assert {level.family for level in levels} == set(FAMILY_WORDS)
    assert len({level.id for level in levels}) == len(levels)
    assert {level.name for level in levels} == {"basic", "easy", "medium", "hard"}


def test_published_counts() -> None:
    capacities = {level.id: level.capacity for level in all_difficulties()}
    assert {key: capacities[key] for key in PUBLISHED} == PUBLISHED
    assert capacities["ends_with:two:easy"] + capacities["ends_with:two:medium"] == 126
    assert capacities["numerical_comparison:two:medium"] >= 315
    assert capacities["append_sequence:four:basic"] >= 125
    assert capacities["prepend_sequence:two:medium"] >= 670


def test_levels_that_the_benchmark_leaves_open_are_marked_and_explained() -> None:
    ours = {level.id for level in all_difficulties() if level.certainty is Certainty.CHOICE}
    assert ours == {
        "contains_count:four:hard",
        "contains_ordered:four:hard",
        "contains_substring:four:hard",
        "numerical_comparison:two:hard",
        "regex_pattern:four:hard",
    }
    assert all(len(level.evidence) > 10 for level in all_difficulties())


@pytest.mark.parametrize(
    "level", [d for d in all_difficulties() if d.family in FAMILIES], ids=lambda d: d.id
)
def test_the_family_makes_what_the_table_says(level: Any) -> None:
    family = FAMILIES[level.family]
    assert family.capacity(ALPHABETS[level.colors], level.ranges) == level.capacity
    settings = level.settings(seed=0)
    assert len(settings) == min(level.capacity, CAP)
    keys = [family.key(parameters) for parameters in settings]
    assert len(set(keys)) == len(keys)
    changed = {
        name for name in vars(Ranges()) if getattr(level.ranges, name) != getattr(Ranges(), name)
    }
    assert changed <= set(family.enumerates)


def test_above_the_cap_the_seed_decides_and_the_choice_is_told() -> None:
    level = find_difficulty("contains_ordered", "four", "hard")
    assert level.settings(0) == level.settings(0)
    assert level.settings(0) != level.settings(1)
    assert level.selected(0).describe() == "1000 of 5120, drawn"
    first = read_difficulty("starts_with", "two", "x", row(cap=3, selection="first"))
    assert first.selection is Selection.FIRST
    assert [p["sequence"] for p in first.settings(0)] == ["R", "B", "RR"]
    assert first.selected(0).describe() == "the first 3 of 14"


def test_an_unknown_level_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match="expected ends_with:two:easy, ends_with:two:medium") as e:
        find_difficulty("ends_with", "two", "hard")
    assert "did you mean" in e.value.hint
    with pytest.raises(ConfigError, match="no such difficulty; got nothing:four:easy; at x"):
        find_difficulty("nothing", "four", "easy", where="x")


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (row(evidence=None), "has other fields.*starts_with.two.easy"),
        (row(mode="first"), "has other fields"),
        (row(ranges={"length": "1-3"}), "unknown colours or range.*lengths"),
        (row(ranges={"lengths": [0]}), "sequence length, or one below 1"),
    ],
)
def test_a_damaged_row_is_told(damaged: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_difficulty("starts_with", "two", "easy", damaged)
