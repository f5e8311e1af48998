"""Whole files: strict JSON, atomic writes, and a refusing disk as an error that names the path."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import secrets
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from runtime.errors import InputError, StorageError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, then resume or run again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then resume or run again"),
    errno.EFBIG: ("the file would be larger than is allowed here", None),
    errno.EROFS: ("the file system is read-only", "choose a folder on a writable disk"),
    errno.EACCES: ("no permission to write", "choose a folder you may write to"),
    errno.EPERM: ("no permission to write", "choose a folder you may write to"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", None),
    errno.EISDIR: ("the path is a folder, not a file", None),
    errno.ENAMETOOLONG: ("the path is too long", "choose a shorter name"),
    errno.EMFILE: ("too many open files", None),
    errno.EIO: ("the disk reports an input/output error", "check the disk"),
}


@contextlib.contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError that names `path` and says why."""
    try:
        yield
    except OSError as error:
        fallback = (error.strerror or str(error) or type(error).__name__, None)
        what, hint = _REASONS.get(error.errno or 0, fallback)
        raise StorageError(what, where=path, hint=hint) from error


def to_json(obj: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 - any JSON-able tree
    """Strict JSON text: paths and enums by value, array scalars as numbers, never NaN or Infinity.

    Raises:
        ValueError: a number is not finite; the message names its dotted key.
        TypeError: a value has no JSON form.
    """
    try:
        return json.dumps(obj, allow_nan=False, ensure_ascii=False, indent=indent, default=_plain)
    except ValueError as error:
        keys = null_nonfinite(obj)[1]
        if not keys:
            raise
        raise ValueError(f"{keys[0] or 'the value'} is not finite and has no JSON form") from error


def null_nonfinite(obj: Any, path: str = "") -> tuple[Any, list[str]]:  # noqa: ANN401
    """A copy of a tree of dicts and lists with None for every NaN and infinity, and their dotted keys."""
    if isinstance(obj, float):
        return (obj, []) if math.isfinite(obj) else (None, [path])
    if not isinstance(obj, (dict, list, tuple)):
        return obj, []
    pairs = obj.items() if isinstance(obj, dict) else enumerate(obj)
    copies, keys = {}, []
    for key, value in pairs:
        copies[key], found = null_nonfinite(value, f"{path}.{key}" if path else str(key))
        keys += found
    return (copies if isinstance(obj, dict) else list(copies.values())), keys


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if getattr(value, "size", None) == 1 or getattr(value, "ndim", None) == 0:
        return value.item()  # a NumPy, torch or JAX scalar
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def atomic_write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    Raises:
        StorageError: the disk refused; the old file is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with storage_errors(path):
        try:
            write_synced(temporary, data)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def atomic_write_text(path: Path | str, text: str) -> None:
    """`atomic_write_bytes` for UTF-8 text; line ends are written as they are."""
    atomic_write_bytes(path, text.encode())


def atomic_write_json(path: Path | str, obj: Any) -> None:  # noqa: ANN401
    """Write indented strict JSON atomically; converted before the disk is touched."""
    atomic_write_text(path, to_json(obj, indent=2) + "\n")


def read_json(path: Path | str) -> Any:  # noqa: ANN401
    """The content of a JSON file.

    Raises:
        InputError: the file is absent, unreadable or not JSON.
    """
    data = read_bytes(Path(path))
    try:
        return json.loads(data)
    except ValueError as error:
        raise InputError(f"not valid JSON ({error})", where=path) from error


def write_synced(path: Path, data: bytes) -> None:
    """Create a file that must not exist yet, with its content on disk on return. Raises OSError."""
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666
    )
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything; one system call unless the disk takes less. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_bytes(path: Path) -> bytes:
    """A file's content; InputError when it is absent or unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from error


def sync_directory(path: Path) -> None:
    """Make new names inside a folder durable; does nothing where folders cannot be synced."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)
