"""Judging records in bulk: the pure core of `toolkit rl verify`, one line in, one line out, nothing kept.

A record has the fields of its scope's verification API: `{"dsl": ..., "test_cases": [...]}` of Manufactoria,
`{"id": ..., "program": ..., "ground_truth": [...]}` of BouncingSim. A malformed record does not stop the batch: its own
output line says what is wrong, with the line number and the field, and it is counted. Neither does one that asks for
too much: lines, tests and answers are bounded, so that memory is, too. What to make of the counts (an exit code) is the
caller's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from rlgrok.delta.fields import RecordError
from rlgrok.delta.manufactoria.patterns import PatternTimeout
from rlgrok.delta.manufactoria.records import read_record, response
from rlgrok.types import Status
from runtime.errors import InputError

if TYPE_CHECKING:
    from rlgrok.delta.bouncingsim.records import TimedTask

MAX_LINE_BYTES = 32_000_000
"""Of one record: a program of ten megabytes and a tape of a million symbols have room."""
MAX_TESTS = 100_000
"""Of one record."""


def judge_record(record: object) -> dict[str, Any]:
    """The response to one decoded record of Manufactoria, by compiled code.

    Raises:
        RecordError: the first field that is missing, of the wrong type, or asks for too much.
    """
    from rlgrok.delta.manufactoria.complete import TooLarge, complete  # imports numpy

    cases = record.get("test_cases") if isinstance(record, dict) else None
    if isinstance(cases, list) and len(cases) > MAX_TESTS:
        raise RecordError("test_cases", f"{len(cases)} tests, at most {MAX_TESTS}")
    text, tests = read_record(record)
    try:
        return response(complete(text, tests))
    except TooLarge as error:
        raise RecordError("test_cases", str(error)) from error
    except PatternTimeout as error:
        raise RecordError(str(error.where), error.what) from error


def judge_programs(tasks: Sequence[tuple[str | int, TimedTask]]) -> list[dict[str, Any]]:
    """The responses to records of BouncingSim, judged together in the sandbox of this process."""
    from rlgrok.delta.bouncingsim.records import judge_records
    from rlgrok.delta.bouncingsim.verdicts import shared_sandbox

    return judge_records(tasks, shared_sandbox())


def read_program(record: object) -> tuple[str | int, TimedTask]:
    """What one decoded record of BouncingSim asks for.

    Raises:
        RecordError: the first field that is missing, of the wrong type, or asks for too much.
    """
    from rlgrok.delta.bouncingsim.records import read_record as read

    return read(record)


@dataclass(frozen=True)
class _Judge:
    """How the records of one scope are judged: so many at a time are read, then judged together."""

    read: Callable[[object], Any]
    judge: Callable[[Sequence[Any]], list[dict[str, Any]]]
    at_once: int
    is_invalid: Callable[[Mapping[str, Any]], bool]


_JUDGES: Mapping[str, _Judge] = {
    "manufactoria": _Judge(judge_record, list, 1, lambda result: not result["valid"]),
    "bouncingsim": _Judge(
        read_program,
        judge_programs,
        64,
        lambda result: result["status"] in (Status.PARSE_ERROR, Status.NO_PROGRAM),
    ),
}
"""Scope to the judge of its records."""


@dataclass(frozen=True)
class VerifyCounts:
    """What became of a batch. Blank lines are not records."""

    num_records: int = 0
    num_full_pass: int = 0
    num_invalid: int = 0
    """Records whose program does not parse, or is none."""
    num_malformed: int = 0
    """Lines that are not a record at all; these and only these are the caller's mistake."""


def verify_lines(
    lines: Iterable[str | bytes], write: Callable[[str], object], *, scope: str
) -> VerifyCounts:
    """Judge one JSON record a line and write one JSON line for each, in order.

    Args:
        lines: as read from a file, line breaks included or not; bytes are read as UTF-8.
        write: receives each output line, without a line break.
        scope: whose records they are.

    Returns:
        Counts over the whole batch.

    Raises:
        InputError: an unknown scope. Never for a bad record.
    """
    scope_judge = _judge_of(scope)
    records = passed = invalid = malformed = 0
    numbered = ((place, line) for place, line in enumerate(lines, 1) if line.strip())
    while some := list(islice(numbered, scope_judge.at_once)):
        for result in _judge_some(some, scope_judge):
            records += 1
            malformed += "error" in result
            passed += bool(result["full_pass"])
            invalid += "error" not in result and scope_judge.is_invalid(result)
            write(json.dumps(result))
    return VerifyCounts(records, passed, invalid, malformed)


def _judge_some(
    lines: Sequence[tuple[int, str | bytes]], judge: _Judge
) -> Iterator[dict[str, Any]]:
    """The results of some lines, in order."""
    asked: list[Any] = []
    wrong: dict[int, dict[str, Any]] = {}
    for place, (number, line) in enumerate(lines):
        try:
            asked.append(judge.read(decode_line(line)))
        except RecordError as error:
            wrong[place] = malformed_result(number, error)
    results = iter(judge.judge(asked))
    for place in range(len(lines)):
        yield wrong[place] if place in wrong else next(results)


def bounded_lines(file: IO[bytes], *, most: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """The lines of a file, where of a longer line only the beginning is kept: one byte more than `most`."""
    while line := file.readline(most + 1):
        rest = line
        while len(rest) == most + 1 and not rest.endswith(b"\n"):
            rest = file.readline(most + 1)
        yield line


def malformed_result(line: int, error: RecordError) -> dict[str, Any]:
    """The output line of something that is not a record: nothing passed, and where the mistake is."""
    return {
        "valid": False,
        "all_passed": False,
        "results": [],
        "pass_rate": 0.0,
        "full_pass": False,
        "message": f"Record Error: line {line}: {error}",
        "error": {"line": line, "field": error.field, "what": error.what},
    }


def _judge_of(scope: str) -> Callable[[object], dict[str, Any]]:
    if scope in _JUDGES:
        return _JUDGES[scope]
    near = get_close_matches(scope, _JUDGES, n=1)
    raise InputError(
        "unknown scope",
        got=scope,
        expected=", ".join(_JUDGES),
        where="--scope",
        hint=f"did you mean {near[0]}?" if near else None,
    )


def decode_line(line: str | bytes) -> object:
    """The JSON value of one line.

    Raises:
        RecordError: too long, not UTF-8, or not JSON that can be used.
    """
    if len(line) > MAX_LINE_BYTES:
        raise RecordError("", f"a line of more than {MAX_LINE_BYTES} bytes")
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise RecordError("", f"not JSON: {error.msg} at column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise RecordError("", f"not UTF-8: {error.reason} at byte {error.start + 1}") from error
    except (
        RecursionError,
        ValueError,
    ) as error:  # nested too deeply, or a number of thousands of digits
        raise RecordError("", f"not usable JSON: {type(error).__name__}") from error
