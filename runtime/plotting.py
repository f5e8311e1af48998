"""Paper and ink of a figure: style, colours and a canvas that ends as PNG bytes. Knows nothing of what is drawn.

Matplotlib's Agg canvas directly: no window system, no global state, no files. Sized for the width of a README (about
830 pixels), where every label stays readable; colours are Okabe and Ito's. Matplotlib is imported on the first figure.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#9b4f96"
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, "#56b4e9", "#8c6d00")
INK, SOFT, FAINT = "#24292f", "#6e7681", "#d0d7de"
WIDTH = 9.0
"""Inches."""
DPI = 160
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
}


@contextmanager
def drawing(height: float, *, title: str, note: str = "") -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure of the house's width with a heading; on the way out the buffer holds the PNG.

    Args:
        height: inches, heading and note included.
        title: first line, bold.
        note: under it, in grey; lines are separated by newlines.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    output = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        outer = Figure(figsize=(WIDTH, height), dpi=DPI)
        FigureCanvasAgg(outer)
        lines = 1 + (note.count("\n") + 1 if note else 0)
        top = 0.16 + 0.22 * lines  # inches
        outer.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=12.5, fontweight="bold")
        if note:
            outer.text(0.012, 1 - 0.34 / height, note, va="top", fontsize=9.5, color=SOFT)
        outer.set_layout_engine("constrained", rect=(0, 0, 1, 1 - top / height))
        yield outer, output
        # Without metadata the same figure gives the same bytes.
        outer.savefig(output, format="png", metadata={"Software": None})
