"""exact_sequence: accept one tape and no other (delta-manufactoria.md, section 6.2).

What surprises: its tests have a single accepting case as a rule, so a program that rejects everything earns about 0.94
of the dense reward (G4).
"""

from __future__ import annotations

from rlgrok.delta.manufactoria.canonical import acceptor_program
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import sequence_of, symbols
from runtime.seeding import Stream


def label(parameters: Parameters, tape: str) -> bool:
    """The tape is the sequence."""
    return tape == sequence_of(parameters)


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.2, in its order."""
    s = sequence_of(parameters)
    inputs = [s]
    if len(s) > 1:
        inputs += [s[:-1], s + alphabet[0]]
    inputs += [
        sequences.other_than(alphabet, s[0]) + s[1:],
        s + symbols(stream, alphabet, 9),
        symbols(stream, alphabet, 6) + s,
        symbols(stream, alphabet, 3) + s + symbols(stream, alphabet, 6),
    ]
    if len(s) >= 3:
        middle = len(s) // 2
        wrong = s[:middle] + sequences.other_than(alphabet, s[middle]) + s[middle + 1 :]
        inputs.append(wrong + symbols(stream, alphabet, 6))
    while (filler := symbols(stream, alphabet, sequences.LONG_FILLER)) == s:
        pass
    inputs.append(filler)
    return inputs


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    s = sequence_of(parameters)
    return f"Accept the tape exactly when it reads {s} and nothing else; reject every other tape."


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Exactly {sequence_of(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """One puller a symbol, then one that wants the tape to be empty."""
    s = sequence_of(parameters)
    moves = [{symbol: state + 1} for state, symbol in enumerate(s)]
    return acceptor_program([*moves, {}], alphabet, accepting={len(s)})


FAMILY = Family(
    name="exact_sequence",
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
