"""contains_substring: accept a tape with the sequence as a contiguous factor (delta-manufactoria.md, section 6.5)."""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import ACCEPT, acceptor_program
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import (
    inserted,
    interleaved,
    sequence_of,
    spread,
    symbols,
    wrapped,
)
from runtime.seeding import Stream


def label(parameters: Parameters, tape: str) -> bool:
    """The sequence occurs in the tape without a gap."""
    return sequence_of(parameters) in tape


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.5, in its order."""
    s = sequence_of(parameters)
    inputs = [
        s,
        s + symbols(stream, alphabet, 3),
        symbols(stream, alphabet, 6) + s,
        spread(stream, alphabet, 1, 3) + s + spread(stream, alphabet, 1, 3),
        s + spread(stream, alphabet, 1, 3) + s,
        spread(stream, alphabet, 3, 5) + s + spread(stream, alphabet, 3, 5),
    ]
    if len(set(s)) < len(s):
        inputs.append(s + s[1:])
    if len(s) >= 2:
        inputs.append(interleaved(stream, alphabet, s))
    inputs += [wrapped(s[:end], spread(stream, alphabet, 3, 6)) for end in range(1, len(s))]
    if len(s) >= 2:
        inputs.append(wrapped(s[::-1], spread(stream, alphabet, 2, 4)))
    if len(s) >= 3:
        inputs.append(wrapped(_disordered(s), symbols(stream, alphabet, 3)))
        inputs.append(inserted(s, len(s) // 2, symbols(stream, alphabet, 1)))
    if others := sequences.absent(alphabet, s):
        inputs.append(symbols(stream, others, sequences.LONG_FILLER))
    if len(s) >= 2:
        position = stream.integer(1, len(s) - 1)
        broken = inserted(s, position, symbols(stream, alphabet, 1))
        inputs.append(wrapped(broken, symbols(stream, alphabet, 3)))
        before = symbols(stream, alphabet, 2)
        torn = interleaved(stream, alphabet, s)
        inputs.append(before + torn + symbols(stream, alphabet, 2))
    return inputs


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    s = sequence_of(parameters)
    return (
        f"Accept the tape exactly when {s} occurs somewhere in it as consecutive symbols, "
        "with nothing between them."
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Contains '{sequence_of(parameters)}'"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """State i: the longest prefix of the sequence that ends the tape read so far has i symbols.

    Source:
        Knuth, Morris and Pratt, "Fast pattern matching in strings" (1977), as a complete automaton.
    """
    s = sequence_of(parameters)
    moves = []
    for state in range(len(s)):
        targets = {symbol: sequences.overlap(s, s[:state] + symbol) for symbol in alphabet}
        moves.append({c: ACCEPT if target == len(s) else target for c, target in targets.items()})
    return acceptor_program(moves, alphabet)


def _disordered(sequence: str) -> str:
    """The sequence backwards, or its first two symbols swapped where that changes nothing; itself if all are equal."""
    if len(set(sequence)) == 1:
        return sequence
    backwards = sequence[::-1]
    return backwards if backwards != sequence else sequence[1] + sequence[0] + sequence[2:]


FAMILY = Family(
    name="contains_substring",
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
