"""Folders that appear whole or not at all, and hashes of what files and folders contain."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.storage.files import storage_errors, sync_directory, to_json, write_synced

MARKER = "COMPLETE"
"""The file that says a published folder is whole: a list of every file with its size and hash."""


def publish_directory(staging: Path | str, final: Path | str) -> None:
    """Make a finished folder visible under its final name in one step: sync, marker, rename.

    An existing folder of that name is replaced; a kill in between leaves either the old folder, or
    the complete new one under its staging name, and never a half-written one under the final name.

    Args:
        staging: a folder on the same disk, complete; it is gone afterwards.
        final: the name to publish under.

    Raises:
        StorageError: the disk refused.
    """
    staging, final = Path(staging), Path(final)
    with storage_errors(final):
        listing = {
            str(name): _sync_file(staging / name) for name in _files(staging) if str(name) != MARKER
        }
        (staging / MARKER).unlink(missing_ok=True)
        for folder in (*(found for found in staging.rglob("*") if found.is_dir()), staging):
            sync_directory(folder)
        write_synced(staging / MARKER, (to_json({"files": listing}, indent=1) + "\n").encode())
        sync_directory(staging)
        _rename_over(staging, final)
        sync_directory(final.parent)


def is_complete(path: Path | str) -> bool:
    """True when a folder was published whole and every file has its recorded size; reads no contents."""
    return damage(path, contents=False) is None


def damage(path: Path | str, *, contents: bool = True) -> str | None:
    """What is wrong with a published folder, in words; None when it is whole.

    Args:
        path: the folder.
        contents: also compare every file's hash, which reads all of it; False compares sizes only.
    """
    path = Path(path)
    try:
        listing = json.loads((path / MARKER).read_bytes())["files"]
        for name, entry in listing.items():
            if (path / name).stat().st_size != entry["bytes"]:
                return f"{name} has changed its size"
            if contents and _file_digest(path / name) != entry["sha256"]:
                return f"{name} has changed its contents"
    except OSError as error:
        missing = Path(error.filename or path).name
        return (
            f"{missing} is missing"
            if isinstance(error, FileNotFoundError)
            else f"{missing} cannot be read"
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MARKER} is not readable"
    return None


def _rename_over(staging: Path, final: Path) -> None:
    """Rename a folder; one that is in the way is moved aside first and removed last."""
    if not final.exists():
        os.rename(staging, final)
        return
    aside = final.with_name(f".{final.name}.{secrets.token_hex(4)}.old")
    os.rename(final, aside)
    os.rename(staging, final)
    shutil.rmtree(aside, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    """Relative paths of every file below a folder, sorted."""
    return sorted(found.relative_to(folder) for found in folder.rglob("*") if found.is_file())


def _sync_file(path: Path) -> dict[str, Any]:
    """Sync one file and describe it for the marker."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return {"bytes": path.stat().st_size, "sha256": _file_digest(path)}


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(*parts: bytes | str | Path) -> str:
    """A hash of what the parts contain, as `sha256:<hex>`.

    Text and bytes count by value, a path by the content of the file, or of every file below the
    folder with its relative name; where the file or folder lies does not matter. Part boundaries
    matter: ("ab", "c") differs from ("a", "bc").

    Raises:
        InputError: a path does not exist or cannot be read.
    """
    total = hashlib.sha256(b"toolkit-content-1")
    for part in parts:
        tag, digest = _part_digest(part)
        total.update(tag + digest)
    return f"sha256:{total.hexdigest()}"


def _part_digest(part: bytes | str | Path) -> tuple[bytes, bytes]:
    if isinstance(part, bytes):
        return b"b", hashlib.sha256(part).digest()
    if isinstance(part, str):
        return b"s", hashlib.sha256(part.encode()).digest()
    try:
        if not part.is_dir():
            return b"f", bytes.fromhex(_file_digest(part))
        lines = [f"{name.as_posix()}\0{_file_digest(part / name)}\n" for name in _files(part)]
    except FileNotFoundError as error:
        raise InputError("no such file or folder", where=part) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=part) from error
    return b"d", hashlib.sha256("".join(lines).encode()).digest()
