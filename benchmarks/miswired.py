"""Wrong programs for the benchmarks of judge and service: solutions whose routes lead further on than they should.

Never back, because a program that goes round in circles takes a thousand visits a test: how many of those there were
would decide the numbers.
"""

from __future__ import annotations

from rlgrok.delta.manufactoria.dsl import NONE_TARGET, Kind, Program
from runtime.seeding import Stream

MISWIRED = 0.2
"""Chance of each route to lead elsewhere."""


def miswired(program: Program, stream: Stream) -> Program:
    """A canonical program in which some routes lead to a later node or to NONE instead.

    Args:
        program: canonical; of any family, those that rewrite the tape included.
        stream: advanced by one value a route, and one more a change.
    """
    names = [node.name for node in program.nodes]
    nodes = []
    for index, node in enumerate(program.nodes):
        edges = tuple(
            edge._replace(target=stream.choice([*names[index + 1 :], NONE_TARGET]))
            if node.kind is not Kind.START and stream.bernoulli(MISWIRED)
            else edge
            for edge in node.edges
        )
        nodes.append(node._replace(edges=edges))
    return Program(tuple(nodes))
