"""The last digits of a binary number on the tape, set apart and changed a few at a time.

A run meets the highest digit first, but sums are worked from the lowest, and which digits are the last is known only
when they are. So every pass over the tape holds back as many digits as it wants, and puts them behind a separator when
the separator comes:

    high digits | Y or G | low digits | G for every pass that is left

Here Y and G say whether something is to be carried into the next higher digit. The number has no leading R's but one,
which every pass puts in front anew: with it the high digits never run out, and the separator cannot be taken for one
of the G's that count the passes. One pass costs about two visits a symbol; it has 2^w states to hold back w digits.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import product
from typing import NamedTuple

from rlgrok.delta.manufactoria.families.numbers import digits_of, value_of
from rlgrok.delta.manufactoria.queue_programs import OTHERWISE, Rules, Step, copying

NO_CARRY, CARRY = "Y", "G"


class Passes(NamedTuple):
    """The same pass several times.

    Args:
        digits: added to the digits that a pass sets apart, or subtracted; their number is the pass's width.
        count: passes.
    """

    digits: str
    count: int


def passes_of(digits: str, width: int) -> list[Passes]:
    """Passes that add or subtract the digits from the lowest on, `width` in a pass; equal ones put together.

    Digits that are all R only set as many apart.
    """
    chunks = [digits[max(0, end - width) : end] for end in range(len(digits), 0, -width)]
    passes: list[Passes] = []
    for chunk in chunks:
        if passes and passes[-1].digits == chunk:
            passes[-1] = Passes(chunk, passes[-1].count + 1)
        else:
            passes.append(Passes(chunk, 1))
    return passes


def set_apart(
    passes: Sequence[Passes], then: Step, *, subtract: bool = False
) -> tuple[Step, dict[Hashable, Rules]]:
    """The first step and the rules that leave `R high separator low` on the tape and take the step `then`.

    Args:
        passes: at least one.
        then: its painting goes behind the low digits; its state finds the front of the high digits.
        subtract: instead of add; a carry is then a borrow. Digits beyond the front count as R.
    """
    starts = [Step(CARRY * p.count + "R", (i, "")) for i, p in enumerate(passes)]
    carries = any("B" in p.digits for p in passes)
    rules: dict = {}
    for index, one in enumerate(passes):
        following = [*starts, then][index + 1]
        rules |= _holding_back(index, one.digits, carries, subtract)
        low, used, left = (index, "low"), (index, "used"), (index, "left")
        if one.count == 1:
            rules |= copying(low, {"G": following})
        else:
            rules |= copying(low, {"G": Step("", used)})
            rules[used] = {"G": Step("G", left), OTHERWISE: following}
            rules[left] = {"G": Step("G", left), OTHERWISE: Step("R", (index, ""))}
    return Step(NO_CARRY + starts[0].paint, starts[0].then), rules


def _holding_back(index: int, digits: str, carries: bool, subtract: bool) -> dict:
    """States (index, held) with the last digits pulled; fewer than the width only while there are no more."""
    width = len(digits)
    short = [""] + ["B" + word for length in range(width - 1) for word in digit_words(length)]
    rules: dict = {}
    for held in (*short, *digit_words(width)):
        moves = {}
        for symbol in "RB":
            seen = held + symbol
            if seen == "R":  # a leading one
                seen = ""
            over = max(0, len(seen) - width)
            moves[symbol] = Step(seen[:over], (index, seen[over:]))
        for separator in (NO_CARRY, CARRY) if carries else (NO_CARRY,):
            result, carry = _added(held, digits, separator == CARRY, subtract)
            moves[separator] = Step((CARRY if carry else NO_CARRY) + result, (index, "low"))
        rules[index, held] = moves
    return rules


def _added(held: str, digits: str, carry: bool, subtract: bool) -> tuple[str, bool]:
    """Sum or difference with as many digits as `digits`, and whether there is a carry or borrow."""
    sign = -1 if subtract else 1
    size = 1 << len(digits)
    total = value_of(held) + sign * (value_of(digits) + carry)
    return digits_of(total % size).rjust(len(digits), "R"), not 0 <= total < size


def digit_words(length: int) -> list[str]:
    """Every number of so many digits, the smallest first."""
    return ["".join(word) for word in product("RB", repeat=length)]
