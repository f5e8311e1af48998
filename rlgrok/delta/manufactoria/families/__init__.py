"""The families of Manufactoria: one file each, one table of all. A new family is a file, a line here, and its tests."""

from __future__ import annotations

from collections.abc import Mapping

from rlgrok.delta.manufactoria.families import (
    append_sequence,
    contains_count,
    contains_ordered,
    contains_substring,
    ends_with,
    exact_sequence,
    numerical_comparison,
    numerical_max_min,
    numerical_operations,
    prepend_sequence,
    regex_pattern,
    regex_same_num,
    starts_with,
)
from rlgrok.delta.manufactoria.families.family import ALPHABETS, Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.ranges import DEFAULT_RANGES, Ranges

__all__ = [
    "ALPHABETS",
    "DEFAULT_RANGES",
    "FAMILIES",
    "Family",
    "FamilyKind",
    "Parameters",
    "Ranges",
]

FAMILIES: Mapping[str, Family] = {
    module.FAMILY.name: module.FAMILY
    for module in (
        append_sequence,
        prepend_sequence,
        exact_sequence,
        starts_with,
        ends_with,
        contains_substring,
        contains_ordered,
        contains_count,
        numerical_comparison,
        numerical_max_min,
        numerical_operations,
        regex_pattern,
        regex_same_num,
    )
}
