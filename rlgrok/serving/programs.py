"""From the bytes of one request to `/test_program` to the bytes of its answer: BouncingSim's side of the service.

Statuses and bodies are those of the reference (delta-bouncingsim.md, section 10), mended: tests are assertion strings
that are parsed and never executed, nothing is unpickled (quirk B5), the program runs once in the sandbox. What
surprises: a failure of the sandbox is raised and ends the worker, so that the request goes to another one; it is never
answered as a result of 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from rlgrok.delta.bouncingsim.assertions import read_assertions
from rlgrok.delta.bouncingsim.judging import Judgement, Task, extract_program, job_of, judged
from rlgrok.delta.fields import RecordError
from rlgrok.sandbox.pool import Sandbox
from rlgrok.sandbox.types import Execution
from rlgrok.serving import messages
from rlgrok.serving.limits import LimitError, Limits
from rlgrok.serving.messages import Answer, MalformedError, Outcome
from rlgrok.serving.schema import ProgramRequest
from rlgrok.types import Status

NOT_PASSED_S = -1.0
"""In the place of a runtime, as the reference has it."""
SHARE_OF_TIMEOUT = 0.5
"""Of the time for a request that its program may use; the rest is for waiting and for a slow machine."""


def answer(body: bytes, limits: Limits, sandbox: Sandbox) -> Answer:
    """The answer to one request. Never raises on account of what is in it.

    Args:
        body: as received.
        limits: bounds of program, tests and time.
        sandbox: runs the program.

    Raises:
        InfrastructureError: the sandbox failed, again and again.
    """
    try:
        request = _read(body, limits)
        texts = _tests(request.tests, limits)
        if not texts:
            empty = {"results": [], "runtimes": [], "status": Status.FAILED.value}
            return Answer(200, Outcome.FAILED, messages.encode(empty))
        setting, queries = read_assertions(texts, "tests")
    except LimitError as error:
        return messages.too_large(error)
    except MalformedError as error:
        return messages.malformed(error)
    except RecordError as error:
        detail = messages.fault("assertion", ["body", error.field], error.what, None)
        return messages.malformed(MalformedError([detail]))
    longest_s = SHARE_OF_TIMEOUT * limits.judge_timeout_s
    time_s = max(0.01, min(request.max_execution_time * len(queries), longest_s))
    task = Task(extract_program(request.program), setting, tuple(queries))
    (done,) = sandbox.run([job_of(task, time_s)])
    return _encoded(judged(task, done), done)


def _encoded(judgement: Judgement, done: Execution) -> Answer:
    each_s = round(done.cpu_s / len(judgement.results), 6)
    data = {
        "results": [int(one.passed) for one in judgement.results],
        "runtimes": [each_s if one.passed else NOT_PASSED_S for one in judgement.results],
        "status": judgement.status.value,
    }
    if judgement.message:
        data["message"] = judgement.message
    outcome = Outcome.PASSED if judgement.full_pass else Outcome.FAILED
    if judgement.status is Status.PARSE_ERROR:
        outcome = Outcome.PARSE_ERROR
    return Answer(200, outcome, messages.encode(data))


def _read(body: bytes, limits: Limits) -> ProgramRequest:
    """The request that a body holds, no larger than allowed."""
    decoded = messages.decode(body)
    if isinstance(decoded, Mapping) and isinstance(program := decoded.get("program"), str):
        _bounded("program", "the program is too long", len(program), limits.max_program_chars)
    return messages.validated(ProgramRequest, decoded)


def _tests(given: list[str] | str, limits: Limits) -> list[object]:
    """The assertions: a list, or the JSON text of one."""
    if isinstance(given, str):
        try:
            found = json.loads(given)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list):
            words = "Expected a list of assertions, or its JSON text; pickles are not read"
            raise MalformedError([messages.fault("tests", ["body", "tests"], words, given)])
        given = found
    if len(given) > limits.max_tests:
        raise LimitError(("tests",), "too many tests", len(given), limits.max_tests, "tests")
    return given


def _bounded(name: str, what: str, got: int, limit: int) -> None:
    if got > limit:
        raise LimitError((name,), what, got, limit, "characters")
