"""Ctrl-C and a polite kill: the step is finished and saved, the message says how to go on, going on is exact."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

INTERRUPTED = 130


def steps_done(run: Path) -> int:
    """Lines of metrics; the untrained policy's is the first."""
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def checkpoints(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").glob("step-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_saves_the_step_and_a_resume_is_exact(
    number: signal.Signals,
    toolkit: Any,
    tiny: tuple[str, ...],
    uninterrupted: Path,
    result_of: Callable,
) -> None:
    run = toolkit.folder / "run"
    process = toolkit.start("rl", "train", *tiny, "--out", "run", "--json")
    process.until(lambda: steps_done(run) >= 2)
    process.signal(number)
    ended = process.wait()
    assert ended.code == INTERRUPTED, ended.err
    assert ended.err.rstrip().endswith(
        "interrupted; state saved, go on with: toolkit rl train --resume run"
    )
    assert ended.json["status"] == "interrupted" and ended.json["run"] == "run"
    last = steps_done(run) - 1
    assert 1 <= last < 11
    # Saved at the very step, though it is no multiple of `checkpoint.every`; that of step 3 may precede it.
    assert checkpoints(run)[-1] == f"step-{last:06d}"
    assert json.loads((run / "manifest.json").read_text())["status"] == "interrupted"
    assert toolkit("rl", "train", "--resume", "run").code == 0
    assert result_of(run) == result_of(uninterrupted)


def test_the_second_signal_stops_at_once(toolkit: Any, tiny: tuple[str, ...]) -> None:
    """A step of 24,000 completions takes many seconds; it is not waited for, and only it is lost."""
    run = toolkit.folder / "run"
    process = toolkit.start("rl", "train", *tiny, "training.group_size=8000", "--out", "run")
    process.until(lambda: steps_done(run) == 1)
    process.signal(signal.SIGINT)
    process.until_said("stopping: after this step, which is then saved; another signal stops at once")
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert ended.code == INTERRUPTED, ended.err
    assert "Traceback" not in ended.err
    assert steps_done(run) == 1
    assert checkpoints(run) == []
    assert json.loads((run / "manifest.json").read_text())["status"] == "interrupted"


def test_a_signal_while_the_base_is_made(toolkit: Any, tiny: tuple[str, ...]) -> None:
    """Nothing is worth saving yet, so it stops at once; a resume would start over."""
    own = {"TOOLKIT_CACHE": str(toolkit.folder / "cache")}
    process = toolkit.start("rl", "train", *tiny, "--out", "run", **own)
    process.until_said("training the reference policy ...")
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert ended.code == INTERRUPTED, ended.err
    assert "drawing on the target" not in ended.err
    assert ended.err.rstrip().endswith("toolkit rl train --resume run")
    assert checkpoints(toolkit.folder / "run") == []


def test_a_signal_in_the_final_evaluation(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """The last step is saved already: what is left is to measure."""
    process = toolkit.start("rl", "train", *tiny, "--out", "run")
    process.until_said("decoding greedily ...")
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert ended.code == INTERRUPTED, ended.err
    assert toolkit("rl", "train", "--resume", "run").code == 0
    assert result_of(toolkit.folder / "run") == result_of(uninterrupted)


def test_a_signal_while_the_last_step_is_saved_is_heard(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """No step comes after that one to stop before: the run stops before the final evaluation."""
    run = toolkit.folder / "run"
    process = toolkit.start("rl", "train", *tiny, "--out", "run")
    process.until((run / "checkpoints" / ".staging" / "checkpoint-11").exists)
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert ended.code == INTERRUPTED, ended.err
    assert toolkit("rl", "train", "--resume", "run").code == 0
    assert result_of(run) == result_of(uninterrupted)
