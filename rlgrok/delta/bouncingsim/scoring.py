"""From what a program returned to what it is worth: numbers compared with numbers, outside the program's process.

A test passes when the mean over balls of the distance to the truth, rounded to three decimals, is at most the
tolerance, as published; the largest distance is reported beside it, because a mean hides one lost ball among many
(quirk B14).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rlgrok.delta.bouncingsim.assertions import Query


@dataclass(frozen=True)
class TestResult:
    """One test of one program."""

    __test__ = False  # not a pytest class

    passed: bool
    mean_error: float | None = None
    """Metres, over balls; None where no positions were returned."""
    max_error: float | None = None
    message: str = ""
    """Why it failed; empty when passed."""


def score(query: Query, value: object, *, by_maximum: bool = False) -> TestResult:
    """Compare one returned value with one test.

    Args:
        query: the test.
        value: as decoded from JSON.
        by_maximum: hold every ball to the tolerance, not their mean.
    """
    expected = query.positions
    if not isinstance(value, list):
        return TestResult(False, message=f"expected a list of points, got {_kind(value)}")
    if len(value) != len(expected):
        message = f"expected {len(expected)} points, got {len(value)}"
        return TestResult(False, message=message)
    distances = []
    for place, (point, truth) in enumerate(zip(value, expected, strict=True)):
        found = _point(point)
        if found is None:
            return TestResult(
                False, message=f"ball {place + 1}: expected [x, y], got {_kind(point)}"
            )
        distances.append(math.dist(found, truth))
    mean, largest = round(math.fsum(distances) / len(distances), 3), round(max(distances), 3)
    passed = (largest if by_maximum else mean) <= query.tolerance
    message = "" if passed else f"off by {mean:g} m on average, {largest:g} m at most"
    return TestResult(passed, mean, largest, message)


def score_list(
    queries: Sequence[Query], value: object, *, by_maximum: bool = False
) -> list[TestResult]:
    """Compare the one value of the list setting with all tests: a list of points for each time, in order."""
    if not isinstance(value, list):
        message = f"expected a list of lists, got {_kind(value)}"
        return [TestResult(False, message=message) for _ in queries]
    results = []
    for query in queries:
        place = query.index or 0
        if place < len(value):
            results.append(score(query, value[place], by_maximum=by_maximum))
        else:
            results.append(TestResult(False, message=f"no positions for time {place}"))
    return results


def points_of(value: object, count: int) -> list[tuple[float, float]] | None:
    """A returned value as so many points; None where it is none."""
    if not isinstance(value, list) or len(value) != count:
        return None
    points = [_point(point) for point in value]
    return None if None in points else points  # type: ignore[return-value] - none is None


def _point(point: object) -> tuple[float, float] | None:
    """The first two coordinates, both finite numbers."""
    if not isinstance(point, list) or len(point) < 2:
        return None
    x, y = point[0], point[1]
    for value in (x, y):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not abs(value) < 1e300:  # no infinity, no NaN, no integer beyond a float
            return None
    return float(x), float(y)


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    words = {dict: "an object", str: "a string", bool: "a truth value", type(None): "None"}
    return words.get(type(value), f"{value!r}"[:40])
