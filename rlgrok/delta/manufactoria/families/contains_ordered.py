"""contains_ordered: accept a tape with the sequence as a subsequence (delta-manufactoria.md, section 6.6)."""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import ACCEPT, acceptor_program
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import (
    inserted,
    sequence_of,
    spread,
    symbols,
    without,
    wrapped,
)
from runtime.seeding import Stream


def label(parameters: Parameters, tape: str) -> bool:
    """The sequence's symbols occur in the tape in this order, others may stand between them."""
    rest = iter(tape)
    return all(symbol in rest for symbol in sequence_of(parameters))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.6, in its order. The last four kinds may happen to be accepted."""
    s = sequence_of(parameters)
    middle = len(s) // 2
    inputs = [s]
    inputs += [inserted(s, gap, symbols(stream, alphabet, 1)) for gap in range(1, len(s))]
    if len(s) >= 2:
        inputs.append(sequences.interleaved(stream, alphabet, s))
    inputs += [s + symbols(stream, alphabet, 3), symbols(stream, alphabet, 6) + s]
    if len(s) >= 2:
        before = spread(stream, alphabet, 2, 4)
        gaps = "".join(symbol + spread(stream, alphabet, 1, 3) for symbol in s[:-1]) + s[-1]
        inputs.append(before + gaps + spread(stream, alphabet, 2, 4))
        doubled = inserted(s, middle, symbols(stream, alphabet, 1))
        inputs.append(doubled + symbols(stream, alphabet, 2) + s)
        inputs += [s[1:], s[:-1]]
    if len(s) > 2:
        inputs.append(without(s, middle))
    if len(s) >= 2:
        inputs.append(wrapped(s[::-1], spread(stream, alphabet, 2, 5)))
    if len(s) >= 3:
        inputs.append(wrapped(s[-1] + s[:-1], symbols(stream, alphabet, 3)))
        inputs.append(wrapped(without(s, len(s) - 2), symbols(stream, alphabet, 9)))
    if others := sequences.absent(alphabet, s):
        inputs.append(symbols(stream, others, sequences.LONG_FILLER))
    if len(s) >= 3:
        inputs.append(wrapped(without(s, middle), symbols(stream, alphabet, 18)))
    return inputs


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    s = sequence_of(parameters)
    return (
        f"Accept the tape exactly when the symbols {s} occur in it in this order; they need not be consecutive, "
        "other symbols may stand between them."
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Contains {sequence_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """State i has seen the first i symbols: the next one leads on, every other symbol stays."""
    s = sequence_of(parameters)
    moves = []
    for state, symbol in enumerate(s):
        onward = ACCEPT if state == len(s) - 1 else state + 1
        moves.append({c: onward if c == symbol else state for c in alphabet})
    return acceptor_program(moves, alphabet)


FAMILY = Family(
    name="contains_ordered",
    kind=FamilyKind.ACCEPT,
    enumerates=sequences.ENUMERATES,
    capacity=sequences.capacity,
    nth=sequences.nth,
    key=sequence_of,
    size=sequences.size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    label=label,
)
