"""Whether a wall holds here: found by running against it in a process of its own, never by asking for a version.

Standard library alone: the zygote imports this.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Collection

from rlgrok.sandbox import landlock, syscalls
from rlgrok.sandbox.filter import Filter
from rlgrok.sandbox.landlock import Ruleset

LANDLOCK, FILTER, CAPABILITIES, NAMESPACES = "landlock", "filter", "capabilities", "namespaces"
LAYERS = (LANDLOCK, FILTER, CAPABILITIES, NAMESPACES)
_HELD, _LEAKED, _IN_THE_WAY = 10, 11, 12
_NAMESPACES = syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC
_OUTSIDE = "/proc/self/status"
"""A file that everybody may read, outside the standard library."""


def folders() -> list[str]:
    """Where the standard library is: all that this interpreter, started without site packages, looks in."""
    return [path for path in sys.path if path]


def give_up_powers(layers: Collection[str]) -> dict[str, str]:
    """What the zygote itself gives up, once, for all its programs.

    Returns:
        Why not, by layer, for those that cannot be had; empty when all can.

    Raises:
        MissingError: not even what every kernel has had for a decade.
    """
    problems = {}
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if NAMESPACES in layers:
        problems.update(_problem(NAMESPACES, _separate))
    if CAPABILITIES in layers:
        problems.update(_problem(CAPABILITIES, syscalls.drop_capabilities))
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # nobody of the same user may look into this memory
    return problems


def walls(layers: Collection[str]) -> tuple[Ruleset | None, Filter | None, dict[str, str]]:
    """What is laid on each program's process, tried out; None for a wall that does not hold or was not asked for.

    Returns:
        The two walls; why not, by layer, for those that were asked for and do not hold.
    """
    problems: dict[str, str] = {}
    ruleset = filter_ = None
    if LANDLOCK in layers:
        try:
            ruleset = Ruleset(folders())
        except (syscalls.MissingError, OSError) as error:
            problems[LANDLOCK] = str(error)
        else:
            problems.update(_problem(LANDLOCK, lambda: _try_landlock(ruleset)))
    if FILTER in layers:
        try:
            filter_ = Filter(opens=ruleset is not None)
        except syscalls.MissingError as error:
            problems[FILTER] = str(error)
        else:
            problems.update(_problem(FILTER, lambda: _try_filter(filter_)))
    return ruleset, filter_, problems


def facts() -> dict[str, object]:
    """Every layer tried by itself, for people: None where it holds, else why it does not."""
    found = give_up_powers((NAMESPACES, CAPABILITIES))
    found |= walls((LANDLOCK, FILTER))[2]
    try:
        version = landlock.version()
    except syscalls.MissingError:
        version = None
    return {
        "layers": {name: found.get(name) for name in LAYERS},
        "landlock_abi": version,
        "machine": os.uname().machine,
        "waiting_is_counted": os.path.exists("/proc/self/schedstat"),
    }


def print_facts() -> None:
    """On standard output, as JSON: the whole work of a process that ends then."""
    os.write(1, json.dumps(facts()).encode())


def address_space() -> int:
    """Of this process, in bytes."""
    with open("/proc/self/statm", "rb") as counts:
        return int(counts.read().split()[0]) * resource.getpagesize()


def _problem(layer: str, attempt: Callable[[], object]) -> dict[str, str]:
    try:
        attempt()
    except (syscalls.MissingError, OSError) as error:
        return {layer: str(error)}
    return {}


def _separate() -> None:
    """A user without rights outside, a network without interfaces, no shared memory of others."""
    syscalls.call("unshare", _NAMESPACES)


def _try_landlock(ruleset: Ruleset) -> None:
    def attempt() -> int:
        ruleset.lay()
        try:
            with open(os.__file__, "rb") as own:
                own.read(1)
        except OSError:
            return _IN_THE_WAY
        try:
            os.close(os.open(_OUTSIDE, os.O_RDONLY))
        except PermissionError:
            return _HELD
        return _LEAKED

    _expect(_HELD, _forked(attempt), "a file outside could be read")


def _try_filter(filter_: Filter) -> None:
    def attempt() -> int:
        filter_.lay()
        socket.socket()
        return _LEAKED

    _expect(-signal.SIGSYS, _forked(attempt), "a socket could be made")


def _forked(attempt: Callable[[], int]) -> int:
    """The wait status of a process that makes an attempt."""
    process = os.fork()
    if process == 0:
        code = _IN_THE_WAY
        try:
            code = attempt()
        finally:
            os._exit(code)
    return os.waitpid(process, 0)[1]


def _expect(wanted: int, process_status: int, otherwise: str) -> None:
    """`wanted` is an exit code, or the negative of a signal, as `os.waitstatus_to_exitcode` has it.

    Raises:
        MissingError: it ended in another way.
    """
    code = os.waitstatus_to_exitcode(process_status)
    if code != wanted:
        reasons = {_LEAKED: otherwise, _IN_THE_WAY: "the kernel refuses it, or it is in the way"}
        raise syscalls.MissingError(reasons.get(code, f"trying it ended with code {code}"))
