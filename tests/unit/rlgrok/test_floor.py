"""The floor: what programs earn that do not look at the problem."""

from __future__ import annotations

import pytest

from rlgrok.config import DataConfig
from rlgrok.floor import dense_floor, trivial_floor
from rlgrok.problems import build_problems
from rlgrok.types import Judge
from runtime.settings import from_plain


def problems(tests: str, families: list[str]) -> tuple:
    data = from_plain(
        DataConfig,
        {
            "scope": "manufactoria", "families": families, "colors": "two", "lengths": [3],
            "heldout_share": 0.0, "max_problems": None, "tests": tests,
        },
    )  # fmt: skip
    return build_problems(data, seed=0)[1].train


def test_the_best_program_of_each_family_by_the_reward_that_is_paid() -> None:
    found = problems("delta", ["contains_ordered", "starts_with"])
    by_family = {record["family"]: record for record in trivial_floor("manufactoria", found)}
    assert set(by_family) == {"contains_ordered", "starts_with"}
    # Most of its tests reject, so rejecting everything earns most; balanced, that is half.
    assert by_family["starts_with"]["program"] == "reject all"
    assert by_family["starts_with"]["pass_rate"] == pytest.approx(0.75, abs=0.05)
    assert by_family["starts_with"]["full_pass"] == 0.0
    assert by_family["starts_with"]["balanced"] == pytest.approx(0.5)
    balanced = trivial_floor("manufactoria", found, balanced=True)
    assert {record["family"]: record["program"] for record in balanced}["starts_with"] != "reject all"
    assert 0.5 < dense_floor(balanced, balanced=True) < 0.8
    assert dense_floor(list(by_family.values())) == pytest.approx(
        sum(r["pass_rate"] * r["num_problems"] for r in by_family.values()) / len(found)
    )


def test_under_the_exhaustive_verdict_it_is_another() -> None:
    found = problems("ladder", ["contains_ordered"])
    (tests,) = trivial_floor("manufactoria", found)
    (every,) = trivial_floor("manufactoria", found, judge=Judge.EXHAUSTIVE)
    # A subsequence of three is in most long tapes, so accepting what has a single symbol of it is mostly right.
    assert every["program"] != tests["program"]
    assert every["pass_rate"] > tests["pass_rate"] + 0.2


def test_a_scope_without_such_programs_has_none() -> None:
    assert trivial_floor("bouncingsim", ()) == []
    assert dense_floor([]) is None
