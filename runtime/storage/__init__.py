"""Files that survive a kill at any instant: atomic writes, JSON lines, published folders, hashes.

Every function turns a refusing disk (full, read-only, no permission) into a `StorageError` that
names the path. Not guaranteed: that two processes may write the same file at once (a run folder has
one holder, see `runtime/run.py`).
"""

from runtime.storage.files import (
    atomic_write_bytes,
    atomic_write_json,
    atomic_write_text,
    null_nonfinite,
    read_json,
    storage_errors,
    sync_directory,
    to_json,
)
from runtime.storage.folders import MARKER, content_hash, damage, is_complete, publish_directory
from runtime.storage.lines import JsonlWriter, read_jsonl, truncate_jsonl

__all__ = [
    "MARKER",
    "JsonlWriter",
    "atomic_write_bytes",
    "atomic_write_json",
    "atomic_write_text",
    "content_hash",
    "damage",
    "is_complete",
    "null_nonfinite",
    "publish_directory",
    "read_json",
    "read_jsonl",
    "storage_errors",
    "sync_directory",
    "to_json",
    "truncate_jsonl",
]
