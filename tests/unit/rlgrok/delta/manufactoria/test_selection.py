"""Fewer settings than there are: the first ones, or drawn ones, and the result says so."""

from __future__ import annotations

from collections import Counter

from rlgrok.delta.manufactoria.selection import Selection, select
from runtime.seeding import Stream


def stream(name: int | str = 0) -> Stream:
    return Stream(0, "selection", name)


def test_without_a_cap_everything_is_taken_and_nothing_is_drawn() -> None:
    for cap in (None, 5, 6):
        used = stream()
        selected = select(5, cap, used)
        assert list(selected.indices) == [0, 1, 2, 3, 4]
        assert (selected.is_all, selected.describe()) == (True, "all 5")
        assert used.below(1 << 60) == stream().below(1 << 60)


def test_the_first_ones_are_taken_where_asked_for() -> None:
    selected = select(1280, 1000, stream(), Selection.FIRST)
    assert list(selected.indices) == list(range(1000))
    assert selected.describe() == "the first 1000 of 1280"


def test_drawn_ones_are_distinct_in_order_and_the_streams_own() -> None:
    selected = select(3600, 1000, stream())
    assert sorted(set(selected.indices)) == list(selected.indices)
    assert (len(selected.indices), selected.capacity) == (1000, 3600)
    assert selected.describe() == "1000 of 3600, drawn"
    assert select(3600, 1000, stream()) == selected
    assert select(3600, 1000, stream(1)) != selected


def test_every_setting_is_equally_likely_to_be_drawn() -> None:
    """2000 draws of 2 out of 5: each is taken 800 times, standard error 21.9; 5 of them are 110."""
    counts = Counter(index for name in range(2000) for index in select(5, 2, stream(name)).indices)
    assert all(abs(counts[index] - 800) < 110 for index in range(5))
