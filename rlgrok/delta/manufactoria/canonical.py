"""Canonical programs: one spelling for each way of solving a problem.

Node names n0, n1, ... in breadth-first order from START, START first and END last; every puller has exactly one route
for each colour of its pair, in order, and `[EMPTY]` only where it leads somewhere; nothing unreachable. This takes
away the choices that no test can see (order, duplicates, optional routes), which otherwise hold most of a policy's
entropy (rl-default.md, third study). What surprises: with four colours a state needs a puller of each pair, chained by
`[EMPTY]`, because a puller sends a symbol of the other pair along `[EMPTY]` untouched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    END_NAME,
    NEXT,
    NONE_TARGET,
    PULLER_COLORS,
    START_NAME,
    Edge,
    Kind,
    Node,
    Program,
)
from runtime.seeding import Stream

ACCEPT = -1
"""As the target of a move: go to END at once, whatever is left on the tape."""
Moves = Sequence[Mapping[str, int]]
"""A finite automaton: for each state, symbol to next state or `ACCEPT`; a symbol that is absent rejects."""
_END = Node(Kind.END, END_NAME)


def acceptor_program(moves: Moves, alphabet: str, accepting: Collection[int] = ()) -> Program:
    """The canonical program of a finite automaton that starts in state 0.

    Args:
        moves: next states; a missing symbol rejects.
        alphabet: the tape's symbols; without Y and G no PULLER_YG is used.
        accepting: states in which the end of the tape is accepted.
    """
    pairs = {kind: colors for kind, colors in PULLER_COLORS.items() if colors[0] in alphabet}
    # At the end of the tape every pair must have been asked: `[EMPTY]` alone also takes the other pair's symbols.
    kinds = [
        [k for k, colors in pairs.items() if state in accepting or set(colors) & set(move)]
        or [Kind.PULLER_RB]
        for state, move in enumerate(moves)
    ]
    names = {state: f"{used[0]}_{state}" for state, used in enumerate(kinds)} | {
        ACCEPT: END_NAME,
        None: NONE_TARGET,
    }
    nodes = [Node(Kind.START, START_NAME, (Edge(NEXT, names[0]),))]
    for state, (move, used) in enumerate(zip(moves, kinds, strict=True)):
        for kind, following in zip(used, [*used[1:], None], strict=True):
            edges = [Edge(c, names[move.get(c)]) for c in pairs[kind]]
            if following is not None:
                edges.append(Edge(EMPTY, f"{following}_{state}"))
            elif state in accepting:
                edges.append(Edge(EMPTY, END_NAME))
            nodes.append(Node(kind, f"{kind}_{state}", tuple(edges)))
    return canonicalise(Program((*nodes, _END)))


def chain_program(kinds: Sequence[Kind]) -> Program:
    """The canonical program that visits nodes with a single NEXT one after the other, then END."""
    names = [f"n{index}" for index in range(len(kinds))] + [END_NAME]
    start = Node(Kind.START, START_NAME, (Edge(NEXT, names[0]),))
    chain = [
        Node(kind, names[index], (Edge(NEXT, names[index + 1]),))
        for index, kind in enumerate(kinds)
    ]
    return Program((start, *chain, _END))


def canonicalise(program: Program) -> Program:
    """The canonical program that accepts the same tapes and leaves the same output.

    Equal for programs that differ in names, order, duplicate or missing routes, unreachable nodes and detours through
    START. Only the number of nodes visited may change, and with it the point where the limit cuts a run off.
    """
    routes = {node.name: _routes(node) for node in program.nodes}
    kinds = {node.name: node.kind for node in program.nodes}
    first = routes[START_NAME][NEXT]
    if first == START_NAME:
        first = NONE_TARGET

    def resolved(target: str) -> str:
        target = first if target == START_NAME else target
        return target if target in kinds and target != NONE_TARGET else NONE_TARGET

    order: list[str] = []
    queue = [resolved(first)]
    for name in queue:
        if name not in order and name not in (END_NAME, NONE_TARGET):
            order.append(name)
            queue.extend(resolved(target) for target in routes[name].values())
    names = {name: f"n{index}" for index, name in enumerate(order)}
    names |= {END_NAME: END_NAME, NONE_TARGET: NONE_TARGET}
    nodes = [Node(Kind.START, START_NAME, (Edge(NEXT, names[resolved(first)]),))]
    for name in order:
        edges = [Edge(c, names[resolved(target)]) for c, target in routes[name].items()]
        kept = (edge for edge in edges if edge != Edge(EMPTY, NONE_TARGET))
        nodes.append(Node(kinds[name], names[name], tuple(kept)))
    return Program((*nodes, _END))


def is_canonical(program: Program) -> bool:
    """Whether a program is its own canonical form."""
    return canonicalise(program) == program


def rewire(program: Program, stream: Stream, probability: float) -> Program:
    """Send each rejecting route of a canonical program to some node with a probability; the result is canonical again.

    Only routes to NONE move: the way to acceptance stays, so a program remains as long as its pattern.

    Args:
        program: canonical.
        stream: advanced by one value a rejecting route, and one more a change.
        probability: of a rejecting route to change, in [0, 1]. The new target is uniform over the nodes between
            START and END, its own among them.
    """
    inner = [node.name for node in program.nodes if node.kind not in (Kind.START, Kind.END)]

    def changed(edge: Edge) -> Edge:
        if edge.target != NONE_TARGET or not stream.bernoulli(probability):
            return edge
        return Edge(edge.condition, stream.choice(inner))

    nodes = [
        Node(node.kind, node.name, tuple(changed(edge) for edge in node.edges))
        for node in program.nodes
    ]
    return canonicalise(Program(tuple(nodes)))


def read_every_color(program: Program) -> Program:
    """The same acceptor over four colours, with every state reading all of them; the result is canonical.

    A state that has a puller of one pair only rejects the other pair's symbols for want of an `[EMPTY]` route. It gets
    that route, and at its end a puller of the other pair that rejects both: the same verdict on every tape, and routes
    that can be sent elsewhere one by one.

    Args:
        program: canonical; its pullers of red and blue stand before those of yellow and green, as in
            `acceptor_program`.
    """
    pullers = [node for node in program.nodes if node.kind in PULLER_COLORS]
    partners = {
        target
        for node in pullers
        for condition, target in node.edges
        if condition == EMPTY and target not in (NONE_TARGET, END_NAME)
    }
    entry: dict[str, str] = {}
    added: list[Node] = []
    nodes: dict[str, Node] = {}
    for node in pullers:
        other = f"{node.name}+"
        has_empty = any(condition == EMPTY for condition, _ in node.edges)
        if node.kind is Kind.PULLER_RB and not has_empty:
            nodes[node.name] = Node(node.kind, node.name, (*node.edges, Edge(EMPTY, other)))
            added.append(_rejecting(Kind.PULLER_YG, other))
        elif node.kind is Kind.PULLER_YG and node.name not in partners:
            before = _rejecting(Kind.PULLER_RB, other)
            added.append(Node(before.kind, other, (*before.edges, Edge(EMPTY, node.name))))
            entry[node.name] = other

    def entered(node: Node) -> Node:
        edges = (Edge(c, t if c == EMPTY else entry.get(t, t)) for c, t in node.edges)
        return Node(node.kind, node.name, tuple(edges))

    kept = [entered(nodes.get(node.name, node)) for node in program.nodes]
    return canonicalise(Program((*kept[:-1], *added, kept[-1])))


def _rejecting(kind: Kind, name: str) -> Node:
    """A puller that rejects both its colours."""
    return Node(kind, name, tuple(Edge(color, NONE_TARGET) for color in PULLER_COLORS[kind]))


def _routes(node: Node) -> dict[str, str]:
    """Condition to target name as a run sees them: the first of duplicates, NONE for a missing colour."""
    colors = PULLER_COLORS.get(node.kind)
    found: dict[str, str] = {} if colors is None else dict.fromkeys(colors, "")
    for condition, target in node.edges:
        if not found.get(condition):
            found[condition] = target
    return {condition: target or NONE_TARGET for condition, target in found.items()}
