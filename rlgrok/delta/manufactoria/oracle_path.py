"""The shortest way to acceptance through an oracle's automaton, and tapes that leave it.

A *position* counts matched symbols of the pattern, the shortest accepted tape; the *depth* of a state is its distance
from the start, and the depth of a tape that of the deepest state it visits. Pure graph walks; which tapes make good
tests is decided in `ladder.py`. What surprises: an oracle that accepts the empty tape is seen the other way round, so
its pattern is the shortest rejected tape, and `accepts` here means that the oracle rejects.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import pairwise

from rlgrok.delta.manufactoria.automaton import SYMBOLS, Automaton, encode
from rlgrok.delta.manufactoria.dsl import EMPTY, Program
from rlgrok.delta.manufactoria.mutants import (
    Change,
    Mutator,
    NoLadderError,
    wrong_targets,
)
from runtime.seeding import Stream

_MAX_REPEATS = 6  # a wrong edge can undo itself on every second repeat: three odd ones are needed
_TAIL = 5


class OraclePath:
    """The automaton of a right program seen from its shortest accepted tape.

    Args:
        program: canonical; acceptance must not depend on painters.
        alphabet: symbols of the tapes.

    Raises:
        NoLadderError: the program is no finite automaton, or accepts every tape or none.
    """

    def __init__(self, program: Program, alphabet: str) -> None:
        self.mutator = Mutator(program)
        self.oracle = self.mutator.automaton
        """What the program accepts."""
        self.automaton = self.oracle
        """The same, or the other way round where it accepts the empty tape."""
        self.alphabet = alphabet
        self._codes = {symbol: SYMBOLS.index(symbol) for symbol in alphabet}
        self.accept = len(self.automaton.moves) - 2 * len(SYMBOLS)
        self.reject = len(self.automaton.moves) - len(SYMBOLS)
        if self.accepts(""):
            turned = bytes(1 - is_accepting for is_accepting in self.oracle.accepting)
            self.automaton = replace(self.oracle, accepting=turned)
            self.accept, self.reject = self.reject, self.accept
        pattern = self.completion(self.automaton.start)
        if pattern is None:
            raise NoLadderError("the oracle accepts every tape or none")
        self.pattern = pattern
        self.states = [self.after(pattern[:end]) for end in range(len(pattern) + 1)]

    def after(self, tape: str, state: int | None = None) -> int:
        """The state after a tape, from the start or from a state."""
        current = self.automaton.start if state is None else state
        for symbol in tape:
            current = self.automaton.moves[current + self._codes[symbol]]
        return current

    def accepts(self, tape: str) -> bool:
        """Whether the oracle accepts a tape, or rejects it where it accepts the empty one."""
        return self.automaton.accepting[self.after(tape)] == 1

    @cached_property
    def depths(self) -> dict[int, int]:
        """Distance from the start of every live state, at most the pattern's length; accept and reject have none."""
        found = {self.automaton.start: 0}
        for state in (queue := [self.automaton.start]):
            for symbol in self.alphabet:
                target = self.after(symbol, state)
                if target not in found and target not in (self.accept, self.reject):
                    found[target] = min(found[state] + 1, len(self.pattern))
                    queue.append(target)
        return found

    @property
    def deepest(self) -> int:
        """The greatest depth of a tape that is not yet accepted for good."""
        return max(self.depths.values())

    def depth(self, tape: str) -> int:
        """The depth of the deepest live state that a tape visits."""
        visited = (self.after(tape[:end]) for end in range(len(tape) + 1))
        return max(self.depths.get(state, 0) for state in visited)

    @cached_property
    def shortcuts(self) -> list[Automaton]:
        """For each position, the oracle with that state left out: whatever leads to it leads to the next one.

        The policies that get stuck write these: one state short, everything else right.
        """
        found = []
        for left_out, following in pairwise(self.states):
            moves = tuple(following if move == left_out else move for move in self.automaton.moves)
            start = following if self.automaton.start == left_out else self.automaton.start
            found.append(replace(self.automaton, start=start, moves=moves))
        return found

    def completion(self, state: int) -> str | None:
        """The shortest tape that is accepted from a state, first in alphabet order; None if there is none."""
        return self._shortest(state, lambda reached: self.automaton.accepting[reached] == 1)

    def way(self, state: int, goal: int) -> str | None:
        """The shortest tape from one state to another; None if there is none."""
        return self._shortest(state, lambda reached: reached == goal)

    def detours(self, position: int, stream: Stream) -> list[str]:
        """Accepted tapes that leave the path by one edge at a position and find back, most telling first.

        The most telling tape is the one that the most wrong targets of that edge would reject. Edges of the position
        take turns; an edge that rejects for good gives nothing.
        """
        before, state = self.pattern[:position], self.states[position]
        by_edge = []
        for symbol in stream.shuffled(self.alphabet):
            away = self.after(symbol, state)
            onward = position < len(self.pattern) and symbol == self.pattern[position]
            if onward or away in (self.accept, self.reject):
                continue
            words = [symbol * n for n in range(1, _MAX_REPEATS + 1)]
            words += [symbol + second for second in self.alphabet if second != symbol]
            tapes = []
            for word in words:
                rest = self.completion(self.after(word, state))
                if rest is not None:
                    tapes.append(before + word + rest)
            unique = stream.shuffled(list(dict.fromkeys(tapes)))
            unique.sort(key=lambda tape: (-self._kills(tape, state, symbol), len(tape)))
            by_edge.append(unique)
        rounds = range(max(map(len, by_edge), default=0))
        return [tapes[turn] for turn in rounds for tapes in by_edge if turn < len(tapes)]

    def walk(self, position: int, probability: float, stream: Stream) -> str:
        """The pattern up to a position; before each step, with a probability, a loop back to the same state."""
        parts = []
        for step in range(position):
            if stream.bernoulli(probability):
                parts.append(self._loop(self.states[step], stream))
            parts.append(self.pattern[step])
        return "".join(parts)

    def tail(self, state: int, depth: int, stream: Stream) -> str:
        """Up to five random symbols that neither accept for good nor get deeper than a depth."""
        parts = []
        for _ in range(stream.integer(0, _TAIL)):
            allowed = [s for s in self.alphabet if self._stays(self.after(s, state), depth)]
            if not allowed:
                break
            symbol = stream.choice(allowed)
            parts.append(symbol)
            state = self.after(symbol, state)
        return "".join(parts)

    def _stays(self, state: int, depth: int) -> bool:
        return state == self.reject or self.depths.get(state, depth + 1) <= depth

    def _loop(self, state: int, stream: Stream) -> str:
        """A word that leaves a state by a random edge and comes back the shortest way; empty if none does."""
        words = []
        for symbol in self.alphabet:
            back = self.way(self.after(symbol, state), state)
            if back is not None:
                words.append(symbol + back)
        return stream.choice(words) * stream.integer(1, 2) if words else ""

    def _shortest(self, state: int, is_goal) -> str | None:  # noqa: ANN001 - a predicate of states
        ways = {state: ""}
        for current in (queue := [state]):
            if is_goal(current):
                return ways[current]
            for symbol in self.alphabet if current not in (self.accept, self.reject) else "":
                target = self.after(symbol, current)
                if target not in ways:
                    ways[target] = ways[current] + symbol
                    queue.append(target)
        return None

    def _kills(self, tape: str, state: int, symbol: str) -> int:
        """How many wrong targets of the edge taken on a symbol in a state make the program wrong on the tape."""
        codes = encode(tape) or b""
        right = self.oracle.accepts_codes(codes)
        node, edge = self._edge(state, symbol)
        killed = 0
        for target in wrong_targets(self.mutator.program, node, edge):
            mutant = self.mutator.mutant([Change(node, edge, target)])
            killed += mutant is not None and mutant.accepts_codes(codes) != right
        return killed

    def _edge(self, state: int, symbol: str) -> tuple[int, int]:
        """Node and edge position of the route that a symbol takes from a state, past `[EMPTY]` routes."""
        nodes = self.mutator.program.nodes
        position = state // len(SYMBOLS) + 1  # START is the first node
        while True:
            conditions = [edge.condition for edge in nodes[position].edges]
            if symbol in conditions:
                return position, conditions.index(symbol)
            following = nodes[position].edges[conditions.index(EMPTY)].target
            position = next(i for i, node in enumerate(nodes) if node.name == following)
