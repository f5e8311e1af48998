"""One batch of jobs over a few zygotes: who runs what, what came back, what has to be run again."""

from __future__ import annotations

import logging
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlgrok.sandbox import answers, zygote
from rlgrok.sandbox.types import CallResult, Execution, Job, Outcome
from rlgrok.sandbox.worker import GoneError, Worker, request

ATTEMPTS = 3
_GRACE_S = 60.0
"""For a zygote to answer, beyond the longest that it may take."""
_LOG = logging.getLogger(__name__)


@dataclass
class Counts:
    """What a sandbox has done since it was opened."""

    programs: int = 0
    retried: int = 0
    """Attempts that failed for a reason of our own, and were made again."""
    lost: int = 0
    """Programs that ended as infrastructure errors."""


class Batch:
    """A batch, run once.

    Args:
        jobs: what to run.
        workers: ready, none with an open request; those that die are replaced in place.
        replace: ends a worker and starts another.
        counts: added to.

    Raises:
        ValueError: on construction, when an argument of a call is not JSON.
        TypeError: the same.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        workers: list[Worker],
        replace: Callable[[Worker], Worker],
        counts: Counts,
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._replace = replace
        self._counts = counts
        self._requests = [request(job) for job in jobs]
        self._found: dict[int, Execution] = {}
        self._attempts = [0] * len(jobs)
        self._waiting = deque(range(len(jobs)))
        self._running: dict[Worker, tuple[int, float]] = {}
        """Place of the job, and the time by which its worker must have answered."""

    def run(self) -> list[Execution]:
        """All of it, in order.

        Raises:
            InfrastructureError: a worker cannot be replaced.
        """
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker, selectors.EVENT_READ)
            while self._waiting or self._running:
                for worker in [one for one in self._workers if one not in self._running]:
                    self._hand_out(worker, selector)
                if not self._running:
                    continue
                left_s = min(latest for _, latest in self._running.values()) - time.monotonic()
                for key, _ in selector.select(max(0.0, left_s)):
                    self._collect(key.fileobj, selector)
                now = time.monotonic()
                for worker in [one for one, (_, latest) in self._running.items() if latest < now]:
                    self._lose(worker, selector, "it does not answer")
        self._counts.programs += len(self._jobs)
        return [self._found[place] for place in range(len(self._jobs))]

    def _hand_out(self, worker: Worker, selector: selectors.BaseSelector) -> None:
        """The next job for a worker without one, if there is one."""
        while self._waiting:
            place = self._waiting.popleft()
            job = self._jobs[place]
            if not job.program.strip():
                self._found[place] = _without_running(job, Outcome.NO_PROGRAM, "no program")
                continue
            longest_s = max(zygote.STARVED_S, zygote.STARVED_FACTOR * job.limits.time_s)
            latest_s = time.monotonic() + zygote.SETUP_S + longest_s + _GRACE_S
            self._running[worker] = (place, latest_s)
            try:
                worker.send(self._requests[place])
            except GoneError:  # it died idle: the job has not been near it
                del self._running[worker]
                self._waiting.appendleft(place)
                self._lose(worker, selector, "it ended")
            return

    def _collect(self, worker: Worker, selector: selectors.BaseSelector) -> None:
        """What a worker says."""
        try:
            answer = worker.receive()
        except GoneError as error:
            self._lose(worker, selector, str(error))
            return
        if answer is None:
            return
        place, _ = self._running.pop(worker)
        execution = answers.execution(self._jobs[place], *answer)
        if execution.status is Outcome.INFRASTRUCTURE_ERROR:
            self._again(place, execution)
        else:
            self._found[place] = execution

    def _lose(self, worker: Worker, selector: selectors.BaseSelector, why: str) -> None:
        """A worker that died, idle or not, or must: its job goes back, another takes its place."""
        selector.unregister(worker)
        running = self._running.pop(worker, None)
        self._workers[self._workers.index(worker)] = new = self._replace(worker)
        selector.register(new, selectors.EVENT_READ)
        if running is not None:
            job = self._jobs[running[0]]
            message = f"its zygote is gone: {why}"
            self._again(running[0], _without_running(job, Outcome.INFRASTRUCTURE_ERROR, message))

    def _again(self, place: int, failed: Execution) -> None:
        """A failure of our own: once more, or given up."""
        self._attempts[place] += 1
        if self._attempts[place] < ATTEMPTS:
            self._counts.retried += 1
            self._waiting.appendleft(place)
            _LOG.warning("sandbox: a program is run again: %s %s", failed.message, failed.stdout)
            return
        self._counts.lost += 1
        self._found[place] = failed
        _LOG.error("sandbox: a program is given up: %s %s", failed.message, failed.stdout)


def _without_running(job: Job, status: Outcome, message: str) -> Execution:
    return Execution(status, tuple(CallResult(False, error=message) for _ in job.calls), message)
