"""Returned values against the truth: the mean over balls decides, the maximum is reported."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.bouncingsim.assertions import Query
from rlgrok.delta.bouncingsim.scoring import score, score_list

QUERY = Query(0.1, None, ((0.0, 0.0), (100.0, 0.0)), 50.0)


def test_the_mean_decides() -> None:
    result = score(QUERY, [[0, 0], [100, 100]])
    assert (result.passed, result.mean_error, result.max_error) == (True, 50.0, 100.0)
    assert not score(QUERY, [[0, 0], [100, 100.01]]).passed
    assert not score(QUERY, [[0, 0], [100, 100]], by_maximum=True).passed


def test_further_coordinates_are_ignored() -> None:
    assert score(QUERY, [[0, 0, 9], [100, 0, "x"]]).passed


@pytest.mark.parametrize(
    "value",
    [
        None, True, 5, "[[0, 0], [100, 0]]", {"0": [0, 0]}, [], [[0, 0]], [[0, 0], [100, 0], [1, 1]], [[0], [100]],
        [[0, 0], None], [[0, True], [100, 0]], [["0", 0], [100, 0]], [[0, float("nan")], [100, 0]],
        [[0, float("inf")], [100, 0]], [[10**400, 0], [100, 0]], [[0, 0], {"x": 100, "y": 0}],
    ],
)  # fmt: skip
def test_anything_else_fails_with_a_reason(value: Any) -> None:
    result = score(QUERY, value)
    assert not result.passed
    assert result.mean_error is None
    assert result.message


def test_a_list_that_is_too_short_loses_its_end() -> None:
    queries = [Query(None, place, ((0.0, 0.0),)) for place in range(3)]
    passed = [result.passed for result in score_list(queries, [[[0, 0]], [[60, 0]]])]
    assert passed == [True, False, False]
    assert [result.passed for result in score_list(queries, {"0": 1})] == [False] * 3
