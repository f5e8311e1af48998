"""From the bytes of one request to the bytes of its answer: decoded, checked, judged, encoded.

Pure, and what a worker process runs. Statuses and bodies are those of the reference (delta-manufactoria.md,
section 4): 200 for everything that could be judged, a program that does not parse included; 422 for a body of the
wrong shape, in FastAPI's form; 413 for one that is too large, which is ours. What surprises: an exception of our own
is answered with 200 and `Unexpected error`, because the API says so; it is logged and counted apart. Programs run as
compiled code, which gives the plain judge's answers to the byte in half its time.
"""

from __future__ import annotations

import logging

from rlgrok.delta.manufactoria.complete import TooLarge, complete
from rlgrok.delta.manufactoria.judge import Judgement, judge
from rlgrok.delta.manufactoria.records import response
from rlgrok.serving import messages
from rlgrok.serving.limits import LimitError, Limits, check_request
from rlgrok.serving.messages import Answer, Outcome
from rlgrok.serving.schema import SolutionRequest
from rlgrok.types import TestCase

FIELDS = ("valid", "all_passed", "results", "message")
"""Of a response, in the reference's order; `message` only where the program did not parse."""
_RESULT_BYTES = 260
"""Keys, flags and punctuation of one result."""


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
        return messages.too_large(error)
    except messages.MalformedError as error:
        return messages.malformed(error)
    except Exception as error:
        logging.getLogger(__name__).exception("a request could not be judged")
        message = f"Unexpected error: {error}"
        data = {"valid": False, "all_passed": False, "results": [], "message": message}
        return Answer(200, Outcome.ERROR, messages.encode(data))
    outcome = Outcome.PASSED if judgement.all_passed else Outcome.FAILED
    return Answer(
        200,
        outcome if judgement.valid else Outcome.PARSE_ERROR,
        messages.encode({name: data[name] for name in FIELDS if name in data}),
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


def _read(body: bytes, limits: Limits) -> SolutionRequest:
    """The request that a body holds.

    Raises:
        MalformedError: not JSON, or not of the schema.
        LimitError: larger than allowed.
    """
    decoded = messages.decode(body)
    check_request(decoded, limits)
    return messages.validated(SolutionRequest, decoded)


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
