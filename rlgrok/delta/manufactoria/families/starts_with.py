"""starts_with: accept a tape that begins with the sequence (delta-manufactoria.md, section 6.3)."""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import ACCEPT, acceptor_program
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import sequence_of, symbols
from runtime.seeding import Stream


def label(parameters: Parameters, tape: str) -> bool:
    """The tape begins with the sequence."""
    return tape.startswith(sequence_of(parameters))


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The seven inputs of section 6.3, in its order."""
    s = sequence_of(parameters)
    wrong_first = sequences.other_than(alphabet, s[0])
    inputs = [
        s,
        s + alphabet[0],
        wrong_first + s,
        s + symbols(stream, alphabet, 12),
        s * 3 + symbols(stream, alphabet, 3),
    ]
    if len(s) > 1:
        inputs.append(wrong_first + s[1:] + symbols(stream, alphabet, 6))
    others = alphabet.replace(s[0], "")
    inputs.append(symbols(stream, others, sequences.LONG_FILLER))
    return inputs


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    s = sequence_of(parameters)
    return f"Accept the tape exactly when its first symbols are {s}, in this order; what follows does not matter."


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Starts with {sequence_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """One puller a symbol: the right one leads on, the last one to END."""
    s = sequence_of(parameters)
    following = [*range(1, len(s)), ACCEPT]
    moves = [{symbol: target} for symbol, target in zip(s, following, strict=True)]
    return acceptor_program(moves, alphabet)


FAMILY = Family(
    name="starts_with",
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
