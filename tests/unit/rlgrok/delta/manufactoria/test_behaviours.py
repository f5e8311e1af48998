"""Which problems ask for the same function: known pairs, and every pair of a small family against its label."""

from __future__ import annotations

from itertools import combinations

import pytest

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.behaviours import Setting, fingerprints
from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.lookup import find_setting


def setting(problem_id: str) -> Setting:
    family, colors, parameters = find_setting(problem_id, where="test")
    return Setting(family, parameters, colors)


def same(*ids: str) -> bool:
    return len(set(fingerprints([setting(name) for name in ids]))) == 1


@pytest.mark.parametrize(
    "ids",
    [
        ("numerical_comparison:two:>=64", "numerical_comparison:two:>63"),
        ("numerical_comparison:two:<=63", "numerical_comparison:two:<64"),
        ("contains_substring:four:R", "contains_ordered:four:R"),
        ("regex_pattern:four:(R)*(R)*", "regex_pattern:four:(R)*"),
    ],
)
def test_the_same_in_other_words(ids: tuple[str, str]) -> None:
    assert same(*ids)


@pytest.mark.parametrize(
    "ids",
    [
        ("numerical_comparison:two:>=64", "numerical_comparison:two:>64"),
        ("numerical_comparison:two:=200", "numerical_comparison:two:=201"),
        ("contains_substring:four:RBYG", "contains_ordered:four:RBYG"),
        ("contains_substring:two:RB", "contains_substring:four:RB"),
        ("regex_pattern:four:(R)*(R)+", "regex_pattern:four:(R)*"),
    ],
)
def test_different_functions(ids: tuple[str, str]) -> None:
    assert not same(*ids)


def test_marks_agree_exactly_where_the_labels_do() -> None:
    level = find_difficulty("contains_count", "four", "easy")
    family = FAMILIES["contains_count"]
    settings = [Setting(family, found, "four") for found in level.settings(0)[::9]]
    settings += [
        Setting(FAMILIES["contains_ordered"], {"sequence": s}, "four") for s in ("RR", "B", "RRRRR")
    ]
    every_tape = list(tapes(ALPHABETS["four"], 6))
    labels = [
        [one.family.label(one.parameters, tape) for tape in every_tape]  # type: ignore[misc]
        for one in settings
    ]
    marks = fingerprints(settings)
    for one, other in combinations(range(len(settings)), 2):
        assert (marks[one] == marks[other]) == (labels[one] == labels[other])


def test_rewriting_families_are_told_apart_by_what_they_leave() -> None:
    level = find_difficulty("numerical_operations", "two", "hard")
    family = FAMILIES["numerical_operations"]
    settings = [Setting(family, found, "two") for found in level.settings(0)]
    assert len(set(fingerprints(settings))) == len(settings)
    assert len(set(fingerprints([settings[0], settings[0]]))) == 1


def test_without_an_automaton_the_label_decides() -> None:
    level = find_difficulty("regex_same_num", "four", "hard")
    settings = [Setting(FAMILIES["regex_same_num"], found, "four") for found in level.settings(0)]
    patterns = [settings[0], setting("regex_pattern:four:(RB)+")]
    assert len(set(fingerprints(patterns))) == 2
    # Up to five symbols only: what differs beyond is held to be the same, which errs to the safe side.
    shortest = {key: setting(f"regex_same_num:four:{key}") for key in ("R{n}B{n}", "R{n}B{2n}")}
    assert len(set(fingerprints(list(shortest.values())))) == 2
    beyond = [setting(f"regex_same_num:four:{key}") for key in ("R{n+3}B{n+2}", "B{n+3}R{n+2}")]
    assert len(set(fingerprints(beyond))) == 1
