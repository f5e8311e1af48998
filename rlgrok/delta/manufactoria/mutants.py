"""Programs a few wrong edges away from a right one: what tests must be able to tell from it.

An edge is any route but START's. A wrong target is any node, END or NONE that is not the edge's own. What surprises: a
mutant may still be right, because two wrong edges can undo each other or an edge may not matter; such a mutant is not
wrong, it has the target's behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from math import comb
from typing import NamedTuple

from rlgrok.delta.manufactoria.automaton import SYMBOLS, Automaton
from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    NONE_TARGET,
    PULLER_COLORS,
    Edge,
    Kind,
    Node,
    Program,
)
from rlgrok.delta.manufactoria.tables import ACCEPT, REJECT, Tables
from runtime.seeding import Stream


class NoLadderError(ValueError):
    """A right program that ladder tests cannot be made for: no finite automaton, or one that treats all tapes alike."""


class Change(NamedTuple):
    """One rewired edge: node position in the program, edge position in the node, new target."""

    node: int
    edge: int
    target: str


Changes = tuple[Change, ...]


def edges_of(program: Program) -> list[tuple[int, int]]:
    """Node and edge positions of every route but START's."""
    return [
        (position, index)
        for position, node in enumerate(program.nodes)
        if node.kind is not Kind.START
        for index in range(len(node.edges))
    ]


def wrong_targets(program: Program, node: int, edge: int) -> list[str]:
    """Every other place an edge could lead to: nodes in order, END, NONE."""
    inner = [n.name for n in program.nodes if n.kind not in (Kind.START, Kind.END)]
    right = program.nodes[node].edges[edge].target
    return [target for target in (*inner, END_NAME, NONE_TARGET) if target != right]


def num_mutants(program: Program, num_wrong: int) -> int:
    """Programs with exactly this many wrong edges."""
    edges = edges_of(program)
    wrong = len(wrong_targets(program, *edges[0])) if edges else 0
    return comb(len(edges), num_wrong) * wrong**num_wrong


def mutants(program: Program, num_wrong: int) -> Iterator[Changes]:
    """Every way to make exactly this many edges wrong."""
    for places in combinations(edges_of(program), num_wrong):
        options = [[Change(*at, target) for target in wrong_targets(program, *at)] for at in places]
        yield from product(*options)


def drawn_mutants(
    program: Program, num_wrong: int, count: int, stream: Stream
) -> Iterator[Changes]:
    """Random ways to make this many edges wrong, possibly repeated."""
    edges = edges_of(program)
    for _ in range(count):
        places = sorted(stream.pick(edges, num_wrong))
        yield tuple(Change(*at, stream.choice(wrong_targets(program, *at))) for at in places)


def apply_changes(program: Program, changes: Sequence[Change]) -> Program:
    """The mutant as a program: same nodes, other routes."""
    nodes = list(program.nodes)
    for position, index, target in changes:
        node = nodes[position]
        edges = list(node.edges)
        edges[index] = Edge(edges[index].condition, target)
        nodes[position] = Node(node.kind, node.name, tuple(edges))
    return Program(tuple(nodes))


class Mutator:
    """Automata of many mutants of one canonical program whose acceptance does not depend on painters.

    Where the program has no `[EMPTY]` route an edge is one entry of the automaton's table, and a mutant costs about a
    microsecond; otherwise the table is built again for every mutant.

    Args:
        program: the right program, canonical.

    Raises:
        NoLadderError: the program is not a finite automaton.
    """

    def __init__(self, program: Program) -> None:
        tables = Tables(program)
        if tables.automaton is None:
            raise NoLadderError(
                "a program that reads what it has painted is not a finite automaton"
            )
        self.program = program
        self.automaton = tables.automaton
        self._tables = tables
        self._has_empty = any(EMPTY in (edge.condition for edge in n.edges) for n in program.nodes)
        self._singles: dict[Change, Automaton | None] = {}
        self._numbers = {node.name: index for index, node in enumerate(program.nodes)}
        self._numbers |= {END_NAME: ACCEPT, NONE_TARGET: REJECT}
        pullers = [node.name for node in program.nodes if node.kind in PULLER_COLORS]
        # Canonical nodes are in breadth-first order, and so are the automaton's states.
        names = [*pullers, END_NAME, NONE_TARGET]
        self._states = {name: index * len(SYMBOLS) for index, name in enumerate(names)}

    def mutant(self, changes: Sequence[Change]) -> Automaton | None:
        """The automaton of the program with some edges changed; None if the limit on visits could matter."""
        if len(changes) != 1:
            return self._build(changes)
        if changes[0] not in self._singles:
            self._singles[changes[0]] = self._build(changes)
        return self._singles[changes[0]]

    def _build(self, changes: Sequence[Change]) -> Automaton | None:
        nodes = self.program.nodes
        routes = [(at, nodes[at].edges[index].condition, target) for at, index, target in changes]
        if self._has_empty:
            numbered = ((at, condition, self._numbers[target]) for at, condition, target in routes)
            return self._tables.rerouted(numbered).automaton
        moves = list(self.automaton.moves)
        for at, symbol, target in routes:
            moves[self._states[nodes[at].name] + SYMBOLS.index(symbol)] = self._states[target]
        return replace(self.automaton, moves=tuple(moves))
