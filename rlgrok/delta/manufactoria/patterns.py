"""Regular expressions in expected outputs, matched in bounded time (delta-manufactoria.md, section 3).

Python's engine backtracks, and nothing can interrupt it: `(R+)+B` on forty R's takes hours. What tests plausibly ask
for - letters, dots, classes of letters, groups, alternatives, quantifiers - is matched here by walking sets of
positions, in time linear in the tape. Anything else (back references, look-around, escapes, anchors) goes to Python's
engine in a child process, which is ended when it takes too long. What surprises: a match that takes too long is an
error, not "no match", because the reference would still be at work.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from functools import lru_cache
from typing import NamedTuple

from runtime.errors import InputError

DEADLINE_S = 0.3
"""Processor time for one match outside the subset, so that a busy machine gives the same answers; past it, the kernel
ends the process. The reference's own client waits 5 s for a whole request."""
_MAX_POSITIONS = 1000
_MAX_DEPTH = 50
_MAX_WORK = 2_000_000
"""Positions looked at for one tape: a third of a second."""
_PATIENCE_S = 30.0  # for a process that gets no processor
_CHILD = f"""
import json, re, signal, sys
print(flush=True)
for line in sys.stdin:
    pattern, tape = json.loads(line)
    signal.setitimer(signal.ITIMER_PROF, {DEADLINE_S})
    try:
        found = re.fullmatch(pattern, tape) is not None
    except (re.error, OverflowError, RecursionError):
        found = pattern == tape
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(int(found), flush=True)
"""


class PatternTimeout(InputError):
    """A match that was given up, so that the verdict is unknown: the data ask for too much."""


def matches(pattern: str, tape: str) -> bool:
    """Whether a tape matches a pattern in full; a text that is no pattern is compared as it is.

    Raises:
        PatternTimeout: it takes too long.
    """
    positions = _compiled(pattern)
    if positions is None:
        return _child.ask(pattern, tape)
    return _walk(positions, tape)


class _Unsupported(Exception):
    """Not in the subset that is matched here."""


class _Positions(NamedTuple):
    """A pattern as Glushkov's automaton: one state a letter."""

    letters: tuple[frozenset[str] | None, ...]
    """What each position takes; None: any character but a line break."""
    first: frozenset[int]
    follow: tuple[frozenset[int], ...]
    last: frozenset[int]
    nullable: bool


class _Part(NamedTuple):
    nullable: bool
    first: frozenset[int]
    last: frozenset[int]


_NOTHING = _Part(True, frozenset(), frozenset())


class _Reader:
    """Reads one pattern; raises `_Unsupported` on the first thing outside the subset."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.letters: list[frozenset[str] | None] = []
        self.follow: list[set[int]] = []

    def read(self) -> _Positions:
        whole = self._alternatives(0)
        if self.at < len(self.text):
            raise _Unsupported  # an unbalanced bracket: Python says what it is
        follow = tuple(map(frozenset, self.follow))
        return _Positions(tuple(self.letters), whole.first, follow, whole.last, whole.nullable)

    def _alternatives(self, depth: int) -> _Part:
        if depth > _MAX_DEPTH:
            raise _Unsupported
        part = self._sequence(depth)
        while self.text.startswith("|", self.at):
            self.at += 1
            other = self._sequence(depth)
            part = _Part(
                part.nullable or other.nullable, part.first | other.first, part.last | other.last
            )
        return part

    def _sequence(self, depth: int) -> _Part:
        part = _NOTHING
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            following = self._quantified(depth)
            for position in part.last:
                self.follow[position] |= following.first
            part = _Part(
                part.nullable and following.nullable,
                part.first | following.first if part.nullable else part.first,
                part.last | following.last if following.nullable else following.last,
            )
        return part

    def _quantified(self, depth: int) -> _Part:
        part = self._atom(depth)
        sign = self.text[self.at : self.at + 1]
        if sign in ("*", "+", "?") and sign:
            self.at += 1
            if self.text[self.at : self.at + 1] == "?":  # lazy: the same for a match in full
                self.at += 1
            if self.text[self.at : self.at + 1] in ("*", "+", "?", "{") and self.at < len(
                self.text
            ):
                raise _Unsupported  # possessive, or repeated twice
            if sign != "?":
                for position in part.last:
                    self.follow[position] |= part.first
            part = part._replace(nullable=part.nullable or sign != "+")
        elif sign == "{":
            raise _Unsupported
        return part

    def _atom(self, depth: int) -> _Part:
        sign = self.text[self.at]
        if sign in "*+?{}[]^$\\":
            if sign == "[":
                return self._class()
            raise _Unsupported
        self.at += 1
        if sign == "(":
            return self._group(depth)
        return self._position(None if sign == "." else frozenset(sign))

    def _group(self, depth: int) -> _Part:
        if self.text.startswith("?", self.at):
            if not self.text.startswith("?:", self.at):
                raise _Unsupported
            self.at += 2
        part = self._alternatives(depth + 1)
        if not self.text.startswith(")", self.at):
            raise _Unsupported
        self.at += 1
        return part

    def _class(self) -> _Part:
        """A class of plain letters, such as [RB]."""
        end = self.text.find("]", self.at + 1)
        inside = self.text[self.at + 1 : end]
        if end < 0 or not inside.isalnum():
            raise _Unsupported
        self.at = end + 1
        return self._position(frozenset(inside))

    def _position(self, letters: frozenset[str] | None) -> _Part:
        here = len(self.letters)
        if here >= _MAX_POSITIONS:
            raise _Unsupported
        self.letters.append(letters)
        self.follow.append(set())
        return _Part(False, frozenset({here}), frozenset({here}))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Positions | None:
    """The automaton of a pattern; None outside the subset."""
    if len(pattern) > 4 * _MAX_POSITIONS:
        return None
    try:
        return _Reader(pattern).read()
    except _Unsupported:
        return None


def _walk(positions: _Positions, tape: str) -> bool:
    """Follow every way through the automaton at once. Each set of positions is worked out once for each symbol."""
    if not tape:
        return positions.nullable
    moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}
    here = positions.first
    work = 0
    for place, symbol in enumerate(tape):
        key = (here, symbol)
        there = moves.get(key)
        if there is None:
            taken = [p for p in here if _takes(positions.letters[p], symbol)]
            if place == len(tape) - 1:
                return not positions.last.isdisjoint(taken)
            there = frozenset().union(*(positions.follow[p] for p in taken))
            work += len(here) + sum(len(positions.follow[p]) for p in taken)
            if work > _MAX_WORK:
                raise _too_long(tape)
            if len(moves) < _MAX_POSITIONS:
                moves[key] = there
        elif place == len(tape) - 1:
            return any(_takes(positions.letters[p], symbol) for p in here & positions.last)
        here = there
        if not here:
            return False
    return False


def _takes(letters: frozenset[str] | None, symbol: str) -> bool:
    return symbol != "\n" if letters is None else symbol in letters


def _too_long(tape: str) -> PatternTimeout:
    return PatternTimeout(
        f"a pattern that takes too long to match with {len(tape)} symbols", where="expected_output"
    )


class _Child:
    """A process with Python's engine, started when it is needed and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def ask(self, pattern: str, tape: str) -> bool:
        """Whether the tape matches, if the answer comes in time."""
        with self._lock:
            process = self._running()
            answer = ""
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps([pattern, tape]) + "\n")
                process.stdin.flush()
                if select.select([process.stdout], [], [], _PATIENCE_S)[0]:
                    answer = process.stdout.readline()
            if not answer:
                self._end()
                raise _too_long(tape)
            return answer.strip() == "1"

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid():  # never the process of a parent
            if not self._owner:
                atexit.register(self.close)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            self._owner = os.getpid()
            select.select([self._process.stdout], [], [], _PATIENCE_S)
            self._process.stdout.readline()  # its sign of being ready
        return self._process

    def _end(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
        self._process = None


_child = _Child()
