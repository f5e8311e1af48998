"""Finite automata over tapes: acceptance as a table, for one tape or for every short tape at once.

A program becomes one in `tables.py`, where that is possible; the meaning of its states is decided there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

SYMBOLS = "RBYG"
WIDTH = len(SYMBOLS)
MAX_STATES = 256  # `bytes.translate` maps single bytes
_CODES = {symbol: code for code, symbol in enumerate(SYMBOLS)}


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """Acceptance as a table.

    States are numbered in steps of four, so that `moves[state + code]` is the next state, itself ready for the next
    symbol; the last two states are accept and reject, which every symbol keeps. At most `MAX_STATES` states.
    """

    start: int
    moves: tuple[int, ...]
    accepting: bytes
    """Indexed by state: 1 where a tape that ends here is accepted."""
    max_length: int
    """Longest tape for which the automaton stands for its program: beyond, the limit on visits could matter."""

    def accepts_codes(self, codes: bytes) -> bool:
        """Acceptance of a tape given as symbol codes, at most `max_length` of them."""
        state = self.start
        moves = self.moves
        for code in codes:
            state = moves[state + code]
        return self.accepting[state] == 1

    def behaviour(self, alphabet: str, max_length: int) -> bytes:
        """One byte a tape, 1 for accepted, in the order of `tapes(alphabet, max_length)`.

        All tapes of a length are stepped at once: their states are one byte string, and a symbol is a translation.
        """
        states = range(0, len(self.moves), WIDTH)
        padding = bytes(MAX_STATES - len(states))
        steps = [
            bytes([self.moves[state + _CODES[symbol]] // WIDTH for state in states]) + padding
            for symbol in alphabet
        ]
        level = bytes([self.start // WIDTH])
        levels = [level]
        for _ in range(max_length):
            level = b"".join([level.translate(step) for step in steps])
            levels.append(level)
        return b"".join(levels).translate(self.accepting[::WIDTH] + padding)


@lru_cache(maxsize=1 << 14)  # the same short tapes, for every program
def encode(tape: str) -> bytes | None:
    """Symbol codes of a tape over R B Y G; None when it holds anything else."""
    try:
        return bytes([_CODES[symbol] for symbol in tape])
    except KeyError:
        return None


def tapes(alphabet: str, max_length: int) -> Iterator[str]:
    """Every tape up to a length: shorter first, and within a length the *last* symbol varies slowest."""
    level: Sequence[str] = ("",)
    yield ""
    for _ in range(max_length):
        level = [tape + symbol for symbol in alphabet for tape in level]
        yield from level


def num_tapes(alphabet: str, max_length: int) -> int:
    """How many tapes `tapes` yields."""
    return sum(len(alphabet) ** length for length in range(max_length + 1))


def distinguishing_tape(one: Automaton, other: Automaton, alphabet: str) -> str | None:
    """The shortest tape, first in alphabet order, that exactly one of two automata accepts; None if they agree on all.

    Source:
        Breadth-first search of the product automaton; Hopcroft and Karp (1971) decide the same question.
    """
    codes = [(symbol, _CODES[symbol]) for symbol in alphabet]
    ways = {(one.start, other.start): ""}
    for pair in (queue := list(ways)):
        first, second = pair
        if one.accepting[first] != other.accepting[second]:
            return ways[pair]
        for symbol, code in codes:
            target = (one.moves[first + code], other.moves[second + code])
            if target not in ways:
                ways[target] = ways[pair] + symbol
                queue.append(target)
    return None
