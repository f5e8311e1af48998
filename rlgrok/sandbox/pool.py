"""The sandbox: programs in, facts out, in the order given.

A few zygotes, each with one program at a time. What fails of our own machinery is tried again, counted, logged; a job
that fails so several times becomes an infrastructure error, and more of these than one in a hundred programs are an
error of the batch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any

from rlgrok.sandbox import probe
from rlgrok.sandbox.batch import Batch, Counts
from rlgrok.sandbox.types import Execution, Job, Level
from rlgrok.sandbox.worker import GoneError, Worker, start
from runtime.errors import ConfigError, InfrastructureError

MAX_LOST_SHARE = 0.01
"""Of all programs so far that may end as infrastructure errors."""
REQUIRED: Mapping[Level, frozenset[str]] = {
    Level.FULL: frozenset({probe.LANDLOCK, probe.FILTER, probe.CAPABILITIES}),
    Level.FILTER: frozenset({probe.FILTER, probe.CAPABILITIES}),
    Level.LIMITS: frozenset(),
}
"""What a level promises."""
_WELCOME = frozenset({probe.NAMESPACES, probe.CAPABILITIES})
"""Used at every level, where this machine has them."""
_PROBE_S = 60.0


class Sandbox:
    """Context manager; zygotes live inside it. For one thread at a time.

    Args:
        workers: programs at a time; None: one a processor that this process may use.
        level: how they are locked in; weaker ones are chosen by name only.
        layers: exactly these of `probe.LAYERS` instead, without the promise of a level: for tests of a layer.

    Raises:
        ConfigError: not Linux; on entry, where this machine does not keep the promise of the level.
        InfrastructureError: on entry, when a zygote does not start.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        level: Level | str = Level.FULL,
        layers: Collection[str] | None = None,
    ) -> None:
        if sys.platform != "linux":
            raise ConfigError("programs are run on Linux alone", got=sys.platform)
        self.num_workers = workers or len(os.sched_getaffinity(0))
        self.level = Level(level)
        self.counts = Counts()
        self._required = REQUIRED[self.level] if layers is None else frozenset(layers)
        self._asked = self._required | _WELCOME if layers is None else self._required
        self._missing: dict[str, str] = {}
        self._owner = os.getpid()
        self._is_open = False
        self._workers: list[Worker] = []

    def __enter__(self) -> Sandbox:
        """Start the zygotes; each proves its walls before any program runs."""
        self._start()
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process."""
        self.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of the zygotes."""
        return tuple(worker.process.pid for worker in self._workers)

    def run(self, jobs: Sequence[Job]) -> list[Execution]:
        """Run programs, several at a time. After an error the next batch starts on new zygotes.

        Args:
            jobs: any number, independent of each other.

        Returns:
            What became of each, in the order given.

        Raises:
            InfrastructureError: too many failures of our own; or a zygote cannot be replaced.
            ValueError: an argument of a call is not JSON. Nothing has run then.
            TypeError: the same.
        """
        if os.getpid() != self._owner or not self._is_open:
            raise RuntimeError("a sandbox runs in the process that opened it, while it is open")
        if not self._workers:
            self._start()
        batch = Batch(jobs, self._workers, self._replace, self.counts)
        try:
            found = batch.run()
        except BaseException:  # a zygote may be busy still: its answer would be taken for another's
            self._stop()
            raise
        counts = self.counts
        if counts.lost > MAX_LOST_SHARE * counts.programs:
            raise InfrastructureError(
                "the sandbox fails too often",
                got=f"{counts.lost} of {counts.programs} programs without a result",
                expected=f"at most {MAX_LOST_SHARE:.0%}",
                hint="`toolkit doctor` shows what this machine offers; the log has each failure",
            )
        return found

    def facts(self) -> dict[str, Any]:
        """For a manifest: the level, the layers in force, those that this machine lacks and why, the counts."""
        return {
            "level": str(self.level),
            "layers": sorted(self._asked - self._missing.keys()),
            "missing": dict(self._missing),
            "programs": self.counts.programs,
            "retried": self.counts.retried,
            "infrastructure_errors": self.counts.lost,
        }

    def close(self) -> None:
        """End every process; what still runs is ended with them."""
        self._is_open = False
        self._stop()

    def _start(self) -> None:
        try:
            for _ in range(self.num_workers):
                self._workers.append(Worker(self._asked))
            for worker in self._workers:
                self._greet(worker)
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.kill()

    def _greet(self, worker: Worker) -> None:
        try:
            self._missing = worker.greet()
        except GoneError as error:
            raise InfrastructureError(
                "a process of the sandbox does not start",
                got=str(error),
                hint="its own message is above",
            ) from error
        lacking = {name: why for name, why in self._missing.items() if name in self._required}
        if lacking:
            raise ConfigError(
                f"this machine cannot lock programs in at the level {self.level!s}",
                got="; ".join(f"{name}: {why}" for name, why in sorted(lacking.items())),
                expected="a kernel with Landlock and seccomp filters",
                hint="`toolkit doctor` shows what it offers; a weaker level must be named: TOOLKIT_SANDBOX=filter",
            )

    def _replace(self, worker: Worker) -> Worker:
        worker.kill()
        new = Worker(self._asked)
        try:
            self._greet(new)
        except BaseException:
            new.kill()
            raise
        return new


def capabilities() -> dict[str, Any]:
    """What this machine offers, tried out: each layer with None where it holds, or why it does not; levels.

    Returns:
        `layers`, `landlock_abi`, `machine`, `waiting_is_counted`, and `levels`: those that can be had.

    Raises:
        InfrastructureError: the trial itself did not run.
    """
    if sys.platform != "linux":
        lacking = dict.fromkeys(probe.LAYERS, "only on Linux")
        return {
            "layers": lacking,
            "landlock_abi": None,
            "machine": os.uname().machine,
            "waiting_is_counted": False,
            "levels": [],
        }
    with start("probe.print_facts()", (), stdout=subprocess.PIPE) as process:
        try:
            text, _ = process.communicate(timeout=_PROBE_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise InfrastructureError("trying the sandbox's layers takes too long") from error
    if process.returncode != 0:
        raise InfrastructureError(
            "trying the sandbox's layers failed",
            got=f"exit code {process.returncode}",
            hint="its own message is above",
        )
    found = json.loads(text)
    held = {name for name, why in found["layers"].items() if why is None}
    return {**found, "levels": [str(level) for level, needed in REQUIRED.items() if needed <= held]}
