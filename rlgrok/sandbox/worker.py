"""One zygote as its owner sees it: a process, a socket, one request at a time.

A zygote that dies takes no verdict with it: its request has no answer, and is asked again elsewhere.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlgrok.sandbox import frames
from rlgrok.sandbox.types import Job

_START_S = 60.0
ROOT = Path(__file__).resolve().parents[2]
_COMMAND = (
    "import sys; root, *arguments = sys.argv[1:]; sys.argv = ['program']; sys.path.insert(0, root); "
    "from rlgrok.sandbox import probe, zygote; sys.path.remove(root); {}"
)
"""Its own packages are found through a path that is gone before anything else happens."""
_OPTIONS = ("-P", "-s", "-S", "-B")
"""No script's folder, no user's packages, no installed packages, no compiled files written. That is -I and -S, without
-E, so that the one variable below is read."""
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""All of it. The order of a set is then the same in every run."""


class GoneError(Exception):
    """The zygote has ended, or does not answer."""


class Worker:
    """A zygote process. Its start is not waited for: the greeting is its first answer.

    Args:
        layers: names of `probe.LAYERS`.
    """

    def __init__(self, layers: Collection[str]) -> None:
        self._socket, other = socket.socketpair()
        try:
            self.process = start(
                "zygote.main(*map(int, arguments[:2]), arguments[2:])",
                (str(other.fileno()), str(os.getpid()), *sorted(layers)),
                pass_fds=(other.fileno(),),
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            other.close()
        self._buffer = bytearray()

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def greet(self) -> dict[str, str]:
        """Wait until it is ready: the layers that do not hold here, each with the reason.

        Raises:
            GoneError: it did not start.
        """
        self._socket.settimeout(_START_S)
        try:
            while (found := self.receive()) is None:
                pass
        except TimeoutError as error:
            raise GoneError("no answer") from error
        finally:
            self._socket.settimeout(None)
        return found[0]["problems"]

    def send(self, request: bytes) -> None:
        """Ask; there must be no question open.

        Raises:
            GoneError: it has ended.
        """
        try:
            self._socket.sendall(request)
        except OSError as error:
            raise GoneError(str(error)) from error

    def receive(self) -> tuple[dict[str, Any], bytes, bytes] | None:
        """What has arrived, once it is complete: facts, report, printed text.

        Raises:
            GoneError: it has ended.
            TimeoutError: nothing came, before it is ready.
        """
        try:
            piece = self._socket.recv(1 << 20)
        except ConnectionError as error:
            raise GoneError(str(error)) from error
        if not piece:
            raise GoneError("it ended")
        self._buffer += piece
        head = frames.HEAD.size
        if len(self._buffer) < head:
            return None
        facts, report, printed = frames.HEAD.unpack_from(self._buffer)
        if len(self._buffer) < head + facts + report + printed:
            return None
        data, self._buffer = bytes(self._buffer[head:]), bytearray()
        return json.loads(data[:facts]), data[facts : facts + report], data[facts + report :]

    def kill(self) -> None:
        """End it at once; the kernel ends its program."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self._socket.close()
        self.process.wait()


def start(
    statement: str,
    arguments: Sequence[str],
    *,
    pass_fds: tuple[int, ...] = (),
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """A fresh interpreter with nothing of this process: no memory, no environment, no path, no terminal's Ctrl-C.

    Args:
        statement: what it does; `probe`, `zygote` and `arguments` have a meaning there.
        arguments: of it.
        pass_fds: descriptors that it keeps.
        stdout: as for `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, *_OPTIONS, "-c", _COMMAND.format(statement), str(ROOT), *arguments],
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
    )


def request(job: Job) -> bytes:
    """A job as a zygote reads it.

    Raises:
        ValueError: an argument is not JSON.
        TypeError: an argument is not JSON.
    """
    calls = [
        {"function": one.function, "arguments": json.dumps(one.arguments, allow_nan=False)}
        for one in job.calls
    ]
    limits = {
        "time_s": job.limits.time_s,
        "memory_mib": job.limits.memory_mib,
        "output_kib": job.limits.output_kib,
    }
    return frames.pack({"program": job.program, "calls": calls, "limits": limits})
