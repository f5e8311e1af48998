"""Append-only JSON lines: what metrics and events are kept in."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.errors import InputError
from runtime.storage.files import atomic_write_bytes, read_bytes, storage_errors, to_json, write_all

_CHUNK_BYTES = 1 << 16


class JsonlWriter:
    """Append records to a JSON-lines file, one system call a line: a kill tears at most the last line.

    A torn last line left by an earlier kill is cut off when the file is opened. When the disk fills
    up in the middle of a line, the part that was written is taken back, so later lines stay
    readable.

    Args:
        path: created when absent; its folder must exist.

    Raises:
        StorageError: the disk refused, on opening or on any write.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with storage_errors(self.path):
            self._descriptor: int | None = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o666
            )
            _repair_tail(self._descriptor)

    def write(self, obj: dict[str, Any]) -> None:
        """Append one record.

        Raises:
            ValueError: a number is not finite, or the writer is closed.
            StorageError: the disk refused; nothing of the record is left in the file.
        """
        data = (to_json(obj) + "\n").encode()
        descriptor = self._open_descriptor()
        with storage_errors(self.path):
            start = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, data)
            except OSError:
                with contextlib.suppress(OSError):  # the first refusal is the one to report
                    os.ftruncate(descriptor, start)
                raise

    def flush(self, *, sync: bool = True) -> None:
        """Make the lines durable against power loss; a kill of the process never loses a written line."""
        if sync:
            with storage_errors(self.path):
                os.fsync(self._open_descriptor())

    def close(self) -> None:
        """Sync and close; a second call does nothing."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        with storage_errors(self.path):
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def __enter__(self) -> JsonlWriter:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"{self.path} is closed")
        return self._descriptor


def read_jsonl(path: Path | str, *, tolerate_torn_tail: bool = True) -> list[dict[str, Any]]:
    """All records of a JSON-lines file; blank lines are skipped.

    Args:
        path: the file.
        tolerate_torn_tail: leave out a last line that has no line end and is not a complete record:
            what a kill leaves behind. False: such a line is an error, as for files written by
            people.

    Raises:
        InputError: the file is absent or unreadable, or a line is not a JSON object; `where` is
            path:line.
    """
    path = Path(path)
    lines = read_bytes(path).split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append(_parse_record(line))
        except ValueError as error:
            if tolerate_torn_tail and number == len(lines):
                break
            raise InputError(f"not a JSON object ({error})", where=f"{path}:{number}") from error
    return records


def truncate_jsonl(path: Path | str, keep: Callable[[dict[str, Any]], bool]) -> int:
    """Atomically drop the records that `keep` refuses, and a torn last line; the rest stays byte for byte.

    A file that does not exist is left so. No writer may have the file open.

    Returns:
        The number of records dropped.

    Raises:
        InputError: a line other than a torn last one is not a JSON object.
        StorageError: the disk refused; the file is untouched.
    """
    path = Path(path)
    if not path.exists():
        return 0
    records = read_jsonl(path)
    lines = [line for line in read_bytes(path).split(b"\n") if line.strip()][: len(records)]
    kept = [line for line, record in zip(lines, records, strict=True) if keep(record)]
    atomic_write_bytes(path, b"".join(line + b"\n" for line in kept))
    return len(records) - len(kept)


def _parse_record(line: bytes) -> dict[str, Any]:
    record = json.loads(line, parse_constant=_refuse_constant)
    if not isinstance(record, dict):
        raise ValueError(f"got {type(record).__name__}")
    return record


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _repair_tail(descriptor: int) -> None:
    """End the file on a whole record: cut a torn last line, or end a whole one that lacks its line end."""
    size = os.fstat(descriptor).st_size
    tail = b""
    start = size
    while start > 0 and b"\n" not in tail:
        step = min(start, _CHUNK_BYTES)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    tail = tail[tail.rfind(b"\n") + 1 :]
    if not tail:
        return
    try:
        _parse_record(tail)
    except ValueError:
        os.ftruncate(descriptor, size - len(tail))
    else:
        os.write(descriptor, b"\n")
