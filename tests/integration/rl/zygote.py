"""Forks a `toolkit` process for every call, from one process that has done the heavy imports.

Importing the frameworks costs more than a small training run, and a test that kills a run ten times needs eleven
processes. What is forked is a process of its own that runs `cli.main.main`; signals, exit codes, file descriptors and
resource limits are real. What it cannot show: hash randomisation and start-up, because the imports are shared, and the
interpreter's own clearing up, which would take as long as the imports. Those are for the tests that start the
installed command.

One JSON object a line on standard input, one on standard output: `{"op": "start", ...}` -> `{"pid": n}`,
`{"op": "wait", "pid": n}` -> `{"code": n}`, negative for a signal.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR
CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
"""Audit events of what changes a disk; `open` counts when it is for writing."""


def serve() -> dict[str, Any] | None:
    """Answer requests; in a forked child, return the request that it is to become. None: the test is over."""
    running: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "start":
            pid = os.fork()
            if pid == 0:
                return request
            running.add(pid)
            answer = {"pid": pid}
        else:
            _, status = os.waitpid(request["pid"], 0)
            running.discard(request["pid"])
            answer = {"code": os.waitstatus_to_exitcode(status)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def become(request: dict[str, Any]) -> None:
    """Take on the folder, environment, streams and limits of a request."""
    os.setpgid(0, 0)
    os.chdir(request["cwd"])
    os.environ.update(request["env"])  # what the imports have set stays
    # A test run started in the background of a shell inherits a SIGINT that is ignored; a user's terminal has none.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    flags = {0: os.O_RDONLY, 1: os.O_WRONLY | os.O_CREAT, 2: os.O_WRONLY | os.O_CREAT}
    for target, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
        descriptor = os.open(name, flags[target], 0o666)
        os.dup2(descriptor, target)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)
    sys.argv = ["toolkit", *request["argv"]]
    if request["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], resource.RLIM_INFINITY))
    if request["heeds_permissions"]:
        give_up_override()
    if request["die_at"] is not None:
        pattern, number = request["die_at"]
        sys.addaudithook(_Death(pattern, number))


def give_up_override() -> None:
    """Let this process heed the permissions of files as any user must, even when it is root's."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low words, then high words
    override = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    sets[0] &= ~override
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


class _Death:
    """Kills its process right before the n-th change of the disk at a path that contains some text."""

    def __init__(self, pattern: str, number: int) -> None:
        self._pattern = pattern
        self._left = number

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES:
            return
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if not (flags or 0) & WRITE_FLAGS and not set(mode or "") & set("wax+"):
                return
        if not isinstance(arguments[0], str | os.PathLike):
            return
        if self._pattern in os.path.join(os.getcwd(), os.fspath(arguments[0])):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def preload() -> None:
    """Import what a training run imports, early or late. Nothing is computed: threads would not survive a fork."""
    import hydra
    import matplotlib.pyplot
    import trl

    import cli.tasks
    import rlgrok.figures
    import rlgrok.report
    import rlgrok.train

    assert hydra and matplotlib.pyplot and cli.tasks
    assert rlgrok.figures and rlgrok.report and rlgrok.train
    assert trl.SFTTrainer and trl.GRPOTrainer  # imported when first asked for


def end(code: int) -> NoReturn:
    """End as the interpreter does, but for freeing what it has imported."""
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code)


if __name__ == "__main__":
    preload()
    gc.freeze()  # or each child's first collection would copy every page it looks at
    wanted = serve()
    if wanted is not None:
        become(wanted)
        from cli.main import main

        try:
            main()
        except SystemExit as stop:
            end(stop.code if isinstance(stop.code, int) else 0)
