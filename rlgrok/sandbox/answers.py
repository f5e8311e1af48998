"""From what came out of a program's process to facts. The report was written by the program, and is read as such.

A report is read line by line, and the first line that the child would not have written ends the reading. Values are
checked again here: numbers are finite, text can be written, nesting is bounded; True stays a bool and 1 an int.
"""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlgrok.sandbox import child
from rlgrok.sandbox.types import CallResult, Execution, Job, Outcome

STDOUT_TAIL = 2_000
"""Characters."""
_LONGEST_MESSAGE = 600
_BY_REASON = {
    "time": (Outcome.TIMEOUT, "it took too long"),
    "output": (Outcome.OUTPUT_LIMIT, "it wrote too much"),
    "not started": (Outcome.INFRASTRUCTURE_ERROR, "its process did not start"),
    "starved": (Outcome.INFRASTRUCTURE_ERROR, "it got no processor"),
}
_BY_KIND = {
    child.PARSE: Outcome.PARSE_ERROR,
    child.MEMORY: Outcome.MEMORY,
    child.RAISED: Outcome.RUNTIME_ERROR,
    child.NOT_PLAIN: Outcome.RUNTIME_ERROR,
}


class _ReportError(Exception):
    """A line that the child would not have written."""


@dataclass
class _Report:
    """What could be read."""

    results: list[CallResult] = field(default_factory=list)
    failure: tuple[Outcome, str] | None = None
    """The first error."""
    is_over: bool = False
    """All that the child has to say was there."""
    broken: str = ""
    """Why it could not be read on."""


def execution(job: Job, facts: Mapping[str, Any], lines: bytes, printed: bytes) -> Execution:
    """What became of a job.

    Args:
        job: what was asked for.
        facts: the zygote's.
        lines: the report, as the program's process wrote it.
        printed: what the program printed.
    """
    report = _read(lines, len(job.calls))
    status, message = _status(facts, report, job.limits.time_s)
    missing = CallResult(False, error=message or "no result")
    return Execution(
        status=status,
        results=(*report.results, *(missing for _ in job.calls[len(report.results) :])),
        message=message,
        cpu_s=facts["cpu_s"],
        wall_s=facts["wall_s"],
        memory_mib=facts["memory_kib"] / 1024,
        stdout=printed.decode("utf-8", "replace")[-STDOUT_TAIL:],
    )


def _status(facts: Mapping[str, Any], report: _Report, time_s: float) -> tuple[Outcome, str]:
    """What became of it, and why: the zygote's word before the kernel's, the kernel's before the program's."""
    if facts["reason"] in _BY_REASON:
        return _BY_REASON[facts["reason"]]
    wait = facts["status"]
    killed = os.WTERMSIG(wait) if os.WIFSIGNALED(wait) else None
    if killed == signal.SIGSYS:
        return Outcome.FORBIDDEN, "it asked the system for what no program needs"
    if killed in (signal.SIGXCPU, signal.SIGKILL) and facts["cpu_s"] >= time_s:
        return _BY_REASON["time"]
    if report.broken:
        return Outcome.RUNTIME_ERROR, f"its report cannot be read: {report.broken}"
    if report.is_over:
        return report.failure or (Outcome.RAN, "")
    if killed == signal.SIGKILL:
        return Outcome.INFRASTRUCTURE_ERROR, "it was killed from outside"
    if killed is not None:
        return Outcome.RUNTIME_ERROR, f"it crashed: signal {killed}"
    if os.WEXITSTATUS(wait) == child.NO_MEMORY:
        return Outcome.MEMORY, "out of memory"
    return Outcome.RUNTIME_ERROR, f"it ended its own process, with code {os.WEXITSTATUS(wait)}"


def _read(lines: bytes, num_calls: int) -> _Report:
    """A report, up to its end or the first line that is none."""
    report = _Report()
    *whole, rest = lines.split(b"\n")
    for line in whole:
        if report.is_over:
            report.broken = "it goes on after its end"
            break
        try:
            _take(report, line, num_calls)
        except (_ReportError, ValueError, RecursionError) as error:
            report.broken = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
            break
    if report.is_over and rest:
        report.broken = "it goes on after its end"
    return report


def _take(report: _Report, line: bytes, num_calls: int) -> None:
    """One line.

    Raises:
        _ReportError: not of the form, or out of order.
        ValueError: not JSON, or a number that is not finite.
        RecursionError: nested too deep to be read.
    """
    match json.loads(line, parse_constant=_refuse, parse_float=_finite):
        case ["end"] if len(report.results) == num_calls:
            report.is_over = True
        case ["error", -1, str(kind), str(text)] if kind in _BY_KIND and not report.results:
            report.failure = (_BY_KIND[kind], _writable(text)[:_LONGEST_MESSAGE])
            report.is_over = True
        case ["error", int(index), str(kind), str(text)] if (
            kind in _BY_KIND and index == len(report.results) < num_calls
        ):
            message = _writable(text)[:_LONGEST_MESSAGE]
            report.failure = report.failure or (_BY_KIND[kind], message)
            report.results.append(CallResult(False, error=message))
        case ["value", int(index), value] if index == len(report.results) < num_calls:
            _check(value, child.DEEPEST)
            report.results.append(CallResult(True, value))
        case _:
            raise _ReportError("a line out of place")


def _check(value: Any, depth: int) -> None:  # noqa: ANN401 - anything JSON
    """Refuse what a careful reader would stumble over: lone surrogates, and nesting without end.

    Raises:
        _ReportError: one of these.
    """
    if isinstance(value, str) and not _is_text(value):
        raise _ReportError("a text with a lone surrogate")
    if isinstance(value, list | dict) and depth == 0:
        raise _ReportError("nested too deep")
    if isinstance(value, dict):
        for key, one in value.items():
            _check(key, depth)
            _check(one, depth - 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth - 1)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _ReportError("a number that is not finite")
    return number


def _refuse(name: str) -> None:
    raise _ReportError(f"{name} is not plain data")
