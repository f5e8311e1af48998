"""Patterns in expected outputs: Python's answers, in bounded time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.patterns import PatternTimeout, matches


def python(pattern: str, tape: str) -> bool:
    """What the specification asks for, by Python's own engine."""
    try:
        return re.fullmatch(pattern, tape) is not None
    except re.error:
        return pattern == tape


PATTERNS = st.recursive(
    st.sampled_from(["R", "B", ".", "[RB]", "", "()"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("({}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "*?", "+?", "??"])),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(pattern=PATTERNS, tape=st.text("RB\n", max_size=5))
def test_a_match_is_pythons(pattern: str, tape: str) -> None:
    assert matches(pattern, tape) is python(pattern, tape)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "R**",
        "*",
        "R|*",
        "R++",
        "(?P<a>R)+",
        "R{2}|",
        r"\w+",
        "(R)\\1|B",
        "^R+$",
        "(?=R).",
        "[^R].",
        "R{1}?.",
    ],
)
@pytest.mark.parametrize("tape", ["R", "RR", "B", ")"])
def test_what_is_outside_the_subset_is_pythons_too(pattern: str, tape: str) -> None:
    assert matches(pattern, tape) is python(pattern, tape)


def test_what_would_take_python_hours_takes_none() -> None:
    assert not matches("(R+)+B", "R" * 5000)
    assert not matches("(R|R)*B", "R" * 5000)
    assert matches("((R*)*)*", "R" * 5000)
    assert not matches("(R?)+" * 200 + "B", "R" * 1000)
    assert matches(".*", "R" * 1_000_000)


def test_what_cannot_be_bounded_is_given_up_and_the_next_is_answered() -> None:
    with pytest.raises(PatternTimeout, match="takes too long to match with 60 symbols"):
        matches(r"(R+)+\Z.", "R" * 60)
    assert matches(r"(R+)+\Z", "R")
    with pytest.raises(PatternTimeout, match="at expected_output"):
        matches("(R?)+" * 300 + "(R|B)+" * 300 + "(.?)+" * 300, "RB" * 2000 + "R" * 40)
