"""Checkpoints of a training run: written aside, completed by a marker, published by a rename.

The trainer writes into a staging folder; `publish` adds our own state, makes it durable and moves it into place.
A kill at any instant leaves either a complete checkpoint or a staging folder that the next start throws away.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import CheckpointError
from runtime.storage import atomic_write_json, damage, publish_directory, storage_errors

STATE_FILE = "toolkit_state.json"
STATE_VERSION = 1
STAGING = ".staging"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    path: Path
    step: int


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step-{step:06d}"


def staging_folder(folder: Path) -> Path:
    """An empty folder for the trainer to write into; left-overs of a killed run are removed."""
    staging = folder / STAGING
    with storage_errors(staging):
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(parents=True)
    return staging


def discard_staging(folder: Path) -> None:
    """Remove what the trainer leaves where it wrote: a model card about nothing."""
    shutil.rmtree(folder / STAGING, ignore_errors=True)


def publish(written: Path, folder: Path, step: int, state: dict[str, Any]) -> Checkpoint:
    """Add our state to what the trainer wrote, make it durable, move it into place.

    Raises:
        StorageError: the disk refused; an earlier checkpoint of the step, if any, is still there.
    """
    atomic_write_json(written / STATE_FILE, {"version": STATE_VERSION, "step": step, **state})
    final = checkpoint_path(folder, step)
    publish_directory(written, final)
    return Checkpoint(final, step)


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """Published checkpoints, oldest first; their contents are not checked here."""
    found = []
    for path in folder.glob("step-*"):
        digits = path.name.removeprefix("step-")
        if digits.isdigit() and path.is_dir():
            found.append(Checkpoint(path, int(digits)))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def prune(folder: Path, keep: int, *, spared: Collection[int] = ()) -> None:
    """Remove all but the newest `keep` checkpoints and those of the `spared` steps, which are not counted."""
    regular = [found for found in list_checkpoints(folder) if found.step not in spared]
    for checkpoint in regular[:-keep]:
        with storage_errors(checkpoint.path):
            shutil.rmtree(checkpoint.path)


def read_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Our own state of a checkpoint.

    Raises:
        CheckpointError: the state is missing, unreadable or of another version.
    """
    path = checkpoint.path / STATE_FILE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "checkpoint state cannot be read", got=str(error), where=path
        ) from error
    if state.get("version") != STATE_VERSION or state.get("step") != checkpoint.step:
        raise CheckpointError(
            "checkpoint state does not fit",
            got=f"version {state.get('version')}, step {state.get('step')}",
            expected=f"version {STATE_VERSION}, step {checkpoint.step}",
            where=path,
        )
    return state


def newest_usable(folder: Path) -> tuple[Checkpoint, dict[str, Any], list[str]]:
    """The newest checkpoint that is complete and whose files can be read, its state, and what was passed over.

    Raises:
        CheckpointError: there is none.
    """
    passed_over: list[str] = []
    for checkpoint in reversed(list_checkpoints(folder)):
        harm = damage(checkpoint.path)
        if harm is None:
            return checkpoint, read_state(checkpoint), passed_over
        passed_over.append(f"{checkpoint.path.name}: {harm}")
    raise CheckpointError(
        "no usable checkpoint",
        got="; ".join(passed_over) or "none saved",
        where=folder,
        hint="start the run anew: without a checkpoint there is nothing to continue from",
    )
