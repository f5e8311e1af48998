"""Programs with their tests, as they come in for a verdict, and the verdict as it goes out (section 10, mended).

In: `{"id": ..., "program": ..., "ground_truth": [assertion, ...]}`, and `max_execution_time` (seconds a test) where it
matters. Out: `id`, `status`, `pass_rate`, `full_pass`, the errors in metres, and one result a test. Nothing is
unpickled, and no assertion is executed (quirks B4 and B5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlgrok.delta.bouncingsim.assertions import read_assertions
from rlgrok.delta.bouncingsim.judging import TIME_S, Judgement, Task, extract_program, judge_tasks
from rlgrok.delta.fields import RecordError, number, required, typed
from rlgrok.sandbox.pool import Sandbox

MAX_PROGRAM_CHARS = 1_000_000
MAX_TEST_TIME_S = 60.0


@dataclass(frozen=True)
class TimedTask:
    """A task with the time that its program has."""

    task: Task
    time_s: float


def read_record(record: object) -> tuple[str | int, TimedTask]:
    """The id and the task of a decoded record.

    Raises:
        RecordError: the first field that is missing, of the wrong type, or asks for too much.
    """
    fields = typed(record, dict, "")
    name = fields.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise RecordError("id", "missing" if name is None else "expected a string")
    program = required(fields, "program", str, "program")
    if len(program) > MAX_PROGRAM_CHARS:
        raise RecordError("program", f"{len(program)} characters, at most {MAX_PROGRAM_CHARS}")
    setting, queries = read_assertions(fields.get("ground_truth"))
    time_s = TIME_S
    if fields.get("max_execution_time") is not None:
        each = number(fields["max_execution_time"], "max_execution_time")
        if not 0.01 <= each <= MAX_TEST_TIME_S:
            raise RecordError("max_execution_time", f"expected 0.01 to {MAX_TEST_TIME_S:g} s")
        time_s = min(each * len(queries), 3600.0)
    task = Task(extract_program(program), setting, tuple(queries))
    return name, TimedTask(task, time_s)


def judge_records(
    asked: Sequence[tuple[str | int, TimedTask]], sandbox: Sandbox
) -> list[dict[str, Any]]:
    """The responses to some records, in order; programs with the same time run side by side."""
    judgements: dict[int, Judgement] = {}
    for time_s in dict.fromkeys(timed.time_s for _, timed in asked):
        places = [place for place, (_, timed) in enumerate(asked) if timed.time_s == time_s]
        found = judge_tasks([asked[place][1].task for place in places], sandbox, time_s=time_s)
        judgements.update(zip(places, found, strict=True))
    return [response(name, judgements[place]) for place, (name, _) in enumerate(asked)]


def response(name: str | int, judgement: Judgement) -> dict[str, Any]:
    """A judgement as JSON-able data."""
    data: dict[str, Any] = {
        "id": name,
        "status": judgement.status.value,
        "pass_rate": judgement.pass_rate,
        "full_pass": judgement.full_pass,
        "mean_error": judgement.mean_error,
        "max_error": judgement.max_error,
        "results": [
            {
                "passed": one.passed,
                "mean_error": one.mean_error,
                "max_error": one.max_error,
                **({"message": one.message} if one.message else {}),
            }
            for one in judgement.results
        ],
    }
    if judgement.message:
        data["message"] = judgement.message
    return data
