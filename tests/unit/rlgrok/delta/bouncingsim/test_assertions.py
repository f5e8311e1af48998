"""Published tests: read for their numbers, never executed."""

from __future__ import annotations

import pytest

from rlgrok.delta.bouncingsim.assertions import (
    Query,
    Setting,
    read_assertion,
    read_assertions,
    write_assertion,
)
from rlgrok.delta.fields import RecordError

FUNCTION = "assert check_distance(predict_position(0.10), [[754.02, 741.23], [1.0, -2.5]]) <= 50.0"
LIST = "assert check_distance(predict_position()[3], [[754.02, 741.23]]) <= 50.0"


def test_both_settings() -> None:
    query = read_assertion(FUNCTION, "x")
    assert query == Query(0.1, None, ((754.02, 741.23), (1.0, -2.5)), 50.0)
    assert write_assertion(query) == FUNCTION
    query = read_assertion(LIST, "x")
    assert (query.time, query.index) == (None, 3)
    assert write_assertion(query) == LIST
    assert read_assertions([FUNCTION])[0] is Setting.FUNCTION


@pytest.mark.parametrize(
    "text",
    [
        "assert True",
        FUNCTION + "; import os",
        FUNCTION.replace("0.10", "__import__('os')"),
        FUNCTION.replace("[[", "[[[").replace("]]", "]]]"),
        FUNCTION.replace("754.02", "[754.02]"),
        FUNCTION.replace(", [1.0, -2.5]", ", []"),
        FUNCTION.replace("<= 50.0", ">= 50.0"),
        FUNCTION.replace("50.0", "1e999"),
        FUNCTION.replace("1.0", "1e999"),
        LIST.replace("[3]", "[-1]"),
        "assert check_distance(predict_position(1), []) <= 50.0",
        "assert check_distance(predict_position(1), " + "[" * 9000 + ") <= 50.0",
        "assert check_distance(predict_position(1), " + "[" * 4000 + "]" * 4000 + ") <= 50.0",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(RecordError):
        read_assertion(text, "ground_truth[0]")


def test_what_a_record_may_hold() -> None:
    with pytest.raises(RecordError, match="0 tests"):
        read_assertions([])
    with pytest.raises(RecordError, match="some tests name a time"):
        read_assertions([FUNCTION, LIST])
    with pytest.raises(RecordError, match=r"ground_truth\[1\]: expected a string"):
        read_assertions([FUNCTION, 5])
