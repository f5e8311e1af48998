"""The published tests of a scene, read and written: assertion strings, parsed for their numbers and never executed.

assert check_distance(predict_position(0.10), [[754.02, 741.23]]) <= 50.0      the function setting
assert check_distance(predict_position()[0], [[754.02, 741.23]]) <= 50.0       the list setting
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rlgrok.delta.fields import RecordError, number, shown, typed

TOLERANCE_M = 50.0
MAX_TESTS = 1_000
MAX_BALLS = 64
MAX_LENGTH = 10_000
"""Characters of one assertion."""
_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"
_ASSERTION = re.compile(
    r"\s*assert\s+check_distance\(\s*predict_position\(\s*"
    rf"(?:(?P<time>{_NUMBER})\s*\)|\)\s*\[\s*(?P<index>\d{{1,6}})\s*\])"
    rf"\s*,\s*(?P<points>\[[\[\]\d\s,.eE+-]*\])\s*\)\s*<=\s*(?P<tolerance>{_NUMBER})\s*"
)
Point = tuple[float, float]


class Setting(StrEnum):
    """What a program is asked to define."""

    FUNCTION = "function"
    """`predict_position(t)`, for any time."""
    LIST = "list"
    """`predict_position()`, for the times that the prompt names, in their order."""


@dataclass(frozen=True)
class Query:
    """One test: where the balls are at a time, or at the time of that place in the list."""

    time: float | None
    """Seconds; None in the list setting."""
    index: int | None
    """From 0; None in the function setting."""
    positions: tuple[Point, ...]
    tolerance: float = TOLERANCE_M
    """Metres, of the mean over balls."""


def write_assertion(query: Query) -> str:
    """The published text of a test."""
    call = f"({query.time:.2f})" if query.index is None else f"()[{query.index}]"
    points = [[round(float(x), 2), round(float(y), 2)] for x, y in query.positions]
    return f"assert check_distance(predict_position{call}, {points}) <= {query.tolerance}"


def read_assertions(texts: object, where: str = "ground_truth") -> tuple[Setting, list[Query]]:
    """The tests of a record, all of one setting.

    Raises:
        RecordError: a text that is not such an assertion; both settings; no test, or too many.
    """
    given = typed(texts, list, where)
    if not 0 < len(given) <= MAX_TESTS:
        raise RecordError(where, f"{len(given)} tests, expected 1 to {MAX_TESTS}")
    queries = [read_assertion(text, f"{where}[{place}]") for place, text in enumerate(given)]
    settings = {Setting.FUNCTION if one.index is None else Setting.LIST for one in queries}
    if len(settings) > 1:
        raise RecordError(where, "some tests name a time, others a place in a list")
    return settings.pop(), queries


def read_assertion(text: object, where: str) -> Query:
    """One test.

    Raises:
        RecordError: the text is not such an assertion.
    """
    line = typed(text, str, where)
    found = _ASSERTION.fullmatch(line) if len(line) <= MAX_LENGTH else None
    if found is None:
        raise RecordError(
            where,
            "expected assert check_distance(predict_position(T), [[x, y], ...]) <= TOLERANCE, or "
            f"predict_position()[I] in place of predict_position(T); got {shown(line)}",
        )
    try:
        points = json.loads(found["points"])
    except (ValueError, RecursionError) as error:
        raise RecordError(where, f"no list of points: {shown(found['points'])}") from error
    time, index = found["time"], found["index"]
    return Query(
        time=None if time is None else float(time),
        index=None if index is None else int(index),
        positions=_points(points, where),
        tolerance=float(found["tolerance"]),
    )


def _points(points: Sequence[object], where: str) -> tuple[Point, ...]:
    if not 0 < len(points) <= MAX_BALLS:
        raise RecordError(where, f"{len(points)} points, expected 1 to {MAX_BALLS}")
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise RecordError(where, f"expected a point [x, y], got {shown(point)}")
    return tuple((number(x, where), number(y, where)) for x, y in points)  # type: ignore[misc] - pairs
