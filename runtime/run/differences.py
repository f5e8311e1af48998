"""What differs between two configs, or any two trees of plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "(absent)"
"""Stands for a key that one of the two does not have."""


def config_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Every dotted key whose values differ, with both values, in the order of `old`, then keys only in `new`.

    Lists count as one value. A key that one side lacks has the value `ABSENT` there.
    """
    for key in (*old, *(key for key in new if key not in old)):
        dotted = f"{path}.{key}" if path else str(key)
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from config_differences(before, after, dotted)
        elif before != after or isinstance(before, bool) is not isinstance(after, bool):
            yield dotted, before, after
