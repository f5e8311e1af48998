"""regex_pattern: accept exactly the tapes of a small regular expression (delta-manufactoria.md, section 6.12).

A pattern is a row of parts, each a base in brackets with an operator behind it. The label asks Python's `re`; the
solution is built from the parts alone, so one can be held to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.ranges import Ranges
from rlgrok.delta.manufactoria.families.sequences import spread, symbols, wrapped
from rlgrok.delta.manufactoria.regular import explored, program_of
from runtime.seeding import Stream

Part = tuple[str, str]
Copies = Callable[[str], int]
"""Operator to the number of copies of the base."""
Place = tuple[int, int]
"""A symbol of the pattern: part, and position in its base."""

_EXPLAINED = (
    "(...)+ stands for one or more copies in a row of what is in the brackets, (...)* for any number of copies, none "
    "included, and (...)? for one copy or none."
)


def parts_of(parameters: Parameters) -> list[Part]:
    """Base and operator, in order."""
    return [(str(base), str(operator)) for base, operator in parameters["parts"]]


def pattern_of(parameters: Parameters) -> str:
    """The pattern as text; it is also the setting's key."""
    return "".join(f"({base}){operator}" for base, operator in parts_of(parameters))


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Ways to fill every part."""
    return _num_single(alphabet, ranges) ** ranges.regex_parts


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Rows of parts, the last one fastest; for each part bases by length and alphabet, for each base the operators.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    if not 0 <= index < capacity(alphabet, ranges):
        raise IndexError(f"no pattern number {index} of {capacity(alphabet, ranges)}")
    parts = []
    for _ in range(ranges.regex_parts):
        index, number = divmod(index, _num_single(alphabet, ranges))
        base, operator = divmod(number, len(ranges.regex_operators))
        word = sequences.nth_word(alphabet, ranges.regex_lengths, base)
        parts.append([word, ranges.regex_operators[operator]])
    return {"parts": parts[::-1]}


def size(parameters: Parameters) -> int:
    """Symbols of the tape with two copies of every base that may have them."""
    return sum(len(base) * (1 if op == "?" else 2) for base, op in parts_of(parameters))


def label(parameters: Parameters, tape: str) -> bool:
    """The whole tape matches."""
    return _matcher(tuple(map(tuple, parameters["parts"])))(tape) is not None


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.12, in its order."""
    parts = parts_of(parameters)
    bases = [base for base, _ in parts]

    def drawn(plus: tuple[int, int], star: tuple[int, int], option: float) -> Copies:
        def copies(operator: str) -> int:
            if operator == "?":
                return int(stream.bernoulli(option))
            return stream.integer(*(plus if operator == "+" else star))

        return copies

    inputs = [
        _copied(parts, drawn((1, 1), (0, 2), 0.5)),
        _copied(parts, drawn((1, 3), (1, 3), 0.5)),
        _copied(parts, drawn((2, 4), (2, 4), 1.0)),
    ]
    if len(parts) > 1 and parts[0][1] in "+*":
        inputs.append(bases[0] * (1 if parts[0][1] == "+" else 2))
    if len(parts) > 1:
        last, operator = parts[-1]
        needed = _copied(parts[:-1], lambda op: int(op == "+"))
        inputs.append(needed + last * (2 if operator == "*" else 1))
    for index, (_, operator) in enumerate(parts):
        without = "".join(bases[:index] + bases[index + 1 :])
        if operator == "+" and without:
            inputs.append(without)
    if len(parts) >= 2:
        inputs.append("".join(reversed(bases)))
        apart = [base + symbols(stream, alphabet, 1) for base in bases[:-1]]
        inputs.append("".join(apart) + bases[-1])
    for base in bases:
        if len(base) > 1:
            inputs.append(wrapped(base[:-1], symbols(stream, alphabet, 3)))
    inputs.append(spread(stream, alphabet, 5, 8))
    return inputs


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """A matching tape, every second one with a symbol changed, added or taken away."""
    parts = parts_of(parameters)
    room = max(0, longest - sum(len(base) for base, operator in parts if operator == "+"))
    tape = ""
    for base, operator in parts:
        more = stream.integer(0, min(room // len(base), 1 if operator == "?" else longest))
        room -= more * len(base)
        tape += base * (more + int(operator == "+"))
    if not tape or stream.bernoulli(0.5):
        return tape
    place = stream.below(len(tape))
    other = symbols(stream, alphabet.replace(tape[place], ""), 1)
    shorter = sequences.without(tape, place)
    changed = sequences.inserted(shorter, place, other)
    return stream.choice((shorter, changed, sequences.inserted(tape, place, other)[:longest]))


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    return (
        f"Accept the tape exactly when the whole of it matches the pattern {pattern_of(parameters)} and reject every "
        f"other tape. In a pattern, {_EXPLAINED}"
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Regex Pattern: {pattern_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """The smallest automaton of the pattern; a state of its search is the set of symbols that may come next.

    Source:
        V. M. Glushkov, "The abstract theory of automata" (1961): the places of a pattern are the states of an automaton
        without empty moves. The subset construction makes it deterministic.
    """
    parts = parts_of(parameters)
    end = (len(parts), 0)

    def entries(index: int) -> frozenset[Place]:
        """The places that may come next when part `index` may begin."""
        places = {(index, 0)}
        while index < len(parts) and parts[index][1] in "?*":
            index += 1
            places.add((index, 0))
        return frozenset(places)

    def following(place: Place) -> frozenset[Place]:
        """The places that may come after a symbol of the pattern."""
        index, position = place
        base, operator = parts[index]
        if position + 1 < len(base):
            return frozenset({(index, position + 1)})
        return entries(index + 1) | ({(index, 0)} if operator in "+*" else frozenset())

    def step(places: frozenset[Place], symbol: str) -> frozenset[Place]:
        read = [
            place for place in places if place != end and parts[place[0]][0][place[1]] == symbol
        ]
        return frozenset().union(*map(following, read))

    return program_of(explored(entries(0), step, lambda places: end in places, alphabet))


def _num_single(alphabet: str, ranges: Ranges) -> int:
    """Ways to fill one part."""
    return sequences.num_words(alphabet, ranges.regex_lengths) * len(ranges.regex_operators)


def _copied(parts: list[Part], copies: Copies) -> str:
    return "".join(base * copies(operator) for base, operator in parts)


@lru_cache(maxsize=1024)
def _matcher(parts: tuple[Part, ...]) -> Callable[[str], re.Match[str] | None]:
    """What matches a whole tape with the pattern of these parts, which are looked up as they are, for every tape."""
    return re.compile(pattern_of({"parts": parts})).fullmatch


FAMILY = Family(
    name="regex_pattern",
    kind=FamilyKind.ACCEPT,
    enumerates=("regex_parts", "regex_lengths", "regex_operators"),
    capacity=capacity,
    nth=nth,
    key=pattern_of,
    size=size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    label=label,
    telling=telling,
)
