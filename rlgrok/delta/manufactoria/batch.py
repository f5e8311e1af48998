"""Judging many programs at once, as machine code: the counts of `judge.verify` for whole batches.

Texts are joined to one buffer and tests are encoded once for all their programs; what the compiled judge cannot take
(a text outside ASCII, an expected output that is a pattern) goes to the plain one, so every verdict is the plain one's.
Messages are put into words only when somebody asks. Importing this module does not import numba; the first batch does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from rlgrok.delta.manufactoria.automaton import SYMBOLS
from rlgrok.delta.manufactoria.dsl import (
    EMPTY,
    Kind,
    ParseCategory,
    ParseError,
    Program,
    parse,
    parse_error,
)
from rlgrok.delta.manufactoria.judge import (
    PATTERN_MARKS,
    failed_verdict,
    first_failure,
    is_passed,
    unparsed_verdict,
)
from rlgrok.delta.manufactoria.machine import run
from rlgrok.types import Status, TestCase, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CATEGORIES = tuple(ParseCategory)
_KINDS = tuple(Kind)
_CONDITIONS = (*SYMBOLS, EMPTY)
_STOP, _FOREIGN = 4, 5  # as in `compiled`, which is not imported before there is something to judge
_CODES = bytes(
    SYMBOLS.index(chr(byte)) if chr(byte) in SYMBOLS else _FOREIGN for byte in range(256)
)
_PASSED, _ACCEPTS, _OPEN = 1, 2, 4
_CHECKS_OUTPUT, _WANTS_ACCEPTED, _NOT_PLAIN = 1, 2, 4
_ANY_OUTPUT = 1 << 7
_SLACK = 8
_utf8_of = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_utf8_of.argtypes = [ctypes.py_object, ctypes.POINTER(ctypes.c_ssize_t)]
_utf8_of.restype = ctypes.c_void_p


class EncodedTests:
    """Sets of tests, encoded once for all the programs that meet them.

    Args:
        sets: the tests of each set, such as those of one problem.
    """

    def __init__(self, sets: Sequence[Sequence[TestCase]]) -> None:
        from rlgrok.delta.manufactoria import compiled

        self.sets = sets
        self.num_accepting = np.zeros(len(sets), np.int64)
        tests: list[TestCase] = []
        sizes = []
        for number, one in enumerate(sets):
            before = len(tests)
            tests.extend(one)
            sizes.append(len(tests) - before)
            self.num_accepting[number] = sum(test.expected_accepted for test in tests[before:])
        self.starts = _starts(sizes)
        inputs = [test.input for test in tests]
        self.codes, self.tapes = encode_tapes(inputs)
        checked = [test.expected_output if test.check_output else "" for test in tests]
        self.expected = _starts([len(output) for output in checked])
        self.outputs = _encode(checked, "")
        self.marks = np.array(
            [test.check_output + 2 * test.expected_accepted for test in tests], np.uint8
        )
        self._mark_patterns(checked)
        self.used = self._used_symbols()
        parents = np.zeros(len(self.codes) + len(sets), np.int32)
        symbols = np.zeros(len(self.codes) + len(sets), np.uint8)
        self.leaves = np.zeros(len(tests), np.int32)
        self.trees = np.zeros(len(sets) + 1, np.int64)
        widest = max(np.diff(self.tapes[self.starts]), default=0)
        growth = np.zeros((int(widest) + 1, _FOREIGN + 1), np.int32)
        compiled.plant(
            self.codes,
            self.starts,
            self.tapes,
            parents,
            symbols,
            self.leaves,
            self.trees,
            growth,
        )
        self.parents, self.symbols = (
            parents[: self.trees[-1]].copy(),
            symbols[: self.trees[-1]].copy(),
        )

    @property
    def num_bytes(self) -> int:
        """Memory that the encoding holds."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def _mark_patterns(self, outputs: list[str]) -> None:
        """Mark the tests whose output the compiled judge cannot compare: patterns, and tapes with foreign symbols."""
        if (self.outputs == _FOREIGN).any():
            for index, output in enumerate(outputs):
                if not PATTERN_MARKS.isdisjoint(output):
                    self.marks[index] |= _NOT_PLAIN
        for place in np.flatnonzero(self.codes == _FOREIGN):
            self.marks[np.searchsorted(self.tapes, place, "right") - 1] |= _NOT_PLAIN

    def _used_symbols(self) -> NDArray[np.int64]:
        """A bit for each symbol on some tape of a set, and one where some output is checked."""
        used = np.zeros(len(self.sets), np.int64)
        for number, (low, high) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            there = np.bincount(self.codes[self.tapes[low] : self.tapes[high]], minlength=1)
            used[number] = sum(1 << code for code in np.flatnonzero(there).tolist()) | 1 << _STOP
            if (self.marks[low:high] & _CHECKS_OUTPUT).any():
                used[number] |= _ANY_OUTPUT
        return used


def encode_tapes(inputs: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Symbols of all tapes with a stop after each and some more at the end, and (tapes + 1,) where each starts."""
    starts = _starts([len(tape) + 1 for tape in inputs])
    codes = _encode(inputs, "\n")
    codes[starts[1:] - 1] = _STOP
    return codes, starts


def _encode(texts: list[str], separator: str) -> NDArray[np.uint8]:
    """Symbols of all texts and separators, and `_SLACK` stops, which compiled code may read and does not heed."""
    joined = "".join([text + separator for text in texts])
    encoded = bytearray(joined.encode("ascii", "replace").translate(_CODES))
    encoded += bytes([_STOP] * _SLACK)
    return np.frombuffer(encoded, np.uint8)


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, len(lengths)), out=starts[1:])
    return starts


@dataclass(frozen=True, eq=False)
class Batch:
    """What a batch of programs did, in columns; a text that is no program has passed nothing.

    Row i of `outcomes` is `rows[i]` to `rows[i + 1]`: a byte a test, in the order of the tests.
    """

    texts: Sequence[str]
    sets: NDArray[np.int64]
    tests: EncodedTests
    categories: NDArray[np.int8]
    """(programs,) 0 for a program, else 1 + the position in `ParseCategory`."""
    outcomes: NDArray[np.uint8]
    rows: NDArray[np.int64]
    num_passed: NDArray[np.int64]
    """(programs,) tests passed."""
    facts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    strict: bool

    @cached_property
    def passed(self) -> NDArray[np.bool_]:
        """One bit a program and test: what was asked is what happened."""
        return (self.outcomes & _PASSED).astype(np.bool_)

    @cached_property
    def num_tests(self) -> NDArray[np.int64]:
        """(programs,) tests asked."""
        return np.diff(self.rows)

    @cached_property
    def full_pass(self) -> NDArray[np.bool_]:
        """(programs,) every test passed, and there was one."""
        return (self.num_passed == self.num_tests) & (self.num_tests > 0)

    @cached_property
    def pass_rate(self) -> NDArray[np.float64]:
        """(programs,) share of tests passed; 0 without tests."""
        return self.num_passed / np.maximum(self.num_tests, 1)

    def error(self, index: int) -> ParseError | None:
        """Why a text is no program; None for a program."""
        category = int(self.categories[index])
        if not category:
            return None
        text = self.texts[index]
        if not text.isascii() or category < 0:
            return error_of(text)
        return told_error(text, int(self.offsets[index]), category, self.facts[index])

    def verdict(self, index: int) -> Verdict:
        """What `judge.verify` says of one of the programs."""
        number = int(self.sets[index])
        num, num_accepting = int(self.num_tests[index]), int(self.tests.num_accepting[number])
        error = self.error(index)
        if error is not None:
            return unparsed_verdict(error, num, num_accepting)
        if self.full_pass[index]:
            return Verdict(Status.PASSED, num, num, num_accepting, num_accepting)
        passed = self.passed[self.rows[index] : self.rows[index + 1]]
        first = self.tests.starts[number]
        wanted = (self.tests.marks[first : first + num] & _WANTS_ACCEPTED) > 0
        return failed_verdict(
            num_passed=int(self.num_passed[index]),
            num_tests=num,
            num_accepting=num_accepting,
            num_accepting_passed=int((passed & wanted).sum()),
            first=self._first_failure(index, int(passed.argmin())) if num else "",
        )

    def _first_failure(self, index: int, worst: int) -> str:
        test = self.tests.sets[self.sets[index]][worst]
        final = "" if self.outcomes[self.rows[index] + worst] & _ACCEPTS else None
        if final is not None and test.check_output:
            final = run(parse(self.texts[index]), test.input, strict=self.strict).final_tape
        return first_failure(test, final)


def judge_batch(
    texts: Sequence[str], sets: Sequence[int], tests: EncodedTests, *, strict: bool = False
) -> Batch:
    """Run every program text on its set of tests.

    Args:
        texts: programs, already extracted from completions.
        sets: for each text, the number of its set of tests.
        tests: all sets.
        strict: as in `machine.run`.

    Returns:
        Verdicts in columns. Besides the texts and the tests this takes about 100 bytes a program and one byte a
        program and test.
    """
    from rlgrok.delta.manufactoria import compiled

    count = len(texts)
    padding = "\n" * compiled.PADDING
    joined = "\n".join([*texts, padding])
    foreign: list[int] = []
    readable = texts
    if not joined.isascii():
        foreign = [index for index, text in enumerate(texts) if not text.isascii()]
        readable = [text if text.isascii() else "" for text in texts]
        joined = "\n".join([*readable, padding])
    offsets = np.ones(count + 1, np.int64)
    offsets[0] = 0
    offsets[1:] += np.fromiter(map(len, readable), np.int64, count)
    np.cumsum(offsets, out=offsets)
    numbers = np.fromiter(sets, np.int64, count)
    rows = np.zeros(count + 1, np.int64)
    np.cumsum(np.diff(tests.starts)[numbers], out=rows[1:])
    batch = Batch(
        texts=texts,
        sets=numbers,
        tests=tests,
        categories=np.zeros(count, np.int8),
        outcomes=np.zeros(rows[-1], np.uint8),
        rows=rows,
        num_passed=np.zeros(count, np.int64),
        facts=np.zeros((count, compiled.NUM_FACTS), np.int64),
        offsets=offsets,
        strict=strict,
    )
    compiled.judge(
        _bytes_of(joined),
        offsets,
        numbers,
        tests.starts,
        tests.used,
        tests.codes,
        tests.tapes,
        tests.outputs,
        tests.expected,
        tests.marks,
        tests.trees,
        tests.parents,
        tests.symbols,
        tests.leaves,
        strict,
        batch.facts,
        batch.categories,
        batch.outcomes,
        rows,
        batch.num_passed,
    )
    for index in chain(foreign, np.flatnonzero(batch.categories == compiled.UNREAD).tolist()):
        _judge_plainly(batch, index)
    if (tests.marks & _NOT_PLAIN).any():
        _compare_plainly(batch)
    return batch


def _bytes_of(text: str) -> NDArray[np.uint8]:
    """The bytes of an ASCII text where they lie, without a copy; valid while the text lives.

    A copy of megabytes costs more than reading the programs in it: every page of it is mapped anew.
    """
    size = ctypes.c_ssize_t()
    address = _utf8_of(text, ctypes.byref(size))
    return np.frombuffer((ctypes.c_ubyte * size.value).from_address(address), np.uint8)


def _judge_plainly(batch: Batch, index: int) -> None:
    """Fill in what a program does that the compiled judge cannot read."""
    text, number = batch.texts[index], batch.sets[index]
    row = batch.rows[index]
    batch.outcomes[row : batch.rows[index + 1]] = batch.num_passed[index] = 0
    try:
        program = parse(text)
    except ParseError as error:
        batch.categories[index] = 1 + _CATEGORIES.index(error.category)
        return
    batch.categories[index] = 0
    for place, test in enumerate(batch.tests.sets[number], row):
        batch.outcomes[place] = _outcome(program, test, batch.strict)
        batch.num_passed[index] += batch.outcomes[place] & _PASSED


def _compare_plainly(batch: Batch) -> None:
    """Decide the tests whose expected output is a pattern or holds foreign symbols."""
    for place in np.flatnonzero(batch.outcomes & _OPEN).tolist():
        index = int(np.searchsorted(batch.rows, place, "right")) - 1
        test = batch.tests.sets[batch.sets[index]][place - batch.rows[index]]
        before = batch.outcomes[place] & _PASSED
        batch.outcomes[place] = _outcome(parse(batch.texts[index]), test, batch.strict)
        batch.num_passed[index] += int(batch.outcomes[place] & _PASSED) - int(before)


def _outcome(program: Program, test: TestCase, strict: bool) -> int:
    done = run(program, test.input, strict=strict)
    passed = is_passed(test, done.final_tape if done.finished else None)
    return _PASSED * passed | _ACCEPTS * done.finished


def error_of(text: str) -> ParseError | None:
    """Why a text is no program, by the plain parser; None for a program."""
    try:
        parse(text)
    except ParseError as error:
        return error
    return None


def told_error(text: str, start: int, number: int, facts: NDArray[np.int64]) -> ParseError:
    """The plain parser's error, from what the compiled one noted of a text that starts at a position."""
    category = _CATEGORIES[number - 1]
    line, kind, count, *places = facts[:7].tolist()
    name = text[places[0] - start : places[1] - start]
    if category in (ParseCategory.EMPTY_PROGRAM, ParseCategory.NO_START, ParseCategory.NO_END):
        return parse_error(category)
    if category is ParseCategory.UNDEFINED_NODE:
        source = text[places[2] - start : places[3] - start]
        return parse_error(category, line, target=name, name=source)
    if category is ParseCategory.INVALID_CONDITION:
        condition = _CONDITIONS[count]
        return parse_error(category, line, condition=condition, kind=_KINDS[kind], name=name)
    return parse_error(category, line, row=name, name=name, kind=_KINDS[kind], count=count)
