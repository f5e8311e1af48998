"""Throughput and latency of `toolkit rl serve` under a realistic mix, and whether it loses anything.

    python benchmarks/bench_serve.py [--requests 4000] [--workers 2] [--concurrency 1 16 128 1000]

Prints a table and writes benchmarks/results/serve.json. The service runs as a process of its own with its defaults; the
requests are problems of five families with solutions in which some routes are wrong, and one in ten is no program.
Every answer is compared with the plain judge's verdict. Clients and service share the machine: on few cores the rates
are a lower bound, and on a busy machine far below it; processor milliseconds a request, of the front process and of all
workers, travel better. Latency is from the first byte sent to the last one received; connections are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import psutil
from miswired import miswired

from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.delta.manufactoria.solutions import oracle_program
from runtime.seeding import Stream

RESULTS = Path(__file__).parent / "results" / "serve.json"
BROKEN_SHARE = 0.1
FAMILIES = (
    ("append_sequence", "four", [3, 4]),
    ("exact_sequence", "two", [3, 4]),
    ("starts_with", "two", [3, 4]),
    ("contains_substring", "four", [2, 3]),
    ("contains_ordered", "four", [2, 3]),
)


class Request(NamedTuple):
    """A body, and whether all tests pass."""

    body: bytes
    all_passed: bool


def make_requests(count: int) -> list[Request]:
    """The mix."""
    stream = Stream(0, "benchmark", "serve")
    sets = [build([name], colors, lengths, max_problems=20) for name, colors, lengths in FAMILIES]
    requests = []
    for _ in range(count):
        problem = stream.choice(stream.choice(sets).train)
        program = format_program(miswired(oracle_program(problem), stream))
        if stream.uniform() < BROKEN_SHARE:
            program = program.replace("NEXT", "GOTO", 1)
        body = json.dumps({"dsl": program, "test_cases": [asdict(test) for test in problem.tests]})
        requests.append(Request(body.encode(), judge(program, problem.tests).all_passed))
    return requests


async def client(host: str, port: int, work: asyncio.Queue[Request], seconds: list[float]) -> int:
    """Send requests one after another until none is left; returns how many were lost or answered wrongly."""
    reader, writer = await asyncio.open_connection(host, port)
    num_wrong = 0
    while not work.empty():
        request = work.get_nowait()
        started = time.perf_counter()
        writer.write(
            b"POST /test_solution HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(request.body) + request.body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        size = next(int(f.split(b":")[1]) for f in fields if f.startswith(b"content-length"))
        body = await reader.readexactly(size)
        seconds.append(time.perf_counter() - started)
        is_right = head.startswith(b"HTTP/1.1 200")
        num_wrong += not is_right or json.loads(body)["all_passed"] != request.all_passed
    writer.close()
    return num_wrong


def processor_seconds(pid: int) -> tuple[float, float]:
    """Of the front process, and of all workers together."""
    front = psutil.Process(pid)
    spent = [sum(process.cpu_times()[:2]) for process in (front, *front.children())]
    return spent[0], sum(spent[1:])


async def load(host: str, port: int, requests: Sequence[Request], concurrency: int) -> dict:
    """All requests through so many connections at one time."""
    work: asyncio.Queue[Request] = asyncio.Queue()
    for request in requests:
        work.put_nowait(request)
    seconds: list[float] = []
    started = time.perf_counter()
    clients = (client(host, port, work, seconds) for _ in range(concurrency))
    wrong = await asyncio.gather(*clients)
    elapsed = time.perf_counter() - started
    seconds.sort()
    return {
        "concurrency": concurrency,
        "requests": len(requests),
        "lost": len(requests) - len(seconds),
        "wrong": sum(wrong),
        "requests_per_s": round(len(seconds) / elapsed, 1),
        "p50_ms": round(1000 * seconds[len(seconds) // 2], 2),
        "p99_ms": round(1000 * seconds[int(len(seconds) * 0.99)], 2),
    }


def main() -> None:
    """Start the service, measure every concurrency, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 128, 1000])
    options = parser.parse_args()
    requests = make_requests(options.requests)
    command = [sys.executable, "-m", "cli.main", "rl", "serve", "--port", "0"]
    command += ["--workers", str(options.workers)]
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = service.stderr.readline()
        host, port = line.split("http://")[1].split(",")[0].rsplit(":", 1)
        asyncio.run(load(host, int(port), requests[:200], 8))  # warm
        print(
            f"{'connections':>11s} {'requests/s':>10s} {'p50 ms':>8s} {'p99 ms':>8s} {'lost':>5s} {'wrong':>5s}"
            f" {'front ms':>8s} {'worker ms':>9s}"
        )
        rows = []
        for concurrency in options.concurrency:
            before = processor_seconds(service.pid)
            row = asyncio.run(load(host, int(port), requests, concurrency))
            spent = [b - a for a, b in zip(before, processor_seconds(service.pid), strict=True)]
            milliseconds = [round(1000 * seconds / len(requests), 3) for seconds in spent]
            row["processor_ms_per_request"] = dict(
                zip(("front", "workers"), milliseconds, strict=True)
            )
            rows.append(row)
            print(
                f"{concurrency:11d} {row['requests_per_s']:10,.0f} {row['p50_ms']:8.1f} {row['p99_ms']:8.1f}"
                f" {row['lost']:5d} {row['wrong']:5d} {milliseconds[0]:8.2f} {milliseconds[1]:9.2f}"
            )
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
    mean_body = sum(len(request.body) for request in requests) / len(requests)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    data = {**machine, "cores": os.cpu_count(), "workers": options.workers}
    data |= {"mean_body_bytes": round(mean_body), "exit_code": service.returncode, "rows": rows}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(data, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
