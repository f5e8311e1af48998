"""The complete record of every test, as `judge.judge` gives it, run as machine code and bounded in size.

A path is up to a thousand ids, and an id may be a megabyte: a short request can ask for gigabytes of answer. `complete`
says so instead of giving it. What surprises: a program outside ASCII is run under other names and told under its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrok.delta.manufactoria.automaton import SYMBOLS
from rlgrok.delta.manufactoria.batch import encode_tapes, error_of, told_error
from rlgrok.delta.manufactoria.dsl import (
    END_NAME,
    END_TARGET,
    NONE_TARGET,
    START_NAME,
    Edge,
    ParseError,
    Program,
    format_program,
    parse,
)
from rlgrok.delta.manufactoria.judge import Judgement, TestResult, is_passed
from rlgrok.delta.manufactoria.machine import ITERATION_LIMIT, ROUTED_TO_NONE, UNKNOWN_NODE
from rlgrok.delta.manufactoria.patterns import PatternTimeout
from rlgrok.types import TestCase

MAX_PATH_NODES = 2_000_000
"""Ids in all paths of a record together: two thousand runs to the limit."""
MAX_PATH_CHARACTERS = 64_000_000
"""The same in characters."""
_REASONS = (ROUTED_TO_NONE, None, UNKNOWN_NODE, ITERATION_LIMIT)
"""By how a run ended, in the numbers of `compiled`."""
_ACCEPTED = 1
_ENDS = (NONE_TARGET, END_NAME, END_TARGET)
_OWN_NAMES = frozenset({START_NAME, *_ENDS})
_LETTERS = str.maketrans({code: symbol for code, symbol in enumerate(SYMBOLS)})


class TooLarge(Exception):
    """A record whose answer would be unreasonably long; the message says how long."""


def complete(text: str, tests: Sequence[TestCase], *, strict: bool = False) -> Judgement:
    """Run a program text on every test and record the nodes it visits.

    Args:
        text: the program, already extracted from a completion.
        tests: in the order of the results.
        strict: as in `machine.run`.

    Raises:
        PatternTimeout: an expected output is a pattern that takes too long.
        TooLarge: the paths have more than `MAX_PATH_NODES` nodes or `MAX_PATH_CHARACTERS` characters in all.
    """
    from rlgrok.delta.manufactoria import compiled

    names: list[str] | None = None
    read = text
    if not text.isascii():
        try:
            program = parse(text)
        except ParseError as error:
            return Judgement(False, (), error)
        names, read = [node.name for node in program.nodes], format_program(_renamed(program))
    codes, tapes = encode_tapes([test.input for test in tests])
    facts = np.zeros(compiled.NUM_FACTS, np.int64)
    buffer = np.frombuffer((read + "\n" * (compiled.PADDING + 1)).encode("ascii"), np.uint8)
    offsets = np.array([0, len(read) + 1])
    category, places, runs, path, paintings = compiled.trace(
        buffer, offsets, codes, tapes, strict, facts, MAX_PATH_NODES
    )
    if category:
        error = error_of(text) if category < 0 else told_error(text, 0, category, facts)
        if error is not None:
            return Judgement(False, (), error)
    if names is None:
        names = [read[low:high] for low, high in places.tolist()]
    names = [*_ENDS, *names]
    _check_size(int(runs[:, 1].sum()), path, names)
    final = paintings.tobytes().decode("latin-1").translate(_LETTERS)
    visited_names = list(map(names.__getitem__, path.tolist()))
    results, visited, painted = [], 0, 0
    for test, (end, visits, front, count) in zip(tests, runs.tolist(), strict=True):
        tape, asked, accepted = test.input, test.check_output, end == _ACCEPTED
        eaten = front - len(tape)
        tape = tape[front:] + final[painted + eaten if eaten > 0 else painted : painted + count]
        if asked:
            passed = _is_passed(test, tape if accepted else None, len(results))
        else:
            passed = accepted == test.expected_accepted
        results.append(
            TestResult(
                test.input,
                test.expected_output,
                tape,
                test.expected_accepted,
                accepted,
                asked,
                passed,
                tuple(visited_names[visited : visited + visits]),
                _REASONS[end],
                test.description,
            )
        )
        visited += visits
        painted += count
    return Judgement(all([result.passed for result in results]), tuple(results))


def _is_passed(test: TestCase, final_tape: str | None, index: int) -> bool:
    """`judge.is_passed`, which says which test asked for too much."""
    try:
        return is_passed(test, final_tape)
    except PatternTimeout as error:
        raise PatternTimeout(error.what, where=f"test_cases[{index}].expected_output") from error


def _renamed(program: Program) -> Program:
    """The program with ids of ASCII characters, but for those that mean something."""
    new = {
        node.name: node.name if node.name in _OWN_NAMES else f"n{index}"
        for index, node in enumerate(program.nodes)
    }
    return Program(
        tuple(
            node._replace(
                name=new[node.name],
                edges=tuple(Edge(c, new.get(target, target)) for c, target in node.edges),
            )
            for node in program.nodes
        )
    )


def _check_size(num_visits: int, path: np.ndarray, names: Sequence[str]) -> None:
    if num_visits > MAX_PATH_NODES:
        raise TooLarge(f"the paths visit {num_visits} nodes, at most {MAX_PATH_NODES} can be told")
    lengths = np.fromiter(map(len, names), np.int64, len(names))
    characters = int(lengths[path].sum())
    if characters > MAX_PATH_CHARACTERS:
        raise TooLarge(
            f"the paths have {characters} characters, at most {MAX_PATH_CHARACTERS} can be told"
        )
