"""Arithmetic in scenes: values, and what is refused."""

from __future__ import annotations

import math

import pytest

from rlgrok.delta.bouncingsim.expressions import ExpressionError, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*pi/(3*sqrt(3))", 2 * math.pi / (3 * math.sqrt(3))),
        ("-(1 + 2) ** 2", -9.0),
        ("log10(pow(10, 3)) - e/e", 2.0),
        ("tau/cosh(0)", math.tau),
        (" 1.5e2 ", 150.0),
    ],
)
def test_value(text: str, value: float) -> None:
    assert evaluate(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "pi.real", "[1][0]", "x", "1 if 1 else 2", "True", "1/0", "sqrt(-1)", "9**9**9", "1e400",
        "pow(x=1, y=2)", "", "(" * 150, "1+" * 150 + "1", "sqrt()", "1j",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text)
