"""The Manufactoria language: from text to nodes and back.

Parsing follows delta-manufactoria.md, section 1, check by check: what the reference accepts is accepted, what it
rejects is rejected in the same category. One deviation, allowed there (P3): line numbers are those of the text as
given, not of what is left after leading blank lines and a fence were dropped. What surprises: a route is a line that
starts with four blanks or a tab; with one to three blanks it is read as a declaration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

NONE_TARGET = "NONE"
END_TARGET = "END"
"""Upper case: a legal target that no node answers to unless the program declares one of that name (P1)."""
EMPTY = "EMPTY"
NEXT = "NEXT"
START_NAME = "start"
END_NAME = "end"
FENCE = "```"
_MAX_REMEMBERED_LINE = 120  # the line memo must not hold on to megabytes of hostile text


class Kind(StrEnum):
    """The node kinds, by their keywords."""

    START = "START"
    END = "END"
    PULLER_RB = "PULLER_RB"
    PULLER_YG = "PULLER_YG"
    PAINTER_RED = "PAINTER_RED"
    PAINTER_BLUE = "PAINTER_BLUE"
    PAINTER_YELLOW = "PAINTER_YELLOW"
    PAINTER_GREEN = "PAINTER_GREEN"

    __hash__ = (
        str.__hash__
    )  # the enum's own is written in Python, and parsing looks kinds up all the time


PULLER_COLORS: Mapping[Kind, str] = {Kind.PULLER_RB: "RB", Kind.PULLER_YG: "YG"}
"""The symbols that each puller takes from the front of the tape."""
PAINTER_COLORS: Mapping[Kind, str] = {
    Kind.PAINTER_RED: "R",
    Kind.PAINTER_BLUE: "B",
    Kind.PAINTER_YELLOW: "Y",
    Kind.PAINTER_GREEN: "G",
}
"""The symbol that each painter puts at the back of the tape."""


class ParseCategory(StrEnum):
    """Why a text is not a program. A second START or END cannot be told from a duplicate id and has no category."""

    EMPTY_PROGRAM = "empty_program"
    INVALID_DECLARATION = "invalid_declaration"
    END_COLON = "end_colon"
    MISSING_COLON = "missing_colon"
    DUPLICATE_ID = "duplicate_id"
    START_NAME = "start_name"
    END_NAME = "end_name"
    INVALID_PULLER_ROUTE = "invalid_puller_route"
    INVALID_NEXT_ROUTE = "invalid_next_route"
    END_ROUTE = "end_route"
    EXACTLY_ONE_NEXT = "exactly_one_next"
    INVALID_CONDITION = "invalid_condition"
    NO_START = "no_start"
    NO_END = "no_end"
    UNDEFINED_NODE = "undefined_node"


class ParseError(Exception):
    """A text that is not a program: a fact about the candidate, never a failure of ours.

    Args:
        category: what kind of error.
        line: 1-based line of the text as given; None for errors of the whole program.
        detail: the message without the line.
    """

    def __init__(self, category: ParseCategory, line: int | None, detail: str) -> None:
        self.category = category
        self.line = line
        self.detail = detail
        super().__init__(detail if line is None else f"Line {line}: {detail}")


_DETAILS: Mapping[ParseCategory, str] = {
    ParseCategory.EMPTY_PROGRAM: "empty program",
    ParseCategory.INVALID_DECLARATION: "invalid node declaration: {row!r}",
    ParseCategory.END_COLON: "END takes no colon",
    ParseCategory.MISSING_COLON: "{kind} needs a colon after its id",
    ParseCategory.DUPLICATE_ID: "duplicate node id {name!r}",
    ParseCategory.START_NAME: "the START node must be named start",
    ParseCategory.END_NAME: "the END node must be named end",
    ParseCategory.INVALID_PULLER_ROUTE: "invalid puller route: {row!r}",
    ParseCategory.INVALID_NEXT_ROUTE: "invalid NEXT route: {row!r}",
    ParseCategory.END_ROUTE: "END cannot have routes",
    ParseCategory.EXACTLY_ONE_NEXT: "{kind} {name!r} needs exactly one NEXT, has {count}",
    ParseCategory.INVALID_CONDITION: "invalid condition [{condition}] for {kind} {name!r}",
    ParseCategory.NO_START: "the program has no START node",
    ParseCategory.NO_END: "the program has no END node",
    ParseCategory.UNDEFINED_NODE: "undefined node {target!r} is a target of {name!r}",
}
"""The message of each category; what is in braces is quoted from the text, cut when it is very long."""


def parse_error(
    category: ParseCategory, line: int | None = None, **quoted: str | int
) -> ParseError:
    """The error of a category with its words.

    Args:
        category: what kind of error.
        line: as in `ParseError`.
        quoted: what the category's message names.
    """
    shown = {
        key: shorten(value) if isinstance(value, str) else value for key, value in quoted.items()
    }
    return ParseError(category, line, _DETAILS[category].format(**shown))


def shorten(text: str) -> str:
    """A piece of a text as messages quote it."""
    return text if len(text) <= _MAX_REMEMBERED_LINE else text[:_MAX_REMEMBERED_LINE] + "..."


class Edge(NamedTuple):
    """One route: under `condition` (a colour, `EMPTY` or `NEXT`) go to the node named `target`."""

    condition: str
    target: str


class Node(NamedTuple):
    """One declaration with its routes in the order of the text."""

    kind: Kind
    name: str
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class Program:
    """The nodes in declaration order. Equal when the nodes are."""

    nodes: tuple[Node, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Each node under its id."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def routes(self) -> Mapping[str, Mapping[str, str]]:
        """Each node's targets by condition, under its id. Of repeated conditions the first one counts (P6)."""
        return {
            node.name: {condition: target for condition, target in reversed(node.edges)}
            for node in self.nodes
        }


_KINDS = "|".join(sorted(Kind, key=len, reverse=True))
_DECLARATION = re.compile(rf"({_KINDS})\s+(\w+)(:?)\s*(?:#.*)?")
_PULLER_ROUTE = re.compile(r"\[(R|B|Y|G|EMPTY)\]\s+(\w+)\s*(?:#.*)?")
_NEXT_ROUTE = re.compile(r"NEXT\s+(\w+)\s*(?:#.*)?")
_FENCED = re.compile(r"```(?:manufactoria)?(.*?)```", re.DOTALL)


class _Line(NamedTuple):
    """One line read in every way it could be meant; which way counts depends on the lines before it."""

    is_code: bool
    """Neither blank nor a comment."""
    is_route: bool
    """Starts with four blanks or a tab, so it belongs to the node above, if there is one."""
    shown: str
    """The stripped line, cut when it is very long."""
    declaration: tuple[Kind, str, bool] | None
    """Kind, id and whether there is a colon."""
    puller_route: Edge | None
    next_route: Edge | None


def parse(text: str) -> Program:
    """The program that a text spells.

    Raises:
        ParseError: the first check of the specification that fails, in its order. Nothing else is ever raised.
    """
    lines = _significant_lines(text)
    if not lines:
        raise parse_error(ParseCategory.EMPTY_PROGRAM)
    nodes: list[Node] = []
    declared_at: dict[str, int] = {}
    position = 0
    while position < len(lines):
        number, line = lines[position]
        kind, name = _check_declaration(number, line, declared_at)
        declared_at[name] = number
        position += 1
        edges: list[Edge] = []
        while position < len(lines) and lines[position][1].is_route:
            edges.append(_check_route(kind, *lines[position]))
            position += 1
        _check_edges(kind, name, number, edges)
        nodes.append(Node(kind, name, tuple(edges)))
    _check_whole(nodes, declared_at)
    return Program(tuple(nodes))


def extract_program(completion: str) -> str:
    """The program text of a model's answer: its last fenced block, or all of it when there is none.

    Source:
        delta-manufactoria.md, section 11: fences are plain or tagged `manufactoria`, nothing else.
    """
    if FENCE not in completion:
        return completion
    blocks = _FENCED.findall(completion)
    return blocks[-1].strip() if blocks else completion


def format_program(program: Program) -> str:
    """The canonical text: four blanks before a route, no blank line, no comment, no final line break."""
    lines = []
    for node in program.nodes:
        lines.append(
            f"{node.kind} {node.name}" if node.kind is Kind.END else f"{node.kind} {node.name}:"
        )
        for condition, target in node.edges:
            lines.append(
                f"    NEXT {target}" if condition == NEXT else f"    [{condition}] {target}"
            )
    return "\n".join(lines)


def _significant_lines(text: str) -> list[tuple[int, _Line]]:
    """Everything but fences, blank lines and comments, with its line number in the text."""
    body = text.strip()
    first = text.count("\n", 0, len(text) - len(text.lstrip())) + 1
    rows = body.split("\n")
    if rows[0].strip() == FENCE:
        del rows[0]
        first += 1
    if rows and rows[-1].strip() == FENCE:
        del rows[-1]
    read = (_read_short(r) if len(r) <= _MAX_REMEMBERED_LINE else _read_line(r) for r in rows)
    return [numbered for numbered in enumerate(read, first) if numbered[1].is_code]


def _read_line(row: str) -> _Line:
    line = row.strip()
    first = line[:1]  # routes start with a bracket or an N, and no node kind does
    puller_route = _PULLER_ROUTE.fullmatch(line) if first == "[" else None
    next_route = _NEXT_ROUTE.fullmatch(line) if first == "N" else None
    declaration = _DECLARATION.fullmatch(line)
    return _Line(
        is_code=first not in ("", "#"),
        is_route=row.startswith(("    ", "\t")),
        shown=shorten(line),
        declaration=declaration and (Kind(declaration[1]), declaration[2], bool(declaration[3])),
        puller_route=puller_route and Edge(puller_route[1], puller_route[2]),
        next_route=next_route and Edge(NEXT, next_route[1]),
    )


_read_short = lru_cache(maxsize=8192)(_read_line)  # programs repeat the same few short lines


def _check_declaration(
    number: int, line: _Line, declared_at: Mapping[str, int]
) -> tuple[Kind, str]:
    """Checks 1 to 8 of section 1.5, in that order."""
    if line.declaration is None:
        raise parse_error(ParseCategory.INVALID_DECLARATION, number, row=line.shown)
    kind, name, has_colon = line.declaration
    if kind is Kind.END and has_colon:
        raise parse_error(ParseCategory.END_COLON, number)
    if kind is not Kind.END and not has_colon:
        raise parse_error(ParseCategory.MISSING_COLON, number, kind=kind)
    if name in declared_at:
        raise parse_error(ParseCategory.DUPLICATE_ID, number, name=name)
    if kind is Kind.START and name != START_NAME:
        raise parse_error(ParseCategory.START_NAME, number)
    if kind is Kind.END and name != END_NAME:
        raise parse_error(ParseCategory.END_NAME, number)
    return kind, name


def _check_route(kind: Kind, number: int, line: _Line) -> Edge:
    """Check 9: the shape of one route line."""
    if kind is Kind.END:
        raise parse_error(ParseCategory.END_ROUTE, number)
    if kind in PULLER_COLORS:
        if line.puller_route is None:
            raise parse_error(ParseCategory.INVALID_PULLER_ROUTE, number, row=line.shown)
        return line.puller_route
    if line.next_route is None:
        raise parse_error(ParseCategory.INVALID_NEXT_ROUTE, number, row=line.shown)
    return line.next_route


def _check_edges(kind: Kind, name: str, number: int, edges: list[Edge]) -> None:
    """Checks 10 and 11: the number of routes, and the conditions of a puller."""
    colors = PULLER_COLORS.get(kind)
    if colors is None:
        if kind is not Kind.END and len(edges) != 1:
            raise parse_error(
                ParseCategory.EXACTLY_ONE_NEXT, number, kind=kind, name=name, count=len(edges)
            )
        return
    for condition, _ in edges:
        if condition != EMPTY and condition not in colors:
            raise parse_error(
                ParseCategory.INVALID_CONDITION, number, condition=condition, kind=kind, name=name
            )


def _check_whole(nodes: list[Node], declared_at: Mapping[str, int]) -> None:
    """The checks of section 1.6, after all nodes are read."""
    kinds = {node.kind for node in nodes}
    if Kind.START not in kinds:
        raise parse_error(ParseCategory.NO_START)
    if Kind.END not in kinds:
        raise parse_error(ParseCategory.NO_END)
    for node in nodes:
        for _, target in node.edges:
            if target not in declared_at and target not in (NONE_TARGET, END_TARGET):
                line = declared_at[node.name]
                raise parse_error(ParseCategory.UNDEFINED_NODE, line, target=target, name=node.name)
