"""What goes into the sandbox and what comes out: plain frozen data, JSON values, facts.

An expected value has no place here: it would enter the process of the program that is asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of a program. `RAN` says that every call returned a value, not that one is right."""

    RAN = "ran"
    NO_PROGRAM = "no_program"
    """The text is empty."""
    PARSE_ERROR = "parse_error"
    """The text is not Python."""
    RUNTIME_ERROR = "runtime_error"
    """It raised, in itself or in a call; or it ended by itself; or a value is not plain data."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    FORBIDDEN = "forbidden"
    """The kernel ended it for a system call that no program needs."""
    INFRASTRUCTURE_ERROR = "infrastructure_error"
    """Our own machinery failed, again and again. Says nothing about the program, and is never a reward."""


class Level(StrEnum):
    """How a program is locked in. Only `FULL` is chosen without being named."""

    FULL = "full"
    """Two walls around files, Landlock and the filter of system calls."""
    FILTER = "filter"
    """The filter alone, which then refuses to open any file: modules that are not loaded cannot be imported."""
    LIMITS = "limits"
    """Time, memory and output are limited, nothing else. Not for programs that nobody trusts."""


@dataclass(frozen=True)
class Limits:
    """What one program may use, over all its calls. Starting its process is not charged."""

    time_s: float = 1.0
    """Of processor time, and of time passed; waiting for a processor that others use does not count."""
    memory_mib: int = 256
    """Of address space beyond that of an empty program."""
    output_kib: int = 256
    """Of what it prints and of the values that it returns, together."""

    def __post_init__(self) -> None:
        """Refuse what would mean no limit, or no program.

        Raises:
            ValueError: a limit outside its range.
        """
        for name, low, high in (
            ("time_s", 0.01, 3600),
            ("memory_mib", 1, 1 << 20),
            ("output_kib", 1, 1 << 18),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: got {value!r}, expected {low} to {high}")


@dataclass(frozen=True)
class Call:
    """One call of one function of the program."""

    function: str
    arguments: tuple[Any, ...] = ()
    """JSON values, made anew for each call."""


@dataclass(frozen=True)
class Job:
    """One program and what is asked of it. Its text runs once, then the calls in their order."""

    program: str
    calls: tuple[Call, ...]
    limits: Limits = Limits()


@dataclass(frozen=True)
class CallResult:
    """What one call came to."""

    returned: bool
    """Whether it returned plain data; None is a value as well."""
    value: Any = None
    """None, bool, int, finite float, str, list, dict with str keys; a tuple arrives as a list."""
    error: str = ""
    """Why it did not return, in words; empty when it did."""


@dataclass(frozen=True)
class Execution:
    """Facts about one job."""

    status: Outcome
    """`RAN`, or the first thing that went wrong."""
    results: tuple[CallResult, ...]
    """One a call, in order; those that finished before the program was ended keep their values."""
    message: str = ""
    """Why it is not `RAN`, in words; may quote the program."""
    cpu_s: float = 0.0
    """Processor time, without starting."""
    wall_s: float = 0.0
    """Time passed, without starting, waiting for a processor included."""
    memory_mib: float = 0.0
    """Highest resident memory, the empty program's included."""
    stdout: str = ""
    """The last of what it printed, errors included."""
