"""Draws a Manufactoria program as a factory graph: one self-contained SVG, readable in light and dark.

Pure text from a parsed program, no drawing library. Small programs stand in a row, larger ones in columns. A missing or
`NONE` route of a puller's own colour is a short stub that ends in a cross. What surprises: nodes that cannot be reached
are left out, and counted in the last line of the picture.
"""

from __future__ import annotations

from html import escape

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.graphs.columns import draw_columns
from rlgrok.graphs.lines import (
    Line,
    edge_ids,
    flow_order,
    node_id,
    node_lines,
    program_lines,
)
from rlgrok.graphs.row import assign_lanes, draw_row
from rlgrok.graphs.shapes import FONT, MARGIN, SOFT

__all__ = [
    "Line",
    "assign_lanes",
    "edge_ids",
    "flow_order",
    "node_id",
    "node_lines",
    "program_svg",
]

MAX_ROW = 8
"""Nodes in one row: some 1,500 pixels, which a page still shows whole."""


def program_svg(program: Program, *, title: str = "program", with_ids: bool = False) -> str:
    """An `<svg>` element of the program.

    Args:
        program: parsed. Of duplicate routes the first is drawn, the one that a run takes.
        title: shown on hover and read out by screen readers.
        with_ids: give nodes and edges the ids of `node_id` and `edge_ids`, for a page with this picture only.
    """
    order, lines = program_lines(program)
    draw = draw_row if len(order) <= MAX_ROW else draw_columns
    drawing = draw(program, order, lines, with_ids=with_ids)
    unreached = len({node.name for node in program.nodes} - set(order))
    width, height, note = drawing.width, drawing.height, ""
    if unreached:
        height += 18
        words = f"{unreached} unreachable node{'s' * (unreached > 1)} not drawn"
        note = (
            f'<text x="{MARGIN}" y="{height - 7:g}" font-size="10.5" text-anchor="start" {SOFT}>'
            f"{words}</text>"
        )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="factory" role="img" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="{FONT}" font-size="12.5" text-anchor="middle" fill="currentColor">'
        f"<title>{escape(title)}</title>{drawing.parts()}{note}</svg>"
    )
