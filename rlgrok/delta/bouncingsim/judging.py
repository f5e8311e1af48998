"""Running a program for a scene in the sandbox, and judging what it returned.

The program is loaded once and called for every test; its own process never sees what is expected, and its loading is
not charged to a call. Many programs are handed over together, so that the sandbox can run them side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rlgrok.delta.bouncingsim.assertions import Point, Query, Setting
from rlgrok.delta.bouncingsim.scoring import TestResult, points_of, score, score_list
from rlgrok.sandbox.types import Call, Execution, Job, Limits, Outcome
from rlgrok.types import Status, Verdict

if TYPE_CHECKING:
    from rlgrok.sandbox.pool import Sandbox

TIME_S = 5.0
"""Of one program, over all of its tests. The oracle needs 1 s at most, but 6 s for nine balls in six containers."""
FUNCTION = "predict_position"
_BLOCK = re.compile(r"```(?:python)?[^\S\n]*\n?(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Task:
    """One program with the tests that it is to pass."""

    program: str
    setting: Setting
    queries: tuple[Query, ...]
    by_maximum: bool = False
    """Hold every ball to the tolerance, not their mean."""


@dataclass(frozen=True)
class Judgement:
    """What became of one program."""

    status: Status
    results: tuple[TestResult, ...]
    message: str = ""
    """Why it did not pass; empty when it did."""

    @property
    def num_passed(self) -> int:
        """Tests."""
        return sum(result.passed for result in self.results)

    @property
    def full_pass(self) -> bool:
        """Every test."""
        return self.status is Status.PASSED

    @property
    def pass_rate(self) -> float:
        """Share of tests passed, in [0, 1]."""
        return self.num_passed / len(self.results)

    @property
    def mean_error(self) -> float | None:
        """Metres, over the tests with positions; None without any."""
        errors = [one.mean_error for one in self.results if one.mean_error is not None]
        return round(fmean(errors), 3) if errors else None

    @property
    def max_error(self) -> float | None:
        """Metres, of any ball in any test; None without positions."""
        return max(
            (one.max_error for one in self.results if one.max_error is not None), default=None
        )

    def verdict(self) -> Verdict:
        """As training and evaluation want it."""
        return Verdict(self.status, self.num_passed, len(self.results), message=self.message)


def extract_program(completion: str) -> str:
    """The last fenced block, with or without the word python; the whole text where there is none."""
    blocks = _BLOCK.findall(completion)
    return (blocks[-1] if blocks else completion).strip()


def calls_of(task: Task) -> list[tuple[Any, ...]]:
    """The arguments of every call that the tests need."""
    if task.setting is Setting.LIST:
        return [()]
    return [(query.time,) for query in task.queries]


def job_of(task: Task, time_s: float) -> Job:
    """What the sandbox is to do for a task; `time_s` is for all of its tests."""
    calls = tuple(Call(FUNCTION, one) for one in calls_of(task))
    return Job(task.program, calls, Limits(time_s=time_s))


def judge_tasks(
    tasks: Sequence[Task], sandbox: Sandbox, *, time_s: float = TIME_S
) -> list[Judgement]:
    """Run every program and compare what it returned.

    Args:
        tasks: independent of each other.
        sandbox: runs them, side by side where it can.
        time_s: of each program, over all of its tests.
    """
    executions = sandbox.run([job_of(task, time_s) for task in tasks])
    return [judged(task, done) for task, done in zip(tasks, executions, strict=True)]


def judged(task: Task, done: Execution) -> Judgement:
    """Facts about a run, as a judgement."""
    results = _compared(task, done)
    status = Status(done.status.value) if done.status is not Outcome.RAN else Status.FAILED
    if done.status is Outcome.RAN and all(result.passed for result in results):
        return Judgement(Status.PASSED, tuple(results))
    message = done.message
    if done.status is Outcome.RAN:
        place = next(place for place, result in enumerate(results) if not result.passed)
        query = task.queries[place]
        asked = f"t = {query.time:g}" if query.time is not None else f"time {query.index}"
        message = f"test {place + 1}, {asked}: {results[place].message}"
    return Judgement(status, tuple(results), message)


def _compared(task: Task, done: Execution) -> list[TestResult]:
    """One result a test; where the sandbox itself failed, nothing passes."""
    if done.status is Outcome.INFRASTRUCTURE_ERROR:
        return [TestResult(False, message=done.message) for _ in task.queries]
    if task.setting is Setting.LIST:
        if done.results and done.results[0].returned:
            return score_list(task.queries, done.results[0].value, by_maximum=task.by_maximum)
        reason = done.results[0].error if done.results else done.message
        return [TestResult(False, message=reason) for _ in task.queries]
    compared = []
    for place, query in enumerate(task.queries):
        if place >= len(done.results):
            compared.append(TestResult(False, message=done.message))
        elif done.results[place].returned:
            value = done.results[place].value
            compared.append(score(query, value, by_maximum=task.by_maximum))
        else:
            compared.append(TestResult(False, message=done.results[place].error or done.message))
    return compared


def predictions(
    program: str,
    setting: Setting,
    queries: Sequence[Query],
    times: Sequence[float],
    sandbox: Sandbox,
    *,
    time_s: float = TIME_S,
) -> tuple[list[list[Point] | None], Judgement]:
    """What a program says at some times, for a picture, beside its judgement.

    Args:
        program: its text.
        setting: what it defines.
        queries: its tests.
        times: of the picture, seconds; in the list setting nothing is known at them.
        sandbox: runs it.
        time_s: for all times.

    Returns:
        For each time a point for each ball, None where no usable positions came back; and the judgement.
    """
    task = Task(program, setting, tuple(queries))
    judgement = judge_tasks([task], sandbox)[0]
    if setting is Setting.LIST:
        return [None for _ in times], judgement
    calls = tuple(Call(FUNCTION, (time,)) for time in times)
    done = sandbox.run([Job(program, calls, Limits(time_s=time_s))])[0]
    found: list[list[Point] | None] = []
    for place in range(len(times)):
        result = done.results[place] if place < len(done.results) else None
        value = result.value if result is not None and result.returned else None
        found.append(points_of(value, len(queries[0].positions)))
    return found, judgement
