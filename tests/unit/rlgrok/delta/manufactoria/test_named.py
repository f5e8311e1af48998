"""The named data sets: published sizes, nothing twice, and test problems that no training problem gives away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rlgrok.delta.manufactoria.behaviours import setting_of
from rlgrok.delta.manufactoria.checks import num_duplicates, num_overlapping
from rlgrok.delta.manufactoria.datasets import find_family
from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.named import (
    build_named,
    find_set,
    named_sets,
    root_seed,
    sizes,
    split,
)
from rlgrok.types import TestSource
from runtime.errors import ConfigError

PUBLISHED = {
    "basic_mix": (348, 27),
    "has": (742, 132),
    "regex": (561, 99),
    "compr": (535, 95),
    "ends": (107, 19),
    "mutate": (612, 108),
    "minmax": (501, 11),
    "add": (0, 14),
    "fdiv": (0, 7),
    "bit_op": (0, 21),
    "symm": (0, 100),
}
"""Training and test problems on the hub (delta-manufactoria.md, section 8)."""
OURS = {
    "prepend": (595, 105),
    "contains_ood_mix": (0, 150),
    "compr_hard": (0, 150),
    "regex_hard": (0, 150),
    "prepend_hard": (0, 150),
}
"""Asked for or chosen, and not published."""


@pytest.mark.parametrize("name", named_sets())
def test_a_data_set_has_the_published_size_and_no_problem_twice(name: str) -> None:
    train, test = split(name)
    expected = {**PUBLISHED, **OURS}[name]
    assert (len(train), len(test)) == expected == sizes(name)
    assert find_set(name).published == PUBLISHED.get(name)
    drawn = [*train, *test]
    assert len({one.id for one in drawn}) == len(drawn)
    levels = {(row.family, row.difficulty, row.colors): row.count for row in find_set(name).rows}
    for (family, difficulty, colors), count in levels.items():
        of_level = [
            one.setting.colors
            for one in drawn
            if (one.setting.family.name, one.difficulty) == (family, difficulty)
        ]
        assert set(of_level) == {colors}
        assert len(of_level) == min(count, find_difficulty(family, colors, difficulty).capacity)


@pytest.mark.parametrize("name", ["has", "compr", "regex"])
def test_no_test_problem_asks_for_what_a_training_problem_asks_for(name: str) -> None:
    """In these, some problems ask for the same in other words; in compat they end up on both sides."""
    data = build_named(name)
    assert num_duplicates([*data.train, *data.heldout]) == 0
    assert num_overlapping(data.train, data.heldout) == 0
    leaked = build_named(name, compat=True)
    assert (len(leaked.train), len(leaked.heldout)) == sizes(name)
    assert num_overlapping(leaked.train, leaked.heldout) > 0


def test_the_repeats_of_the_reference_are_there_in_compat_only() -> None:
    """Tier b of prepend lists some mutations twice (G5): the same problem may be in both parts."""
    train, test = split("prepend", compat=True)
    assert {one.id for one in train} & {one.id for one in test}
    train, test = split("prepend")
    assert not {one.id for one in train} & {one.id for one in test}


def test_test_sets_stay_away_from_the_sets_they_go_with() -> None:
    hard, trained = build_named("compr_hard"), build_named("compr")
    assert num_overlapping((*trained.train, *trained.heldout), hard.heldout) == 0
    ids = {problem.id for problem in hard.heldout}
    # `>=128` is `>127`, which compr may hold.
    assert not ids & {"numerical_comparison:two:>=128", "numerical_comparison:two:<128"}


def test_a_level_is_a_set_of_training_problems() -> None:
    level = build_named("ends_with:two:medium")
    assert (len(level.train), len(level.heldout)) == (96, 0)
    assert {problem.difficulty for problem in level.train} == {"medium"}
    same = {problem.id: problem for problem in build_named("ends").train}
    shared = [problem for problem in level.train if problem.id in same]
    assert shared
    assert all(problem == same[problem.id] for problem in shared), "one seed, one set of tests"


def test_problems_carry_what_they_are_rebuilt_from() -> None:
    for problem in build_named("fdiv").heldout:
        family, parameters, colors = setting_of(problem)
        assert family is find_family(problem.family)
        assert (parameters, colors) == (problem.parameters, problem.colors)
        assert problem.difficulty == "easy"
    assert root_seed() == 42


def test_ladder_tests_where_there_are_any() -> None:
    assert build_named("ends", tests=TestSource.LADDER).heldout[0].id == split("ends")[1][0].id
    with pytest.raises(ConfigError, match="ladder tests exist only"):
        build_named("fdiv", tests=TestSource.LADDER)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("hass", "unknown data set; got hass", "did you mean has?"),
        ("end_with:two:easy", "unknown family; got end_with", "did you mean ends_with?"),
        ("ends_with:two:hard", "no such difficulty", "did you mean"),
        ("nothing like it", "unknown data set", None),
    ],
)
def test_unknown_names(name: str, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build_named(name)
    assert (caught.value.hint or "").startswith(hint or "")
    assert caught.value.where == "data.sets"


def test_another_process_draws_the_same(tmp_path: object) -> None:
    """Nothing depends on the hash seed of the interpreter, so not on the order of any set."""
    code = (
        "from rlgrok.delta.manufactoria.named import split\n"
        "print([one.id for part in split('prepend') for one in part])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{[one.id for part in split('prepend') for one in part]}\n"}
