"""JSON lines in a gzip file that grows: one gzip member an append, readable by any gzip, safe against a kill.

A member is written by one call and synced, so a kill can only tear the last one. What surprises: a multi-member file
is an ordinary gzip file; `zcat` and `gzip.open` read it whole.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runtime.errors import InputError
from runtime.storage import atomic_write_bytes, storage_errors, to_json

LEVEL = 3
"""Compression. Programs repeat themselves: higher levels save a tenth and cost three times as long."""
_GZIP = 31  # zlib's code for "a gzip header and trailer"


class Lines(NamedTuple):
    """What a file holds."""

    records: list[dict[str, Any]]
    is_torn: bool
    """The file ends in the middle of a member: a kill during an append. `records` has all that can be saved."""


def append_lines(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Append records as one member, durable on return; the file is created when absent.

    Raises:
        StorageError: the disk refused; what was written of the member is taken back.
        ValueError: a number is not finite; nothing is written.
    """
    if not records:
        return
    member = encode_lines(records)
    with storage_errors(path), path.open("ab") as file:
        start = os.fstat(file.fileno()).st_size
        try:
            file.write(member)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), start)
            raise


def encode_lines(records: Sequence[dict[str, Any]]) -> bytes:
    """One gzip member; the same bytes for the same records."""
    text = "".join(to_json(record) + "\n" for record in records)
    return gzip.compress(text.encode("utf-8"), LEVEL, mtime=0)


def read_lines(path: Path, keep: Callable[[dict[str, Any]], bool] | None = None) -> Lines:
    """Every record of the file; of a torn last member, the whole lines that can still be read.

    Args:
        path: the file.
        keep: records for which this is false are dropped while reading, which bounds memory. None: all are kept.

    Raises:
        InputError: no such file, unreadable, damaged before its last member, or a line that is not a JSON object.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from error
    text, is_torn = _decompress(data, path)
    records = []
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # not splitlines: texts may hold U+2028
        if not line:
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(f"not JSON ({error})", where=f"{path}, line {number}") from error
        if not isinstance(record, dict):
            raise InputError(
                "not a JSON object", got=type(record).__name__, where=f"{path}, line {number}"
            )
        if keep is None or keep(record):
            records.append(record)
    return Lines(records, is_torn)


def mend(path: Path) -> list[dict[str, Any]]:
    """The records of a file, after rewriting it without a torn end, so that it can be appended to; [] when absent.

    Raises:
        InputError: as `read_lines`.
        StorageError: the disk refused; the file is untouched.
    """
    if not path.exists():
        return []
    records, is_torn = read_lines(path)
    if is_torn:
        atomic_write_bytes(path, encode_lines(records) if records else b"")
    return records


def _decompress(data: bytes, path: Path) -> tuple[str, bool]:
    """The text of all members, and whether the last one is torn; a torn one yields its whole lines."""
    parts: list[bytes] = []
    rest = data
    while rest:
        if not rest.strip(b"\0"):  # space that the file system reserved and a power cut left empty
            return b"".join(parts).decode("utf-8"), True
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest)
        except zlib.error as error:
            where = f"{path}, byte {len(data) - len(rest)}"
            raise InputError(f"damaged gzip data ({error})", where=where) from error
        if not member.eof:
            parts.append(part[: part.rfind(b"\n") + 1])
            return b"".join(parts).decode("utf-8"), True
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts).decode("utf-8"), False
