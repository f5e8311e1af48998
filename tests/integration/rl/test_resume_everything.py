"""Every ingredient at once, killed at random moments: the run ends as if it had never been stopped."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtime.seeding import Stream

KILLED = -signal.SIGKILL
EVERYTHING = (
    "data.families=[contains_ordered,contains_substring]",
    "schedule.per_family=true",
    "replay=fresh",
    "replay.max_age=3",
    "replay.rate=0.9",
    "curriculum=adaptive",
    "curriculum.high=0.6",
    "sampling=dynamic",
    "sampling.group_steps=[1,6]",
    "sampling.group_sizes=[12,6]",
    "feedback=cases",
    # A base that writes programs and now and then a right one, feedback or not.
    "reference.feedback_share=0.2",
    "reference.steps=400",
    "policy.max_new_tokens=72",
    "evaluation.climb_every=1",
    "checkpoint.keep_climb=2",
    "schedule.switch_step=5",
    "training.max_steps=9",
)
"""Two families that turn from dense to binary each by itself, replay that forgets and is rationed, an adaptive
curriculum, resampled groups of two sizes, two attempts, adaptive entropy, evaluations and checkpoints of the climb."""


@pytest.fixture(scope="module")
def whole(tiny: tuple[str, ...], toolkit_in: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that is never stopped."""
    folder = tmp_path_factory.mktemp("everything")
    ended = toolkit_in(folder)("rl", "train", *tiny, *EVERYTHING, "--out", "run")
    assert ended.code == 0, ended.err
    return folder / "run"


def test_every_ingredient_has_a_part_in_it(whole: Path, result_of: Callable, events_of: Callable) -> None:
    steps = result_of(whole)["metrics"][1:]
    assert {line["phase"] for line in steps} == {"dense", "binary"}
    assert {change["family"] for change in events_of(whole, "phase_changed")} == {
        "contains_ordered", "contains_substring",
    }  # fmt: skip
    for name in ("resampled", "further_attempts", "replayed", "replay_stored", "replay_expired", "full_pass"):
        assert sum(line.get(name, 0.0) for line in steps) > 0, name
    assert len({line["entropy_coef"] for line in steps}) > 4
    assert len({line["curriculum_hard"] for line in steps}) > 1
    # Evaluated at every step once something has passed, and not only at every second one.
    assert sum("heldout_exhaustive" in line for line in steps) > 5
    sizes = {line["step"]: line["num_completions"] for line in steps}
    assert set(sizes.values()) == {36.0}
    drawn = [r for r in _rollouts(whole) if r["kind"] == "train"]
    assert {len({r["problem_id"] for r in drawn if r["step"] == step}) for step in (1, 6)} == {3, 6}


def test_kills_at_random_moments_change_nothing(
    toolkit: Any, tiny: tuple[str, ...], whole: Path, result_of: Callable
) -> None:
    """Each process dies before one of the next changes of the disk: within a step, an evaluation or a checkpoint."""
    stream = Stream(0, "everything, killed")
    for _ in range(4):
        ended = go_on(toolkit, tiny, die_at=(str(toolkit.folder / "run"), stream.integer(20, 45))).wait()
        assert ended.code == KILLED, ended.err
    ended = go_on(toolkit, tiny).wait()
    assert ended.code == 0, ended.err
    assert result_of(toolkit.folder / "run") == result_of(whole)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_many_kills_of_the_installed_command_change_nothing(
    tmp_path: Path, tiny: tuple[str, ...], result_of: Callable
) -> None:
    """Forty steps; every process gets a random amount of processor time, and then SIGKILL."""
    line = (*tiny, *EVERYTHING, "training.max_steps=40", "schedule.switch_step=20")
    folders = {name: tmp_path / name for name in ("whole", "torn")}
    for folder in folders.values():
        folder.mkdir()
    assert _start(folders["whole"], "rl", "train", *line, "--out", "run").wait() == 0
    torn, kills, stream = folders["torn"], 0, Stream(0, "everything, by time")
    # A kill after the last word of a run, before its process is gone, is too late to matter: then there is no resuming.
    while kills < 10 and not _is_done(torn / "run"):
        is_there = (torn / "run" / "manifest.json").is_file()
        words = ("rl", "train", "--resume", "run") if is_there else ("rl", "train", *line, "--out", "run")
        process = _start(torn, *words)
        limit_s = 4.0 + 12.0 * stream.uniform()
        while process.poll() is None and _cpu_s(process) < limit_s:
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.returncode == 0, (torn / "error.txt").read_text()
            break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == KILLED
        kills += 1
    assert kills >= 3
    if not _is_done(torn / "run"):
        assert _start(torn, "rl", "train", "--resume", "run").wait() == 0, (torn / "error.txt").read_text()
    assert result_of(torn / "run") == result_of(folders["whole"] / "run")


def go_on(toolkit: Any, tiny: tuple[str, ...], **settings: Any) -> Any:
    """Start the run, or resume it when it has got as far as having a folder with a manifest."""
    if (toolkit.folder / "run" / "manifest.json").is_file():
        return toolkit.start("rl", "train", "--resume", "run", **settings)
    return toolkit.start("rl", "train", *tiny, *EVERYTHING, "--out", "run", **settings)


def _is_done(run: Path) -> bool:
    manifest = run / "manifest.json"
    return manifest.is_file() and json.loads(manifest.read_text())["status"] == "done"


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """The console script in a process of its own, with a cache of its own."""
    command = [str(Path(sys.executable).with_name("toolkit")), *words]
    environment = {**os.environ, "TOOLKIT_CACHE": str(folder / "cache")}
    with (folder / "error.txt").open("wb") as errors:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _rollouts(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((run / "rollouts.jsonl.gz").read_bytes()).splitlines()]
