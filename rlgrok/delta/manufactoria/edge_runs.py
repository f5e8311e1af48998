"""Runs that tell which edges they took, and with them every pair of wrong edges that passes some tests.

A program of a dozen states has tens of millions of pairs, far too many to run. But a wrong edge changes nothing on a
tape on which it is not taken. So where a program with one wrong edge fails a test, a second wrong edge can only save it
by being taken on that test's tape, before the first program is done; and the other way round. Few pairs are left, and
those are run. What surprises: nothing is lost by it, the pairs found are exactly those that pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from rlgrok.delta.manufactoria.automaton import SYMBOLS
from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    NONE_TARGET,
    PULLER_COLORS,
    Kind,
    Program,
)
from rlgrok.delta.manufactoria.mutants import Change, Changes, edges_of, mutants
from rlgrok.delta.manufactoria.tables import MAX_VISITS

_STOP = bytes([len(SYMBOLS)])
_WIDTH = len(SYMBOLS) + 1


class EdgeRuns:
    """A canonical program that only reads, with edges that can be sent elsewhere.

    Args:
        program: canonical, START, pullers and END.

    Raises:
        ValueError: a painter: what it paints would have to be kept.
    """

    def __init__(self, program: Program) -> None:
        for node in program.nodes:
            if node.kind not in (Kind.START, Kind.END, *PULLER_COLORS):
                raise ValueError(f"node {node.name} paints")
        self._edges = {place: number for number, place in enumerate(edges_of(program))}
        self._accept = len(program.nodes)
        self._states = {node.name: index for index, node in enumerate(program.nodes)}
        self._states |= {END_NAME: self._accept, NONE_TARGET: self._accept + 1}
        self._cells: list[list[int]] = [[] for _ in self._edges]
        self._moves = [(0, self._accept + 1, False)] * (_WIDTH * len(program.nodes))
        for position, node in enumerate(program.nodes):
            if node.kind is Kind.START:
                self._start = self._states[node.edges[0].target]
                continue
            colors = PULLER_COLORS.get(node.kind, "")
            for index, (condition, target) in enumerate(node.edges):
                number = self._edges[position, index]
                for symbol in range(_WIDTH):
                    takes = SYMBOLS[symbol : symbol + 1] == condition
                    if takes or (
                        condition == EMPTY and SYMBOLS[symbol : symbol + 1] not in (*colors,)
                    ):
                        cell = _WIDTH * position + symbol
                        self._cells[number].append(cell)
                        self._moves[cell] = (1 << number, self._states[target], takes)

    def number(self, change: Change) -> int:
        """Which edge is changed; edges are numbered as `mutants.edges_of` lists them."""
        return self._edges[change.node, change.edge]

    def run(self, changes: Sequence[Change], codes: bytes) -> tuple[bool, int]:
        """Whether a tape is accepted, and a bit for each edge taken.

        Args:
            changes: edges that lead elsewhere in this run, each edge once.
            codes: the tape's symbols, and a stop.
        """
        kept = self._rewired(changes)
        outcome = self._run(codes)
        self._restore(kept)
        return outcome

    def fatal(self, changes: Sequence[Change], tests: Sequence[tuple[bytes, bool]]) -> int:
        """The edges taken on the tape of every failed test, as bits; all bits where no test fails, so -1.

        Args:
            changes: as in `run`.
            tests: tapes as in `run`, and whether each is to be accepted.
        """
        common = -1
        kept = self._rewired(changes)
        for codes, wanted in tests:
            accepted, taken = self._run(codes)
            if accepted != wanted:
                common &= taken
        self._restore(kept)
        return common

    def passes(self, changes: Sequence[Change], tests: Sequence[tuple[bytes, bool]]) -> bool:
        """Whether every tape is accepted or rejected as it should be."""
        kept = self._rewired(changes)
        passed = all(self._run(codes)[0] == wanted for codes, wanted in tests)
        self._restore(kept)
        return passed

    def _rewired(self, changes: Sequence[Change]) -> list[tuple[int, tuple[int, int, bool]]]:
        kept = []
        for change in changes:
            for cell in self._cells[self.number(change)]:
                kept.append((cell, self._moves[cell]))
                bit, _, takes = self._moves[cell]
                self._moves[cell] = (bit, self._states[change.target], takes)
        return kept

    def _restore(self, kept: Sequence[tuple[int, tuple[int, int, bool]]]) -> None:
        for cell, move in kept:
            self._moves[cell] = move

    def _run(self, codes: bytes) -> tuple[bool, int]:
        state, place, taken = self._start, 0, 0
        moves, accept = self._moves, self._accept
        for _ in range(MAX_VISITS - 1):  # START was the first
            if state >= accept:
                return state == accept, taken
            bit, state, takes = moves[_WIDTH * state + codes[place]]
            taken |= bit
            place += takes
        return False, taken


def passing_pairs(program: Program, tests: Sequence[tuple[bytes, bool]]) -> Iterator[Changes]:
    """Every way to make two edges wrong with which all tests are passed, in the order of `mutants.mutants`.

    Args:
        program: as in `EdgeRuns`.
        tests: symbol codes of each tape, and whether it is to be accepted.
    """
    runs = EdgeRuns(program)
    stopped = [(codes + _STOP, wanted) for codes, wanted in tests]
    singles: list[list[tuple[Change, int]]] = [[] for _ in edges_of(program)]
    for (change,) in mutants(program, 1):
        singles[runs.number(change)].append((change, runs.fatal((change,), stopped)))
    for first, second in combinations(range(len(singles)), 2):
        others = [change for change, saved_by in singles[second] if saved_by >> first & 1]
        for change, saved_by in singles[first] if others else ():
            if saved_by >> second & 1:
                for other in others:
                    if runs.passes((change, other), stopped):
                        yield change, other
