"""The shapes that every picture is made of: nodes, lines, tips, chips. Pure text, no drawing library."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from rlgrok.delta.manufactoria.dsl import EMPTY, PAINTER_COLORS, PULLER_COLORS, Kind, Node

# Pixels. A node is as wide as its three chips, a port for incoming edges and a self-loop side by side.
NODE_WIDTH, NODE_HEIGHT, MARGIN = 108, 46, 12
CHIP, LOOP_HEIGHT, STUB = 17, 34, 36

FILLS = {"R": "#d55e00", "B": "#0072b2", "Y": "#f0e442", "G": "#009e73", EMPTY: "#9097a1"}
"""Okabe and Ito's palette: told apart with every common colour vision, and every chip carries its letter too."""
DARK_TEXT = {"Y", EMPTY}
GLYPHS = {EMPTY: "\N{EMPTY SET}"}

INK = 'stroke="currentColor" stroke-width="1.5"'
SOFT = 'opacity="0.65"'
ACCEPT = "#2da44e"
"""The ring of END; readable on white and on black."""
FONT = "ui-sans-serif, system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"


@dataclass
class Drawing:
    """The parts of a picture, and its size in pixels. Lines come first, then chips, then nodes, each over the last."""

    width: float = 0.0
    height: float = 0.0
    lines: list[str] = field(default_factory=list)
    chips: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)

    def add_line(self, shape: str, own_id: str) -> None:
        """A line with its tip; the id, where it has one, is for scripts and styles of a page."""
        self.lines.append(f'<g class="edge" id="{own_id}">{shape}</g>' if own_id else shape)

    def parts(self) -> str:
        """Everything in order."""
        return "".join([*self.lines, f'<g class="chips">{"".join(self.chips)}</g>', *self.nodes])


def path_of(conditions: tuple[str, ...], path: str) -> str:
    """A line; dashed where it is taken without reading."""
    dashed = ' stroke-dasharray="4 3"' if conditions == (EMPTY,) else ""
    return f'<path fill="none" {INK}{dashed} d="{path}"/>'


def loop_of(conditions: tuple[str, ...], x: float, top: float) -> str:
    """From the top of a node back to it."""
    over = top - 44
    curve = f"M{x - 8:g} {top:g}C{x - 22:g} {over:g} {x + 22:g} {over:g} {x + 8:g} {top - 5:g}"
    return path_of(conditions, curve) + tip(x + 8, top, "down")


def cross_of(path: str, x: float, y: float) -> str:
    """A line that ends in a cross at (x, y): it rejects."""
    cross = f"M{x - 4:g} {y - 4:g}l8 8m0 -8l-8 8"
    return f'<path fill="none" {INK} {SOFT} d="{path}{cross}"/>'


def tip(x: float, y: float, towards: str) -> str:
    """An arrowhead whose point is at (x, y)."""
    shapes = {"right": "l-8 -4v8z", "left": "l8 -4v8z", "down": "l-4 -8h8z", "up": "l-4 8h8z"}
    return f'<path d="M{x:g} {y:g}{shapes[towards]}"/>'


def chips_of(conditions: tuple[str, ...], x: float, y: float) -> str:
    """Conditions as coloured letters, side by side around (x, y)."""
    parts = []
    left = x - (len(conditions) * (CHIP + 2) - 2) / 2
    for condition in conditions:
        ink = "#1b1f24" if condition in DARK_TEXT else "#fff"
        parts.append(
            f'<rect x="{left:g}" y="{y - CHIP / 2:g}" width="{CHIP}" height="{CHIP}" rx="4" fill="{FILLS[condition]}"/>'
            f'<text fill="{ink}" x="{left + CHIP / 2:g}" y="{y + 4:g}" font-size="11" font-weight="700">'
            f"{GLYPHS.get(condition, condition)}</text>"
        )
        left += CHIP + 2
    return "".join(parts)


def node_of(
    node: Node,
    x: float,
    y: float,
    *,
    height: float = NODE_HEIGHT,
    is_entered: bool = True,
    own_id: str = "",
) -> str:
    """A box with the node's name, what it does, and a bar of the colours it handles; faded when nothing leads there."""
    middle, top = x + NODE_WIDTH / 2, y + (height - NODE_HEIGHT) / 2
    outline = f'stroke="{ACCEPT}" stroke-width="2.5"' if node.kind is Kind.END else INK
    radius = NODE_HEIGHT / 2 if node.kind in (Kind.START, Kind.END) else 8
    box = (
        f'<rect fill="none" {outline} x="{x:g}" y="{y:g}" '
        f'width="{NODE_WIDTH}" height="{height:g}" rx="{radius:g}"/>'
    )
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
            text += (
                f'<rect x="{x + 7:g}" y="{top + 10 + row * size:g}" width="5" height="{size:g}" '
                f'fill="{FILLS[color]}"/>'
            )
    faded = "" if is_entered else ' opacity="0.45"'
    named = f' class="node" id="{own_id}"' if own_id else ""
    return f"<g{named}{faded}>{box}{text}</g>"


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-weight="600">{escape(words)}</text>'


def _small(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="10.5" {SOFT}>{escape(words)}</text>'
