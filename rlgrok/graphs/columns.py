"""The layout of a larger program: nodes in columns by their distance from START, END last.

Lines leave a node on the right when they go on or stay in the column, on the left when they go back, and arrive on the
other side; each has a slot of its own where it leaves, and all that arrive on one side share one. A loop is on top.
What rejects is a short stub on the right that ends in a cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlgrok.delta.manufactoria.dsl import END_NAME, START_NAME, Program
from rlgrok.graphs.layers import Link, Places, place
from rlgrok.graphs.lines import Line, line_id, node_id
from rlgrok.graphs.shapes import (
    CHIP,
    LOOP_HEIGHT,
    MARGIN,
    NODE_HEIGHT,
    NODE_WIDTH,
    Drawing,
    chips_of,
    cross_of,
    loop_of,
    node_of,
    path_of,
    tip,
)

SLOT = 21
"""Pixels between two lines on one side of a node: a chip and a little air."""
AIR = 62
"""Pixels between columns beside what the chips need: room for a line to rise or fall, and for its tip."""
CHIP_AIR = 6
STUB_END = 22
RIGHT, LEFT = 1, -1


@dataclass
class _Ports:
    """Slots of every node: who leaves and arrives on which side."""

    leaving: dict[tuple[int, int], list[Line]]
    arriving: set[tuple[int, int]]

    def slots(self, node: int, side: int) -> int:
        """Slots needed on a side."""
        return len(self.leaving.get((node, side), ())) + ((node, side) in self.arriving)

    def height(self, node: int) -> float:
        """Of the node's box."""
        return max(NODE_HEIGHT, SLOT * max(self.slots(node, LEFT), self.slots(node, RIGHT)) + 4)


def draw_columns(
    program: Program, order: Sequence[str], lines: Sequence[Line], *, with_ids: bool
) -> Drawing:
    """The picture of a program in columns.

    Args:
        program: parsed.
        order: the nodes that are drawn.
        lines: between them.
        with_ids: for scripts and styles of a page.
    """
    columns = _columns(program, order)
    ports = _ports(columns, lines)
    loops = {line.source for line in lines if line.side == "loop"}
    links = {
        line: Link(line.source, line.target)
        for line in lines
        if line.target is not None and line.side != "loop"
    }
    found = place(
        columns,
        [ports.height(node) for node in range(len(order))],
        [LOOP_HEIGHT + CHIP / 2 + 2 if node in loops else 0.0 for node in range(len(order))],
        list(links.values()),
    )
    lefts = _lefts(columns, lines)
    drawing = Drawing(width=lefts[-1] + NODE_WIDTH + MARGIN, height=found.height + 2 * MARGIN)
    y_of = _slots(ports, found, links, columns)
    for line in lines:
        shape, x, y = _line(line, links, found, y_of, columns, lefts)
        drawing.add_line(shape, line_id(line, order) if with_ids else "")
        drawing.chips.append(chips_of(line.conditions, x, y))
    entered = {line.target for line in lines} | {order.index(START_NAME)}
    for node, name in enumerate(order):
        height = ports.height(node)
        drawing.nodes.append(
            node_of(
                program.by_name[name],
                lefts[columns[node]],
                MARGIN + found.boxes[node].y - height / 2,
                height=height,
                is_entered=node in entered,
                own_id=node_id(name) if with_ids else "",
            )
        )
    return drawing


def _columns(program: Program, order: Sequence[str]) -> list[int]:
    """Distance from START by moves, END behind everything."""
    depth = {START_NAME: 0}
    for name in order:
        for _, target in program.by_name[name].edges:
            if target in program.by_name and name in depth:
                depth.setdefault(target, depth[name] + 1)
    depth[END_NAME] = 1 + max(depth[name] for name in order if name != END_NAME)
    return [depth[name] for name in order]


def _leaves(line: Line, columns: Sequence[int]) -> int:
    """The side on which a line leaves."""
    if line.target is None:
        return RIGHT
    return LEFT if columns[line.target] < columns[line.source] else RIGHT


def _arrives(line: Line, columns: Sequence[int]) -> int:
    """The side on which a line arrives."""
    return RIGHT if columns[line.target] <= columns[line.source] else LEFT


def _ports(columns: Sequence[int], lines: Sequence[Line]) -> _Ports:
    leaving: dict[tuple[int, int], list[Line]] = {}
    arriving = set()
    for line in lines:
        if line.side != "loop":
            leaving.setdefault((line.source, _leaves(line, columns)), []).append(line)
            if line.target is not None:
                arriving.add((line.target, _arrives(line, columns)))
    return _Ports(leaving, arriving)


def _slots(
    ports: _Ports, found: Places, links: dict[Line, Link], columns: Sequence[int]
) -> dict[tuple[Line | int, int], float]:
    """Heights at which lines leave, by (line, side), and arrive, by (node, side).

    On each side in the order of what the lines lead to, so that those of one node do not cross; stubs last, and what
    arrives in the order of where it comes from.
    """
    arrivals: dict[tuple[int, int], list[float]] = {}
    for line, link in links.items():
        before = found.boxes[found.chains[link][-2]].y
        arrivals.setdefault((link.target, _arrives(line, columns)), []).append(before)
    heights: dict[tuple[Line | int, int], float] = {}
    for node in range(len(columns)):
        for side in (LEFT, RIGHT):
            wanted: list[tuple[float, int, Line | int]] = []
            for number, line in enumerate(ports.leaving.get((node, side), ())):
                link = links.get(line)
                towards = 1e9 if link is None else found.boxes[found.chains[link][1]].y
                wanted.append((towards, number, line))
            if (node, side) in arrivals:
                come = arrivals[node, side]
                wanted.append((sum(come) / len(come), -1, node))
            wanted.sort(key=lambda item: item[:2])
            first = found.boxes[node].y - SLOT * (len(wanted) - 1) / 2
            for slot, (_, _, key) in enumerate(wanted):
                heights[key, side] = MARGIN + first + SLOT * slot
    return heights


def _line(
    line: Line,
    links: dict[Line, Link],
    found: Places,
    y_of: dict[tuple[Line | int, int], float],
    columns: Sequence[int],
    lefts: Sequence[float],
) -> tuple[str, float, float]:
    """A line as SVG, and where its chips are."""
    box, left = found.boxes[line.source], lefts[columns[line.source]]
    if line.side == "loop":
        top = MARGIN + box.y - box.height / 2
        x = left + NODE_WIDTH / 2
        return loop_of(line.conditions, x, top), x, top - LOOP_HEIGHT
    side = _leaves(line, columns)
    x, y = left + (NODE_WIDTH if side == RIGHT else 0), y_of[line, side]
    chip_y = y
    chip = x + side * (CHIP_AIR + line.width / 2)
    if line.target is None:
        end = x + _chip_room(line) + STUB_END - 8
        return cross_of(f"M{x:g} {y:g}H{end:g}", end, y), chip, y
    way = f"M{x:g} {y:g}H{x + side * _chip_room(line):g}"
    x += side * _chip_room(line)
    for bend in found.chains[links[line]][1:-1]:
        near = lefts[found.boxes[bend].column] + (NODE_WIDTH if side == LEFT else 0)
        bend_y = MARGIN + found.boxes[bend].y
        way += _curve(x, y, near, bend_y) + f"H{near + side * NODE_WIDTH:g}"
        x, y = near + side * NODE_WIDTH, bend_y
    arrives = _arrives(line, columns)
    end_x = lefts[columns[line.target]] + (NODE_WIDTH if arrives == RIGHT else 0)
    end_y = y_of[line.target, arrives]
    stop = end_x + arrives * 6
    if columns[line.target] == columns[line.source]:  # round to the same side
        far = x + 30
        way += f"C{far:g} {y:g} {far:g} {end_y:g} {stop:g} {end_y:g}"
    else:
        way += _curve(x, y, stop, end_y)
    pointing = "left" if arrives == RIGHT else "right"
    return path_of(line.conditions, way) + tip(end_x, end_y, pointing), chip, chip_y


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    """From one point to another, level at both."""
    middle = (x + to_x) / 2
    return f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"


def _lefts(columns: Sequence[int], lines: Sequence[Line]) -> list[float]:
    """Left edges of the columns: as near as the chips between them allow."""
    rooms = [0.0] * (max(columns) + 2)  # to the right of column i - 1
    for side in (RIGHT, LEFT):
        widest = [0.0] * len(rooms)
        for line in lines:
            if line.side != "loop" and _leaves(line, columns) == side:
                gap = columns[line.source] + (side == RIGHT)
                room = _chip_room(line) + (STUB_END if line.target is None else 0)
                widest[gap] = max(widest[gap], room)
        rooms = [room + more for room, more in zip(rooms, widest, strict=True)]
    lefts = [float(MARGIN)]
    for room in rooms[1:-1]:
        lefts.append(lefts[-1] + NODE_WIDTH + AIR + room)
    return lefts


def _chip_room(line: Line) -> float:
    return CHIP_AIR + line.width if line.conditions else 0.0
