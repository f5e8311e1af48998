"""append_sequence: leave the tape as it is with the sequence added at its end (delta-manufactoria.md, section 6.1)."""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import chain_program
from rlgrok.delta.manufactoria.dsl import PAINTER_COLORS, Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import sequence_of, symbols
from runtime.seeding import Stream

_PAINTERS = {color: kind for kind, color in PAINTER_COLORS.items()}


def transform(parameters: Parameters, tape: str) -> str:
    """The tape, then the sequence."""
    return tape + sequence_of(parameters)


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.1, in its order; they do not depend on the sequence."""
    del parameters
    fixed = ["", alphabet[0], alphabet[:2]]
    return fixed + [symbols(stream, alphabet, length) for length in (4, 8, 12, 15)]


def criteria(parameters: Parameters) -> str:
    """What to leave on the tape."""
    s = sequence_of(parameters)
    return f"Accept every tape, and add '{s}' at the end of it."


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Append {sequence_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """One painter a symbol: painters write at the back, so nothing has to be read."""
    del alphabet
    return chain_program([_PAINTERS[symbol] for symbol in sequence_of(parameters)])


FAMILY = Family(
    name="append_sequence",
    kind=FamilyKind.TRANSFORM,
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
    transform=transform,
)
