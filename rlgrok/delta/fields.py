"""Records from outside, checked field by field: what every scope's readers share.

Types are taken literally: a number is not a text, 1 is not true. A whole number is a number, a truth value is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPE_WORDS = {str: "a string", bool: "true or false", list: "a list", dict: "an object"}


class RecordError(Exception):
    """A record that cannot be judged.

    Args:
        field: path of the offending field, such as `test_cases[3].input`; empty for the record as a whole.
        what: what is wrong with it.
    """

    def __init__(self, field: str, what: str) -> None:
        self.field = field
        self.what = what
        super().__init__(f"{field}: {what}" if field else what)


def required(fields: Mapping[str, Any], name: str, kind: type, where: str) -> Any:  # noqa: ANN401 - of type kind
    """A field that must be there, of a type.

    Raises:
        RecordError: it is missing or of another type.
    """
    if name not in fields:
        raise RecordError(where, "missing")
    return typed(fields[name], kind, where)


def typed(value: object, kind: type, where: str) -> Any:  # noqa: ANN401 - of type kind
    """The value itself, of a type.

    Raises:
        RecordError: it is of another type.
    """
    if not isinstance(value, kind):
        raise RecordError(where, f"expected {_TYPE_WORDS[kind]}, got {shown(value)}")
    return value


def number(value: object, where: str) -> float:
    """A finite number.

    Raises:
        RecordError: something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(where, f"expected a number, got {shown(value)}")
    if not abs(value) < float("inf"):
        raise RecordError(where, f"expected a finite number, got {value}")
    return float(value)


def shown(value: object) -> str:
    """A value in an error message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
