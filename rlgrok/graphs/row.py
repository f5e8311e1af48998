"""The layout of a small program: all nodes in one row.

An edge to the right neighbour is straight, other forward edges run in lanes above, backward ones in lanes below, so no
edge ever crosses a node. What rejects is a short stub below that ends in a cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.graphs.lines import Line, line_id, node_id
from rlgrok.graphs.shapes import (
    CHIP,
    LOOP_HEIGHT,
    MARGIN,
    NODE_HEIGHT,
    NODE_WIDTH,
    STUB,
    Drawing,
    chips_of,
    cross_of,
    loop_of,
    node_of,
    path_of,
    tip,
)

GAP, LANE, CORNER = 84, 22, 9
PORT = 20
"""Distance of the port for incoming lane edges from its corner of the node."""


def draw_row(
    program: Program, order: Sequence[str], lines: Sequence[Line], *, with_ids: bool
) -> Drawing:
    """The picture of a program in one row.

    Args:
        program: parsed.
        order: the nodes that are drawn, from left to right.
        lines: between them.
        with_ids: for scripts and styles of a page.
    """
    lanes = assign_lanes(lines)
    top = MARGIN + _extent(lines, lanes, "top", "loop")
    drawing = Drawing(
        width=2 * MARGIN + len(order) * (NODE_WIDTH + GAP) - GAP,
        height=top + NODE_HEIGHT + _extent(lines, lanes, "bottom", "stub") + MARGIN,
    )
    ids = {line: line_id(line, order) if with_ids else "" for line in lines}
    _draw_lines(drawing, lines, lanes, top, ids)
    entered = {line.target for line in lines} | {0}
    for place, name in enumerate(order):
        own_id = node_id(name) if with_ids else ""
        is_entered = place in entered
        node = program.by_name[name]
        drawing.nodes.append(node_of(node, _left(place), top, is_entered=is_entered, own_id=own_id))
    return drawing


def assign_lanes(lines: Iterable[Line]) -> dict[Line, int]:
    """Lane numbers of the lines above and below the row, 0 nearest; short lines first, none overlap in a lane."""
    lanes: dict[Line, int] = {}
    for side in ("top", "bottom"):
        wanting = [line for line in lines if line.side == side]
        for line in sorted(
            wanting, key=lambda line: (line.columns[1] - line.columns[0], line.columns)
        ):
            low, high = line.columns
            busy = {
                lanes[other]
                for other in wanting
                if other in lanes and low < other.columns[1] and other.columns[0] < high
            }
            lanes[line] = next(lane for lane in range(len(wanting)) if lane not in busy)
    return lanes


def _extent(lines: Sequence[Line], lanes: Mapping[Line, int], lane_side: str, own: str) -> int:
    """Pixels needed above (`top`, `loop`) or below (`bottom`, `stub`) the row."""
    near = LOOP_HEIGHT + CHIP // 2 + 2 if own == "loop" else STUB + 8
    numbers = [lanes[line] for line in lines if line.side == lane_side]
    used = near if any(line.side == own for line in lines) else 0
    return max(used, _lane_offset(lines, own, max(numbers)) + 4) if numbers else used


def _lane_offset(lines: Sequence[Line], own: str, lane: int) -> int:
    """Distance of a lane from the row: beyond the loops or stubs where there are any."""
    crowded = any(line.side == own for line in lines)
    first = (LOOP_HEIGHT + CHIP if own == "loop" else STUB + 16) if crowded else CHIP + 18
    return first + LANE * lane


def _left(place: int) -> int:
    return MARGIN + place * (NODE_WIDTH + GAP)


def _ports(lines: Sequence[Line]) -> dict[Line, float]:
    """Horizontal position where each loop, stub or lane line leaves its node.

    Above: loops left, then the farthest target first; below: the nearest target first, stubs last. So lines that
    leave the same node never cross.
    """
    ports: dict[Line, float] = {}
    for source in {line.source for line in lines}:
        own = [line for line in lines if line.source == source]
        upper = [line for line in own if line.side == "loop"]
        upper += sorted((x for x in own if x.side == "top"), key=lambda x: -x.columns[1])
        room = sum(line.width + 3 for line in upper)
        x = _left(source) + max((NODE_WIDTH - room) / 2, PORT + 10)
        for line in upper:
            ports[line] = x + line.width / 2
            x += line.width + 3
        lower = sorted((x for x in own if x.side == "bottom"), key=lambda x: -x.columns[0])
        lower += [line for line in own if line.side == "stub"]
        room = sum(line.width + 3 for line in lower)
        x = _left(source) + min((NODE_WIDTH - room) / 2, NODE_WIDTH - PORT - 10 - room)
        for line in lower:
            ports[line] = x + line.width / 2
            x += line.width + 3
    return ports


def _draw_lines(
    drawing: Drawing,
    lines: Sequence[Line],
    lanes: Mapping[Line, int],
    top: int,
    ids: Mapping[Line, str],
) -> None:
    """Every line with its chips."""
    ports = _ports(lines)
    bottom = top + NODE_HEIGHT
    for line in lines:
        x = ports.get(line, 0.0)
        at = x, bottom + 5 + CHIP / 2
        if line.side == "right":
            start, end = _left(line.source) + NODE_WIDTH, _left(line.source + 1)
            y = top + NODE_HEIGHT / 2
            shape = path_of(line.conditions, f"M{start} {y:g}H{end - 6}") + tip(end, y, "right")
            at = (start + end - 5) / 2, y
        elif line.side == "loop":
            shape = loop_of(line.conditions, x, top)
            at = x, top - LOOP_HEIGHT
        elif line.side == "stub":
            end = bottom + STUB
            shape = cross_of(f"M{x:g} {bottom}V{end}", x, end)
        elif line.side == "top":
            y = top - _lane_offset(lines, "loop", lanes[line])
            shape = _lane(line, x, _left(line.columns[1]) + PORT, top, y)
            at = x, top - 5 - CHIP / 2
        else:
            y = bottom + _lane_offset(lines, "stub", lanes[line])
            shape = _lane(line, x, _left(line.columns[0]) + NODE_WIDTH - PORT, bottom, y)
        drawing.add_line(shape, ids[line])
        drawing.chips.append(chips_of(line.conditions, *at))


def _lane(line: Line, start: float, end: float, row: int, lane: float) -> str:
    """Away from the row, along a lane, back to the row, with rounded corners and a tip."""
    away = -CORNER if lane < row else CORNER
    along = CORNER if end > start else -CORNER
    path = (
        f"M{start:g} {row}V{lane - away:g}q0 {away} {along} {away}"
        f"H{end - along:g}q{along} 0 {along} {-away}V{row + (away > 0) * 6 - (away < 0) * 6}"
    )
    return path_of(line.conditions, path) + tip(end, row, "up" if away > 0 else "down")
