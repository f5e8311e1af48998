"""Streams are uniform: bins of `below` and orders of `shuffled`, against exact binomial standard errors.

n is chosen so that a bin whose probability is off by a tenth is caught: the standard error of a
count is sqrt(n p (1-p)); with z = 5, a defect of 7.3 standard errors is found 99 % of the time.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

import pytest

from runtime.seeding import Stream

pytestmark = pytest.mark.stat

Z = 5.0


def check_counts(counts: Counter, outcomes: list, n: int) -> None:
    """Every outcome's count is within Z standard errors of n / len(outcomes)."""
    p = 1 / len(outcomes)
    se = math.sqrt(n * p * (1 - p))
    assert set(counts) <= set(outcomes)
    worst = max(outcomes, key=lambda outcome: abs(counts[outcome] - n * p))
    z = (counts[worst] - n * p) / se
    assert abs(z) <= Z, (
        f"outcome {worst}: {counts[worst]}, expected {n * p:.0f}, SE {se:.1f}, z {z:.1f}"
    )


def test_below_is_uniform():
    # 60,000 draws in 6 bins: SE 91; a tenth of 10,000 is 11 SE
    n, stream = 60_000, Stream(0, "test", "below")
    check_counts(Counter(stream.below(6) for _ in range(n)), list(range(6)), n)


def test_uniform_fills_its_interval():
    # 50,000 draws in 10 bins: SE 67; a tenth of 5,000 is 7.5 SE
    n, stream = 50_000, Stream(0, "test", "uniform")
    check_counts(Counter(int(10 * stream.uniform()) for _ in range(n)), list(range(10)), n)


def test_every_order_is_equally_likely():
    # 120,000 shuffles of 4 items, 24 orders: SE 69; a tenth of 5,000 is 7.2 SE. The classic wrong shuffle,
    # swapping with any position, is off by up to 15/256 against 1/24, that is 40 %.
    n, stream = 120_000, Stream(0, "test", "shuffled")
    counts = Counter("".join(stream.shuffled("abcd")) for _ in range(n))
    check_counts(counts, ["".join(order) for order in permutations("abcd")], n)


def test_every_subset_is_equally_likely():
    # 100,000 picks of 2 of 5, 20 ordered pairs: SE 69; a tenth of 5,000 is 7.3 SE
    n, stream = 100_000, Stream(0, "test", "pick")
    check_counts(
        Counter(tuple(stream.pick(range(5), 2)) for _ in range(n)),
        list(permutations(range(5), 2)),
        n,
    )


def test_neighbouring_roots_are_unrelated():
    # first draws of 40,000 consecutive roots: SE 57 of 4,000; seed arithmetic would repeat or march
    n = 40_000
    check_counts(Counter(Stream(root, "x").below(10) for root in range(n)), list(range(10)), n)
