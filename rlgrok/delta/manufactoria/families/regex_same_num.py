"""regex_same_num: accept runs of symbols whose lengths go by one number n (delta-manufactoria.md, section 6.13).

No finite automaton counts, so the solutions read the tape more than once (see `queue_programs.py`). The reference tries
n up to 50 only; here there is no such bound, which no tape of the benchmark is long enough to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import NamedTuple

from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import sequences
from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.ranges import Ranges
from rlgrok.delta.manufactoria.families.sequences import spread, symbols
from rlgrok.delta.manufactoria.queue_programs import DONE, OTHERWISE, Rules, Step, queue_program
from runtime.seeding import Stream


class Length(NamedTuple):
    """The length of a run: factor * n + extra."""

    factor: int
    extra: int

    def at(self, n: int) -> int:
        """Symbols for one n."""
        return self.factor * n + self.extra


LENGTHS = {
    "n": Length(1, 0),
    "n+1": Length(1, 1),
    "n+2": Length(1, 2),
    "n+3": Length(1, 3),
    "2n": Length(2, 0),
}
"""In enumeration order."""
TEMPLATES = (
    (("R", 0), ("B", 1)),
    (("B", 0), ("R", 1)),
    (("R", 1), ("B", 0), ("R", 1)),
    (("B", 0), ("R", 1), ("B", 0)),
)
"""Runs as colour and which of the two lengths x and y, in enumeration order."""
COLOR_WORDS = {"R": "red", "B": "blue"}
INSTANCES = 4
LONGEST_RUN, LONGEST_INSTANCE = 20, 30
MARK = "Y"
"""What the solutions paint to find the end of the tape."""


def runs_of(parameters: Parameters) -> list[tuple[str, Length]]:
    """Colour and length of every run."""
    return [(str(color), LENGTHS[length]) for color, length in parameters["runs"]]


def key(parameters: Parameters) -> str:
    """Such as R{n}B{2n}."""
    return "".join(f"{color}{{{length}}}" for color, length in parameters["runs"])


def instance(parameters: Parameters, n: int) -> str:
    """The accepted tape for one n."""
    return "".join(color * length.at(n) for color, length in runs_of(parameters))


def capacity(alphabet: str, ranges: Ranges) -> int:
    """Templates by values of x by values of y, whatever the colours."""
    del alphabet, ranges
    return len(TEMPLATES) * len(LENGTHS) ** 2


def nth(alphabet: str, ranges: Ranges, index: int) -> Parameters:
    """Templates in order; for each x, and for each x every y.

    Raises:
        IndexError: index is outside [0, capacity).
    """
    total = capacity(alphabet, ranges)
    if not 0 <= index < total:
        raise IndexError(f"no template number {index} of {total}")
    template, values = divmod(index, len(LENGTHS) ** 2)
    names = [list(LENGTHS)[value] for value in divmod(values, len(LENGTHS))]
    return {"runs": [[color, names[which]] for color, which in TEMPLATES[template]]}


def size(parameters: Parameters) -> int:
    """Symbols of the shortest accepted tape."""
    return len(instance(parameters, 1))


def label(parameters: Parameters, tape: str) -> bool:
    """The tape is the template's for some n of at least 1."""
    shortest, growth = size(parameters), len(instance(parameters, 2)) - size(parameters)
    more, rest = divmod(len(tape) - shortest, growth)
    return more >= 0 and rest == 0 and tape == instance(parameters, 1 + more)


def own_inputs(parameters: Parameters, alphabet: str, stream: Stream) -> list[str]:
    """The inputs of section 6.13, in its order."""
    first, second = instance(parameters, 1), instance(parameters, 2)
    inputs = [
        tape
        for tape in (instance(parameters, n) for n in range(1, INSTANCES + 1))
        if len(tape) <= LONGEST_INSTANCE and max(_run_lengths(tape)) <= LONGEST_RUN
    ]
    inputs.append(first + symbols(stream, alphabet, 1))
    if len(first) > 1:
        inputs.append(first[:-1])
    runs = ["".join(run) for _, run in groupby(second)]
    backwards = "".join(reversed(runs))
    if backwards != second:
        inputs.append(backwards)
    reds, blues = (symbol * first.count(symbol) for symbol in "RB")
    alternating = "".join(r + b for r, b in zip_longest(reds, blues, fillvalue=""))
    if len(first) >= 4 and alternating != first:
        inputs.append(alternating)
    inputs.append(runs[0][0] * max(1, len(runs[0]) - 1) + "".join(runs[1:]))
    inputs += ["", *alphabet]
    return inputs + [spread(stream, alphabet, 2, 8) for _ in range(3)]


def telling(parameters: Parameters, alphabet: str, stream: Stream, longest: int) -> str:
    """The tape of some n; every second one with a run one longer or shorter, or with one symbol changed."""
    most = 1
    while len(instance(parameters, most + 1)) < longest:
        most += 1
    tape = instance(parameters, stream.integer(1, most))
    if stream.bernoulli(0.5):
        return tape
    place = stream.below(len(tape))
    shorter = sequences.without(tape, place)
    other = symbols(stream, alphabet.replace(tape[place], ""), 1)
    changed = sequences.inserted(shorter, place, other)
    return stream.choice((shorter, changed, sequences.inserted(tape, place, tape[place])))


def criteria(parameters: Parameters) -> str:
    """What to accept."""
    runs = parameters["runs"]
    words = [f"{length} {COLOR_WORDS[color]}" for color, length in runs]
    return (
        f"Accept the tape exactly when it reads {key(parameters)} for some whole number n of at least 1: "
        f"{', then '.join(words)} symbols, and nothing else. Reject every other tape."
    )


def title(parameters: Parameters) -> str:
    """The problem's name."""
    return f"Variable Pattern: {key(parameters)}"


def solution(parameters: Parameters, alphabet: str) -> Program:
    """Reduce every run to n symbols in a first pass; then halve all runs, pass by pass, while their parities agree.

    Equal numbers have the same binary digits, so all runs are gone at the same time exactly when they were equal. The
    tape is halved each time, so that all passes together cost about five visits a symbol.
    """
    runs = runs_of(parameters)
    # Only the mark is left when all runs are gone. A Y that stood on the tape was taken for the mark, and the mark
    # itself is then still there: with four colours nothing may follow.
    left: Rules = {"left": {"R": Step("", "left"), "G": Step("", "left"), OTHERWISE: DONE}}
    last = DONE if len(alphabet) == 2 else Step("", "left")
    begin: Rules = {"begin": {runs[0][0]: Step("", ("half", 0, 0, 1)), MARK: last}}
    rules = dict(_reducing(runs)) | begin | dict(_halving([color for color, _ in runs])) | left
    return queue_program(Step(MARK, ("reduce", 0, 0)), rules)


def _reducing(runs: list[tuple[str, Length]]) -> Iterator[tuple[tuple, dict[str, Step]]]:
    """The first pass, run by run: nothing for the extra symbols, then one for every `factor` symbols.

    State (run, symbols seen); from the first complete multiple on it goes round.
    """

    def taken(run: int, seen: int) -> Step:
        color, (factor, extra) = runs[run]
        now = seen + 1 if seen < factor + extra else extra + 1
        is_multiple = now > extra and (now - extra) % factor == 0
        return Step(color if is_multiple else "", ("reduce", run, now))

    for run, (color, (factor, extra)) in enumerate(runs):
        for seen in range(factor + extra + 1):
            moves = {color: taken(run, seen)}
            if seen == factor + extra and run + 1 < len(runs):
                moves[runs[run + 1][0]] = taken(run + 1, 0)
            elif seen == factor + extra:
                moves[MARK] = Step(MARK, "begin")
            yield ("reduce", run, seen), moves


def _halving(colors: list[str]) -> Iterator[tuple[tuple, dict[str, Step]]]:
    """One pass: every second symbol of a run is painted again. State (run, parity of the first run, parity so far)."""
    for run, color in enumerate(colors):
        for first in (0, 1) if run else (0,):
            for parity in (0, 1):
                moves = {color: Step(color if parity else "", ("half", run, first, 1 - parity))}
                if run == 0 or parity == first:
                    if run + 1 < len(colors):
                        moves[colors[run + 1]] = Step("", ("half", run + 1, parity, 1))
                    else:
                        moves[MARK] = Step(MARK, "begin")
                yield ("half", run, first, parity), moves


def _run_lengths(tape: str) -> list[int]:
    return [len(list(run)) for _, run in groupby(tape)]


FAMILY = Family(
    name="regex_same_num",
    kind=FamilyKind.ACCEPT,
    enumerates=(),
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
