"""What a fit needs to go on after a kill: the draws so far, in parts, and the chains after the last of them.

`checkpoints/draws-000001-000010/` holds the draws of blocks 1 to 10, `checkpoints/state-000010/` the chains after block
10. Both are published whole (`runtime.storage`), the draws first; so the newest whole state whose draws are all there
is where to go on, and what a kill in between leaves behind is done again. A run that ended has its draws in `draws.nc`
and only a state here; going on from there adds parts after it.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from bayesreg.types import Draws
from runtime.errors import CheckpointError
from runtime.storage import (
    atomic_write_bytes,
    atomic_write_json,
    damage,
    publish_directory,
    read_json,
    storage_errors,
)

_DRAWS, _STATE = re.compile(r"draws-(\d+)-(\d+)"), re.compile(r"state-(\d+)")
_KEPT_STATES = 2  # the newest may be damaged by the disk
_STAGING = ".staging"


@dataclass(frozen=True)
class Progress:
    """Where a fit stands."""

    warmup: int
    """Sweeps of warmup that are done."""
    block: int
    """Blocks of draws that are done."""
    size: int
    """Draws a chain in a block."""


@dataclass(frozen=True)
class Saved:
    """A place to go on from."""

    progress: Progress
    chains: dict[str, np.ndarray]
    draws: list[Draws]
    """Parts in order; together `progress.block` blocks."""


def save(
    folder: Path, progress: Progress, chains: Mapping[str, np.ndarray], new: Draws | None
) -> None:
    """Add a checkpoint and remove states that are no longer needed.

    Args:
        folder: `checkpoints` of the run.
        progress: after these chains.
        chains: from `inference.chains_to_arrays`.
        new: draws of the last blocks, since the checkpoint before; None: there are none.

    Raises:
        StorageError: the disk refused; what was there stays usable.
    """
    if new is not None:
        first = progress.block - new.num_draws // progress.size + 1
        arrays = {item.name: getattr(new, item.name) for item in fields(Draws)}
        _publish(folder / f"draws-{first:06d}-{progress.block:06d}", arrays, {})
    _publish(folder / f"state-{progress.block:06d}", chains, asdict(progress))
    for _, path in _states(folder)[:-_KEPT_STATES]:
        shutil.rmtree(path, ignore_errors=True)


def restore(folder: Path, ended: Draws | None = None) -> Saved | None:
    """The newest place to go on from; None when there is none. What lies beyond it is removed.

    Args:
        folder: `checkpoints` of the run.
        ended: the draws that an earlier part of the run ended with, for blocks whose parts have been removed since.

    Raises:
        CheckpointError: there are states and all of them, or draws that belong to them, are damaged.
    """
    shutil.rmtree(folder / _STAGING, ignore_errors=True)
    problems: list[str] = []
    states = _states(folder)
    for block, path in reversed(states):
        problem = damage(path)
        if problem is None:
            progress = Progress(**read_json(path / "facts.json"))
            draws, problem = _draws(folder, progress, ended)
        if problem is None:
            chains = _load(path)
            _remove_beyond(folder, block)
            return Saved(progress, chains, draws)
        problems.append(f"{path.name}: {problem}")
    if states:
        raise CheckpointError(
            "no checkpoint can be used",
            got="; ".join(problems),
            where=folder,
            hint="start a new run",
        )
    _remove_beyond(folder, 0)
    return None


def discard_parts(folder: Path) -> None:
    """Remove the parts of the draws, once all of them are in a file of their own; the states stay."""
    for _, _, path in _parts(folder):
        shutil.rmtree(path, ignore_errors=True)


def _draws(folder: Path, progress: Progress, ended: Draws | None) -> tuple[list[Draws], str | None]:
    """The draws of the first blocks in order, and what is wrong with them."""
    parts = [part for part in _parts(folder) if part[1] <= progress.block]
    reached = 0
    draws: list[Draws] = []
    if ended is not None and (not parts or parts[0][0] != 1):
        reached = ended.num_draws // progress.size
        draws, parts = [ended], [part for part in parts if part[0] > reached]
    for first, last, path in parts:
        problem = damage(path)
        if problem is not None:
            return [], f"{path.name}: {problem}"
        if first != reached + 1:
            break
        draws.append(Draws(**_load(path)))
        reached = last
    return draws, None if reached == progress.block else f"draws of block {reached + 1} are missing"


def _publish(final: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, int]) -> None:
    staging = final.parent / _STAGING
    with storage_errors(final):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    atomic_write_bytes(staging / "arrays.npz", buffer.getvalue())
    atomic_write_json(staging / "facts.json", dict(facts))
    publish_directory(staging, final)


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path / "arrays.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _states(folder: Path) -> list[tuple[int, Path]]:
    """Block and folder of every state, oldest first."""
    found = [(_STATE.fullmatch(path.name), path) for path in folder.glob("state-*")]
    return sorted((int(match[1]), path) for match, path in found if match)


def _parts(folder: Path) -> list[tuple[int, int, Path]]:
    """First block, last block and folder of every part of the draws, in order."""
    found = [(_DRAWS.fullmatch(path.name), path) for path in folder.glob("draws-*")]
    return sorted((int(match[1]), int(match[2]), path) for match, path in found if match)


def _remove_beyond(folder: Path, block: int) -> None:
    """Parts and states after `block`: they are made again."""
    beyond = [path for _, last, path in _parts(folder) if last > block]
    beyond += [path for last, path in _states(folder) if last > block]
    for path in beyond:
        shutil.rmtree(path, ignore_errors=True)
