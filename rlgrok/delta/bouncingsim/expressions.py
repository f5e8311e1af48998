"""Numbers written as arithmetic, such as a rational multiple of pi and a square root: read, never executed.

Allowed: numbers, + - * / **, parentheses, the constants and functions below. Hand-written scenes use them for
velocities and rotation speeds, and a prompt shows them as they stand.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos,
    "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "exp": math.exp, "log": math.log,
    "log10": math.log10, "pow": math.pow, "abs": abs, "round": round,
}  # fmt: skip
_BINARY: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_UNARY: Mapping[type, Callable[[float], float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
MAX_LENGTH = 200
"""Characters of an expression: enough for any closed form, too few to nest deeply."""


class ExpressionError(ValueError):
    """An expression that is not of this language, or has no finite value."""


def evaluate(text: str) -> float:
    """The value of an expression.

    Raises:
        ExpressionError: a name, an operator or a form that is not allowed, or no finite value.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    try:
        value = float(_value(ast.parse(text.strip(), mode="eval").body))
    except (SyntaxError, ArithmeticError, TypeError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{type(error).__name__}: {error}") from error
    except ExpressionError:
        raise
    except ValueError as error:  # outside of a function's domain
        raise ExpressionError(str(error)) from error
    if not math.isfinite(value):
        raise ExpressionError("no finite value")
    return value


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and not node.keywords
    ):
        return FUNCTIONS[node.func.id](*map(_value, node.args))
    raise ExpressionError(f"not allowed here: {ast.unparse(node)}")
