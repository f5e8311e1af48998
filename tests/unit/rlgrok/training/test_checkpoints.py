"""Checkpoints on disk: whole or absent, newest first, every kind of harm named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rlgrok.training.checkpoints import (
    list_checkpoints,
    newest_usable,
    prune,
    publish,
    read_state,
    staging_folder,
)
from runtime.errors import CheckpointError


def save(folder: Path, step: int) -> Path:
    written = staging_folder(folder) / f"checkpoint-{step}"
    written.mkdir()
    (written / "model").write_bytes(bytes(range(256)))
    return publish(written, folder, step, {"schedule": {"at": step}}).path


def test_what_is_published_is_found_with_its_state(tmp_path: Path) -> None:
    # Six digits sort as text; seven do not.
    for step in (3, 12, 999_999, 1_000_000):
        save(tmp_path, step)
    assert [found.step for found in list_checkpoints(tmp_path)] == [3, 12, 999_999, 1_000_000]
    newest, state, passed_over = newest_usable(tmp_path)
    assert newest.step == 1_000_000 and passed_over == []
    assert state["schedule"] == {"at": 1_000_000}
    assert list((tmp_path / ".staging").iterdir()) == []


def test_left_overs_of_a_kill_are_thrown_away_and_never_found(tmp_path: Path) -> None:
    half = staging_folder(tmp_path) / "checkpoint-6"
    half.mkdir()
    (half / "model").write_bytes(b"half")
    (tmp_path / "step-abc").mkdir()
    (tmp_path / "step-000009").write_text("a file")
    assert list_checkpoints(tmp_path) == []
    assert list(staging_folder(tmp_path).iterdir()) == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step)
    prune(tmp_path, keep=2)
    assert [found.step for found in list_checkpoints(tmp_path)] == [4, 5]
    prune(tmp_path, keep=2)
    assert [found.step for found in list_checkpoints(tmp_path)] == [4, 5]


def flip(path: Path) -> None:
    data = bytearray((path / "model").read_bytes())
    data[17] ^= 1
    (path / "model").write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (flip, "model has changed its contents"),
        (lambda path: (path / "model").write_bytes(b"short"), "model has changed its size"),
        (lambda path: (path / "model").unlink(), "model is missing"),
        (lambda path: (path / "toolkit_state.json").unlink(), "toolkit_state.json is missing"),
        (lambda path: (path / "COMPLETE").unlink(), "COMPLETE is missing"),
        (lambda path: (path / "COMPLETE").write_text("{"), "COMPLETE is not readable"),
    ],
)
def test_a_harmed_one_is_passed_over(
    harm: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    save(tmp_path, 3)
    harm(save(tmp_path, 6))
    newest, state, passed_over = newest_usable(tmp_path)
    assert newest.step == 3 and state["schedule"] == {"at": 3}
    assert passed_over == [f"step-000006: {said}"]


def test_without_a_good_one_every_reason_is_given(tmp_path: Path) -> None:
    flip(save(tmp_path, 3))
    (save(tmp_path, 6) / "model").unlink()
    message = r"got step-000006: model is missing; step-000003: model has changed its contents"
    with pytest.raises(CheckpointError, match=message):
        newest_usable(tmp_path)
    with pytest.raises(CheckpointError, match="got none saved"):
        newest_usable(tmp_path / "empty")


def test_a_harmed_one_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    flip(save(tmp_path, 6))
    save(tmp_path, 6)
    assert newest_usable(tmp_path)[0].step == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [".staging", "step-000006"]


@pytest.mark.parametrize("change", [{"version": 99}, {"step": 4}])
def test_a_state_of_another_version_or_step_is_refused(
    change: dict[str, int], tmp_path: Path
) -> None:
    path = save(tmp_path, 3)
    state = json.loads((path / "toolkit_state.json").read_text())
    (path / "toolkit_state.json").write_text(json.dumps(state | change))
    (found,) = list_checkpoints(tmp_path)
    with pytest.raises(CheckpointError, match="checkpoint state does not fit"):
        read_state(found)
    (path / "toolkit_state.json").write_text("nonsense")
    with pytest.raises(CheckpointError, match="checkpoint state cannot be read"):
        read_state(found)


def test_the_spared_ones_stay_and_are_not_counted(tmp_path: Path) -> None:
    for step in range(1, 7):
        save(tmp_path, step)
    prune(tmp_path, 2, spared=(2, 5))
    assert [found.step for found in list_checkpoints(tmp_path)] == [2, 4, 5, 6]
