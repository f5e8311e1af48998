"""The benchmark's own tests for a problem (delta-manufactoria.md, section 5), from one stream.

Three of the reference's faults are mended, as the specification allows: one seeded stream and a stable order (G2),
and a cut to 35 that cannot remove the last tests of one label (G3). What surprises: transformation families have no
rejecting test, and the corner cases are strings of R and B in the four-colour mode too.
"""

from __future__ import annotations

from collections.abc import Iterable

from rlgrok.delta.manufactoria.families.family import Family, FamilyKind, Parameters
from rlgrok.delta.manufactoria.families.sequences import spread
from rlgrok.types import TestCase
from runtime.seeding import Stream

MAX_TESTS = 35
MIN_PER_LABEL = 3
MIN_TRANSFORM_TESTS = 6
CORNER_DRAWS = 5
FIXED_CORNERS = ("RB", "BR", "RBR", "BRB", "RRB", "BBR", "")
MAX_RANDOM_LENGTH = 12
EXTRA_ATTEMPTS = 50
ATTEMPTS_PER_GROWTH = 10


def delta_tests(
    family: Family, parameters: Parameters, alphabet: str, stream: Stream
) -> tuple[TestCase, ...]:
    """The tests of one problem, at most 35."""
    inputs = deterministic_inputs(family, parameters, alphabet, stream)
    if family.kind is FamilyKind.TRANSFORM:
        return _transform_tests(family, parameters, inputs, alphabet, stream)
    return _accept_tests(family, parameters, inputs, alphabet, stream)


def corner_cases(alphabet: str, stream: Stream) -> list[str]:
    """Five draws from the tapes of at most two symbols, then the fixed seven, without repeats (section 5.5)."""
    pool = ["", *alphabet, *(a + b for a in alphabet for b in alphabet)]
    drawn = [stream.choice(pool) for _ in range(CORNER_DRAWS)]
    return _distinct([*drawn, *FIXED_CORNERS])


def deterministic_inputs(
    family: Family, parameters: Parameters, alphabet: str, stream: Stream
) -> list[str]:
    """The three shortest tapes, the corner cases and the family's own inputs, without repeats (section 5.6)."""
    shortest = ["", alphabet[0], alphabet[:2]]
    corners = corner_cases(alphabet, stream)
    return _distinct([*shortest, *corners, *family.own_inputs(parameters, alphabet, stream)])


def expected_test(family: Family, parameters: Parameters, tape: str) -> TestCase:
    """The test that a tape makes, by the family's own oracle.

    Raises:
        ValueError: the family record lacks the oracle of its kind.
    """
    if family.label is not None:
        return TestCase(
            input=tape, expected_accepted=family.label(parameters, tape), check_output=False
        )
    if family.transform is None:
        raise ValueError(f"family {family.name} has neither label nor transform")
    output = family.transform(parameters, tape)
    return TestCase(
        input=tape, expected_output=output, description=f"input {tape!r} becomes {output!r}"
    )


def _accept_tests(
    family: Family, parameters: Parameters, inputs: list[str], alphabet: str, stream: Stream
) -> tuple[TestCase, ...]:
    """Section 5.7: every input labelled, then more of a label that has fewer than three."""
    tests = [expected_test(family, parameters, tape) for tape in inputs]
    seen = set(inputs)
    for wanted in (True, False):
        missing = MIN_PER_LABEL - sum(test.expected_accepted == wanted for test in tests)
        for attempt in range(EXTRA_ATTEMPTS):
            if missing <= 0:
                break
            longest = min(2 + attempt // ATTEMPTS_PER_GROWTH, MAX_RANDOM_LENGTH)
            tape = spread(stream, alphabet, 1, longest)
            test = expected_test(family, parameters, tape)
            if tape not in seen and test.expected_accepted == wanted:
                seen.add(tape)
                tests.append(test)
                missing -= 1
    return tuple(_cut(tests))


def _transform_tests(
    family: Family, parameters: Parameters, inputs: list[str], alphabet: str, stream: Stream
) -> tuple[TestCase, ...]:
    """Section 5.8: every input with its output, at least six."""
    inputs = list(inputs)
    while len(inputs) < MIN_TRANSFORM_TESTS:
        inputs = _distinct([*inputs, spread(stream, alphabet, 1, MAX_RANDOM_LENGTH)])
    return tuple(expected_test(family, parameters, tape) for tape in inputs[:MAX_TESTS])


def _cut(tests: list[TestCase]) -> list[TestCase]:
    """The first 35, but never fewer of a label than three or all that there are."""
    if len(tests) <= MAX_TESTS:
        return tests
    keep: set[str] = set()
    for wanted in (True, False):
        of_label = [test.input for test in tests if test.expected_accepted == wanted]
        keep.update(of_label[:MIN_PER_LABEL])
    for test in tests:
        if len(keep) == MAX_TESTS:
            break
        keep.add(test.input)
    return [test for test in tests if test.input in keep]


def _distinct(tapes: Iterable[str]) -> list[str]:
    """The tapes without repeats, first occurrences kept."""
    return list(dict.fromkeys(tapes))
