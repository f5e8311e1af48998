"""Locks between processes that die with their holder, and say who the holder is.

The lock itself is the kernel's, through `filelock`, so a killed process never leaves one behind. A
small file beside it tells people who holds it; that file is information only and never decides
anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import StorageError
from runtime.storage import storage_errors, to_json

if TYPE_CHECKING:
    from filelock import BaseFileLock

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    owner: str
    """What the process does, for people: a run folder, a command."""
    since: float
    """Unix time in seconds."""

    def __str__(self) -> str:
        """One phrase for an error message."""
        return f"process {self.pid} on {self.host} ({self.owner})"


class OwnedLock:
    """An exclusive lock on a path, between processes and within one.

    Args:
        path: the lock file; created when absent, never removed (removing one splits its waiters).
        owner: what the holder does, for people.
        mode: permissions of the lock file; 0o666 for one shared between users.
    """

    def __init__(self, path: Path | str, *, owner: str, mode: int = 0o644) -> None:
        self.path = Path(path)
        self.owner = owner
        self._mode = mode
        self._lock: BaseFileLock | None = None

    @property
    def held(self) -> bool:
        """True while this object holds the lock."""
        return self._lock is not None

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock; False when another holder keeps it for the whole of `timeout_s`.

        Raises:
            StorageError: the lock file cannot be created or opened.
        """
        lock = _try_lock(self.path, timeout_s, self._mode)
        if lock is None:
            return False
        self._lock = lock
        holder = Holder(os.getpid(), socket.gethostname(), self.owner, time.time())
        with contextlib.suppress(OSError):  # information only
            _holder_path(self.path).write_text(to_json(asdict(holder)), encoding="utf-8")
        return True

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        with contextlib.suppress(OSError):
            _holder_path(self.path).unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path | str, *, wait_s: float = 0.0) -> Holder | None:
    """Who says that they hold the lock; None when nobody does or the note stays unreadable for `wait_s`.

    A holder writes the note just after taking the lock: whoever was refused in between asks with a wait.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return Holder(**json.loads(_holder_path(Path(path)).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            if time.monotonic() >= deadline:
                return None
            time.sleep(_POLL_S)


def is_held(path: Path | str) -> bool:
    """True while a live process holds the lock, or this user may not ask. An absent lock file is not held."""
    path = Path(path)
    if not path.exists():
        return False
    try:
        lock = _try_lock(path, 0.0, 0o644)
    except StorageError:
        return True
    if lock is None:
        return True
    lock.release()
    return False


def _try_lock(path: Path, timeout_s: float, mode: int) -> BaseFileLock | None:
    from filelock import FileLock, Timeout  # 40 ms to import, and most commands take no lock

    lock = FileLock(path, timeout=timeout_s, mode=mode, thread_local=False)
    with storage_errors(path):
        try:
            lock.acquire(poll_interval=_POLL_S)
        except Timeout:  # an OSError too, so it is caught before the disk is blamed
            return None
    return lock


def _holder_path(path: Path) -> Path:
    return path.with_name(path.name + ".holder")
