"""Verdicts: what a program does on tests, and whether that is what was asked (delta-manufactoria.md, sections 3, 4).

`judge` gives the complete record of every test, as the verification API does. `verify` gives only the counts that
training needs, through compiled tables, and agrees with `judge` on every program. `verify_exhaustive` asks the
family's own label function on every short tape instead of the tests: a program may pass all tests and still be wrong.
A bad program is never an exception here. What surprises: an empty list of tests is `all_passed` and yet no full pass
(P11).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rlgrok.delta.manufactoria.automaton import encode
from rlgrok.delta.manufactoria.dsl import ParseCategory, ParseError, parse
from rlgrok.delta.manufactoria.machine import run
from rlgrok.delta.manufactoria.patterns import matches
from rlgrok.delta.manufactoria.tables import Tables
from rlgrok.types import Problem, Status, TestCase, Verdict

PATTERN_MARKS = frozenset(".+*?|()")
"""Any of these in an expected output makes it a regular expression; brackets, braces and anchors do not (P9)."""
_SHOWN_TAPE = 40
_MAX_REMEMBERED_TEXT = (
    4096  # characters; longer programs are judged afresh, so that memory stays bounded
)
_MAX_PREPARED = 8192  # problems


class TestResult(NamedTuple):
    """One test with what happened; the fields of the verification API. `path` is empty unless it was asked for."""

    __test__ = False  # not a pytest class

    input: str
    expected_output: str
    actual_output: str
    expected_accepted: bool
    actual_accepted: bool
    check_output: bool
    passed: bool
    path: tuple[str, ...]
    rejection_reason: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """All tests of one program, or the error of a text that is not one."""

    all_passed: bool
    results: tuple[TestResult, ...]
    error: ParseError | None = None

    @property
    def valid(self) -> bool:
        """The text parsed."""
        return self.error is None

    @property
    def message(self) -> str | None:
        """The parser's message, with the prefix of the verification API; None for a valid program."""
        return None if self.error is None else f"DSL Parse Error: {self.error}"

    @property
    def pass_rate(self) -> float:
        """Share of tests passed; 0 without tests and for a text that does not parse."""
        return sum(r.passed for r in self.results) / len(self.results) if self.results else 0.0

    @property
    def full_pass(self) -> bool:
        """Every test passed, and there was one."""
        return self.all_passed and bool(self.results)


def judge(
    text: str, tests: Sequence[TestCase], *, strict: bool = False, keep_paths: bool = False
) -> Judgement:
    """Run a program text on every test.

    Args:
        text: the program, already extracted from a completion.
        tests: in the order of the results.
        strict: as in `machine.run`.
        keep_paths: record the visited nodes, up to 1000 names a test.
    """
    try:
        program = parse(text)
    except ParseError as error:
        return Judgement(False, (), error)
    results = []
    for test in tests:
        done = run(program, test.input, strict=strict)
        results.append(
            TestResult(
                input=test.input,
                expected_output=test.expected_output,
                actual_output=done.final_tape,
                expected_accepted=test.expected_accepted,
                actual_accepted=done.finished,
                check_output=test.check_output,
                passed=is_passed(test, done.final_tape if done.finished else None),
                path=done.path if keep_paths else (),
                rejection_reason=done.rejection_reason,
                description=test.description,
            )
        )
    return Judgement(all(result.passed for result in results), tuple(results))


def is_passed(test: TestCase, final_tape: str | None) -> bool:
    """Whether a run does what a test asks.

    Args:
        test: the test.
        final_tape: what an accepted run left on the tape; None for a rejected run.
    """
    accepted = final_tape is not None
    if test.check_output and accepted:
        accepted = output_matches(test.expected_output, final_tape)
    return accepted == test.expected_accepted


def output_matches(expected: str, tape: str) -> bool:
    """Whether a tape is the expected one, or matches it in full where it is a regular expression.

    Raises:
        PatternTimeout: the pattern takes too long.
    """
    return tape == expected if PATTERN_MARKS.isdisjoint(expected) else matches(expected, tape)


def to_verdict(judgement: Judgement, tests: Sequence[TestCase]) -> Verdict:
    """The counts of a judgement."""
    num_accepting = sum(test.expected_accepted for test in tests)
    if judgement.error is not None:
        return unparsed_verdict(judgement.error, len(tests), num_accepting)
    passed = [result.passed for result in judgement.results]
    tapes = [r.actual_output if r.actual_accepted else None for r in judgement.results]
    return _verdict(tests, num_accepting, passed, tapes)


def verify(problem: Problem, text: str) -> Verdict:
    """The verdict of a problem's own tests on a program text, in the compatible mode."""
    prepared = _prepare(problem.tests)
    if len(text) > _MAX_REMEMBERED_TEXT:
        return verify_prepared(text, prepared)
    return _remembered_verdict(text, prepared)


class PreparedTests:
    """Tests encoded once for the fast path; compared by identity.

    Args:
        tests: of one problem.
    """

    __slots__ = ("_codes", "_max_length", "accepting", "is_acceptance", "num_accepting", "tests")

    def __init__(self, tests: tuple[TestCase, ...]) -> None:
        self.tests = tests
        self.accepting = [test.expected_accepted for test in tests]
        self.num_accepting = sum(self.accepting)
        self.is_acceptance = not any(test.check_output for test in tests)
        codes = [encode(test.input) for test in tests]
        self._codes = [code for code in codes if code is not None]
        self._max_length = max((len(test.input) for test in tests), default=0)

    def accepted_by(self, tables: Tables) -> list[bool]:
        """Which inputs a program accepts."""
        automaton = tables.automaton
        fits = automaton is not None and self._max_length <= automaton.max_length
        if automaton is not None and fits and len(self._codes) == len(self.tests):
            return list(map(automaton.accepts_codes, self._codes))
        return [tables.accepts(test.input) for test in self.tests]


def verify_prepared(text: str, prepared: PreparedTests) -> Verdict:
    """The verdict of prepared tests on a program text, not remembered."""
    tests = prepared.tests
    try:
        tables = compile_text(text)
    except ParseError as error:
        return unparsed_verdict(error, len(tests), prepared.num_accepting)
    if not prepared.is_acceptance:
        finals = [tables.outcome(test.input) for test in tests]
        passed = [is_passed(test, final) for test, final in zip(tests, finals, strict=True)]
        return _verdict(tests, prepared.num_accepting, passed, finals)
    accepted = prepared.accepted_by(tables)
    if accepted == prepared.accepting and tests:
        num = len(tests)
        return Verdict(Status.PASSED, num, num, prepared.num_accepting, prepared.num_accepting)
    passed = [is_so == wanted for is_so, wanted in zip(accepted, prepared.accepting, strict=True)]
    return _verdict(tests, prepared.num_accepting, passed, ["" if a else None for a in accepted])


def first_failure(test: TestCase, final_tape: str | None) -> str:
    """What went wrong on one test, in one clause."""
    shown = test.input if len(test.input) <= _SHOWN_TAPE else test.input[:_SHOWN_TAPE] + "..."
    did = "was rejected" if final_tape is None else "was accepted"
    if not test.check_output:
        return f"input {shown!r} {did}"
    if final_tape is not None:
        did += f" with output {final_tape[:_SHOWN_TAPE]!r}"
    return f"input {shown!r} {did}, expected output {test.expected_output[:_SHOWN_TAPE]!r}"


def failed_verdict(
    *, num_passed: int, num_tests: int, num_accepting: int, num_accepting_passed: int, first: str
) -> Verdict:
    """The verdict of a program that parses and fails some test, or that had none to pass."""
    message = f"{num_tests - num_passed} of {num_tests} tests failed; first: {first}"
    if not num_tests:
        message = "there are no tests to pass"
    return Verdict(
        Status.FAILED, num_passed, num_tests, num_accepting, num_accepting_passed, message
    )


def unparsed_verdict(error: ParseError, num_tests: int, num_accepting: int) -> Verdict:
    """The verdict of a text that is not a program."""
    empty = error.category is ParseCategory.EMPTY_PROGRAM
    status = Status.NO_PROGRAM if empty else Status.PARSE_ERROR
    return Verdict(status, 0, num_tests, num_accepting, 0, f"DSL Parse Error: {error}")


def _verdict(
    tests: Sequence[TestCase],
    num_accepting: int,
    passed: Sequence[bool],
    finals: Sequence[str | None],
) -> Verdict:
    """Counts, and the first failure in words."""
    num_passed = sum(passed)
    num = len(tests)
    if num and num_passed == num:
        return Verdict(Status.PASSED, num, num, num_accepting, num_accepting)
    accepting_passed = sum(
        p for p, test in zip(passed, tests, strict=True) if test.expected_accepted
    )
    first = ""
    if num:
        worst = passed.index(False)
        first = first_failure(tests[worst], finals[worst])
    return failed_verdict(
        num_passed=num_passed,
        num_tests=num,
        num_accepting=num_accepting,
        num_accepting_passed=accepting_passed,
        first=first,
    )


@lru_cache(maxsize=32768)
def _remembered_verdict(text: str, prepared: PreparedTests) -> Verdict:
    return verify_prepared(text, prepared)


@lru_cache(maxsize=2048)
def _remembered_tables(text: str) -> Tables:
    return Tables(parse(text))


def compile_text(text: str) -> Tables:
    """A text parsed and compiled; short texts are remembered, since the same program meets many problems.

    Raises:
        ParseError: the text is not a program.
    """
    if len(text) > _MAX_REMEMBERED_TEXT:
        return Tables(parse(text))
    return _remembered_tables(text)


def forget() -> None:
    """Empty the memos of verdicts and compiled programs: for measurements."""
    _remembered_verdict.cache_clear()
    _remembered_tables.cache_clear()


_prepared: OrderedDict[int, PreparedTests] = OrderedDict()


def _prepare(tests: tuple[TestCase, ...]) -> PreparedTests:
    """The encoded form of a problem's tests, by identity: hashing the tests would cost more than judging them.

    An entry holds its tests, so an identity in the store cannot belong to another object.
    """
    prepared = _prepared.get(id(tests))
    if prepared is None:
        prepared = _prepared[id(tests)] = PreparedTests(tests)
        if len(_prepared) > _MAX_PREPARED:
            _prepared.popitem(last=False)
    return prepared
