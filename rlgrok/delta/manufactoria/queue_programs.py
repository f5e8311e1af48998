"""Programs that use the tape as a queue, written as tables of states: what was pulled -> what to paint, where to go on.

Pullers read the front and painters write at the back, so a program passes over the tape by turning it round: it paints
a mark (Y or G, which no two-colour tape holds), then pulls every symbol and paints what should stand in its place until
the mark comes to the front. One such pass costs two visits a symbol, of the thousand that a run has.

How to write one. A state is any hashable value; its rules map a symbol to a `Step`, and passes are dictionaries that
are put together with `|`:

    rules = copying("turn", {"Y": DONE})                      # R and B go to the back; Y ends the program
    program = queue_program(Step("Y", "turn"), rules)          # paint the mark, then turn the tape round once

    swap = {"swap": {"R": Step("B", "swap"), "B": Step("R", "swap"), "Y": DONE}}
    program = queue_program(Step("YBR", "swap"), swap)         # BR in front of the tape with R and B exchanged

`OTHERWISE` is what happens, with nothing pulled, when the front symbol has no rule and no puller of the state takes it,
or the tape is empty. What surprises: a puller takes both colours of its pair, so in a state with a rule for R a front B
without one rejects the tape; and the pair of the first rule is asked first, which saves a visit for the other pair's
symbols if they are rarer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from rlgrok.delta.manufactoria.canonical import canonicalise
from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    NEXT,
    NONE_TARGET,
    PAINTER_COLORS,
    PULLER_COLORS,
    START_NAME,
    Edge,
    Kind,
    Node,
    Program,
)

OTHERWISE = "otherwise"
_PAINTERS = {color: kind for kind, color in PAINTER_COLORS.items()}
_PAIR_OF = {color: kind for kind, colors in PULLER_COLORS.items() for color in colors}


class Step(NamedTuple):
    """What to paint, symbol by symbol, and the state to go on in; `None` ends the program and accepts."""

    paint: str
    then: Hashable | None


DONE = Step("", None)
"""Accept, and leave the tape as it is."""
State = Hashable
Rules = Mapping[State, Mapping[str, Step]]
"""For each state, front symbol (or `OTHERWISE`) to step; a symbol without a rule rejects the tape."""


def copying(state: State, stops: Mapping[str, Step]) -> dict[State, Mapping[str, Step]]:
    """A state that turns R and B round unchanged until one of the stops."""
    return {state: {"R": Step("R", state), "B": Step("B", state), **stops}}


def dropping(state: State, stops: Mapping[str, Step]) -> dict[State, Mapping[str, Step]]:
    """A state that takes R and B off the tape until one of the stops."""
    return {state: {"R": Step("", state), "B": Step("", state), **stops}}


def stripping(state: State, then: State, stops: Mapping[str, Step]) -> dict[State, dict[str, Step]]:
    """A state that drops leading R's; the first B is turned round and leads on."""
    return {state: {"R": Step("", state), "B": Step("B", then), **stops}}


def queue_program(first: Step, rules: Rules) -> Program:
    """The canonical program that takes the first step and then follows the rules.

    States that do the same become one, so rules may be written for every case without counting nodes.

    Args:
        first: painted before anything is pulled.
        rules: every state that can be reached from the first. `OTHERWISE` alone makes a state that only paints.

    Raises:
        KeyError: a step leads to a state that has no rules.
    """
    nodes: dict[Hashable, Node | None] = {}
    waiting: list[State] = []

    def entry(step: Step) -> str:
        """The name of the node that begins a step; its painters are shared with steps that end alike."""
        if step.paint:
            name = repr(("paint", step))
            if name not in nodes:
                nodes[name] = None  # keeps its place while the rest of the chain is made
                rest = entry(Step(step.paint[1:], step.then))
                nodes[name] = Node(_PAINTERS[step.paint[0]], name, (Edge(NEXT, rest),))
            return name
        if step.then is None:
            return END_NAME
        moves = rules[step.then]
        if not any(symbol in _PAIR_OF for symbol in moves):
            return entry(moves[OTHERWISE])
        name = repr(("pull", step.then, 0))
        if name not in nodes:
            nodes[name] = None
            waiting.append(step.then)
        return name

    start = Node(Kind.START, START_NAME, (Edge(NEXT, entry(first)),))
    for state in waiting:
        moves = rules[state]
        pairs = list(dict.fromkeys(_PAIR_OF[symbol] for symbol in moves if symbol in _PAIR_OF))
        for position, pair in enumerate(pairs):
            name = repr(("pull", state, position))
            edges = [Edge(c, entry(moves[c])) for c in PULLER_COLORS[pair] if c in moves]
            if position + 1 < len(pairs):
                edges.append(Edge(EMPTY, repr(("pull", state, position + 1))))
            elif OTHERWISE in moves:
                edges.append(Edge(EMPTY, entry(moves[OTHERWISE])))
            nodes[name] = Node(pair, name, tuple(edges))
    made = [node for node in nodes.values() if node is not None]
    return canonicalise(_merged([start, *made, Node(Kind.END, END_NAME)]))


def _merged(nodes: list[Node]) -> Program:
    """One node for each class of nodes that no tape can tell apart (partition refinement)."""
    numbers = {node.name: number for number, node in enumerate(nodes)}
    targets = [[numbers.get(edge.target, -1) for edge in sorted(node.edges)] for node in nodes]
    # -1 is NONE: a class of its own, the last of the list.
    looks: list[Hashable] = [
        (node.kind, tuple(sorted(edge.condition for edge in node.edges))) for node in nodes
    ]
    classes, count = _numbered(looks), 0
    while count != (count := len(set(classes))):
        classes = _numbered(
            [
                (classes[number], *[classes[target] for target in following])
                for number, following in enumerate(targets)
            ]
        )
    chosen: dict[int, str] = {}
    for node, number in zip(nodes, classes, strict=False):
        chosen.setdefault(number, node.name)
    names = {name: chosen[classes[number]] for name, number in numbers.items()}
    names[NONE_TARGET] = NONE_TARGET
    return Program(
        tuple(
            Node(kind, name, tuple(Edge(c, names[target]) for c, target in edges))
            for kind, name, edges in nodes
            if names[name] == name
        )
    )


def _numbered(looks: list[Hashable]) -> list[int]:
    """Equal numbers for equal looks, and one number more at the end for NONE."""
    known: dict[Hashable, int] = {}
    numbers = [known.setdefault(look, len(known)) for look in looks]
    return [*numbers, len(known)]
