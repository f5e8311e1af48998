"""Config fields with a range, the walk that checks a whole config against its ranges, and configs as plain data.

A config class declares its fields with `setting(...)`; the values live in YAML under `conf/`, so
every field is mandatory here. Types, unknown keys and nulls are checked when the config is
composed; ranges are checked here, with the key's full path in the message.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar, get_args, get_type_hints

from runtime.errors import ConfigError

T = TypeVar("T")

MANDATORY = "???"
"""The value that structured configs read as "must be given"."""


def setting(
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:  # noqa: ANN401 - dataclasses.field is typed the same way
    """A mandatory config field with a closed (`low`, `high`) or open (`above`, `below`) range, or a set of words.

    A list field is checked element by element. None, where the type allows it, is always in range.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below, "choices": choices}
    return dataclasses.field(default=MANDATORY, metadata={"bounds": bounds})


def check_ranges(config: Any, path: str = "") -> None:  # noqa: ANN401 - any config dataclass
    """Check every field of a config dataclass, nested ones included, against its declared range.

    Raises:
        ConfigError: the first value out of range; `where` is the dotted key, `expected` the range.
    """
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        key = f"{path}.{item.name}" if path else item.name
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check_ranges(value, key)
        elif "bounds" in item.metadata:
            bounds = item.metadata["bounds"]
            values = value if isinstance(value, list) else [value]
            for index, element in enumerate(values):
                where = f"{key}[{index}]" if isinstance(value, list) else key
                _check_value(element, bounds, where)


def _check_value(value: Any, bounds: dict[str, Any], where: str) -> None:  # noqa: ANN401
    if value is None:
        return
    choices = bounds["choices"]
    if choices is not None:
        if value not in choices:
            raise ConfigError(
                "value is not one of the choices",
                got=value,
                expected=", ".join(choices),
                where=where,
            )
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    ok = (
        math.isfinite(value)
        and (bounds["low"] is None or value >= bounds["low"])
        and (bounds["high"] is None or value <= bounds["high"])
        and (bounds["above"] is None or value > bounds["above"])
        and (bounds["below"] is None or value < bounds["below"])
    )
    if not ok:
        raise ConfigError(
            "value out of range", got=value, expected=_range_text(bounds), where=where
        )


def _range_text(bounds: dict[str, Any]) -> str:
    words = (("low", "at least"), ("above", "above"), ("high", "at most"), ("below", "below"))
    parts = [f"{text} {bounds[name]}" for name, text in words if bounds[name] is not None]
    return " and ".join(parts) if parts else "a finite number"


def as_plain(config: Any) -> Any:  # noqa: ANN401 - any config dataclass
    """The config as JSON-able nested dicts, enums by value; the inverse of `from_plain`."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {
            item.name: as_plain(getattr(config, item.name)) for item in dataclasses.fields(config)
        }
    if isinstance(config, Enum):
        return config.value
    if isinstance(config, list | tuple):
        return [as_plain(element) for element in config]
    return config


def from_plain(kind: type[T], plain: Mapping[str, Any]) -> T:
    """Build a config dataclass from JSON-able nested dicts, enums by value.

    Types, unknown keys and missing values are the composer's business; this only rebuilds what it
    has accepted.
    """
    hints = get_type_hints(kind)
    return kind(**{key: _rebuild(hints[key], value) for key, value in plain.items()})


def _rebuild(hint: Any, value: Any) -> Any:  # noqa: ANN401 - any annotation of a config field
    if isinstance(value, Mapping):
        return from_plain(hint, value)
    if isinstance(value, list):
        element = get_args(hint)[0]
        return [_rebuild(element, item) for item in value]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
