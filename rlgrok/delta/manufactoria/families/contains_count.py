"""contains_count: accept a tape with enough of each of some symbols (delta-manufactoria.md, section 6.7).

The criteria name symbols as they stand on the tape; the reference writes them small and with a plural s (G10).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.ranges import Ranges
from rlgrok.delta.manufactoria.families.sequences import symbols
from rlgrok.delta.manufactoria.regular import explored, program_of
from runtime.seeding import Stream

MAX_SYMBOLS = 3
"""Different symbols that one problem asks for, at most; never all four."""
SHORT_PADDING, LONG_PADDING = 12, 18
"""Lengths that some test inputs are padded to."""
MIN_OTHERS = 5
_REQUIRED_SHARE = 0.6

Requirements = list[tuple[str, int]]


def requirements_of(parameters: Parameters) -> Requirements:
    """Symbol and smallest number of times, in alphabet order."""
    return [(str(symbol), int(count)) for symbol, count in parameters["requirements"]]


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Ways to require one, two or three symbols, in all as often as the ranges say."""
    return len(_settings(alphabet, tuple(ranges.counts)))


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Single symbols first, then pairs, then triples; within each the counts rise, those of the last symbol fastest.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    settings = _settings(alphabet, tuple(ranges.counts))
    if not 0 <= index < len(settings):
        raise IndexError(f"no requirement number {index} of {len(settings)}")
    return {"requirements": [list(requirement) for requirement in settings[index]]}


def key(parameters: Parameters) -> str:
    """Symbols with their counts, such as R3B2."""
    return "".join(f"{symbol}{count}" for symbol, count in requirements_of(parameters))


def size(parameters: Parameters) -> int:
    """Symbols required in all: the shortest accepted tape."""
    return sum(count for _, count in requirements_of(parameters))


def label(parameters: Parameters, tape: str) -> bool:
    """Every symbol occurs often enough, wherever."""
    return all(tape.count(symbol) >= count for symbol, count in requirements_of(parameters))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.7, in its order, each shuffled. The seventh and the last may happen to be accepted."""
    required = requirements_of(parameters)
    exact = _tape(required)
    named = "".join(symbol for symbol, _ in required)
    others = sequences.absent(alphabet, named)
    (first, count), rest = required[0], required[1:]

    def padded(tape: str, length: int, source: str) -> str:
        return tape + symbols(stream, source, max(0, length - len(tape)))

    inputs = [exact, _tape((symbol, n + stream.integer(1, 2)) for symbol, n in required)]
    if others:
        inputs.append(exact + symbols(stream, others, 3))
    plenty = _tape((symbol, n + stream.integer(0, 2)) for symbol, n in required)
    inputs.append(padded(plenty, SHORT_PADDING, alphabet) if others else plenty)
    mixed = exact
    while len(mixed) < LONG_PADDING:
        mixed += symbols(stream, named if stream.bernoulli(_REQUIRED_SHARE) else alphabet, 1)
    inputs.append(mixed)
    if rest:
        inputs.append(_tape(required[:-1]) + _others(stream, others, 5))
    short = [(first, count - 1 if count > 1 else count), *rest]
    inputs.append(_tape(short) + _others(stream, others, 3))
    if others:
        inputs.append(symbols(stream, others, sequences.LONG_FILLER))
    fewer = _tape((symbol, n - 1) for symbol, n in required)
    inputs.append(fewer + _others(stream, others, max(MIN_OTHERS, SHORT_PADDING - len(fewer))))
    inputs.append(padded(_tape([(first, count - 1), *rest]), LONG_PADDING, alphabet))
    return ["".join(stream.shuffled(tape)) for tape in inputs]


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """What is required, now and then one symbol of it left out, among symbols that do not count; shuffled."""
    required = requirements_of(parameters)
    tape = _tape(required)
    if stream.bernoulli(0.5):
        lacking = stream.below(len(tape))
        others = alphabet.replace(tape[lacking], "")
        tape = sequences.without(tape, lacking)
    else:
        others = alphabet
    tape += symbols(stream, others, stream.integer(0, max(0, longest - len(tape))))
    return "".join(stream.shuffled(tape))


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    asked = " and ".join(
        f"at least {count} {symbol} symbol{'s' if count > 1 else ''}"
        for symbol, count in requirements_of(parameters)
    )
    return (
        f"Accept the tape exactly when it holds {asked}; their order does not matter, nor do other "
        "symbols."
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    asked = [
        f"{count} {symbol}{'s' if count > 1 else ''}"
        for symbol, count in requirements_of(parameters)
    ]
    return f"At least {asked[0]}" if len(asked) == 1 else f"Need {' and '.join(asked)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """One state for every way to have met part of the requirements; nothing more is read when all are met."""
    required = requirements_of(parameters)
    named = [symbol for symbol, _ in required]

    def step(missing: tuple[int, ...], symbol: str) -> tuple[int, ...]:
        return tuple(max(0, n - (own == symbol)) for n, own in zip(missing, named, strict=True))

    start = tuple(count for _, count in required)
    return program_of(explored(start, step, lambda missing: not any(missing), alphabet))


def _tape(required: Iterable[tuple[str, int]]) -> str:
    return "".join(symbol * count for symbol, count in required)


def _others(stream: Stream, others: str, count: int) -> str:
    """So many of the symbols that are not asked for; none where there are none."""
    return symbols(stream, others, count) if others else ""


@lru_cache(maxsize=64)
def _settings(alphabet: str, totals: tuple[int, ...]) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Every list of requirements, in enumeration order."""
    return tuple(
        tuple(zip(named, counts, strict=True))
        for num_symbols in range(1, MAX_SYMBOLS + 1)
        for named in combinations(alphabet, num_symbols)
        for counts in _splits(num_symbols, max(totals))
        if sum(counts) in totals
    )


def _splits(num_parts: int, total: int) -> Iterable[tuple[int, ...]]:
    """Counts of at least one that make up the total or less, rising, the last one fastest."""
    if num_parts == 0:
        yield ()
        return
    for first in range(1, total - num_parts + 2):
        for rest in _splits(num_parts - 1, total - first):
            yield (first, *rest)


FAMILY = Family(
    name="contains_count",
    kind=FamilyKind.ACCEPT,
    enumerates=("counts",),
    capacity=capacity,
    nth=nth,
    key=key,
    size=size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    label=label,
    telling=telling,
)
