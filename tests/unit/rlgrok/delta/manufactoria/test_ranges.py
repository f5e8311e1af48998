"""The record of what is enumerated: defaults, changes, and what a user may get wrong."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.manufactoria.families import DEFAULT_RANGES, FAMILIES, Ranges
from rlgrok.delta.manufactoria.families.ranges import Mutations
from runtime.errors import ConfigError


def test_defaults_are_those_of_the_specification() -> None:
    assert list(DEFAULT_RANGES.lengths) == [1, 2, 3, 4, 5, 6]
    assert list(DEFAULT_RANGES.counts) == list(range(1, 12))
    assert (min(DEFAULT_RANGES.thresholds), max(DEFAULT_RANGES.thresholds)) == (1, 256)
    assert (DEFAULT_RANGES.regex_parts, list(DEFAULT_RANGES.regex_lengths)) == (2, [1, 2, 3])
    assert "".join(DEFAULT_RANGES.regex_operators) == "+?*"
    assert len(DEFAULT_RANGES.operands) == 15
    assert DEFAULT_RANGES.max_shift == 7
    assert DEFAULT_RANGES.extrema == ("max", "min")
    assert DEFAULT_RANGES.mutations is Mutations.SYMBOLS
    assert not DEFAULT_RANGES.repeated_mutations


def test_a_change_leaves_the_rest_and_equal_ranges_are_equal() -> None:
    changed = DEFAULT_RANGES.changed(thresholds=range(1, 64), mutations="patterns")
    assert changed.thresholds == tuple(range(1, 64))
    assert changed.mutations is Mutations.PATTERNS
    assert changed.changed(thresholds=range(1, 257), mutations="symbols") == DEFAULT_RANGES
    assert hash(Ranges(lengths=[1])) == hash(Ranges(lengths=(1,)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lengths": []}, "no sequence length, or one below 1"),
        ({"counts": [0]}, r"no number of required symbols.*got \[0\].*at data.counts"),
        ({"thresholds": [-1, 3]}, "no threshold, or one below 0"),
        ({"regex_parts": 0}, "no number of parts"),
        ({"operations": ["add", "mul"]}, "unknown operations.*expected add, subtract"),
        ({"regex_operators": []}, "unknown regex_operators, or none"),
        ({"mutations": "some"}, "unknown mutations; got some; expected none, symbols, patterns"),
    ],
)
def test_what_a_user_may_get_wrong(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ranges(**values)


def test_families_name_fields_that_exist() -> None:
    fields = set(vars(DEFAULT_RANGES))
    for family in FAMILIES.values():
        assert bool(family.enumerates) == (family.name != "regex_same_num")
        assert set(family.enumerates) <= fields
