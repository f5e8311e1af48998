"""ends_with: accept a tape that ends with the sequence (delta-manufactoria.md, section 6.4)."""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import acceptor_program
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import sequence_of, symbols
from runtime.seeding import Stream


def label(parameters: Parameters, tape: str) -> bool:
    """The tape ends with the sequence."""
    return tape.endswith(sequence_of(parameters))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.4, in its order."""
    s = sequence_of(parameters)
    inputs = [
        s,
        alphabet[0] + s,
        s + alphabet[0],
        symbols(stream, alphabet, 9) + s,
        symbols(stream, alphabet, 15) + s,
        s * 3 + symbols(stream, alphabet, 3) + s,
        s + symbols(stream, alphabet, 6),
        symbols(stream, alphabet, 3) + s + symbols(stream, alphabet, 6),
    ]
    if len(s) > 1:
        inputs.append(symbols(stream, alphabet, 6) + s[:-1])
        wrong_last = s[:-1] + sequences.other_than(alphabet, s[-1])
        inputs.append(symbols(stream, alphabet, 5) + wrong_last)
    if others := sequences.absent(alphabet, s):
        inputs.append(symbols(stream, others, sequences.LONG_FILLER))
    return inputs


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    s = sequence_of(parameters)
    return f"Accept the tape exactly when its last symbols are {s}, in this order; what comes before does not matter."


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Ends with {sequence_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """State i: the longest prefix of the sequence that ends the tape read so far has i symbols; all of it is right.

    Source:
        Knuth, Morris and Pratt, "Fast pattern matching in strings" (1977), as a complete automaton.
    """
    s = sequence_of(parameters)
    moves = [
        {symbol: sequences.overlap(s, s[:state] + symbol) for symbol in alphabet}
        for state in range(len(s) + 1)
    ]
    return acceptor_program(moves, alphabet, accepting={len(s)})


FAMILY = Family(
    name="ends_with",
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
    available_nodes=sequences.readers,
    label=label,
)
