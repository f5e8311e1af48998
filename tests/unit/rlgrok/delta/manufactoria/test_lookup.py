"""Problems by id: every family's ids lead back to their setting, and a wrong one to the nearest."""

from __future__ import annotations

import pytest

from rlgrok.delta.manufactoria.datasets import problem_id
from rlgrok.delta.manufactoria.difficulties import all_difficulties
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.lookup import find_setting, find_solution
from runtime.errors import ConfigError


@pytest.mark.parametrize("name", FAMILIES)
def test_an_id_leads_back_to_its_setting(name: str) -> None:
    family = FAMILIES[name]
    level = next(level for level in all_difficulties() if level.family == name)
    alphabet = ALPHABETS[level.colors]
    last = min(level.capacity, 200) - 1
    for index in {0, last}:
        parameters = family.nth(alphabet, level.ranges, index)
        found = find_setting(problem_id(family, parameters, level.colors), where="x")
        assert found == (family, level.colors, parameters)


def test_beyond_the_difficulty_table() -> None:
    assert find_setting("exact_sequence:four:RBYGRB", where="x")[1] == "four"


def test_a_solution_is_the_familys() -> None:
    program = find_solution("append_sequence:two:RB", where="x")
    assert [str(node.kind) for node in program.nodes] == [
        "START",
        "PAINTER_RED",
        "PAINTER_BLUE",
        "END",
    ]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("append_sequence:two:RBX", "did you mean append_sequence:two:RB"),
        ("apend_sequence:two:RB", "did you mean append_sequence?"),
        ("append_sequence:three:RB", None),
        ("append_sequence", None),
        ("", None),
    ],
)
def test_a_wrong_id_is_told(wrong: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        find_setting(wrong, where="--solution")
    assert caught.value.where == "--solution"
    assert (hint is None and not caught.value.hint) or caught.value.hint.startswith(hint)
