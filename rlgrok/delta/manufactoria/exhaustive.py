"""The exhaustive verdict: a program against the family's oracle on every short tape and 200 longer ones.

Acceptance on all tapes up to a length is one byte string (`behaviour`), computed level by level in microseconds where
the program compiles to an automaton, so that thousands of programs can be compared with dozens of problems. "Every
short tape" is up to 9 symbols with two colours and 6 with four, further where the parameters are longer: always two
symbols past the longest minimal tape, until the number of tapes becomes unreasonable; past that, more random tapes
with the sequence planted stand in. A family for which a random tape tells nothing gives tapes of its own (`telling`).
Programs that paint have no automaton; the compiled judge (`batch.py`) runs them on every tape. What it does not prove:
anything about longer tapes than it tried.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from rlgrok.delta.manufactoria.automaton import tapes
from rlgrok.delta.manufactoria.dsl import ParseError, Program, format_program
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Family
from rlgrok.delta.manufactoria.families.sequences import symbols
from rlgrok.delta.manufactoria.generator import expected_test
from rlgrok.delta.manufactoria.judge import (
    PreparedTests,
    compile_text,
    failed_verdict,
    first_failure,
    unparsed_verdict,
)
from rlgrok.delta.manufactoria.tables import Tables, compile_program
from rlgrok.types import Problem, Status, TestCase, Verdict
from runtime.seeding import Stream

if TYPE_CHECKING:
    from rlgrok.delta.manufactoria.batch import EncodedTests

_SHORT = {"two": 9, "four": 6}
_LONGEST = {"two": 15, "four": 8}
"""65,535 and 87,381 tapes: about a millisecond for an automaton."""
_MARGIN = 2
_NUM_RANDOM = 200
_NUM_RANDOM_BEYOND = 2000
_RANDOM_REACH = 5  # random tapes have 1 to 5 symbols more than the bound, or than the sequence if that is longer
_LONGEST_TELLING = 40
_MAX_REMEMBERED_PROBLEMS = 1024
_MAX_ENCODED_BYTES = (
    256_000_000  # about 2500 problems of two colours, or 60 with every tape of eight in four
)


@dataclass(frozen=True, eq=False)
class Checks:
    """Everything that the exhaustive verdict tries for one problem."""

    family: Family
    problem: Problem
    alphabet: str
    max_length: int
    target: bytes
    """Acceptance of every short tape by a right program, in the order of `tables.tapes`."""
    longer: PreparedTests

    @property
    def num_tests(self) -> int:
        """Short and longer tapes."""
        return len(self.target) + len(self.longer.tests)

    @cached_property
    def num_accepting(self) -> int:
        """Those to be accepted."""
        return sum(self.target) + self.longer.num_accepting


def bound(problem: Problem) -> int:
    """Every tape up to this many symbols is tried."""
    size = FAMILIES[problem.family].size(problem.parameters)
    return min(max(_SHORT[problem.colors], size + _MARGIN), _LONGEST[problem.colors])


def behaviour(program: Program, alphabet: str, max_length: int) -> bytes:
    """What a program accepts: one byte for each of `tables.tapes(alphabet, max_length)`, 1 for accepted."""
    return compile_program(program).behaviour(alphabet, max_length)


def target_behaviour(problem: Problem, max_length: int) -> bytes:
    """What a right program for the problem accepts, in the same form as `behaviour`.

    All ones for a transformation family: its programs accept every tape, and outputs are not part of a behaviour.
    """
    label = FAMILIES[problem.family].label
    every_tape = _every_tape(ALPHABETS[problem.colors], max_length)
    if label is None:
        return b"\x01" * len(every_tape)
    return bytes(label(problem.parameters, tape) for tape in every_tape)


def verify_exhaustive(problem: Problem, text: str) -> Verdict:
    """The verdict of every short tape and the random longer ones on a program text."""
    checks = checks_of(problem)
    if checks.family.label is None:
        return _run_on_all(checks, text)
    try:
        tables = compile_text(text)
    except ParseError as error:
        return unparsed_verdict(error, checks.num_tests, checks.num_accepting)
    return (
        _verify_acceptance(checks, tables)
        if _is_quick(tables, checks)
        else _run_on_all(checks, text)
    )


def solves(program: Program, problem: Problem) -> bool:
    """Whether a program passes the exhaustive verdict of a problem: the verdict alone, without counts."""
    checks = checks_of(problem)
    tables = compile_program(program)
    if checks.family.label is None or not _is_quick(tables, checks):
        return _run_on_all(checks, format_program(program)).full_pass
    if tables.behaviour(checks.alphabet, checks.max_length) != checks.target:
        return False
    return checks.longer.accepted_by(tables) == checks.longer.accepting


def _is_quick(tables: Tables, checks: Checks) -> bool:
    """An automaton stands for the program on all short tapes."""
    automaton = tables.automaton
    return automaton is not None and checks.max_length <= automaton.max_length


def _run_on_all(checks: Checks, text: str) -> Verdict:
    from rlgrok.delta.manufactoria.batch import judge_batch  # imports numpy, and numba when it runs

    return judge_batch([text], [0], _encoded(checks)).verdict(0)


class _Tried(Sequence[TestCase]):
    """What is tried for a problem as tests, made one by one: thousands of them would take megabytes."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def __len__(self) -> int:
        return self._checks.num_tests

    def __getitem__(self, index: int) -> TestCase:  # type: ignore[override]
        checks = self._checks
        short = _every_tape(checks.alphabet, checks.max_length)
        if index >= len(short):
            return checks.longer.tests[index - len(short)]
        return expected_test(checks.family, checks.problem.parameters, short[index])

    def __iter__(self) -> Iterator[TestCase]:
        return map(self.__getitem__, range(len(self)))


_encodings: OrderedDict[str, EncodedTests] = OrderedDict()


def _encoded(checks: Checks) -> EncodedTests:
    """What is tried for a problem, in the compiled judge's form; remembered within a bound on memory."""
    from rlgrok.delta.manufactoria.batch import EncodedTests

    found = _encodings.get(checks.problem.id)
    if found is None:
        found = _encodings[checks.problem.id] = EncodedTests([_Tried(checks)])
        while len(_encodings) > 1 and _total_bytes() > _MAX_ENCODED_BYTES:
            _encodings.popitem(last=False)
    return found


def _total_bytes() -> int:
    return sum(encoding.num_bytes for encoding in _encodings.values())


_remembered: OrderedDict[str, Checks] = OrderedDict()


def checks_of(problem: Problem) -> Checks:
    """What is tried for a problem; a function of its id alone, remembered for the most recent ones."""
    checks = _remembered.get(problem.id)
    if checks is None:
        checks = _remembered[problem.id] = _build_checks(problem)
        if len(_remembered) > _MAX_REMEMBERED_PROBLEMS:
            _remembered.popitem(last=False)
    return checks


def _build_checks(problem: Problem) -> Checks:
    family = FAMILIES[problem.family]
    alphabet = ALPHABETS[problem.colors]
    max_length = bound(problem)
    target = target_behaviour(problem, max_length)
    longer = tuple(
        expected_test(family, problem.parameters, tape) for tape in _longer(problem, max_length)
    )
    return Checks(family, problem, alphabet, max_length, target, PreparedTests(longer))


def _longer(problem: Problem, max_length: int) -> list[str]:
    """Random tapes past the bound; in every second one the sequence is planted, whole or scattered.

    Where the family has telling tapes, every second one is such a tape.
    """
    alphabet = ALPHABETS[problem.colors]
    family = FAMILIES[problem.family]
    size = family.size(problem.parameters)
    sequence = str(problem.parameters.get("sequence", ""))
    stream = Stream(0, "exhaustive", problem.id)
    beyond = size + _MARGIN > max_length
    found = []
    for index in range(_NUM_RANDOM_BEYOND if beyond else _NUM_RANDOM):
        if index % 2 and family.telling is not None:
            found.append(family.telling(problem.parameters, alphabet, stream, _LONGEST_TELLING))
            continue
        length = max(max_length, size) + stream.integer(1, _RANDOM_REACH)
        tape = list(symbols(stream, alphabet, length))
        if index % 2 and sequence:
            places = sorted(stream.pick(range(length), len(sequence)))
            if index % 4 == 1:
                first = stream.integer(0, length - len(sequence))
                places = list(range(first, first + len(sequence)))
            for place, symbol in zip(places, sequence, strict=True):
                tape[place] = symbol
        found.append("".join(tape))
    return found


def _verify_acceptance(checks: Checks, tables: Tables) -> Verdict:
    """Short tapes as one comparison of big integers, longer ones one by one."""
    short = tables.behaviour(checks.alphabet, checks.max_length)
    longer = checks.longer.accepted_by(tables)
    num, num_accepting = checks.num_tests, checks.num_accepting
    if short == checks.target and longer == checks.longer.accepting:
        return Verdict(Status.PASSED, num, num, num_accepting, num_accepting)
    seen = int.from_bytes(short + bytes(longer))
    wanted = int.from_bytes(checks.target + bytes(checks.longer.accepting))
    wrong = (seen ^ wanted).to_bytes(num)
    return failed_verdict(
        num_passed=num - wrong.count(1),
        num_tests=num,
        num_accepting=num_accepting,
        num_accepting_passed=(seen & wanted).bit_count(),
        first=_described(checks, wrong.index(1)),
    )


def _described(checks: Checks, index: int) -> str:
    """What a program that is wrong on one tape did there, in words; the short tapes are numbered first."""
    if index < len(checks.target):
        tape = _every_tape(checks.alphabet, checks.max_length)[index]
        accepting = bool(checks.target[index])
    else:
        test = checks.longer.tests[index - len(checks.target)]
        tape, accepting = test.input, test.expected_accepted
    return first_failure(TestCase(tape, check_output=False), None if accepting else "")


@lru_cache(maxsize=16)
def _every_tape(alphabet: str, max_length: int) -> tuple[str, ...]:
    return tuple(tapes(alphabet, max_length))
