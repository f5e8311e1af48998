"""Columns: bends in every column between, order with few crossings, positions that keep order and air."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.graphs.layers import BEND_AIR, NODE_AIR, Box, Link, _settle, place


@st.composite
def graphs(draw):
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    columns = [column for column, width in enumerate(widths) for _ in range(width)]
    number = st.integers(0, len(columns) - 1)
    pairs = draw(st.lists(st.tuples(number, number), max_size=12, unique=True))
    return columns, [Link(*pair) for pair in pairs if pair[0] != pair[1]]


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(20, 80))
def test_nothing_overlaps_and_every_link_is_led_from_end_to_end(graph, height) -> None:
    columns, links = graph
    above = [40.0 if number % 3 == 0 else 0.0 for number in range(len(columns))]
    found = place(columns, [float(height)] * len(columns), above, links)
    for link in links:
        chain = found.chains[link]
        assert (chain[0], chain[-1]) == (link.source, link.target)
        steps = {found.boxes[b].column - found.boxes[a].column for a, b in pairwise(chain)}
        far = columns[link.target] - columns[link.source]
        assert steps == {(far > 0) - (far < 0)}
        assert all(found.boxes[bend].is_bend for bend in chain[1:-1])
    assert sorted(number for column in found.columns for number in column) == list(
        range(len(found.boxes))
    )
    for column in found.columns:
        for upper, lower in pairwise(found.boxes[number] for number in column):
            air = BEND_AIR if upper.is_bend or lower.is_bend else NODE_AIR
            room = lower.y - lower.height / 2 - lower.above - (upper.y + upper.height / 2)
            assert room >= air - 1e-6
    tops = [box.y - box.height / 2 - box.above for box in found.boxes]
    assert abs(min(tops)) < 1e-6
    assert found.height >= max(box.y for box in found.boxes)


def test_positions_are_least_squares_under_the_order() -> None:
    boxes = [Box(0, 10.0) for _ in range(3)]
    _settle([0, 1, 2], boxes, [0.0, 0.0, 500.0])
    assert [box.y for box in boxes] == [-20.0, 20.0, 500.0]
    _settle([0, 1, 2], boxes, [90.0, 0.0, 0.0])
    assert [box.y for box in boxes] == [-10.0, 30.0, 70.0]


def test_crossings_that_can_be_avoided_are() -> None:
    links = [Link(0, 4), Link(1, 3), Link(2, 5)]  # three pairs, the first two crossed as given
    found = place([0, 0, 0, 1, 1, 1], [46.0] * 6, [0.0] * 6, links)
    before = [found.boxes[link.source].y for link in links]
    behind = [found.boxes[link.target].y for link in links]
    assert sorted(range(3), key=before.__getitem__) == sorted(range(3), key=behind.__getitem__)
    assert before == behind, "straight lines"
