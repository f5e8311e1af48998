"""The families whose parameter is a sequence of symbols: its enumeration, and ways to disturb it.

Enumeration goes by the given lengths in increasing order, and within a length lexicographically in alphabet order
(delta-manufactoria.md, section 6). `rand(n)` of the specification is `symbols` here.
"""

from __future__ import annotations

from collections.abc import Iterable

from rlgrok.delta.manufactoria.families.family import (
    ALL_NODES,
    TWO_COLOR_READERS,
    Parameters,
)
from rlgrok.delta.manufactoria.families.ranges import Ranges
from runtime.seeding import Stream

ENUMERATES = ("lengths",)
LONG_FILLER = 12
"""Symbols in the test inputs that avoid the sequence altogether."""


def capacity(alphabet: str, ranges: Ranges) -> int:
    """The number of sequences of the given lengths."""
    return num_words(alphabet, ranges.lengths)


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """The sequence at a position of the enumeration order.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    return {"sequence": nth_word(alphabet, ranges.lengths, index)}


def num_words(alphabet: str, lengths: Iterable[int]) -> int:
    """How many strings of symbols there are of the given lengths, each length counted once."""
    return sum(len(alphabet) ** length for length in set(lengths))


def nth_word(alphabet: str, lengths: Iterable[int], index: int) -> str:
    """The string of symbols at a position: by length, then lexicographic in alphabet order.

    Raises:
        IndexError: index is outside [0, num_words).
    """
    rest = index
    for length in sorted(set(lengths)):
        count = len(alphabet) ** length
        if 0 <= rest < count:
            word = []
            for _ in range(length):
                rest, digit = divmod(rest, len(alphabet))
                word.append(alphabet[digit])
            return "".join(reversed(word))
        rest -= count
    raise IndexError(f"no sequence number {index} of lengths {sorted(set(lengths))}")


def sequence_of(parameters: Parameters) -> str:
    """The sequence; it is also the setting's key."""
    return str(parameters["sequence"])


def size(parameters: Parameters) -> int:
    """Symbols in the sequence."""
    return len(sequence_of(parameters))


def readers(colors: str) -> tuple[str, ...]:
    """Available nodes of the families that need no painter with two colours."""
    return TWO_COLOR_READERS if colors == "two" else ALL_NODES


def every_node(colors: str) -> tuple[str, ...]:
    """Available nodes of the other families, whatever the colours."""
    del colors
    return ALL_NODES


def symbols(stream: Stream, alphabet: str, count: int) -> str:
    """Independent uniform symbols."""
    return "".join(stream.choice(alphabet) for _ in range(count))


def spread(stream: Stream, alphabet: str, low: int, high: int) -> str:
    """Uniform symbols, their number uniform in [low, high]."""
    return symbols(stream, alphabet, stream.integer(low, high))


def other_than(alphabet: str, symbol: str) -> str:
    """The first symbol of the alphabet that differs."""
    return next(candidate for candidate in alphabet if candidate != symbol)


def absent(alphabet: str, sequence: str) -> str:
    """The symbols that do not occur in the sequence."""
    return "".join(symbol for symbol in alphabet if symbol not in sequence)


def interleaved(stream: Stream, alphabet: str, sequence: str) -> str:
    """The sequence with one random symbol between neighbours."""
    gaps = [symbols(stream, alphabet, 1) for _ in sequence[1:]]
    return "".join(symbol + gap for symbol, gap in zip(sequence, [*gaps, ""], strict=True))


def inserted(sequence: str, position: int, text: str) -> str:
    """The sequence with a text put before a position."""
    return sequence[:position] + text + sequence[position:]


def without(sequence: str, position: int) -> str:
    """The sequence without one symbol."""
    return sequence[:position] + sequence[position + 1 :]


def wrapped(text: str, filler: str) -> str:
    """The text between two copies of a filler."""
    return filler + text + filler


def overlap(sequence: str, read: str) -> int:
    """The length of the longest prefix of the sequence that is a suffix of what was read."""
    longest = min(len(sequence), len(read))
    return next(n for n in range(longest, -1, -1) if read.endswith(sequence[:n]))
