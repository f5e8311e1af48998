"""A program compiled for speed: the same verdict as `machine.run`, without the path.

Two forms. `simulate` runs any program on integer node numbers. Where no painter can be followed by a puller (every
accept family's programs), acceptance is that of a finite automaton: a table of state and symbol, in which chains of
`[EMPTY]` routes and endless loops are already resolved. The automaton ignores the limit on visits, so it is used only
for tapes short enough that the limit cannot matter. What surprises: a symbol that a puller does not take leads along
`[EMPTY]` without being consumed, so a character outside R B Y G behaves as the end of the tape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from functools import lru_cache

from rlgrok.delta.manufactoria.automaton import SYMBOLS, WIDTH, Automaton, encode, tapes
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

MAX_VISITS = 1000
"""Nodes that a run may visit (delta-manufactoria.md, section 2). An accepting run visits at most this many."""
ACCEPT, REJECT = -1, -2
_MAX_AUTOMATON_NODES = 250  # states then fit a byte, and resolving chains of routes stays quick


class Tables:
    """A compiled program.

    Args:
        program: a parsed program.
        strict: read the target `END` as the END node, unless a node of that name is declared.
    """

    __slots__ = ("_empties", "_nexts", "_paints", "_pulls", "_start", "automaton")

    def __init__(self, program: Program, strict: bool = False) -> None:
        numbers = {node.name: index for index, node in enumerate(program.nodes)}
        numbers[END_NAME] = ACCEPT
        numbers[NONE_TARGET] = REJECT  # also when a node is declared with that name: it never runs
        if strict:
            numbers.setdefault(END_TARGET, ACCEPT)
        self._pulls: list[Mapping[str, int] | None] = []
        self._empties: list[int] = []
        self._nexts: list[int] = []
        self._paints: list[str] = []
        for node in program.nodes:
            routes = _first_routes(node, numbers)
            colors = PULLER_COLORS.get(node.kind)
            if colors is None:
                self._pulls.append(None)
                self._empties.append(REJECT)
                self._nexts.append(routes.get(NEXT, REJECT))
                self._paints.append(PAINTER_COLORS.get(node.kind, ""))
            else:
                self._pulls.append({color: routes.get(color, REJECT) for color in colors})
                self._empties.append(routes.get(EMPTY, REJECT))
                self._nexts.append(REJECT)
                self._paints.append("")
        self._start = numbers[START_NAME]
        self._cut_endless_chains()
        self.automaton = self._build_automaton()

    def rerouted(self, routes: Iterable[tuple[int, str, int]]) -> Tables:
        """The same nodes with some routes of pullers changed, without reading a program again.

        Args:
            routes: (node number, colour or `EMPTY`, new target), where the target is a node number, -1 for END or -2
                for NONE. A colour must be one of the puller's own.
        """
        other = copy(self)
        other._pulls, other._empties = list(self._pulls), list(self._empties)
        for node, condition, target in routes:
            if condition == EMPTY:
                other._empties[node] = target
            else:
                other._pulls[node] = {**(other._pulls[node] or {}), condition: target}
        other.automaton = other._build_automaton()
        return other

    def accepts(self, tape: str) -> bool:
        """Whether the program accepts the tape within the limit."""
        automaton = self.automaton
        if automaton is not None and len(tape) <= automaton.max_length:
            codes = encode(tape)
            if codes is not None:
                return automaton.accepts_codes(codes)
        return self.simulate(tape) is not None

    def outcome(self, tape: str) -> str | None:
        """What `simulate` gives, without running a program whose table already says that it rejects."""
        automaton = self.automaton
        if automaton is not None and len(tape) <= automaton.max_length and not self.accepts(tape):
            return None
        return self.simulate(tape)

    def simulate(self, tape: str) -> str | None:
        """The final tape of an accepted run, None for a rejected one."""
        pulls, empties, nexts, paints = self._pulls, self._empties, self._nexts, self._paints
        symbols = list(tape)
        front = 0
        current = self._start
        for _ in range(MAX_VISITS):
            if current < 0:
                return "".join(symbols[front:]) if current == ACCEPT else None
            routes = pulls[current]
            if routes is None:
                if paints[current]:
                    symbols.append(paints[current])
                current = nexts[current]
            elif front < len(symbols) and (target := routes.get(symbols[front])) is not None:
                front += 1
                current = target
            else:
                current = empties[current]
        return None

    def behaviour(self, alphabet: str, max_length: int) -> bytes:
        """One byte a tape, 1 for accepted, in the order of `tapes(alphabet, max_length)`."""
        automaton = self.automaton
        if automaton is not None and max_length <= automaton.max_length:
            return automaton.behaviour(alphabet, max_length)
        return bytes(self.accepts(tape) for tape in tapes(alphabet, max_length))

    def _cut_endless_chains(self) -> None:
        """Send START and painters that lead round in circles to NONE: the limit would reject them much later."""
        settled = [routes is not None for routes in self._pulls]
        for node in range(len(settled)):
            chain = []
            while node >= 0 and not settled[node]:
                settled[node] = True
                chain.append(node)
                node = self._nexts[node]
            if node in chain:  # a circle that this very walk has closed
                for member in chain[chain.index(node) :]:
                    self._nexts[member] = REJECT

    def _build_automaton(self) -> Automaton | None:
        """The table, or None when a painter can be followed by a puller (acceptance then depends on what it paints)."""
        if len(self._nexts) > _MAX_AUTOMATON_NODES:
            return None
        reachable = self._reachable()
        for node in reachable:
            if self._paints[node] and self._pass(node)[0] >= 0:
                return None
        pullers = [node for node in reachable if self._pulls[node] is not None]
        index = {node: position * WIDTH for position, node in enumerate(pullers)}
        index[ACCEPT], index[REJECT] = len(pullers) * WIDTH, (len(pullers) + 1) * WIDTH
        moves: list[int] = []
        accepting = bytearray((len(pullers) + 2) * WIDTH)
        accepting[index[ACCEPT]] = 1
        longest = 1
        for puller in pullers:
            routes, end = self._pulls[puller] or {}, self._empties[puller]
            targets = [routes.get(symbol, end) for symbol in SYMBOLS]
            if end < 0 and all(
                [target in index for target in targets]
            ):  # nothing to pass on the way
                moves += [index[target] for target in targets]
                accepting[index[puller]] = end == ACCEPT
                continue
            for symbol in SYMBOLS:
                state, visits = self._quick(puller, symbol) or self._settle(puller, symbol)
                moves.append(index[state])
                longest = max(longest, visits)
            state, visits = self._settle(puller, EMPTY)
            accepting[index[puller]] = state == ACCEPT
            longest = max(longest, visits)
        moves += [index[ACCEPT]] * WIDTH + [index[REJECT]] * WIDTH
        start, visits = self._pass(self._start)
        max_length = (MAX_VISITS - visits - longest - 1) // longest
        if max_length < 0:
            return None
        return Automaton(index[start], tuple(moves), bytes(accepting), max_length)

    def _quick(self, puller: int, symbol: str) -> tuple[int, int] | None:
        """What `_settle` finds, for the common cases: taken by this puller or the one behind its `[EMPTY]` route."""
        routes, empty, pulls = self._pulls[puller], self._empties[puller], self._pulls
        visits = 1
        if routes is None or symbol not in routes:
            routes = pulls[empty] if empty >= 0 else None
            visits = 2
        target = empty if routes is None else routes.get(symbol, 0)
        settled = target < 0 or (
            routes is not None and symbol in routes and pulls[target] is not None
        )
        return (target, visits) if settled else None

    def _settle(self, puller: int, symbol: str) -> tuple[int, int]:
        """Where a puller leads on a front symbol (or `EMPTY`): a puller after consuming it, accept or reject.

        Also an upper bound on the nodes visited on the way.
        """
        current, visits = puller, 0
        seen: set[int] = set()
        while current >= 0 and current not in seen:
            seen.add(current)
            routes = self._pulls[current]
            taken = routes is not None and symbol in routes
            target = routes[symbol] if taken and routes is not None else self._empties[current]
            current, passed = self._pass(target)
            visits += 1 + passed
            if taken:
                return current, visits
        return (current, visits) if current < 0 else (REJECT, visits)

    def _pass(self, node: int) -> tuple[int, int]:
        """Follow START and painters to a puller, accept or reject, and count them."""
        visits = 0
        while node >= 0 and self._pulls[node] is None:
            visits += 1
            node = self._nexts[node]
        return node, visits

    def _reachable(self) -> list[int]:
        """The nodes that some tape could visit, START first, without accept and reject."""
        found = [self._start]
        for current in found:
            routes = self._pulls[current]
            if routes is None:
                targets = [self._nexts[current]]
            else:
                targets = [*routes.values(), self._empties[current]]
            found.extend(
                target for target in dict.fromkeys(targets) if target >= 0 and target not in found
            )
        return found


@lru_cache(maxsize=4096)
def compile_program(program: Program, strict: bool = False) -> Tables:
    """The compiled form of a program, remembered for the most recent ones."""
    return Tables(program, strict)


def _first_routes(node: Node, numbers: Mapping[str, int]) -> dict[str, int]:
    """Condition to node number, the first of repeated conditions; unknown names reject."""
    routes: dict[str, int] = {}
    for condition, target in node.edges:
        routes.setdefault(condition, numbers.get(target, REJECT))
    return routes
