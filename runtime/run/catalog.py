"""The runs under a folder: listed, found by a part of their name, compared. Reads only."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.run.differences import config_differences
from runtime.run.folder import Run

LATEST = "latest"
"""The word that means the run started last."""

_COMPARED = ("git", "seeds", "data_hashes", "versions", "hardware")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run in a list. Unreadable folders are listed too, with the status `unreadable` and the reason."""

    path: Path
    name: str
    command: str
    status: str
    started_at: str
    """ISO 8601 in UTC; empty when unknown."""
    wall_s: float
    cpu_s: float
    summary: dict[str, Any] | None
    problem: str = ""
    """Why the folder, or its summary, cannot be read."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs between two runs. Nested keys are dotted; `(absent)` stands for a missing key."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What differs between two runs."""

    a: Path
    b: Path
    config: list[Difference]
    summary: list[Difference]
    provenance: list[Difference]
    """Commit, seeds, data hashes, versions, hardware."""


def list_runs(root: Path | str) -> list[RunInfo]:
    """Every run below a folder, the one started first first. A folder that does not exist holds none."""
    return sorted(
        (run_info(path) for path in _run_folders(Path(root))), key=lambda info: info.started_at
    )


def run_info(path: Path | str) -> RunInfo:
    """What a list shows of one run; never raises for a damaged one."""
    path = Path(path)
    try:
        run = Run.open(path)
    except InputError as error:
        return RunInfo(path, path.name, "", "unreadable", "", 0.0, 0.0, None, error.one_line())
    summary, problem = None, ""
    try:
        summary = run.summary()
    except InputError as error:
        problem = error.one_line()
    wall_s, cpu_s = run.clock()
    manifest = run.manifest
    return RunInfo(
        path,
        manifest["name"],
        manifest["command"],
        run.status,
        manifest["started_at"],
        wall_s,
        cpu_s,
        summary,
        problem,
    )


def find_run(root: Path | str, text: str) -> Path:
    """The run that a person means: a path, `latest`, or any part of one run's path that no other run has.

    Args:
        root: the folder of the runs.
        text: what was typed.

    Raises:
        InputError: nothing matches, with the nearest names; or several do, with all of them.
    """
    if (Path(text) / "manifest.json").is_file():
        return Path(text)
    root = Path(root)
    folders = sorted(_run_folders(root))
    if not folders:
        _refuse_plain_folder(text)
        raise InputError("there are no runs", got=text, where=root)
    if text == LATEST:
        return list_runs(root)[-1].path
    names = {folder.relative_to(root).as_posix(): folder for folder in folders}
    wanted = text.strip("/")
    for matches in (_exact(names, wanted), [name for name in names if wanted in name]):
        if len(matches) == 1:
            return names[matches[0]]
        if matches:
            raise InputError(
                "more than one run matches", got=text, expected=" or ".join(matches[:5]), where=root
            )
    _refuse_plain_folder(text)
    leaves = sorted({folder.name for folder in folders})
    near = difflib.get_close_matches(wanted, leaves, n=3, cutoff=0.4)
    near = near or difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "`toolkit runs list` shows them"
    raise InputError("no run of that name", got=text, where=root, hint=hint)


def _refuse_plain_folder(text: str) -> None:
    """Say that a folder is there but holds no run, which says more than that no run has its name."""
    if Path(text).is_dir():
        raise InputError("not a run folder (no manifest.json)", where=text)


def compare_runs(a: Path | str, b: Path | str) -> RunComparison:
    """What differs between two runs in config, summary and provenance.

    Raises:
        CheckpointError: one of them is not a run folder.
    """
    first, second = Run.open(a), Run.open(b)
    origins = [{key: run.manifest.get(key) for key in _COMPARED} for run in (first, second)]
    return RunComparison(
        first.path,
        second.path,
        _differences(first.config, second.config),
        _differences(first.summary() or {}, second.summary() or {}),
        _differences(*origins),
    )


def _differences(a: dict[str, Any], b: dict[str, Any]) -> list[Difference]:
    return [Difference(*entry) for entry in config_differences(a, b)]


def _exact(names: dict[str, Path], wanted: str) -> list[str]:
    return [name for name, folder in names.items() if wanted in (name, folder.name)]


def _run_folders(root: Path) -> Iterator[Path]:
    """Folders with a manifest; what lies inside a run folder is not searched."""
    for folder, subfolders, files in os.walk(root):
        if "manifest.json" in files:
            subfolders.clear()
            yield Path(folder)
        else:
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
