"""Execution, the definition of record: one robot, one tape, step by step (delta-manufactoria.md, section 2).

`run` is written to be compared with the specification and records the path; `accepts` gives only the verdict, through
the compiled tables of `tables.py`, and the tests hold the two together. What surprises: the limit counts visited
nodes, START and END included, and the last visited node is still applied.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    END_TARGET,
    NEXT,
    NONE_TARGET,
    PAINTER_COLORS,
    PULLER_COLORS,
    START_NAME,
    Node,
    Program,
)
from rlgrok.delta.manufactoria.tables import MAX_VISITS, compile_program

ROUTED_TO_NONE = "routed to NONE"
UNKNOWN_NODE = "unknown node"
ITERATION_LIMIT = "iteration limit"


@dataclass(frozen=True, slots=True)
class Execution:
    """What one run did. `rejection_reason` is None exactly when `finished`, that is, accepted."""

    finished: bool
    final_tape: str
    path: tuple[str, ...]
    rejection_reason: str | None


def run(
    program: Program, tape: str, *, max_visits: int = MAX_VISITS, strict: bool = False
) -> Execution:
    """Run a program on a tape and record the nodes it visits.

    Args:
        program: a parsed program.
        tape: front first; any characters, though only R B Y G are ever pulled.
        max_visits: nodes visited before the run is cut off and rejected.
        strict: read the target `END` as the END node, unless a node of that name is declared. The reference, and
            the compatible mode, reject it as an unknown node (P1).
    """
    nodes = program.by_name
    symbols = list(tape)
    front = 0  # symbols before it have been pulled
    path: list[str] = []
    current = START_NAME
    reason: str | None = ITERATION_LIMIT
    while len(path) < max_visits:
        if strict and current == END_TARGET and END_TARGET not in nodes:
            current = END_NAME
        path.append(current)
        if current == NONE_TARGET:
            reason = ROUTED_TO_NONE
            break
        if current == END_NAME:
            reason = None
            break
        node = nodes.get(current)
        if node is None:
            reason = UNKNOWN_NODE
            break
        current, front = _apply(node, symbols, front)
    return Execution(reason is None, "".join(symbols[front:]), tuple(path), reason)


def accepts(program: Program, tape: str, *, strict: bool = False) -> bool:
    """Whether the program routes the tape to END within the limit: `run(...).finished`, much faster."""
    return compile_program(program, strict).accepts(tape)


def _apply(node: Node, symbols: list[str], front: int) -> tuple[str, int]:
    """Apply a node to the tape; the next node's name and the new front."""
    colors = PULLER_COLORS.get(node.kind)
    if colors is None:
        if node.kind in PAINTER_COLORS:
            symbols.append(PAINTER_COLORS[node.kind])
        return _target(node, NEXT), front
    if front < len(symbols) and symbols[front] in colors:
        return _target(node, symbols[front]), front + 1
    return _target(node, EMPTY), front


def _target(node: Node, condition: str) -> str:
    """Where the first route with this condition leads; NONE without one."""
    for edge in node.edges:
        if edge.condition == condition:
            return edge.target
    return NONE_TARGET
