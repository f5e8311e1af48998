"""The supervised corpus of the tiny reference policy: what it may have seen, and proof of what it has not.

Two kinds of examples: right solutions of the *basic* families under their own prompts, and the same programs with
some rejecting routes sent to a node, under the name of a family that is not taught. The second kind shows the policy
that routes may lead anywhere (self-loops, back edges) and what those names have in common, that the pattern is read to
its end: so its first draws on a target differ from each other, without which no reward can tell them apart, and have
as many states as the pattern has symbols, without which they get stuck short of it (docs/log.md). It never shows a
solution of a target: a program that behaves like one on every short tape is dropped, and counted. Pure, from named
streams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlgrok.delta.manufactoria.canonical import read_every_color
from rlgrok.delta.manufactoria.datasets import find_family
from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    NONE_TARGET,
    PULLER_COLORS,
    Edge,
    Kind,
    Node,
    Program,
    format_program,
)
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Family, Ranges
from rlgrok.delta.manufactoria.families.family import FamilyKind
from rlgrok.delta.manufactoria.feedback import write_difference, write_feedback
from rlgrok.delta.manufactoria.prompts import FAMILY_WORDS, compact
from rlgrok.delta.manufactoria.solutions import behaviour, rewire, target_behaviour
from rlgrok.types import Problem, PromptStyle
from runtime.errors import ConfigError
from runtime.seeding import Stream

MAX_DROPPED = 20
"""Programs left out for one that is wanted, at most. A corpus for a sensible target leaves out next to none; without
a limit one that is solved by everything taught would be drawn for ever."""


@dataclass(frozen=True)
class Corpus:
    """Supervised examples and what was kept out."""

    examples: tuple[tuple[str, str], ...]
    """(prompt, program text)."""
    num_dropped: int
    """Programs left out because they behave like a solution of a target problem."""
    given: Mapping[int, str]
    """Place of an example -> what stands between its prompt and its program: a wrong attempt and what it was told."""


def build_corpus(
    *,
    families: Sequence[str],
    max_length: int,
    colors: str,
    size: int,
    rewired_share: float,
    rewire_probability: float,
    canonical: bool,
    targets: Sequence[Problem],
    stream: Stream,
    feedback_share: float = 0.0,
) -> Corpus:
    """Draw a corpus.

    Args:
        families: whose solutions are taught.
        max_length: longest sequence, in symbols; lengths are uniform, then sequences are uniform.
        colors: `two` or `four`.
        size: examples to draw, repeats included.
        rewired_share: share of rewired programs.
        rewire_probability: of a rejecting route of such a program to be sent to a node.
        canonical: False spells every program with the freedom that a verifier cannot see (see `loosen`).
        targets: problems of which no solution may be in the corpus.
        stream: consumed.
        feedback_share: share of examples that show a wrong attempt and what it was told before the right program.

    Raises:
        ConfigError: an unknown family, or families of which nearly every program solves a target.
    """
    for name in families:
        if find_family(name, where="reference.families").enumerates != ("lengths",):
            raise ConfigError(
                "only families with a sequence and nothing else can be taught",
                got=name,
                where="reference.families",
            )
    alphabet = ALPHABETS[colors]
    untaught = [word for word in FAMILY_WORDS if word not in families]
    forbidden = _Forbidden(targets, alphabet)
    ranges = {length: Ranges(lengths=(length,)) for length in range(1, max_length + 1)}
    examples: list[tuple[str, str]] = []
    given: dict[int, str] = {}
    num_dropped = 0
    while len(examples) < size:
        family = FAMILIES[stream.choice(families)]
        of_length = ranges[stream.integer(1, max_length)]
        index = stream.below(family.capacity(alphabet, of_length))
        parameters = family.nth(alphabet, of_length, index)
        program = family.solution(parameters, alphabet)
        word = family.name
        changeable = program
        if family.kind is FamilyKind.ACCEPT and colors == "four":
            changeable = read_every_color(program)
        if feedback_share and stream.bernoulli(feedback_share):
            if family.kind is FamilyKind.ACCEPT and stream.bernoulli(REPAIR_SHARE):
                wanted = rewire(changeable, stream, rewire_probability)
                word = stream.choice(untaught)
                wrong = mistake(wanted, stream)
                told = write_difference(wanted, wrong, alphabet, max_cases=SHOWN_CASES)
            else:
                wanted, wrong = program, rewire(program, stream, WRONG_PROBABILITY)
                told = _told(family, parameters, colors, wrong) if wrong != wanted else ""
            if told and wrong not in forbidden and wanted not in forbidden:
                given[len(examples)] = format_program(wrong) + told
                prompt = compact(word, colors, family.key(parameters))
                examples.append((prompt, format_program(wanted)))
            continue
        if family.kind is FamilyKind.ACCEPT and stream.bernoulli(rewired_share):
            program = rewire(changeable, stream, rewire_probability)
            word = stream.choice(untaught)
        if program in forbidden:
            num_dropped += 1
            if num_dropped > MAX_DROPPED * size:
                raise ConfigError(
                    "nearly every program of these families solves a target",
                    got=f"{num_dropped} programs left out, {len(examples)} kept",
                    where="reference.families",
                    hint="teach longer sequences (reference.max_length) or other families",
                )
            continue
        if not canonical:
            program = loosen(program, stream)
        examples.append((compact(word, colors, family.key(parameters)), format_program(program)))
    return Corpus(tuple(examples), num_dropped, given)


WRONG_PROBABILITY = 0.3
"""Chance that a rejecting route of an attempt leads to a node instead: one or two wrong edges in most attempts."""
REPAIR_SHARE = 0.7
"""Of the examples with an attempt: those under the name of a family not taught, where the right program is any rewired
one and the attempt differs from it by one or two routes. They teach to keep an attempt and mend it by what it was told;
without them a second attempt at an untaught family falls back on a program of a taught one."""
TWO_MISTAKES = 0.3
"""Share of those attempts with two wrong routes."""
SHOWN_CASES = 3


def mistake(program: Program, stream: Stream) -> Program:
    """The program with one or two routes of its pullers sent elsewhere, all nodes kept.

    Args:
        program: canonical, so that names are in breadth-first order; the result may have nodes that nothing reaches.
        stream: consumed.
    """
    routes = [
        (place, slot)
        for place, node in enumerate(program.nodes)
        if node.kind in PULLER_COLORS
        for slot in range(len(node.edges))
    ]
    targets = [node.name for node in program.nodes if node.kind is not Kind.START] + [NONE_TARGET]
    nodes = list(program.nodes)
    for place, slot in stream.shuffled(routes)[: 1 + stream.bernoulli(TWO_MISTAKES)]:
        edges = list(nodes[place].edges)
        condition, right = edges[slot].condition, edges[slot].target
        edges[slot] = Edge(condition, stream.choice([name for name in targets if name != right]))
        nodes[place] = Node(nodes[place].kind, nodes[place].name, tuple(edges))
    return Program(tuple(nodes))


def _told(family: Family, parameters: Mapping[str, Any], colors: str, wrong: Program) -> str:
    """What a wrong program for a taught problem is told: failing cases, the shortest ones."""
    problem = Problem(
        id=f"{family.name}:{colors}:{family.key(parameters)}",
        scope="manufactoria",
        family=family.name,
        name="",
        criteria="",
        colors=colors,
        parameters=parameters,
        tests=(),
    )
    return write_feedback(
        problem, format_program(wrong), PromptStyle.COMPACT, fresh=True, max_cases=SHOWN_CASES
    )


class _Forbidden:
    """The programs that behave like a solution of a target on every tape up to a length; remembers its answers."""

    def __init__(self, targets: Sequence[Problem], alphabet: str) -> None:
        self._alphabet = alphabet
        longest = max((FAMILIES[p.family].size(p.parameters) for p in targets), default=0)
        # Two symbols beyond the pattern tell a loop from a longer chain; four colours have too many tapes for that.
        self._max_length = longest + (2 if len(alphabet) == 2 else 1)
        self._behaviours = {target_behaviour(problem, self._max_length) for problem in targets}
        self._known: dict[Program, bool] = {}

    def __contains__(self, program: Program) -> bool:
        if program not in self._known:
            found = behaviour(program, self._alphabet, self._max_length)
            self._known[program] = found in self._behaviours
        return self._known[program]


LOOSE_PROBABILITY = 0.3
"""Chance of each freedom below, per node or per program: enough for all of them to occur in most programs."""


def loosen(program: Program, stream: Stream) -> Program:
    """The same behaviour, spelled with the freedom that no test can see.

    Names are permuted, the routes of a puller are ordered at random, an `[EMPTY]` route to NONE or a repeated
    route may be added, and a node that nothing reaches.
    """
    inner = [node for node in program.nodes if node.kind not in (Kind.START, Kind.END)]
    fresh = stream.shuffled([f"n{index}" for index in range(len(inner))])
    names = {node.name: name for node, name in zip(inner, fresh, strict=True)}
    nodes = [
        Node(
            node.kind,
            names.get(node.name, node.name),
            _loose_edges(node.kind, [Edge(c, names.get(t, t)) for c, t in node.edges], stream),
        )
        for node in program.nodes
    ]
    if stream.bernoulli(LOOSE_PROBABILITY):
        target = stream.choice([NONE_TARGET, *fresh])
        unreached = Node(
            Kind.PULLER_RB, f"n{len(inner)}", (Edge("R", target), Edge("B", NONE_TARGET))
        )
        nodes.insert(len(nodes) - 1, unreached)
    return Program(tuple(nodes))


def _loose_edges(kind: Kind, edges: list[Edge], stream: Stream) -> tuple[Edge, ...]:
    if kind not in PULLER_COLORS:
        return tuple(edges)
    edges = stream.shuffled(edges)
    if all(edge.condition != EMPTY for edge in edges) and stream.bernoulli(LOOSE_PROBABILITY):
        edges.append(Edge(EMPTY, NONE_TARGET))
    if stream.bernoulli(LOOSE_PROBABILITY):
        edges.append(stream.choice(edges))
    return tuple(edges)
