"""Programs that work on the digits of a binary number: and, or, exclusive or, not, and dropping the last ones.

With an operand of k digits only the last k digits of the tape are compared with it, so they are set apart first
(`low_digits.py`), one in a pass, and one more pass writes the result. A few digits are cheaper to hold back all at
once, so both ways are tried and the program with fewer nodes is taken.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families.low_digits import digit_words, passes_of, set_apart
from rlgrok.delta.manufactoria.families.numbers import canonical_digits, digits_of, value_of
from rlgrok.delta.manufactoria.queue_programs import (
    DONE,
    OTHERWISE,
    Step,
    copying,
    dropping,
    queue_program,
    stripping,
)

BITWISE: Mapping[str, Callable[[int, int], int]] = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
NOT_WIDTH = 8
"""`not` changes at least so many digits: a shorter number counts as if R's stood before it."""
_MAX_HELD = 4  # more digits held back at once make more nodes than setting them apart
_Table = dict[Hashable, Mapping[str, Step]]


def bitwise_program(operation: str, operand: int) -> Program:
    """The smaller of the two programs for an operation with a constant.

    Args:
        operation: of `BITWISE`.
        operand: at least 1.
    """
    digits = digits_of(operand)
    ways = [_holding_back(operation, digits)] if len(digits) <= _MAX_HELD else []
    ways.append(_setting_apart(operation, digits))
    return min(ways, key=lambda program: len(program.nodes))


def _setting_apart(operation: str, digits: str) -> Program:
    """One pass a digit, then one over `R high | Y | low | Y` that writes the result."""
    first, rules = set_apart(passes_of("R" * len(digits), 1), Step("Y", "high"))
    begin, later = ("low", 0, False), ("low", 0, True)
    if operation == "and":
        rules |= dropping("high", {"Y": Step("", begin)})
    else:
        rules |= stripping("high", "high, begun", {"Y": Step("", begin)})
        rules |= copying("high, begun", {"Y": Step("", later)})
    for index, digit in enumerate(digits):
        following = min(index + 1, len(digits) - 1)
        for begun in (False, True):
            moves = {}
            for symbol in "RB":
                result = digits_of(BITWISE[operation](value_of(symbol), value_of(digit)))
                painted = result if begun or result == "B" else ""
                moves[symbol] = Step(painted, ("low", following, begun or result == "B"))
            rules["low", index, begun] = {**moves, "Y": DONE}
    return queue_program(first, rules)


def _holding_back(operation: str, digits: str) -> Program:
    """One pass. State (the last digits pulled, whether some before them have been painted)."""
    width = len(digits)
    rules: _Table = {}
    words = [word for length in range(width + 1) for word in digit_words(length)]
    for held in words:
        for begun in (False, True):
            moves = {}
            for symbol in "RB":
                seen = (held + symbol) if begun else (held + symbol).lstrip("R")
                over = "" if operation == "and" else seen[:-width]
                moves[symbol] = Step(over, (seen[-width:], begun or bool(over)))
            result = BITWISE[operation](value_of(held), value_of(digits))
            left = digits_of(result).rjust(width, "R") if begun else canonical_digits(result)
            rules[held, begun] = {**moves, "Y": Step(left, None)}
    return queue_program(Step("Y", ("", False)), rules)


def complement_program() -> Program:
    """`not`: count the digits up to eight, then put what is missing in front as B's and exchange the rest."""
    rules: _Table = {}
    for count in range(NOT_WIDTH):
        longer = {symbol: Step(symbol, count + 1) for symbol in "RB"}
        if count == 0:
            longer["R"] = Step("", 0)
        rules[count] = {**longer, OTHERWISE: Step("Y" + "B" * (NOT_WIDTH - count), "turned")}
    rules |= copying(NOT_WIDTH, {"Y": Step("Y", "leading")})
    rules["turned"] = {"Y": Step("", "exchange")}
    rules["leading"] = {"R": Step("B", "exchange"), "B": Step("", "leading"), "Y": DONE}
    rules["exchange"] = {"R": Step("B", "exchange"), "B": Step("R", "exchange"), "Y": DONE}
    return queue_program(Step("Y", 0), rules)


def shift_program(count: int) -> Program:
    """Drop the last digits, one in a pass; behind the number stand Y's and a G, one symbol for every pass.

    Args:
        count: at least 1.
    """
    rules: _Table = {
        "": {
            "R": Step("", ""),
            "B": Step("", "B"),
            "Y": Step("", ""),
            "G": DONE,
        },
        "marks": {"Y": Step("Y", "marks"), "G": Step("G", "")},
    }
    for held in "RB":
        rules[held] = {
            "R": Step(held, "R"),
            "B": Step(held, "B"),
            "Y": Step("", "marks"),
            "G": DONE,
        }
    return queue_program(Step("Y" * (count - 1) + "G", ""), rules)


def unchanged_program() -> Program:
    """The number as it is, without leading R's."""
    rules = stripping("leading", "rest", {"Y": DONE}) | copying("rest", {"Y": DONE})
    return queue_program(Step("Y", "leading"), rules)


def empty_program() -> Program:
    """The empty tape, whatever the number was."""
    return queue_program(Step("", "drop"), dropping("drop", {OTHERWISE: DONE}))
