"""Errors are one line that says what, got, expected and where; the hint stands apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import CheckpointError, ConfigError, InputError, ToolkitError


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, "bad"),
        ({"got": "x"}, "bad; got x"),
        ({"got": 3}, "bad; got 3"),
        ({"got": ["x"]}, "bad; got ['x']"),
        ({"got": 0, "expected": "at least 1"}, "bad; got 0; expected at least 1"),
        ({"where": Path("a/b")}, "bad; at a/b"),
        (
            {"got": False, "expected": "true", "where": "k.e.y", "hint": "try"},
            "bad; got False; expected true; at k.e.y",
        ),
    ],
)
def test_one_line(parts, line):
    error = ConfigError("bad", **parts)
    assert str(error) == error.one_line() == line
    assert error.hint == parts.get("hint")


def test_a_checkpoint_is_an_input_and_all_are_of_the_toolkit():
    assert issubclass(CheckpointError, InputError)
    assert issubclass(InputError, ToolkitError)
