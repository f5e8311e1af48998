"""A disk that refuses: one clear line, exit code 2, and once it takes writes again the run goes on exactly.

A full disk is stood in for by a limit on the size of a file, which any user may set and which makes every kind of
writer fail in the same call: the run's own lines, safetensors' and torch's.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

POINTLESS_BASE = ("reference.steps=1", "training.max_steps=2", "evaluation.draws=4")
"""For runs that only have to get through: a base that was taught next to nothing."""


@pytest.fixture(scope="module")
def killed(
    toolkit_in: Callable, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run killed after step 5, with the checkpoint of step 3."""
    toolkit = toolkit_in(tmp_path_factory.mktemp("killed"))
    ended = toolkit("rl", "train", *tiny, "--out", "run", die_at=("checkpoint-6", 1))
    assert ended.code == -signal.SIGKILL, ended.err
    return toolkit.folder / "run"


@pytest.fixture
def copy(killed: Path, toolkit: Any) -> Path:
    return Path(shutil.copytree(killed, toolkit.folder / "run"))


@pytest.fixture
def locked() -> Iterator[Callable[[Path], None]]:
    """Takes the permission to write to a folder away until the test is over."""
    folders: list[Path] = []

    def lock(folder: Path) -> None:
        folder.chmod(0o555)
        folders.append(folder)

    yield lock
    for folder in folders:
        folder.chmod(0o755)


def error_line(ended: Any) -> str:
    """The one line that says what is wrong."""
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in ended.err
    return line


def test_a_full_disk_loses_nothing_but_the_steps_since_the_last_checkpoint(
    copy: Path, toolkit: Any, uninterrupted: Path, result_of: Callable
) -> None:
    for largest_file, where in (
        (3_000, (".jsonl",)),  # one of the run's own lines
        (60_000, ("run/checkpoints",)),  # the weights, by safetensors
        (160_000, ("run/checkpoints",)),  # the optimiser's state, by torch
    ):
        ended = toolkit("rl", "train", "--resume", "run", largest_file=largest_file)
        assert ended.code == 2, ended.err
        assert any(name in error_line(ended) for name in where), (largest_file, ended.err)
        assert json.loads((copy / "manifest.json").read_text())["status"] == "failed"
        assert (copy / "checkpoints" / "step-000003" / "COMPLETE").is_file()
    ended = toolkit("rl", "train", "--resume", "run")
    assert ended.code == 0, ended.err
    assert result_of(copy) == result_of(uninterrupted)


def test_a_full_disk_while_the_trained_policy_is_saved(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """Between the last checkpoint and the summary; the process that goes on has only these left to do."""
    ended = toolkit("rl", "train", *tiny, "--out", "run", die_at=("/run/.policy", 1))
    assert ended.code == -signal.SIGKILL
    ended = toolkit("rl", "train", "--resume", "run", largest_file=60_000)
    assert ended.code == 2
    assert error_line(ended).endswith("; at run/policy")
    run = toolkit.folder / "run"
    assert not (run / "policy").exists() and not list(run.glob(".policy*"))
    assert toolkit("rl", "train", "--resume", "run").code == 0
    assert result_of(run) == result_of(uninterrupted)


def test_a_read_only_run_folder_is_named_and_untouched(
    copy: Path, toolkit: Any, locked: Callable
) -> None:
    def files() -> dict[str, int]:
        known = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
        del known[".lock.holder"]  # who asked last; a file that is there may be written to
        return known

    before = files()
    locked(copy)
    ended = toolkit("rl", "train", "--resume", "run", heeds_permissions=True)
    assert ended.code == 2
    assert error_line(ended).startswith("error: no permission to write; at run/")
    assert files() == before


def test_a_read_only_folder_of_runs_is_named(
    toolkit: Any, tiny: tuple[str, ...], locked: Callable
) -> None:
    (toolkit.folder / "runs").mkdir()
    locked(toolkit.folder / "runs")
    ended = toolkit("rl", "train", *tiny, "--json", heeds_permissions=True)
    assert ended.code == 2
    assert "no permission" in error_line(ended) and "runs/" in error_line(ended)
    assert ended.json["status"] == "failed" and ended.json["run"] is None
    assert list((toolkit.folder / "runs").iterdir()) == []


def test_a_file_where_the_folder_of_runs_should_be(toolkit: Any, tiny: tuple[str, ...]) -> None:
    (toolkit.folder / "taken").write_text("a file")
    ended = toolkit("rl", "train", *tiny, "--out", "taken/run")
    assert ended.code == 2
    assert "taken" in error_line(ended)


@pytest.mark.parametrize("obstacle", ["read-only", "a file"])
def test_a_cache_that_takes_nothing_costs_a_warning(
    obstacle: str, toolkit: Any, tiny: tuple[str, ...], locked: Callable, events_of: Callable
) -> None:
    cache = toolkit.folder / "cache"
    if obstacle == "a file":
        cache.write_text("a file")
    else:
        cache.mkdir()
        locked(cache)
    line = ("rl", "train", *tiny, *POINTLESS_BASE, "--out", "run")
    ended = toolkit(*line, heeds_permissions=True, TOOLKIT_CACHE=str(cache))
    assert ended.code == 0, ended.err
    assert "warning: the reference policy could not be cached: " in ended.err
    warnings = {line.get("name") for line in events_of(toolkit.folder / "run", "warning")}
    assert "reference_not_cached" in warnings
    assert (toolkit.folder / "run" / "base" / "COMPLETE").is_file()
