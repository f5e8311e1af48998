"""What one request may ask for, and what is answered to more.

Every limit has a default far above what the benchmark's own problems need (35 tests, tapes of a few dozen symbols),
so a refusal means a mistake or an attack. Times are in seconds, sizes in the unit of the name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TAPE_FIELDS = ("input", "expected_output")


@dataclass(frozen=True)
class Limits:
    """Bounds of the service. All positive."""

    max_body_bytes: int = 8 << 20
    max_program_chars: int = 100_000
    max_tests: int = 1_000
    max_tape_symbols: int = 10_000
    """Of an input, and of an expected output."""
    max_response_bytes: int = 32 << 20
    """A run of 1,000 visits to nodes with long names is a long path; this bounds all paths of a response."""
    max_queue: int = 10_000
    """Requests that are read or wait for a worker at one time; more are sent away."""
    max_held_bytes: int = 256 << 20
    """Bodies of all requests together."""
    body_timeout_s: float = 10.0
    """For a body to arrive in full; also for the head of a request."""
    judge_timeout_s: float = 30.0
    """For one request in a worker; then the worker is replaced."""
    queue_timeout_s: float = 120.0
    """For a worker to become free."""


class LimitError(Exception):
    """A request that is larger than allowed.

    Args:
        loc: path of the offending field, such as `("test_cases", 3, "input")`; empty for the request as a whole.
        what: what is too large, in words.
        got: its size.
        limit: the largest size that would have been accepted.
        unit: of both.
    """

    def __init__(
        self, loc: tuple[str | int, ...], what: str, got: int, limit: int, unit: str
    ) -> None:
        self.loc, self.got, self.limit = loc, got, limit
        words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
        self.field = words.lstrip(".") or "body"
        super().__init__(f"{self.field}: {what}: got {got} {unit}, limit {limit} {unit}")

    def as_detail(self) -> list[dict[str, Any]]:
        """The body of a 413, in the shape of a validation error with the numbers beside it."""
        return [
            {
                "type": "limit",
                "loc": ["body", *self.loc],
                "msg": str(self),
                "field": self.field,
                "got": self.got,
                "limit": self.limit,
            }
        ]


def check_request(request: object, limits: Limits) -> None:
    """Refuse what is too large, before anything looks at it closely; wrong types are left to validation.

    Args:
        request: the decoded body.
        limits: the bounds.

    Raises:
        LimitError: the first field that is too large.
    """
    if not isinstance(request, Mapping):
        return
    program, cases = request.get("dsl"), request.get("test_cases")
    if isinstance(program, str) and len(program) > limits.max_program_chars:
        raise LimitError(
            ("dsl",),
            "the program is too long",
            len(program),
            limits.max_program_chars,
            "characters",
        )
    if not isinstance(cases, Sequence):
        return
    if not isinstance(cases, str) and len(cases) > limits.max_tests:
        raise LimitError(("test_cases",), "too many tests", len(cases), limits.max_tests, "tests")
    for number, case in enumerate(cases):
        for name in _TAPE_FIELDS if isinstance(case, Mapping) else ():
            tape = case.get(name)
            if isinstance(tape, str) and len(tape) > limits.max_tape_symbols:
                raise LimitError(
                    ("test_cases", number, name),
                    "the tape is too long",
                    len(tape),
                    limits.max_tape_symbols,
                    "symbols",
                )
