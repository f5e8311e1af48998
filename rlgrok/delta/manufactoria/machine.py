"""Execution, the definition of record: one robot, one tape, step by step (delta-manufactoria.md, section 2).

`run` is written to be compared with the specification and records the path; `accepts` gives only the verdict, through
the compiled tables of `tables.py`, and the tests hold the two together. What surprises: the limit counts visited
nodes, START and END included, and the last visited node is still applied.
"""

from __future__ import annotations

from typing import NamedTuple

from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    END_TARGET,
    NEXT,
    NONE_TARGET,
    PAINTER_COLORS,
    PULLER_COLORS,
    START_NAME,
    Program,
)
from rlgrok.delta.manufactoria.tables import MAX_VISITS, compile_program

ROUTED_TO_NONE = "routed to NONE"
UNKNOWN_NODE = "unknown node"
ITERATION_LIMIT = "iteration limit"


class Execution(NamedTuple):
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
    nodes, routes = program.by_name, program.routes
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
        if current not in nodes:
            reason = UNKNOWN_NODE
            break
        kind = nodes[current].kind
        condition = NEXT
        if kind in PULLER_COLORS:
            condition = EMPTY
            if front < len(symbols) and symbols[front] in PULLER_COLORS[kind]:
                condition = symbols[front]
                front += 1
        elif kind in PAINTER_COLORS:
            symbols.append(PAINTER_COLORS[kind])
        current = routes[current].get(condition, NONE_TARGET)
    return Execution(reason is None, "".join(symbols[front:]), tuple(path), reason)


def accepts(program: Program, tape: str, *, strict: bool = False) -> bool:
    """Whether the program routes the tape to END within the limit: `run(...).finished`, much faster."""
    return compile_program(program, strict).accepts(tape)
