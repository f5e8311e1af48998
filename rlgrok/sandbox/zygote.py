"""The process that every program's process is forked from: a fresh interpreter that never was anything else.

It loads what programs may import, proves once that its walls hold, and then, for each request, forks, watches, ends and
buries one process. The clock here is finer than the kernel's limit; the sandbox keeps a coarser one over this process.
It relays what the program reports and does not read it.
Standard library alone, and no import from this package that needs more.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rlgrok.sandbox import child, frames, probe

MODULES = (
    "math cmath random itertools functools operator collections heapq bisect array string re textwrap copy types "
    "typing dataclasses enum abc numbers fractions decimal statistics json datetime time calendar contextlib io struct"
).split()
"""Loaded before the first program: importing one costs it nothing. Another is imported if it needs no compiled code."""
PEER = 3
"""The descriptor of the socket to the sandbox."""
SETUP_S = 20.0
"""For a process to lock its door."""
STARVED_FACTOR, STARVED_S = 20.0, 30.0
"""A program that waits for a processor longer than this many times its limit, and this long, has done nothing wrong."""
_SOON_S = 0.005
_PIECE = 1 << 16


def main(descriptor: int, parent: int, layers: Collection[str]) -> None:
    """Greet with what holds, then serve requests until the other side is gone.

    Args:
        descriptor: the socket to the sandbox.
        parent: its process id.
        layers: names of `probe.LAYERS` to use.
    """
    if descriptor != PEER:  # low numbers all: a program's process closes what lies below the limit
        os.dup2(descriptor, PEER)
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (child.OPEN_FILES, child.OPEN_FILES))
    peer = socket.socket(fileno=PEER)
    gone = os.pidfd_open(parent)
    if os.getppid() != parent:
        return
    os.environ.clear()
    for name in MODULES:
        importlib.import_module(name)
    nothing = os.open(os.devnull, os.O_RDWR)
    problems = probe.give_up_powers(layers)
    ruleset, filter_, more = probe.walls(layers)
    gc.collect()
    gc.freeze()  # what is shared with every fork is not written to by the collector
    door = child.Door(probe.address_space(), ruleset, filter_)
    peer.sendall(frames.answer({"problems": problems | more}, b"", b""))
    while _waiting(peer, gone) and (body := frames.receive(peer)) is not None:
        request = json.loads(body)
        watched = _start(request, door, nothing)
        stays = _follow(watched, request["limits"], peer, gone)
        answer = _bury(watched, request["limits"])
        if not stays:
            return
        peer.sendall(answer)


@dataclass
class _Watched:
    """One program's process, and what is known about it."""

    process: int
    pidfd: int
    pipes: dict[int, bytearray]
    """What came out of each pipe so far, by its descriptor: the report, then what was printed."""
    reason: str = "not started"
    started_s: float | None = None
    ended_s: float = 0.0
    waited_ns: int = 0
    """How long it had waited for a processor when the program started."""
    used_ns: int = 0
    """How long it had used one by then."""

    @property
    def report(self) -> bytearray:
        return next(iter(self.pipes.values()))

    @property
    def num_bytes(self) -> int:
        return sum(map(len, self.pipes.values()))


def _waiting(peer: socket.socket, gone: int) -> bool:
    """Until there is a request; False when the sandbox is gone, even if a copy of its socket is not."""
    ready, _, _ = select.select([peer, gone], [], [])
    return gone not in ready


def _start(request: dict[str, Any], door: child.Door, nothing: int) -> _Watched:
    report, report_in = os.pipe()
    printed, printed_in = os.pipe()
    zygote = os.getpid()
    process = os.fork()
    if process == 0:
        child.run(request, door, child.Ends(nothing, printed_in, report_in), zygote)
    os.close(report_in)
    os.close(printed_in)
    for end in (report, printed):
        os.set_blocking(end, False)
    return _Watched(process, os.pidfd_open(process), {report: bytearray(), printed: bytearray()})


def _follow(watched: _Watched, limits: dict[str, Any], peer: socket.socket, gone: int) -> bool:
    """Until the program is to be ended, or ended by itself. False: the sandbox is gone."""
    poll = select.poll()
    for end in (*watched.pipes, watched.pidfd, gone):
        poll.register(end, select.POLLIN)
    poll.register(peer, 0)  # hang-up only
    forked_s = time.monotonic()
    while True:
        left_s = _left(watched, limits, forked_s)
        if left_s <= 0:
            return True
        ready = {end for end, _ in poll.poll(left_s * 1000 + 1)}
        if gone in ready or peer.fileno() in ready:
            return False
        for end in watched.pipes.keys() & ready:
            if not _read(watched, end):
                poll.unregister(end)
        if watched.started_s is None:
            _note_start(watched)
        if watched.num_bytes > limits["output_kib"] << 10:
            watched.reason = "output"
            return True
        if watched.pidfd in ready or watched.report.endswith(child.END):
            return True


def _read(watched: _Watched, end: int) -> bool:
    """Whatever a pipe holds. False: its other end is closed."""
    try:
        piece = os.read(end, _PIECE)
    except BlockingIOError:
        return True
    watched.pipes[end] += piece
    return bool(piece)


def _note_start(watched: _Watched) -> None:
    """The first line of the report was written before the program ran: the only one to be read here."""
    head, newline, _ = watched.report.partition(b"\n")
    if newline:
        _, now_ns, watched.waited_ns, watched.used_ns = json.loads(head)
        watched.started_s = now_ns / 1e9
        watched.reason = "ended"
        del watched.report[: len(head) + 1]


def _left(watched: _Watched, limits: dict[str, Any], forked_s: float) -> float:
    """Seconds until the clock is to be looked at again; 0 when time is up, the reason noted.

    What counts is time passed, less the time that the program wanted a processor and others had it. That waiting is
    counted when it ends; so a program that is waiting right now is given until it has had its turn.
    """
    now_s = time.monotonic()
    if watched.started_s is None:
        return max(0.0, forked_s + SETUP_S - now_s)
    passed_s = now_s - watched.started_s
    if passed_s < limits["time_s"]:
        return limits["time_s"] - passed_s
    waited_s = (child.waited(watched.process) - watched.waited_ns) / 1e9
    if passed_s - waited_s < limits["time_s"]:
        left_s = limits["time_s"] - passed_s + waited_s
    elif _used_s(watched) < limits["time_s"] and _wants_processor(watched.process):
        left_s = _SOON_S
    else:
        watched.reason = "time"
        return 0.0
    if passed_s > max(STARVED_S, STARVED_FACTOR * limits["time_s"]):
        watched.reason = "starved"
        return 0.0
    return left_s


def _used_s(watched: _Watched) -> float:
    """Processor time of the program so far: the clock of a process is that of its number (clock_getcpuclockid(3))."""
    try:
        return (time.clock_gettime_ns((~watched.process << 3) | 2) - watched.used_ns) / 1e9
    except OSError:  # it has just ended
        return 0.0


def _wants_processor(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", "rb", buffering=0) as facts:
            return facts.read().rpartition(b")")[2].split()[0] == b"R"
    except OSError:
        return False


def _bury(watched: _Watched, limits: dict[str, Any]) -> bytes:
    """End the process, take what is left in the pipes, close everything; the answer to the request."""
    watched.ended_s = time.monotonic()
    signal.pidfd_send_signal(watched.pidfd, signal.SIGKILL)
    _, status, usage = os.wait4(watched.process, 0)
    most = limits["output_kib"] << 10
    for end in watched.pipes:
        while watched.num_bytes <= most:
            size = len(watched.pipes[end])
            if not _read(watched, end) or len(watched.pipes[end]) == size:
                break
        os.close(end)
    os.close(watched.pidfd)
    if watched.started_s is None:
        _note_start(watched)
    if watched.reason == "ended" and watched.num_bytes > most:
        watched.reason = "output"
    report, printed = watched.pipes.values()
    facts = {
        "reason": watched.reason,
        "status": status,
        "cpu_s": max(0.0, usage.ru_utime + usage.ru_stime - watched.used_ns / 1e9),
        "wall_s": 0.0 if watched.started_s is None else watched.ended_s - watched.started_s,
        "memory_kib": usage.ru_maxrss,
    }
    return frames.answer(facts, bytes(report), bytes(printed))
