"""What a failed program is told before it tries again: counts, or failing cases, in words or in compact words.

Which tests may be shown is the caller's choice: those that the program is scored by, or *fresh* ones, short tapes that
no scored test uses, judged by the family's own label function. Order and limits of the text follow
delta-training.md, section 3 ("Feedback generation"): the parser's message, else up to some failing cases with what was
expected and what came, and a count of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.dsl import ParseError, Program
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.generator import expected_test
from rlgrok.delta.manufactoria.judge import compile_text, is_passed
from rlgrok.delta.manufactoria.tables import Tables, compile_program
from rlgrok.types import Problem, PromptStyle, TestCase
from runtime.errors import ConfigError

FRESH_TESTS = 200
"""Fresh tapes a program is tried on: all of the shortest, which hold the shortest counterexamples."""
MAX_COMPACT_TAPE = 8
"""Symbols of a tape that a compact feedback spells out; the tiny policy has no room for more."""
UNPARSED, WRONG, ACCEPT, REJECT, GIVE, COUNT, AGAIN = (
    "\n# does not parse",
    "\n# wrong on",
    " should accept",
    " should reject",
    " should give",
    "\n# tests fail",
    "\n# again\n",
)
FEEDBACK_WORDS = (UNPARSED, WRONG, ACCEPT, REJECT, GIVE, COUNT, AGAIN)
"""The words of a compact feedback besides the symbols of a tape. Comments to the parser."""


def write_feedback(
    problem: Problem,
    program: str,
    style: PromptStyle,
    *,
    fresh: bool,
    max_cases: int | None,
) -> str:
    """The text that follows a failed attempt.

    Args:
        problem: what was asked for.
        program: what was written, as `extract` found it.
        style: `compact`: words of the tiny policy; `full`: sentences.
        fresh: show short tapes that are not among the problem's tests; False: the tests themselves.
        max_cases: failing cases shown at most; None: counts only.

    Returns:
        The text; it says that all is well where no shown test fails.

    Raises:
        ConfigError: fresh tests of a problem without a label function.
    """
    tests = fresh_tests(problem) if fresh else problem.tests
    try:
        tables = compile_text(program)
    except ParseError as error:
        if style is PromptStyle.COMPACT:
            return UNPARSED + AGAIN
        return f"\n\nThe program does not parse: {error}\n\nTry again.\n\n"
    tried = ((test, _final_tape(tables, test)) for test in tests)
    failures = ((test, final) for test, final in tried if not is_passed(test, final))
    if style is PromptStyle.COMPACT:
        # Says no more than its first cases, so the tapes after them are never tried.
        first = next(failures, None)
        rest = chain(() if first is None else (first,), failures)
        short = (case for case in rest if len(case[0].input) <= MAX_COMPACT_TAPE)
        return _compact(list(islice(short, max_cases or 0)), is_wrong=first is not None)
    failed = list(failures)
    return _full(failed[: max_cases or 0], num_failed=len(failed), num_tests=len(tests))


def _final_tape(tables: Tables, test: TestCase) -> str | None:
    """What an accepted run left, None for a rejected one; empty where nobody looks at it."""
    if test.check_output:
        return tables.outcome(test.input)
    return "" if tables.accepts(test.input) else None


def write_difference(wanted: Program, attempt: Program, alphabet: str, *, max_cases: int) -> str:
    """The compact text that tells an attempt on which short tapes it differs from the wanted program.

    Args:
        wanted: its verdicts are right by definition; outputs do not count.
        attempt: what was written.
        alphabet: of the tapes, the shortest `FRESH_TESTS` of which are tried.
        max_cases: cases shown at most.

    Returns:
        The text; empty where they do not differ.
    """
    right, written = compile_program(wanted), compile_program(attempt)
    tried = islice(_short_tapes(alphabet), FRESH_TESTS)
    apart = (tape for tape in tried if right.accepts(tape) != written.accepts(tape))
    cases = [
        (TestCase(tape, "", right.accepts(tape), check_output=False), None)
        for tape in islice(apart, max_cases)
    ]
    return _compact(cases, is_wrong=True) if cases else ""


def fresh_tests(problem: Problem) -> tuple[TestCase, ...]:
    """The shortest tapes that no test of the problem uses, with what a right program does on them.

    Raises:
        ConfigError: the problem names no parameters, so there is no label function.
    """
    if not problem.has_oracle:
        raise ConfigError(
            "no fresh tests of a problem without parameters",
            got=problem.id,
            expected="feedback.shown=scored, or problems of a family",
            where="feedback.shown",
        )
    return _fresh(problem.family, problem.colors, _frozen(problem), _inputs(problem))


@lru_cache(maxsize=4096)
def _fresh(
    family: str, colors: str, parameters: tuple[tuple[str, object], ...], used: frozenset[str]
) -> tuple[TestCase, ...]:
    wanted = FAMILIES[family]
    given = dict(parameters)
    unused = (tape for tape in _short_tapes(ALPHABETS[colors]) if tape not in used)
    return tuple(expected_test(wanted, given, tape) for tape in islice(unused, FRESH_TESTS))


def _short_tapes(alphabet: str) -> Iterator[str]:
    return tapes(alphabet, 2 * MAX_COMPACT_TAPE)


def _frozen(problem: Problem) -> tuple[tuple[str, object], ...]:
    return tuple(
        (key, tuple(value) if isinstance(value, list) else value)
        for key, value in problem.parameters.items()
    )


def _inputs(problem: Problem) -> frozenset[str]:
    return frozenset(test.input for test in problem.tests)


def _compact(shown: Sequence[tuple[TestCase, str | None]], *, is_wrong: bool) -> str:
    if not shown:
        return (COUNT if is_wrong else "") + AGAIN
    lines = []
    for test, _ in shown:
        verb = ACCEPT if test.expected_accepted else REJECT
        line = WRONG + _spelled(test.input)
        line += GIVE + _spelled(test.expected_output) if test.check_output else verb
        lines.append(line)
    return "".join(lines) + AGAIN


def _spelled(tape: str) -> str:
    return "".join(f" {symbol}" for symbol in tape[:MAX_COMPACT_TAPE]) or " _"


def _full(shown: Sequence[tuple[TestCase, str | None]], *, num_failed: int, num_tests: int) -> str:
    lines = [f"\n\n{num_failed} of {num_tests} tests fail."]
    for test, final in shown:
        tape = test.input or "(empty)"
        if test.check_output and test.expected_accepted:
            expected = f"accepted with the tape {test.expected_output or '(empty)'}"
        else:
            expected = "accepted" if test.expected_accepted else "rejected"
        came = "rejected" if final is None else f"accepted with the tape {final or '(empty)'}"
        if not test.check_output and final is not None:
            came = "accepted"
        lines.append(f"- On {tape}: expected {expected}, came out {came}.")
    rest = num_failed - len(shown)
    if shown and rest:
        lines.append(f"- {rest} more.")
    return "\n".join(lines) + "\n\nTry again.\n\n"
