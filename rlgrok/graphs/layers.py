"""Places nodes in columns from left to right, and leads every edge between them: the layout of larger programs.

Pure geometry after Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
(1981): nodes stand in the column of their distance from START, an edge over several columns passes a bend in each, the
order in a column is improved by sweeps of barycentres, and positions are least squares under the order. What differs:
edges against the flow keep their direction; they leave on the left and arrive on the right, through bends as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 8
NODE_AIR, BEND_AIR = 30, 22
"""Pixels from a node, or from a bend, to what is below it."""


@dataclass(frozen=True)
class Link:
    """An edge between two nodes, by number. Equal ends are a loop, which is not led anywhere."""

    source: int
    target: int


@dataclass
class Box:
    """A node or a bend in its column. `y` is its middle."""

    column: int
    height: float
    above: float = 0.0
    """Room above it, for a loop."""
    y: float = 0.0
    is_bend: bool = False


@dataclass
class Places:
    """Where everything is. Lengths are pixels from the top of the picture."""

    boxes: list[Box]
    """Nodes in their order, then bends."""
    chains: dict[Link, list[int]]
    """The boxes that each link passes, its ends included."""
    columns: list[list[int]] = field(default_factory=list)

    @property
    def height(self) -> float:
        """Of the whole."""
        return max(box.y + box.height / 2 for box in self.boxes)


def place(
    columns_of: Sequence[int],
    heights: Sequence[float],
    above: Sequence[float],
    links: Sequence[Link],
) -> Places:
    """Put nodes and bends in their places.

    Args:
        columns_of: (N,) the column of each node; every column up to the largest has one.
        heights: (N,) of the nodes, in pixels.
        above: (N,) room above each node, in pixels.
        links: between nodes.
    """
    boxes = [
        Box(column, height, room)
        for column, height, room in zip(columns_of, heights, above, strict=True)
    ]
    chains: dict[Link, list[int]] = {}
    for link in links:
        first, last = columns_of[link.source], columns_of[link.target]
        step = 1 if last > first else -1
        bends = []
        for column in range(first + step, last, step):
            bends.append(len(boxes))
            boxes.append(Box(column, 0.0, is_bend=True))
        chains[link] = [link.source, *bends, link.target]
    columns: list[list[int]] = [[] for _ in range(max(columns_of) + 1)]
    for number, box in enumerate(boxes):
        columns[box.column].append(number)
    near = _neighbours(boxes, chains)
    _order(columns, boxes, near)
    _align(columns, boxes, near)
    top = min(box.y - box.height / 2 - box.above for box in boxes)
    for box in boxes:
        box.y -= top
    return Places(boxes, chains, columns)


def _neighbours(
    boxes: Sequence[Box], chains: Mapping[Link, Sequence[int]]
) -> dict[tuple[int, int], list[int]]:
    """(box, -1 or 1) -> the boxes that it is joined with in the column before or behind."""
    near: dict[tuple[int, int], list[int]] = defaultdict(list)
    for chain in chains.values():
        for one, other in pairwise(chain):
            way = boxes[other].column - boxes[one].column
            if way:
                near[one, way].append(other)
                near[other, -way].append(one)
    return near


def _order(
    columns: list[list[int]],
    boxes: Sequence[Box],
    near: Mapping[tuple[int, int], Sequence[int]],
) -> None:
    """Sort every column by the mean place of what it is joined with; the sweep with the fewest crossings counts."""
    best, fewest = [list(column) for column in columns], _crossings(columns, near)
    for sweep in range(SWEEPS):
        way = 1 if sweep % 2 else -1
        for column in columns if way == -1 else reversed(columns):
            place_of = _places(columns)
            own = {number: float(place) for place, number in enumerate(column)}
            for number in column:
                joined = near.get((number, way), ())
                if joined:
                    own[number] = sum(place_of[other] for other in joined) / len(joined)
            column.sort(key=own.__getitem__)
        crossings = _crossings(columns, near)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    columns[:] = best


def _places(columns: Sequence[Sequence[int]]) -> dict[int, int]:
    return {number: place for column in columns for place, number in enumerate(column)}


def _crossings(
    columns: Sequence[Sequence[int]], near: Mapping[tuple[int, int], Sequence[int]]
) -> int:
    place_of = _places(columns)
    total = 0
    for column in columns:
        ends = [
            place_of[other]
            for number in column
            for other in sorted(near.get((number, 1), ()), key=place_of.__getitem__)
        ]
        total += sum(a > b for at, a in enumerate(ends) for b in ends[at + 1 :])
    return total


def _align(
    columns: Sequence[Sequence[int]],
    boxes: Sequence[Box],
    near: Mapping[tuple[int, int], Sequence[int]],
) -> None:
    """Give every box its `y`: near the mean of what it is joined with, in order, with air between."""
    for column in columns:
        _settle(column, boxes, [0.0] * len(column))
    for sweep in range(SWEEPS):
        ways = (-1,) if sweep % 2 == 0 else (1,)
        if sweep >= SWEEPS - 2:
            ways = (-1, 1)
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = []
            for number in column:
                joined = [boxes[n].y for way in ways for n in near.get((number, way), ())]
                wanted.append(sum(joined) / len(joined) if joined else boxes[number].y)
            _settle(column, boxes, wanted)


def _settle(column: Sequence[int], boxes: Sequence[Box], wanted: Sequence[float]) -> None:
    """The positions nearest to the wanted ones (least squares) that keep order and air.

    Pool adjacent violators, on positions from which the room that the boxes above need has been taken.
    """
    needed = [0.0]
    for upper, lower in pairwise(column):
        one, other = boxes[upper], boxes[lower]
        air = BEND_AIR if one.is_bend or other.is_bend else NODE_AIR
        needed.append(needed[-1] + one.height / 2 + air + other.above + other.height / 2)
    pools: list[tuple[float, int]] = []  # sum, count
    for want, room in zip(wanted, needed, strict=True):
        pools.append((want - room, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = pools[-1][0] + total, pools[-1][1] + count
    flat = [total / count for total, count in pools for _ in range(count)]
    for number, position, room in zip(column, flat, needed, strict=True):
        boxes[number].y = position + room
