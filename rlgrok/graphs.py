"""Draws a Manufactoria program as a factory graph: one self-contained SVG, readable in light and dark.

Pure text from a parsed program, no drawing library. All nodes stand in one row in breadth-first order, END last: an
edge to the right neighbour is straight, other forward edges run in lanes above, backward ones in lanes below, so no
edge ever crosses a node. A missing or `NONE` route of a puller's own colour is a short stub that ends in a cross. What
surprises: nodes that cannot be reached are left out, and counted in the last line of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    NEXT,
    NONE_TARGET,
    PAINTER_COLORS,
    PULLER_COLORS,
    START_NAME,
    Kind,
    Node,
    Program,
)

# Pixels. A node is as wide as its three chips, a port for incoming edges and a self-loop side by side.
NODE_WIDTH, NODE_HEIGHT, GAP, MARGIN = 108, 46, 84, 12
CHIP, LOOP_HEIGHT, STUB, LANE, CORNER = 17, 34, 36, 22, 9
PORT = 20
"""Distance of the port for incoming lane edges from its corner of the node."""

FILLS = {"R": "#d55e00", "B": "#0072b2", "Y": "#f0e442", "G": "#009e73", EMPTY: "#9097a1"}
"""Okabe and Ito's palette: told apart with every common colour vision, and every chip carries its letter too."""
DARK_TEXT = {"Y", EMPTY}
GLYPHS = {EMPTY: "\N{EMPTY SET}"}

INK = 'stroke="currentColor" stroke-width="1.5"'
SOFT = 'opacity="0.65"'
ACCEPT = "#2da44e"
"""The ring of END; readable on white and on black."""
FONT = "ui-sans-serif, system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"


@dataclass(frozen=True)
class Line:
    """Every route from one node to one target, drawn as one line. Places count nodes from the left."""

    source: int
    target: int | None
    """None: the program rejects."""
    conditions: tuple[str, ...]

    @property
    def side(self) -> str:
        """Where it leaves its node: `right`, `top`, `bottom`, `loop` or `stub`."""
        if self.target is None:
            return "stub"
        if self.target == self.source:
            return "loop"
        if self.target == self.source + 1:
            return "right"
        return "top" if self.target > self.source else "bottom"

    @property
    def columns(self) -> tuple[int, int]:
        """First and last column that it passes."""
        target = self.source if self.target is None else self.target
        return min(self.source, target), max(self.source, target)

    @property
    def width(self) -> int:
        """Room for its chips, in pixels."""
        return max(1, len(self.conditions)) * (CHIP + 2)


def program_svg(program: Program, *, title: str = "program", with_ids: bool = False) -> str:
    """An `<svg>` element of the program.

    Args:
        program: parsed. Of duplicate routes the first is drawn, the one that a run takes.
        title: shown on hover and read out by screen readers.
        with_ids: give nodes and edges the ids of `node_id` and `edge_ids`, for a page with this picture only.
    """
    order = flow_order(program)
    places = {name: place for place, name in enumerate(order)}
    lines = [line for name in order for line in node_lines(program.by_name[name], places)]
    lanes = assign_lanes(lines)
    rise, fall = _extent(lines, lanes, "top", "loop"), _extent(lines, lanes, "bottom", "stub")
    unreached = len({node.name for node in program.nodes} - set(order))
    top = MARGIN + rise
    width = 2 * MARGIN + len(order) * (NODE_WIDTH + GAP) - GAP
    height = top + NODE_HEIGHT + fall + MARGIN + (18 if unreached else 0)
    entered = {line.target for line in lines}
    ids = {line: _line_id(line, order) if with_ids else "" for line in lines}
    drawn = [*_draw_lines(lines, lanes, top, ids)]
    for place, name in enumerate(order):
        is_entered = place in entered or place == 0
        own_id = node_id(name) if with_ids else ""
        drawn.append(_node(program.by_name[name], place, top, is_entered, own_id))
    if unreached:
        words = f"{unreached} unreachable node{'s' * (unreached > 1)} not drawn"
        drawn.append(
            f'<text x="{MARGIN}" y="{height - 7}" font-size="10.5" text-anchor="start" {SOFT}>{words}</text>'
        )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="factory" role="img" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{FONT}" font-size="12.5" text-anchor="middle" fill="currentColor">'
        f"<title>{escape(title)}</title>{''.join(drawn)}</svg>"
    )


def node_id(name: str) -> str:
    """The id of a node in a picture with ids."""
    return f"node-{name}"


def edge_ids(program: Program) -> dict[tuple[str, str], str]:
    """The id of the edge that stands for each route, by node and condition; a route that is not drawn has none.

    A route that a puller lacks is drawn for its own colours, and is in here too.
    """
    order = flow_order(program)
    places = {name: place for place, name in enumerate(order)}
    return {
        (name, condition): _line_id(line, order)
        for name in order
        for line in node_lines(program.by_name[name], places)
        for condition in line.conditions or (NEXT,)
    }


def _line_id(line: Line, order: Sequence[str]) -> str:
    """Unique: names are word characters, so the hyphen separates."""
    target = NONE_TARGET if line.target is None else order[line.target]
    return f"edge-{order[line.source]}-{target}"


def flow_order(program: Program) -> list[str]:
    """Names of the nodes that can be reached, breadth-first from START, then END whether reached or not."""
    order = [START_NAME]
    for name in order:
        for _, target in program.by_name[name].edges:
            if target in program.by_name and target not in (*order, END_NAME, NONE_TARGET):
                order.append(target)
    return [*order, END_NAME]


def node_lines(node: Node, places: Mapping[str, int]) -> list[Line]:
    """The lines that leave a node: one a target, and one for all that rejects.

    A puller without a route for one of its own colours rejects there, so that colour is on the stub; a missing
    `EMPTY` route rejects as well but is how every puller ends, and stays undrawn.
    """
    taken: dict[str, str] = {}
    for condition, target in node.edges:
        taken.setdefault(condition, target)
    for color in PULLER_COLORS.get(node.kind, ""):
        taken.setdefault(color, NONE_TARGET)
    by_target: dict[int | None, list[str]] = {}
    for condition, target in taken.items():
        place = None if target == NONE_TARGET else places.get(target)
        by_target.setdefault(place, []).append(condition)
    source = places[node.name]
    return [
        Line(source, target, tuple(c for c in conditions if c != NEXT))
        for target, conditions in by_target.items()
    ]


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
    lines: Sequence[Line], lanes: Mapping[Line, int], top: int, ids: Mapping[Line, str]
) -> list[str]:
    """All lines, then all their chips, so that no line covers a chip."""
    ports = _ports(lines)
    bottom = top + NODE_HEIGHT
    drawn, chips = [], []
    for line in lines:
        x = ports.get(line, 0.0)
        if line.side == "right":
            start, end = _left(line.source) + NODE_WIDTH, _left(line.source + 1)
            y = top + NODE_HEIGHT / 2
            shape = _path(line, f"M{start} {y:g}H{end - 6}") + _tip(end, y, "right")
            chips.append(_chips(line, (start + end - 5) / 2, y))
        elif line.side == "loop":
            over = top - 44
            curve = f"M{x - 8:g} {top}C{x - 22:g} {over} {x + 22:g} {over} {x + 8:g} {top - 5}"
            shape = _path(line, curve) + _tip(x + 8, top, "down")
            chips.append(_chips(line, x, top - LOOP_HEIGHT))
        elif line.side == "stub":
            end = bottom + STUB
            cross = f"M{x - 4:g} {end - 4}l8 8m0 -8l-8 8"
            shape = f'<path fill="none" {INK} {SOFT} d="M{x:g} {bottom}V{end}{cross}"/>'
            chips.append(_chips(line, x, bottom + 5 + CHIP / 2))
        elif line.side == "top":
            y = top - _lane_offset(lines, "loop", lanes[line])
            shape = _lane(line, x, _left(line.columns[1]) + PORT, top, y)
            chips.append(_chips(line, x, top - 5 - CHIP / 2))
        else:
            y = bottom + _lane_offset(lines, "stub", lanes[line])
            shape = _lane(line, x, _left(line.columns[0]) + NODE_WIDTH - PORT, bottom, y)
            chips.append(_chips(line, x, bottom + 5 + CHIP / 2))
        drawn.append(f'<g class="edge" id="{ids[line]}">{shape}</g>' if ids[line] else shape)
    return [*drawn, f'<g class="chips">{"".join(chips)}</g>']


def _lane(line: Line, start: float, end: float, row: int, lane: float) -> str:
    """Away from the row, along a lane, back to the row, with rounded corners and a tip."""
    away = -CORNER if lane < row else CORNER
    along = CORNER if end > start else -CORNER
    path = (
        f"M{start:g} {row}V{lane - away:g}q0 {away} {along} {away}"
        f"H{end - along:g}q{along} 0 {along} {-away}V{row + (away > 0) * 6 - (away < 0) * 6}"
    )
    return _path(line, path) + _tip(end, row, "up" if away > 0 else "down")


def _path(line: Line, path: str) -> str:
    dashed = ' stroke-dasharray="4 3"' if line.conditions == (EMPTY,) else ""
    return f'<path fill="none" {INK}{dashed} d="{path}"/>'


def _tip(x: float, y: float, towards: str) -> str:
    """An arrowhead whose point is at (x, y)."""
    shapes = {"right": "l-8 -4v8z", "down": "l-4 -8h8z", "up": "l-4 8h8z"}
    return f'<path d="M{x:g} {y:g}{shapes[towards]}"/>'


def _chips(line: Line, x: float, y: float) -> str:
    """The line's conditions as coloured letters, side by side around (x, y)."""
    parts = []
    left = x - (len(line.conditions) * (CHIP + 2) - 2) / 2
    for condition in line.conditions:
        ink = "#1b1f24" if condition in DARK_TEXT else "#fff"
        parts.append(
            f'<rect x="{left:g}" y="{y - CHIP / 2:g}" width="{CHIP}" height="{CHIP}" rx="4" fill="{FILLS[condition]}"/>'
            f'<text fill="{ink}" x="{left + CHIP / 2:g}" y="{y + 4:g}" font-size="11" font-weight="700">'
            f"{GLYPHS.get(condition, condition)}</text>"
        )
        left += CHIP + 2
    return "".join(parts)


def _node(node: Node, place: int, top: int, is_entered: bool, own_id: str) -> str:
    """A box with the node's name, what it does, and a bar of the colours it handles."""
    x, middle = _left(place), _left(place) + NODE_WIDTH / 2
    outline = f'stroke="{ACCEPT}" stroke-width="2.5"' if node.kind is Kind.END else INK
    radius = NODE_HEIGHT / 2 if node.kind in (Kind.START, Kind.END) else 8
    box = f'<rect fill="none" {outline} x="{x}" y="{top}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="{radius:g}"/>'
    if node.kind in (Kind.START, Kind.END):
        word = "START" if node.kind is Kind.START else "END"
        what = "" if node.kind is Kind.START else "accept" if is_entered else "never reached"
        text = _text(middle, top + (27 if not what else 22), word)
        text += _small(middle, top + 36, what) if what else ""
    else:
        colors = PULLER_COLORS.get(node.kind) or PAINTER_COLORS[node.kind]
        verb = "read" if node.kind in PULLER_COLORS else "paint"
        name = node.name if len(node.name) <= 12 else node.name[:11] + "\N{HORIZONTAL ELLIPSIS}"
        text = _text(middle, top + 20, name)
        text += _small(middle, top + 35, f"{verb} {' or '.join(colors)}")
        size = (NODE_HEIGHT - 20) / len(colors)
        for row, color in enumerate(colors):
            y = top + 10 + row * size
            text += (
                f'<rect x="{x + 7}" y="{y:g}" width="5" height="{size:g}" fill="{FILLS[color]}"/>'
            )
    faded = "" if is_entered else ' opacity="0.45"'
    named = f' class="node" id="{own_id}"' if own_id else ""
    return f"<g{named}{faded}>{box}{text}</g>"


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-weight="600">{escape(words)}</text>'


def _small(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="10.5" {SOFT}>{escape(words)}</text>'
