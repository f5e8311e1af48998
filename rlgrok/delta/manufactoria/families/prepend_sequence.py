"""prepend_sequence: change the tape, then put the sequence in front of it (delta-manufactoria.md, section 6.11).

Three tiers of changes: none; single colours removed, swapped or replaced; patterns of two symbols replaced. The
reference lists some changes of the second tier twice and two that change nothing (G5); here that takes
`Ranges.repeated_mutations`. What surprises: with four colours no program can do it. To put something in front, the
whole tape must be turned round, and a run that stops after a front part p would stop there on every longer tape py too,
with y at the front; so the end has to be marked, by a colour that the tape itself cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.ranges import Mutations, Ranges
from rlgrok.delta.manufactoria.families.sequences import sequence_of, symbols
from rlgrok.delta.manufactoria.queue_programs import Rules, Step, queue_program
from runtime.seeding import Stream

SWAP = "swap"
_SWAPPED = str.maketrans("RB", "BR")
_PATTERN_LENGTH = 2


def mutations(alphabet: str, tier: Mutations, *, repeated: bool = False) -> list[Parameters]:
    """The changes of a tier in enumeration order, each as the parameters that describe it.

    `swap` exchanges R and B. Otherwise every occurrence of `source` becomes `target`; without either nothing changes.

    Args:
        alphabet: of sources and targets.
        tier: none, symbols or patterns.
        repeated: list the second tier as the reference does, with the targets of one symbol twice and with colours
            replaced by themselves: 19 changes for two colours instead of 13.
    """
    if tier == Mutations.NONE:
        return [{}]
    words = ["".join(word) for length in (1, _PATTERN_LENGTH) for word in _words(alphabet, length)]
    if tier == Mutations.PATTERNS:
        sources = ["".join(word) for word in _words(alphabet, _PATTERN_LENGTH)]
        return [_replacing(a, b) for a in sources for b in ["", *words] if b != a]
    removing = [_replacing("B", ""), _replacing("R", ""), {"mutation": SWAP}]
    targets = [*alphabet, *words] if repeated else words
    changing = [_replacing(color, target) for target in targets for color in "BR"]
    return removing + [change for change in changing if repeated or not _is_identity(change)]


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Changes times sequences."""
    return len(_tier(alphabet, ranges)) * sequences.num_words(alphabet, ranges.lengths)


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Sequences in order, and for each every change.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    if not 0 <= index < capacity(alphabet, ranges):
        raise IndexError(f"no change and sequence number {index} of {capacity(alphabet, ranges)}")
    tier = _tier(alphabet, ranges)
    which, change = divmod(index, len(tier))
    return {"sequence": sequences.nth_word(alphabet, ranges.lengths, which), **tier[change]}


def key(parameters: Parameters) -> str:
    """The sequence, and the change if there is one: `RB`, `RB+swap`, `RB+BR>B`."""
    s = sequence_of(parameters)
    if parameters.get("mutation") == SWAP:
        return f"{s}+{SWAP}"
    if _is_identity(parameters):
        return s
    return f"{s}+{parameters['source']}>{parameters['target']}"


def mutated(parameters: Parameters, tape: str) -> str:
    """The changed tape, before the sequence is put in front.

    Occurrences are found from front to back, do not overlap, and what has been put in is not looked at again.
    """
    if parameters.get("mutation") == SWAP:
        return tape.translate(_SWAPPED)
    if _is_identity(parameters):
        return tape
    return tape.replace(parameters["source"], parameters["target"])


def transform(parameters: Parameters, tape: str) -> str:
    """The sequence, then the changed tape."""
    return sequence_of(parameters) + mutated(parameters, tape)


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.11, in its order; they do not depend on the parameters."""
    del parameters
    a, b = alphabet[:2]
    fixed = ["", "R", "B", a + b, b + a, a + a, b + b, symbols(stream, alphabet, 4)]
    fixed += ["BBB", "RRR", "BRBR", "RBRB"]
    return fixed + [symbols(stream, alphabet, length) for length in (8, 12)]


def criteria(parameters: Parameters) -> str:
    """What to leave on the tape."""
    s = sequence_of(parameters)
    if change := _change_in_words(parameters):
        return f"Accept every tape. {change}, and then put '{s}' in front of it."
    return f"Accept every tape, and put '{s}' in front of it."


def title(parameters: Parameters) -> str:
    """The problem's name."""
    s = sequence_of(parameters)
    if parameters.get("mutation") == SWAP:
        return f"Swap R and B, Prepend {s}"
    if _is_identity(parameters):
        return f"Prepend {s}"
    source, target = parameters["source"], parameters["target"]
    return f"{f'Replace {source} with {target}' if target else f'Remove {source}'}, Prepend {s}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """Mark the end, paint the sequence, and turn the tape round once, changing it on the way.

    Raises:
        ValueError: the alphabet has Y and G, which leaves no colour for a mark.
    """
    if alphabet != "RB":
        raise ValueError(f"no program puts anything in front of a tape of the colours {alphabet}")
    if parameters.get("mutation") == SWAP:
        rules: Rules = {"": {"R": Step("B", ""), "B": Step("R", ""), "Y": Step("", None)}}
    else:
        # Replacing a colour by itself changes nothing.
        rules = _replacement(parameters.get("source", "R"), parameters.get("target", "R"))
    return queue_program(Step("Y" + sequence_of(parameters), ""), rules)


def _replacement(source: str, target: str) -> Rules:
    """One pass whose state is the part of the source that has been pulled and not yet painted."""
    rules: dict[str, dict[str, Step]] = {}
    for length in range(len(source)):
        held = source[:length]
        rules[held] = {}
        for symbol in "RB":
            seen = held + symbol
            keep = next(n for n in range(len(source), -1, -1) if seen.endswith(source[:n]))
            if keep == len(source):
                rules[held][symbol] = Step(target, "")
            else:
                rules[held][symbol] = Step(seen[: len(seen) - keep], source[:keep])
        rules[held]["Y"] = Step(held, None)
    return rules


def _tier(alphabet: str, ranges: Ranges) -> list[Parameters]:
    return mutations(alphabet, ranges.mutations, repeated=ranges.repeated_mutations)


def _words(alphabet: str, length: int) -> Iterator[tuple[str, ...]]:
    return product(alphabet, repeat=length)


def _replacing(source: str, target: str) -> Parameters:
    return {"mutation": "replace", "source": source, "target": target}


def _is_identity(parameters: Parameters) -> bool:
    """Whether the tape stays as it is: no change at all, or a pattern replaced by itself."""
    return parameters.get("mutation") is None or (
        parameters["mutation"] != SWAP and parameters["source"] == parameters["target"]
    )


def _change_in_words(parameters: Parameters) -> str:
    """The change as the beginning of a sentence about the tape; empty for none."""
    if parameters.get("mutation") == SWAP:
        return "Make every R of the tape a B and every B an R"
    if _is_identity(parameters):
        return ""
    source, target = parameters["source"], parameters["target"]
    done = f"Replace every '{source}' in the tape with '{target}'"
    if not target:
        done = f"Remove every '{source}' from the tape"
    if len(source) > 1:
        done += " (going from front to back; occurrences do not overlap, and the result is not searched again)"
    return done


FAMILY = Family(
    name="prepend_sequence",
    kind=FamilyKind.TRANSFORM,
    enumerates=("mutations", "lengths", "repeated_mutations"),
    capacity=capacity,
    nth=nth,
    key=key,
    size=sequences.size,
    own_inputs=own_inputs,
    title=title,
    criteria=criteria,
    solution=solution,
    available_nodes=sequences.every_node,
    transform=transform,
    colors=("two",),
)
