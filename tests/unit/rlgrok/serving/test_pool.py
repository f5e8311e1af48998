"""The pool with small processes in place of the judge: what dies, hangs or is cancelled takes nothing else along."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rlgrok.serving.limits import Limits
from rlgrok.serving.pool import JudgePool, JudgeTimeoutError, NoWorkerError, WorkerCrashError
from runtime.errors import InfrastructureError

# Echoes a request; `die` and `hang` do so, `die once FILE` only while there is no such file.
WORKER = """
import os, struct, sys, time
read, write = sys.stdin.buffer, sys.stdout.buffer
def reply(status, body=b""):
    write.write(struct.pack(">HBI", status, 0, len(body)) + body); write.flush()
reply(0)
while head := read.read(4):
    body = read.read(struct.unpack(">I", head)[0])
    words = body.decode().split()
    if words[:2] == ["die", "once"] and not os.path.exists(words[2]):
        open(words[2], "w").close(); os._exit(9)
    if words == ["die"]: os._exit(9)
    if words == ["hang"]: time.sleep(60)
    if words[:1] == ["sleep"]: time.sleep(float(words[1]))
    reply(200, body)
"""
COMMAND = (sys.executable, "-I", "-S", "-c", WORKER)


def run(work: Callable[[JudgePool], Awaitable[Any]], num_workers: int = 2, **limits: Any) -> Any:
    async def inside() -> Any:
        async with JudgePool(num_workers, Limits(**limits), command=COMMAND) as pool:
            return await work(pool)

    return asyncio.run(inside())


def test_many_requests_through_few_workers() -> None:
    async def work(pool: JudgePool) -> None:
        bodies = [f"request {n}".encode() for n in range(300)]
        found = await asyncio.gather(*(pool.ask(body) for body in bodies))
        assert [answer.body for answer in found] == bodies
        assert (pool.num_waiting, pool.num_busy, pool.num_alive) == (0, 0, 2)

    run(work)


def test_bodies_larger_than_a_pipe() -> None:
    async def work(pool: JudgePool) -> None:
        body = b"x" * 3_000_000
        assert (await pool.ask(body)).body == body

    run(work, 1)


def test_a_death_loses_no_request(tmp_path: Path) -> None:
    async def work(pool: JudgePool) -> None:
        fatal = f"die once {tmp_path / 'died'}".encode()
        bodies = [b"a", fatal, *(str(n).encode() for n in range(30))]
        found = await asyncio.gather(*(pool.ask(body) for body in bodies))
        assert [answer.body for answer in found] == bodies
        assert pool.num_restarts == 1

    run(work)


def test_a_request_that_kills_is_given_up_after_two_and_the_pool_recovers() -> None:
    async def work(pool: JudgePool) -> None:
        with pytest.raises(WorkerCrashError):
            await pool.ask(b"die")
        assert pool.num_restarts == 2
        assert (await pool.ask(b"alive")).body == b"alive"

    run(work)


def test_a_worker_that_dies_idle_is_noticed(tmp_path: Path) -> None:
    async def work(pool: JudgePool) -> None:
        for worker in list(pool._workers):
            worker.process.kill()
            await worker.process.wait()
        assert (await pool.ask(b"x")).body == b"x"

    run(work, 1)


def test_a_hang_is_cut_off_once_and_the_pool_recovers() -> None:
    async def work(pool: JudgePool) -> None:
        with pytest.raises(JudgeTimeoutError):
            await pool.ask(b"hang")
        assert pool.num_restarts == 1
        await asyncio.sleep(0)

    run(work, 1, judge_timeout_s=0.2)


def test_nobody_waits_for_ever() -> None:
    async def work(pool: JudgePool) -> None:
        long = asyncio.create_task(pool.ask(b"sleep 1"))
        await asyncio.sleep(0.05)
        with pytest.raises(NoWorkerError):
            await pool.ask(b"x")
        assert (await long).body == b"sleep 1"

    run(work, 1, queue_timeout_s=0.2)


def test_a_cancelled_request_leaves_no_answer_to_the_next() -> None:
    async def work(pool: JudgePool) -> None:
        task = asyncio.create_task(pool.ask(b"sleep 0.3"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.ask(b"mine")).body == b"mine"

    run(work, 1)


def test_a_command_that_does_not_start_is_told_at_once() -> None:
    async def work(command: tuple[str, ...]) -> None:
        async with JudgePool(2, Limits(), command=command):
            pass

    for command in ((sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"), ("/no/such",)):
        with pytest.raises(InfrastructureError, match="did not start"):
            asyncio.run(work(command))


def test_the_real_worker_judges() -> None:
    import json

    async def work() -> Any:
        async with JudgePool(1, Limits()) as pool:
            body = {"dsl": "START start:\n NEXT end\nEND end", "test_cases": []}
            return await pool.ask(json.dumps(body).encode())

    found = asyncio.run(work())
    assert found.status == 200
    assert json.loads(found.body)["message"].startswith("DSL Parse Error: ")
