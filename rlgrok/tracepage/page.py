"""The page of a trace: one HTML file that opens offline, plays the run, and can load nothing.

`page.html.j2`, `page.css` and `page.js` beside this file are put together; the run goes in as JSON. A content security
policy in the page forbids every request and every script but its own. The same run gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.machine import ITERATION_LIMIT
from rlgrok.delta.manufactoria.trace import Trace
from rlgrok.graphs import edge_ids, flow_order, node_id, program_svg

_HERE = Path(__file__).parent


def trace_page(run: Trace, *, title: str) -> str:
    """The HTML of a run.

    Args:
        run: at least one step.
        title: what the program is called; shown as text.
    """
    import jinja2  # 40 ms, and only pages need it

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()
    return environment.from_string((_HERE / "page.html.j2").read_text(encoding="utf-8")).render(
        title=title,
        run=run,
        num_steps=len(run.steps),
        loop=run.loop() if run.rejection_reason == ITERATION_LIMIT else None,
        svg=program_svg(run.program, title=f"{title}: factory graph", with_ids=True),
        listing=_listing(run),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(digest).decode("ascii"),
        data=embedded(_data(run)),
    )


def _data(run: Trace) -> dict[str, Any]:
    """What the script needs: the belt once, and for each step its window of it, its node, edge and words."""
    edges = edge_ids(run.program)
    drawn = set(flow_order(run.program))
    return {
        "belt": run.belt,
        "accepted": run.finished,
        "reason": run.rejection_reason,
        "end": [run.final_front, len(run.belt)],
        "steps": [
            {
                "node": step.node,
                "id": node_id(step.node) if step.node in drawn else None,
                "front": step.front,
                "back": step.back,
                "edge": edges.get((step.node, step.condition or "")),
                "event": run.event(index),
                "target": step.target,
            }
            for index, step in enumerate(run.steps)
        ],
    }


def _listing(run: Trace) -> list[tuple[str, str]]:
    """Each line of the canonical program text with the node that it belongs to."""
    lines: list[tuple[str, str]] = []
    node = ""
    for line in format_program(run.program).split("\n"):
        if not line.startswith(" "):
            node = line.split()[1].removesuffix(":")
        lines.append((node, line))
    return lines


def embedded(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
