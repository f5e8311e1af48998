"""What runs in the process of one program: lock the door, run it, report. Never returns.

Nothing here is trusted once the program has started: it can change this module, forge the report, end the process. All
it can reach by that is a report of other values, which it could have returned. Reports are lines of JSON:

    ["ready", now, waited, used] before the program starts: the clock, how long this process had waited for a processor
                                 by then, and used one; nanoseconds
    ["value", index, value]      a call returned plain data
    ["error", index, kind, text] a call did not; index -1 is the program's own text
    ["end"]                      all calls were made

Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from rlgrok.sandbox import syscalls
from rlgrok.sandbox.filter import Filter
from rlgrok.sandbox.landlock import Ruleset

REPORT = 3
"""The descriptor that reports go to, in the process of the program."""
END = b'["end"]\n'
BROKEN, NO_MEMORY = 70, 71
"""Exit codes: the door cannot be locked, and no program has run; there was no memory left to report so."""
PARSE, RAISED, MEMORY, NOT_PLAIN = "parse", "raised", "memory", "not plain"
"""Kinds of error."""
OPEN_FILES = 32
"""At a time, in the zygote and in a program."""
DEEPEST = 32
"""Levels of nesting of a value."""
_LONGEST_ERROR = 500
_SPARE_CPU_S = 2
"""The kernel's own limit on processor time lies above the zygote's, which is finer."""
_FILE = "<program>"


@dataclass(frozen=True)
class Door:
    """What is shut behind a program."""

    base_bytes: int
    """Address space of a process that has run no program."""
    ruleset: Ruleset | None
    filter: Filter | None


@dataclass(frozen=True)
class Ends:
    """Descriptors that the program's process keeps, as the zygote numbered them."""

    nothing: int
    printed: int
    report: int


def run(request: dict[str, Any], door: Door, ends: Ends, parent: int) -> NoReturn:
    """Lock the door, run the program, report, end the process.

    Args:
        request: a job as `worker.request` writes it.
        door: what to lock.
        ends: what to keep open.
        parent: the zygote's process id.
    """
    leave, write = os._exit, os.write
    try:
        _shut(request["limits"], door, ends, parent)
    except BaseException as error:  # noqa: BLE001 - nothing may return from here
        os.write(ends.printed, f"{type(error).__name__}: {error}".encode())
        leave(BROKEN)
    try:
        for line in _report(request["program"], request["calls"]):
            data = line.encode("ascii")
            while data:
                data = data[write(REPORT, data) :]
    except MemoryError:
        leave(NO_MEMORY)
    except BaseException:  # noqa: BLE001 - the program may have changed anything; the report ends here
        leave(1)
    leave(0)


def waited(process: int | str) -> int:
    """How long a process has waited for a processor that others used, in nanoseconds; 0 where nobody counts it."""
    try:
        with open(f"/proc/{process}/schedstat", "rb", buffering=0) as counts:
            return int(counts.read().split()[1])
    except (OSError, IndexError):
        return 0


def _shut(limits: dict[str, Any], door: Door, ends: Ends, parent: int) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could take this process along
        os._exit(BROKEN)
    waited_ns = waited("self")
    random.seed(0)  # a program that draws at random does the same each time
    # None of the ends is overwritten before it is used: the zygote's own 0, 1, 2 are open, so none of them is there.
    for place, end in enumerate((ends.nothing, ends.printed, ends.printed, ends.report)):
        os.dup2(end, place)
    if door.ruleset is not None:
        door.ruleset.lay()
    os.closerange(REPORT + 1, OPEN_FILES)
    seconds = int(limits["time_s"]) + _SPARE_CPU_S
    for kind, most in (
        (resource.RLIMIT_AS, door.base_bytes + (limits["memory_mib"] << 20)),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (most, most))
    if door.filter is not None:
        door.filter.lay()
    ready = ["ready", time.monotonic_ns(), waited_ns, time.process_time_ns()]
    os.write(REPORT, json.dumps(ready).encode() + b"\n")


def _report(program: str, calls: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of the report, each when it is known."""
    warnings.simplefilter("ignore")  # of its syntax; they would be printed
    try:
        code = compile(program, _FILE, "exec", dont_inherit=True)
    except MemoryError:
        yield _error(-1, MEMORY, "out of memory while it was compiled")
        return
    except BaseException as error:  # noqa: BLE001 - the compiler has many ways to refuse a text
        yield _error(-1, PARSE, _described(error))
        return
    namespace: dict[str, Any] = {"__name__": "program", "__builtins__": __builtins__}
    try:
        exec(code, namespace)
    except BaseException as error:  # noqa: BLE001 - a program may raise anything, to end us as well
        yield _failure(-1, error)
        return
    for index, call in enumerate(calls):
        yield _answer(index, namespace, call)
    sys.stdout.flush()
    sys.stderr.flush()
    yield END.decode()


def _answer(index: int, namespace: dict[str, Any], call: dict[str, Any]) -> str:
    """The line about one call."""
    name = call["function"]
    try:
        if name not in namespace:
            raise NameError(f"the program defines no {name!r}")
        value = namespace[name](*json.loads(call["arguments"]))
    except BaseException as error:  # noqa: BLE001 - a program may raise anything, to end us as well
        return _failure(index, error)
    try:
        return _line("value", index, _plain(value, DEEPEST))
    except BaseException as error:  # noqa: BLE001 - a value may be hostile
        return _failure(index, error, NOT_PLAIN)


def _plain(value: Any, depth: int) -> Any:  # noqa: ANN401 - anything
    """The same value if it is made of JSON's own types and no others, a subclass being another.

    Raises:
        TypeError: another type, or a key that is no text.
        ValueError: nested deeper than allowed. Numbers without a finite value are refused where they are written.
    """
    kind = type(value)
    if kind is float or kind is int or kind is str or kind is bool or value is None:
        return value
    if depth == 0:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if kind is list or kind is tuple:
        return [_plain(one, depth - 1) for one in value]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise TypeError("a key is not a str")
        return {key: _plain(one, depth - 1) for key, one in value.items()}
    raise TypeError(f"a value is of a type that is not plain data: {kind.__name__}")


def _line(*parts: Any) -> str:  # noqa: ANN401 - anything JSON
    return json.dumps(parts, allow_nan=False) + "\n"


def _failure(index: int, error: BaseException, kind: str = RAISED) -> str:
    if isinstance(error, MemoryError):
        return _error(index, MEMORY, "out of memory")
    return _error(index, kind, _described(error))


def _error(index: int, kind: str, text: str) -> str:
    return _line("error", index, kind, text[:_LONGEST_ERROR])


def _described(error: BaseException) -> str:
    """An exception in words, with the program's line; its own methods may be hostile."""
    try:
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == _FILE:
                line = trace.tb_lineno
            trace = trace.tb_next
        place = "" if line is None else f" (line {line})"
        return f"{type(error).__name__}: {str(error)[:_LONGEST_ERROR]}{place}"
    except BaseException:  # noqa: BLE001 - its own methods
        return "an exception that cannot be described"
