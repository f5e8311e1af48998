"""Declared ranges: closed, open, choices, lists, nesting; the message names the key, the value and the range."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from runtime.errors import ConfigError
from runtime.settings import MANDATORY, check_ranges, setting


@dataclass
class Inner:
    rate: float = setting(above=0, high=1)
    words: str = setting(choices=("one", "two"))


@dataclass
class Outer:
    count: int = setting(low=1, below=10)
    sizes: list[int] = setting(low=2)
    limit: int | None = setting(low=0)
    free: str = field(default=MANDATORY)
    inner: Inner = field(default=MANDATORY)


def make_config(**overrides) -> Outer:
    inner = Inner(rate=overrides.pop("rate", 0.5), words=overrides.pop("words", "one"))
    values = {
        "count": 3,
        "sizes": [2, 3],
        "limit": None,
        "free": "anything",
        "inner": inner,
    } | overrides
    return Outer(**values)


def test_values_in_range_pass():
    check_ranges(make_config())


@pytest.mark.parametrize(
    "override",
    [
        {"count": 1},
        {"count": 9},
        {"rate": 1.0},
        {"rate": 1e-9},
        {"limit": 0},
        {"words": "two"},
        {"sizes": []},
    ],
    ids=str,
)
def test_the_ends_of_a_range(override):
    check_ranges(make_config(**override))


@pytest.mark.parametrize(
    ("override", "where", "expected"),
    [
        ({"count": 0}, "count", "at least 1 and below 10"),
        ({"count": 10}, "count", "at least 1 and below 10"),
        ({"rate": 0.0}, "inner.rate", "above 0 and at most 1"),
        ({"rate": 1.5}, "inner.rate", "above 0 and at most 1"),
        ({"rate": math.nan}, "inner.rate", "above 0 and at most 1"),
        ({"rate": math.inf}, "inner.rate", "above 0 and at most 1"),
        ({"limit": -1}, "limit", "at least 0"),
        ({"words": "three"}, "inner.words", "one, two"),
        ({"sizes": [2, 1]}, "sizes[1]", "at least 2"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_named(override, where, expected):
    with pytest.raises(ConfigError) as caught:
        check_ranges(make_config(**override))
    assert (caught.value.where, caught.value.expected) == (where, expected)


def test_the_path_of_a_group_is_prefixed():
    with pytest.raises(ConfigError, match=r"at top\.inner\.rate"):
        check_ranges(make_config(rate=2.0), "top")


def test_a_setting_without_bounds_still_wants_a_finite_number():
    @dataclass
    class Free:
        value: float = setting()

    check_ranges(Free(value=-1e300))
    with pytest.raises(ConfigError, match="expected a finite number"):
        check_ranges(Free(value=math.inf))
