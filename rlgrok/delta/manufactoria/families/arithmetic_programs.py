"""Programs that add a constant to a binary number or subtract one.

The lowest digits are worked first (`low_digits.py`). What is left is one step of counting: the last R of the high
digits becomes B and every B behind it R (for subtraction the colours change roles). Which R is the last, a program
knows only at the end of a pass, and with a finite memory it can carry only so much of that knowledge into the next
pass. So it halves: it marks every R that a B or the end follows (with G), counts them modulo 2, and in the next pass
keeps every second mark, the last one surely, counting again what it keeps. One mark is left after about log2(n/2)
passes. Ten to eleven passes at 40 digits, two visits a digit, stay below the thousand that a run has.

The tape during a search is `high | Y | low | Y`, each part of R, B and marks; without low digits it is `high | Y`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families.low_digits import (
    CARRY,
    NO_CARRY,
    passes_of,
    set_apart,
)
from rlgrok.delta.manufactoria.families.numbers import digits_of
from rlgrok.delta.manufactoria.queue_programs import (
    DONE,
    OTHERWISE,
    Step,
    copying,
    dropping,
    queue_program,
    stripping,
)

MAX_LOW_PASSES = 3
"""More would leave too few visits for the search at 40 digits."""
_MARK = "G"
_Table = dict[Hashable, Mapping[str, Step]]


def sum_program(operand: int, *, subtract: bool = False) -> Program:
    """The program that leaves the number on the tape plus, or minus, the operand.

    Args:
        operand: at least 1.
        subtract: instead of add. Where the operand is not smaller, the empty tape is left.
    """
    # What remains to be added of a power of two, with its lowest digits done, is the carry of the search.
    certain = operand & (operand - 1) == 0
    digits = "R" * (operand.bit_length() - 1) if certain else digits_of(operand)
    passes = passes_of(digits, max(1, -(-len(digits) // MAX_LOW_PASSES)))
    if not passes:
        rules = _marking(subtract, low=False, certain=True) | _search(subtract, low=False)
        return queue_program(Step("Y", "strip"), rules)
    then = Step("Y", ("marks", 0, ""))
    first, rules = set_apart(passes, then, subtract=subtract)
    rules |= _marking(subtract, low=True, certain=certain) | _search(subtract, low=True)
    return queue_program(first, rules)


def _colors(subtract: bool) -> tuple[str, str]:
    """The digit that ends a carry, and the digit that passes it on."""
    return ("B", "R") if subtract else ("R", "B")


def _marking(subtract: bool, *, low: bool, certain: bool) -> _Table:
    """The pass that sets the marks. State ("marks", how many: 0, 1 odd, 2 even; digit held back).

    Args:
        subtract: instead of add.
        low: low digits follow the separator.
        certain: there is always something to carry; otherwise the separator says so.
    """
    ends, passes_on = _colors(subtract)
    found = {1: Step("Y", "odd"), 2: Step("Y", "even"), 0: _nowhere(subtract, low)}
    rules: _Table = {}
    for count in found:
        more = 2 if count == 1 else 1
        stops = {NO_CARRY if certain else CARRY: found[count]}
        if not certain:
            stops[NO_CARRY] = Step("", "unmark after low")
        ended = ("marked", more)
        rules["marks", count, ""] = {
            ends: Step("", ("marks", count, ends)),
            passes_on: Step(passes_on, ("marks", count, "")),
            **stops,
        }
        rules["marks", count, ends] = {
            ends: Step(ends, ("marks", count, ends)),
            passes_on: Step(_MARK + passes_on, ("marks", more, "")),
            OTHERWISE: Step(_MARK, ended),
        }
        rules["marked", count] = stops
    rules["strip"] = {
        "R": Step("", "strip"),
        "B": rules["marks", 0, ""]["B"],
        "Y": _nowhere(subtract, low),
    }
    restored = "unmark leading" if subtract else "unmark first"
    rules |= copying("unmark after low", {"Y": Step("Y", restored)})
    rules["unmark first"] = {"R": Step("", "unmark"), _MARK: Step("", "unmark")}
    rules["unmark leading"] = {
        "R": Step("", "unmark leading"),
        "B": Step("B", "unmark"),
        _MARK: Step(ends, "unmark"),
        "Y": DONE,
    }
    return rules | copying("unmark", {_MARK: Step(ends, "unmark"), "Y": DONE})


def _nowhere(subtract: bool, low: bool) -> Step:
    """No digit ends the carry: the sum has one digit more, the difference is negative.

    With low digits the R in front of the high ones always ends a carry of an addition, so that case is never met.
    """
    if subtract:
        return Step("", "drain")
    return Step("Y", "odd") if low else Step("YB", "carried")


def _search(subtract: bool, *, low: bool) -> _Table:
    """Halve the marks until one is left, then carry from there to the end of the high digits."""
    ends, passes_on = _colors(subtract)
    keep, drop = _MARK, ends
    again = {"odd": Step("Y", "odd"), "even": Step("Y", "even")}
    rules: _Table = {}
    # An odd number of marks: the first is kept, and then every second one; an even number: the second, and so on.
    rules |= copying("odd", {_MARK: Step(keep, "one"), "Y": again["odd"]})
    rules |= copying("even", {_MARK: Step(drop, "odd"), "Y": again["even"]})
    rules |= copying(
        "one", {_MARK: Step(drop, "odd, next"), "Y": Step("Y", "low" if low else "first")}
    )
    rules |= copying("odd, next", {_MARK: Step(keep, "even kept")})
    rules |= copying("even kept", {_MARK: Step(drop, "even, next"), "Y": again["even"]})
    rules |= copying("even, next", {_MARK: Step(keep, "odd kept")})
    rules |= copying("odd kept", {_MARK: Step(drop, "odd, next"), "Y": again["odd"]})
    # One mark: what stands before it stays, the digits from it on change.
    rules |= copying("low", {"Y": Step("Y", "first")})
    changed = Step(passes_on, "carried")
    rules["first"] = {"R": Step("", "before"), "B": Step("B", "before"), _MARK: changed}
    if subtract:
        rules["first"] = {
            "R": Step("", "first"),
            "B": Step("B", "before"),
            _MARK: Step("", "carried first"),
        }
    after, after_nothing = (Step("", "rest"), Step("", "rest, leading")) if low else (DONE, DONE)
    rules |= copying("before", {_MARK: changed})
    rules["carried"] = {passes_on: Step(ends, "carried"), "Y": after}
    rules["carried first"] = {passes_on: Step(ends, "carried"), "Y": after_nothing}
    rules |= copying("rest", {"Y": DONE}) | stripping("rest, leading", "rest", {"Y": DONE})
    return rules | dropping("drain", {"Y": Step("", "drain"), OTHERWISE: DONE})
