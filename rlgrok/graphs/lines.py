"""What a picture of a program shows: its nodes in the order of the flow, and one line for each pair that is joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlgrok.delta.manufactoria.dsl import (
    END_NAME,
    NEXT,
    NONE_TARGET,
    PULLER_COLORS,
    START_NAME,
    Node,
    Program,
)
from rlgrok.graphs.shapes import CHIP


@dataclass(frozen=True)
class Line:
    """Every route from one node to one target, drawn as one line. Nodes are numbered in the order of the flow."""

    source: int
    target: int | None
    """None: the program rejects."""
    conditions: tuple[str, ...]

    @property
    def side(self) -> str:
        """Where it leaves its node in a row: `right`, `top`, `bottom`, `loop` or `stub`."""
        if self.target is None:
            return "stub"
        if self.target == self.source:
            return "loop"
        if self.target == self.source + 1:
            return "right"
        return "top" if self.target > self.source else "bottom"

    @property
    def columns(self) -> tuple[int, int]:
        """First and last place of a row that it passes."""
        target = self.source if self.target is None else self.target
        return min(self.source, target), max(self.source, target)

    @property
    def width(self) -> int:
        """Room for its chips, in pixels."""
        return max(1, len(self.conditions)) * (CHIP + 2)


def program_lines(program: Program) -> tuple[list[str], list[Line]]:
    """The names of the nodes that are drawn, in order, and the lines between them."""
    order = flow_order(program)
    places = {name: place for place, name in enumerate(order)}
    return order, [line for name in order for line in node_lines(program.by_name[name], places)]


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


def node_id(name: str) -> str:
    """The id of a node in a picture with ids."""
    return f"node-{name}"


def edge_ids(program: Program) -> dict[tuple[str, str], str]:
    """The id of the edge that stands for each route, by node and condition; a route that is not drawn has none.

    A route that a puller lacks is drawn for its own colours, and is in here too.
    """
    order, lines = program_lines(program)
    return {
        (order[line.source], condition): line_id(line, order)
        for line in lines
        for condition in line.conditions or (NEXT,)
    }


def line_id(line: Line, order: Sequence[str]) -> str:
    """The id of a line. Unique: names are word characters, so the hyphen separates."""
    target = NONE_TARGET if line.target is None else order[line.target]
    return f"edge-{order[line.source]}-{target}"
