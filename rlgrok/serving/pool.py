"""The pool of judging processes, for one event loop. One request at a time in each.

A worker that dies takes no request with it: the request is given to another worker, once; only a request that two
workers died of is given up. A worker that takes too long is replaced, and its request given up at once, because it
would take as long again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType

from rlgrok.sandbox.naming import named_level
from rlgrok.serving import MANUFACTORIA
from rlgrok.serving.frames import ANSWER, OUTCOMES, pack_request
from rlgrok.serving.limits import Limits
from rlgrok.serving.messages import Answer
from runtime.errors import InfrastructureError

ATTEMPTS = 2
_START_TIMEOUT_S = 120.0
_RESTART_PAUSE_S = 1.0
"""Between attempts to replace a worker that cannot be started, so that a full process table is not hammered."""
_GONE = (asyncio.IncompleteReadError, ConnectionError)


class WorkerCrashError(Exception):
    """Every worker that was given this request died."""


class JudgeTimeoutError(Exception):
    """The request took longer than one may."""


class NoWorkerError(Exception):
    """No worker became free in time."""


class _Worker:
    """One process with its streams."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def exchange(self, body: bytes) -> Answer:
        self.process.stdin.write(pack_request(body))
        await self.process.stdin.drain()
        return await self.read()

    async def read(self) -> Answer:
        head = await self.process.stdout.readexactly(ANSWER.size)
        status, outcome, size = ANSWER.unpack(head)
        return Answer(status, OUTCOMES[outcome], await self.process.stdout.readexactly(size))

    async def stop(self, *, kill: bool) -> None:
        """End it and wait; `kill` for one that would not end by itself."""
        if kill:
            with suppress(ProcessLookupError):
                self.process.kill()
        self.process.stdin.close()
        await self.process.wait()


class JudgePool:
    """Context manager; workers run inside it.

    Args:
        num_workers: processes, at least 1.
        limits: of requests, and how long to wait.
        scope: whose programs.
        strict: as in `machine.run`; Manufactoria's.
        command: how a worker is started; its settings are added. For tests.

    Raises:
        InfrastructureError: on entry, when a worker does not start.
    """

    def __init__(
        self,
        num_workers: int,
        limits: Limits,
        *,
        scope: str = MANUFACTORIA,
        strict: bool = False,
        command: tuple[str, ...] = (sys.executable, "-m", "rlgrok.serving.worker"),
    ) -> None:
        self.num_workers = num_workers
        self.num_waiting = 0
        self.num_restarts = 0
        self._limits = limits
        settings = {
            "limits": asdict(limits),
            "scope": scope,
            "strict": strict,
            "level": named_level(),
        }
        self._command = (*command, json.dumps(settings))
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()  # the last used is still warm
        self._workers: set[_Worker] = set()
        self._starting: set[_Worker] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def num_alive(self) -> int:
        """Workers that are ready or at work."""
        return len(self._workers)

    @property
    def num_busy(self) -> int:
        """Workers that have a request."""
        return len(self._workers) - self._idle.qsize()

    async def __aenter__(self) -> JudgePool:
        """Start every worker and wait until it is ready."""
        # The first alone: it compiles what the others then find on disk.
        for count in (1, self.num_workers - 1):
            await self._start_some(count)
        return self

    async def _start_some(self, count: int) -> None:
        # Each to its own end: a process that is being created could not be ended from here.
        starts = (self._start() for _ in range(count))
        failures = [f for f in await asyncio.gather(*starts, return_exceptions=True) if f]
        for failure in failures:
            await self._end()
            if not isinstance(failure, (*_GONE, OSError, TimeoutError)):
                raise failure
            raise InfrastructureError(
                "a judging process did not start",
                got=repr(failure),
                hint="its own message is above",
            ) from failure

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every worker."""
        await self._end()

    async def ask(self, body: bytes) -> Answer:
        """The answer to a request.

        Args:
            body: the request as received.

        Raises:
            WorkerCrashError: two workers died of it.
            JudgeTimeoutError: it took longer than `judge_timeout_s`.
            NoWorkerError: none became free within `queue_timeout_s`.
        """
        for _ in range(ATTEMPTS):
            worker = await self._free_worker()
            try:
                async with asyncio.timeout(self._limits.judge_timeout_s):
                    answer = await worker.exchange(body)
            except _GONE:
                self._replace(worker)
            except TimeoutError as error:
                self._replace(worker)
                raise JudgeTimeoutError from error
            except BaseException:  # cancelled half-way: its next answer would be to this request
                self._replace(worker)
                raise
            else:
                self._idle.put_nowait(worker)
                return answer
        raise WorkerCrashError

    async def _free_worker(self) -> _Worker:
        self.num_waiting += 1
        try:
            async with asyncio.timeout(self._limits.queue_timeout_s):
                return await self._idle.get()
        except TimeoutError as error:
            raise NoWorkerError from error
        finally:
            self.num_waiting -= 1

    def _replace(self, worker: _Worker) -> None:
        """Put a new worker in the place of one that died or must."""
        self._workers.discard(worker)
        self.num_restarts += 1
        task = asyncio.ensure_future(self._restart(worker))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _restart(self, worker: _Worker) -> None:
        await worker.stop(kill=True)
        while not self._closing.is_set():
            try:
                await self._start()
            except (*_GONE, OSError, TimeoutError):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _RESTART_PAUSE_S)
            else:
                return

    async def _start(self) -> None:
        """Add one worker, ready."""
        pipe = asyncio.subprocess.PIPE
        # A process group of its own: Ctrl-C in a terminal reaches the whole group, and answers must still come out.
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, start_new_session=True
        )
        worker = _Worker(process)
        self._starting.add(worker)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await worker.read()
        except BaseException:
            await worker.stop(kill=True)
            raise
        finally:
            self._starting.discard(worker)
        self._workers.add(worker)
        self._idle.put_nowait(worker)

    async def _end(self) -> None:
        """End every worker, those too that are just starting; never leaves one behind."""
        self._closing.set()
        while self._replacing:  # not cancelled: a process that is being created could not be ended
            for worker in self._starting:
                with suppress(ProcessLookupError):
                    worker.process.kill()
            await asyncio.wait(self._replacing, timeout=0.1)
        idle = set()
        while not self._idle.empty():
            idle.add(self._idle.get_nowait())
        stops = [worker.stop(kill=worker not in idle) for worker in self._workers]
        await asyncio.gather(*stops)
        self._workers.clear()
