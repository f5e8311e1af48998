"""From the bytes of one request to the bytes of its answer: decoded, checked, judged, encoded.

Pure, and what a worker process runs. Statuses and bodies are those of the reference (delta-manufactoria.md,
section 4): 200 for everything that could be judged, a program that does not parse included; 422 for a body of the
wrong shape, in FastAPI's form; 413 for one that is too large, which is ours. What surprises: an exception of our own
is answered with 200 and `Unexpected error`, because the API says so; it is logged and counted apart. Programs run as
compiled code, which gives the plain judge's answers to the byte in half its time.
"""

from __future__ import annotations

import json
import logging
import math
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import ValidationError

from rlgrok.delta.manufactoria.complete import TooLarge, complete
from rlgrok.delta.manufactoria.judge import Judgement, judge
from rlgrok.delta.manufactoria.records import response
from rlgrok.serving.limits import LimitError, Limits, check_request
from rlgrok.serving.schema import SolutionRequest
from rlgrok.types import TestCase

FIELDS = ("valid", "all_passed", "results", "message")
"""Of a response, in the reference's order; `message` only where the program did not parse."""
_SHOWN_INPUT = 200
_SHOWN_ERRORS = 20
_RESULT_BYTES = 260
"""Keys, flags and punctuation of one result."""


class Outcome(StrEnum):
    """What became of a request, for the counters."""

    PASSED = "passed"
    FAILED = "failed"
    PARSE_ERROR = "parse_error"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    ERROR = "error"


class Answer(NamedTuple):
    """An HTTP status, the outcome behind it, and the body: JSON in ASCII."""

    status: int
    outcome: Outcome
    body: bytes


def answer(body: bytes, limits: Limits, *, strict: bool = False) -> Answer:
    """The answer to one request. Never raises on account of what is in it.

    Args:
        body: as received.
        limits: bounds of program, tests, tapes and response.
        strict: as in `machine.run`; False is the reference's.
    """
    try:
        request = _read(body, limits)
        judgement = _judged(request, strict=strict)
        _check_response(judgement, limits)
        data = response(judgement)
    except LimitError as error:
        return Answer(413, Outcome.TOO_LARGE, _encode({"detail": error.as_detail()}))
    except _MalformedError as error:
        return Answer(422, Outcome.MALFORMED, _encode({"detail": error.detail}))
    except Exception as error:
        logging.getLogger(__name__).exception("a request could not be judged")
        message = f"Unexpected error: {error}"
        data = {"valid": False, "all_passed": False, "results": [], "message": message}
        return Answer(200, Outcome.ERROR, _encode(data))
    outcome = Outcome.PASSED if judgement.all_passed else Outcome.FAILED
    return Answer(
        200,
        outcome if judgement.valid else Outcome.PARSE_ERROR,
        _encode({name: data[name] for name in FIELDS if name in data}),
    )


def warm_up() -> None:
    """Compile what answers need: seconds the first time on a machine, half a second after that."""
    complete("", ())


def _judged(request: SolutionRequest, *, strict: bool) -> Judgement:
    tests = [
        TestCase(
            case.input,
            case.expected_output,
            case.expected_accepted,
            case.check_output,
            case.description,
        )
        for case in request.test_cases
    ]
    try:
        return complete(request.dsl, tests, strict=strict)
    except TooLarge:  # so is the response, and the plain judgement says by how much
        return judge(request.dsl, tests, strict=strict, keep_paths=True)


class _MalformedError(Exception):
    def __init__(self, detail: list[dict[str, Any]]) -> None:
        self.detail = detail
        super().__init__(str(detail))


def _read(body: bytes, limits: Limits) -> SolutionRequest:
    """The request that a body holds.

    Raises:
        _MalformedError: not JSON, or not of the schema.
        LimitError: larger than allowed.
    """
    if not body:
        raise _MalformedError([_detail("missing", ["body"], "Field required", None)])
    try:
        decoded = json.loads(body)
    except json.JSONDecodeError as error:
        raise _not_json(error.pos, error.msg) from error
    except UnicodeDecodeError as error:
        raise _not_json(error.start, f"not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise _not_json(0, "nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise _not_json(0, str(error)) from error
    check_request(decoded, limits)
    try:
        return SolutionRequest.model_validate(decoded)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        shown = found[:_SHOWN_ERRORS]
        raise _MalformedError(
            [_detail(e["type"], ["body", *e["loc"]], e["msg"], e["input"]) for e in shown]
        ) from error


def _not_json(position: int, why: str) -> _MalformedError:
    detail = _detail("json_invalid", ["body", position], "JSON decode error", {})
    return _MalformedError([{**detail, "ctx": {"error": why}}])


def _detail(kind: str, loc: list[str | int], msg: str, got: object) -> dict[str, Any]:
    """One validation error; what was got is shown when it is short and JSON can say it."""
    detail = {"type": kind, "loc": loc, "msg": msg}
    is_plain = got is None or got == {} or isinstance(got, str | int)
    is_plain = is_plain or (isinstance(got, float) and math.isfinite(got))
    return {**detail, "input": got} if is_plain and len(str(got)) <= _SHOWN_INPUT else detail


def _check_response(judgement: Judgement, limits: Limits) -> None:
    """Raises LimitError where the encoded results would be larger than allowed."""
    size = 0
    for result in judgement.results:
        tapes = result.input, result.actual_output, result.expected_output, result.description
        size += _RESULT_BYTES + sum(map(len, tapes))
        size += sum(map(len, result.path)) + 4 * len(result.path)
        if size > limits.max_response_bytes:
            raise LimitError(
                ("response",),
                "the paths and tapes of the answer are too long",
                size,
                limits.max_response_bytes,
                "bytes",
            )


def _encode(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode("ascii")
