"""A damaged checkpoint is passed over for the one before it; without a good one the run says so and stays as it is."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def killed(
    toolkit_in: Callable, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run killed after step 6, with the checkpoints of steps 3 and 6."""
    toolkit = toolkit_in(tmp_path_factory.mktemp("killed"))
    # The first change of a checkpoint of step 9.
    ended = toolkit("rl", "train", *tiny, "--out", "run", die_at=("checkpoint-9", 1))
    assert ended.code == -signal.SIGKILL, ended.err
    run = toolkit.folder / "run"
    assert [path.name for path in sorted((run / "checkpoints").glob("step-*"))] == [
        "step-000003",
        "step-000006",
    ]
    return run


@pytest.fixture
def copy(killed: Path, toolkit: Any) -> Path:
    return Path(shutil.copytree(killed, toolkit.folder / "run"))


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("harm", "name", "said"),
    [
        (flip_a_byte, "model.safetensors", "model.safetensors has changed its contents"),
        (cut_in_half, "optimizer.pt", "optimizer.pt has changed its size"),
    ],
)
def test_the_checkpoint_before_it_is_used(
    harm: Callable[[Path], None],
    name: str,
    said: str,
    copy: Path,
    toolkit: Any,
    uninterrupted: Path,
    result_of: Callable,
    events_of: Callable,
) -> None:
    harm(copy / "checkpoints" / "step-000006" / name)
    ended = toolkit("rl", "train", "--resume", "run")
    assert ended.code == 0, ended.err
    warnings = [line["message"] for line in events_of(copy, "warning") if "step-" in line["message"]]
    assert warnings == [f"step-000006: {said}"]
    assert [line["step"] for line in events_of(copy, "resumed")] == [3]
    assert result_of(copy) == result_of(uninterrupted)


def test_without_a_good_one_the_run_is_refused_and_untouched(copy: Path, toolkit: Any) -> None:
    for checkpoint in (copy / "checkpoints").glob("step-*"):
        flip_a_byte(checkpoint / "optimizer.pt")
    before = {name: (copy / name).read_bytes() for name in ("metrics.jsonl", "rollouts.jsonl.gz")}
    ended = toolkit("rl", "train", "--resume", "run")
    assert ended.code == 2
    assert "error: no usable checkpoint; got step-000006: optimizer.pt" in ended.err
    assert "step-000003: optimizer.pt" in ended.err
    assert "Traceback" not in ended.err
    assert {name: (copy / name).read_bytes() for name in before} == before


def test_without_any_the_run_starts_over(
    copy: Path, toolkit: Any, uninterrupted: Path, result_of: Callable, events_of: Callable
) -> None:
    """Killed before the first checkpoint, or somebody made room: everything is a function of the config."""
    shutil.rmtree(copy / "checkpoints")
    ended = toolkit("rl", "train", "--resume", "run")
    assert ended.code == 0, ended.err
    assert [line["step"] for line in events_of(copy, "resumed")] == [-1]
    assert result_of(copy) == result_of(uninterrupted)


def test_a_damaged_base_is_made_again(
    copy: Path, toolkit: Any, uninterrupted: Path, result_of: Callable
) -> None:
    flip_a_byte(copy / "base" / "model.safetensors")
    assert toolkit("rl", "train", "--resume", "run").code == 0
    assert result_of(copy) == result_of(uninterrupted)


def test_a_missing_run_and_a_folder_that_is_none_are_named(toolkit: Any) -> None:
    (toolkit.folder / "empty").mkdir()
    for name in ("nowhere", "empty"):
        ended = toolkit("rl", "train", "--resume", name)
        assert ended.code == 2
        assert ended.err.startswith("error: ") and name in ended.err
