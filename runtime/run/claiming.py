"""Which folder a new run gets: one that no run has, taken under a lock, so that two at once get two folders."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import ConfigError
from runtime.locks import OwnedLock
from runtime.storage import storage_errors

MANIFEST = "manifest.json"
"""Written last on creation: a folder with it is a run."""

LOCK = ".lock"
"""Held by the live process of a run."""

_OURS = (
    MANIFEST, "config.yaml", "overrides.txt", "metrics.jsonl", "events.jsonl", "summary.json", "checkpoints",
    "figures", "report.html",
)  # fmt: skip
_MAX_SUFFIX = 10_000


def claim_folder(path: Path, *, owner: str) -> tuple[Path, OwnedLock]:
    """The first of `path`, `path-2`, ... that holds no run and that nobody else is claiming, with its lock."""
    for number in range(1, _MAX_SUFFIX):
        folder = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if _is_taken(folder):
            continue
        lock = OwnedLock(folder / LOCK, owner=owner)
        if not lock.acquire():
            continue
        if not _is_taken(folder):  # again, now that nobody else can start one here
            return folder, lock
        lock.release()
    raise ConfigError("no free folder name left", got=f"{path}-{_MAX_SUFFIX}", where=path)


def _is_taken(folder: Path) -> bool:
    return any((folder / name).exists() for name in _OURS)
