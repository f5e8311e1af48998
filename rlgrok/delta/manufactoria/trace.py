"""A run step by step: what each visited node found on the tape and did with it.

Follows `machine.run` and agrees with it (a property test). What surprises: tapes are not stored. Symbols only leave at
the front and only join at the back, so every tape of a run is a window of one belt: the input, then what was painted.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from rlgrok.delta.manufactoria.machine import ITERATION_LIMIT, ROUTED_TO_NONE, UNKNOWN_NODE
from rlgrok.delta.manufactoria.tables import MAX_VISITS


class Step(NamedTuple):
    """One visited node, and the tape as it arrived: `belt[front:back]`."""

    node: str
    front: int
    back: int
    condition: str | None
    """The route taken: a colour (which was pulled), `EMPTY` or `NEXT`; None where the run stopped."""
    target: str | None
    """Where it led; None where the run stopped. A missing route leads to `NONE`."""


@dataclass(frozen=True)
class Trace:
    """A whole run."""

    program: Program
    belt: str
    """The input, then every painted symbol."""
    steps: tuple[Step, ...]
    rejection_reason: str | None
    """None exactly when accepted."""
    final_front: int
    """Symbols pulled."""

    @property
    def finished(self) -> bool:
        """Accepted."""
        return self.rejection_reason is None

    @property
    def final_tape(self) -> str:
        """What the run left."""
        return self.belt[self.final_front :]

    def tape(self, index: int) -> str:
        """The tape on arrival at a step."""
        step = self.steps[index]
        return self.belt[step.front : step.back]

    def event(self, index: int) -> str:
        """What happened at a step, in one clause."""
        return _event(self, index)

    def loop(self) -> tuple[int, int] | None:
        """Two steps with the same node and tape: the run would go round between them for ever. None without any."""
        seen: dict[tuple[str, int], int] = {}  # a hash in place of each tape: they may be long
        for index, step in enumerate(self.steps):
            tape = self.tape(index)
            first = seen.setdefault((step.node, hash(tape)), index)
            if first != index and self.tape(first) == tape:
                return first, index
        return None


def trace(
    program: Program, tape: str, *, max_visits: int = MAX_VISITS, strict: bool = False
) -> Trace:
    """Run a program on a tape and keep every step.

    Args:
        program: a parsed program.
        tape: front first.
        max_visits: as in `machine.run`.
        strict: as in `machine.run`.
    """
    nodes, routes = program.by_name, program.routes
    belt = list(tape)
    front = 0
    steps: list[Step] = []
    current, reason = START_NAME, ITERATION_LIMIT
    while len(steps) < max_visits:
        if strict and current == END_TARGET and END_TARGET not in nodes:
            current = END_NAME
        stop = _stop(current, program)
        if stop is not None:
            steps.append(Step(current, front, len(belt), None, None))
            reason = stop
            break
        kind = nodes[current].kind
        at = front, len(belt)
        condition = NEXT
        if kind in PULLER_COLORS:
            condition = EMPTY
            if front < len(belt) and belt[front] in PULLER_COLORS[kind]:
                condition = belt[front]
                front += 1
        elif kind in PAINTER_COLORS:
            belt.append(PAINTER_COLORS[kind])
        target = routes[current].get(condition, NONE_TARGET)
        steps.append(Step(current, *at, condition, target))
        current = target
    return Trace(program, "".join(belt), tuple(steps), reason or None, front)


def _stop(name: str, program: Program) -> str | None:
    """Why a run ends here: the reason of a rejection, empty for acceptance, None when it goes on."""
    if name == NONE_TARGET:
        return ROUTED_TO_NONE
    if name == END_NAME:
        return ""
    return None if name in program.by_name else UNKNOWN_NODE


def _event(run: Trace, index: int) -> str:
    step = run.steps[index]
    if step.condition is None:
        if run.finished:
            return "accepted"
        if run.rejection_reason == UNKNOWN_NODE:
            return f"rejected: no node is named {step.node}, the END node is named {END_NAME}"
        return "rejected"
    kind = run.program.by_name[step.node].kind
    if kind in PAINTER_COLORS:
        return f"paint {PAINTER_COLORS[kind]} at the back"
    if kind not in PULLER_COLORS:
        return "start"
    if step.condition != EMPTY:
        words = f"pull {step.condition} from the front"
    elif step.front == step.back:
        words = "the tape is empty"
    else:
        colors = " or ".join(PULLER_COLORS[kind])
        words = f"the front is {run.belt[step.front]}, not {colors}: pull nothing"
    is_missing = step.condition not in run.program.routes[step.node]
    return f"{words}; no [{step.condition}] route" if is_missing else words
