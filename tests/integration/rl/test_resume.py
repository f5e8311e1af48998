"""A run that is killed, at any instant and any number of times, ends as if it had never been stopped."""

from __future__ import annotations

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

TRAIN = ("rl", "train")
KILLED = -signal.SIGKILL


def go_on(toolkit: Any, tiny: tuple[str, ...], **settings: Any) -> Any:
    """Start the run, or resume it when it has got as far as having a folder with a manifest."""
    if (toolkit.folder / "run" / "manifest.json").is_file():
        return toolkit.start(*TRAIN, "--resume", "run", **settings)
    return toolkit.start(*TRAIN, *tiny, "--out", "run", **settings)


def test_the_run_that_the_others_are_compared_with_has_everything_in_it(
    uninterrupted: Path, result_of: Callable
) -> None:
    found = result_of(uninterrupted)
    steps = found["metrics"]
    assert [line["step"] for line in steps] == list(range(12))
    assert {line["phase"] for line in steps[1:]} == {"dense", "binary"}
    assert found["summary"]["phase_change_step"] == 7
    assert sum(line["replayed"] for line in steps[1:]) > 0
    assert sum(line["full_pass"] for line in steps[1:]) > 0
    assert all(line["grad_norm"] > 0 for line in steps[1:])
    assert len({line["entropy_coef"] for line in steps[1:]}) > 5
    assert sum("heldout_exhaustive" in line for line in steps) == 7


def test_ten_kills_change_nothing(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """Ten kills, of which the first are placed where it hurts; then on to the end."""
    toolkit.folder.joinpath("cache").mkdir()
    cache = {"TOOLKIT_CACHE": str(toolkit.folder / "cache")}

    process = go_on(toolkit, tiny, **cache)
    process.until_said("training the reference policy ...")
    process.signal(signal.SIGKILL)
    assert process.wait().code == KILLED
    stream = Stream(0, "ten kills")
    places = [
        ("/cache/", stream.integer(1, 8)),  # while the reference policy is put into the cache
        ("/run/.base", stream.integer(1, 8)),  # while the run gets its own copy
        ("/run/rollouts", 3),  # before the first checkpoint
        ("/run/checkpoints", stream.integer(3, 12)),  # while the first checkpoint is being written
        ("metrics.jsonl", 2),  # while the metrics are being cut back
        ("/run/checkpoints", stream.integer(13, 24)),  # a later checkpoint, or removal of an old one
        ("/run/rollouts", stream.integer(2, 4)),  # between checkpoints
        ("/run/.policy", stream.integer(1, 4)),  # while the trained policy is being written
        ("/draws/", stream.integer(2, 4)),  # during the final evaluation
    ]
    for place in places:
        ended = go_on(toolkit, tiny, die_at=place, **cache).wait()
        assert ended.code == KILLED, (place, ended.err)
    ended = go_on(toolkit, tiny, **cache).wait()
    assert ended.code == 0, ended.err
    assert result_of(toolkit.folder / "run") == result_of(uninterrupted)


def test_a_kill_with_the_trainers_own_generation_and_accumulation(
    toolkit: Any, tiny: tuple[str, ...], result_of: Callable
) -> None:
    """Here completions are drawn from the global random state, which a checkpoint has to bring back."""
    line = (
        "rl", "train", *tiny, "training.rollout=trl", "replay=none", "training.micro_batch_size=12",
        "training.loss_type=dapo", "training.max_steps=5", "training.kl_coef=0.05", "checkpoint.every=2",
    )  # fmt: skip
    assert toolkit(*line, "--out", "whole").code == 0
    assert toolkit(*line, "--out", "torn", die_at=("/torn/rollouts", 7)).code == KILLED
    ended = toolkit("rl", "train", "--resume", "torn")
    assert ended.code == 0, ended.err
    found = result_of(toolkit.folder / "torn")
    assert found == result_of(toolkit.folder / "whole")
    assert all(line["grad_norm"] > 0 for line in found["metrics"][1:])


def test_a_kill_after_an_early_stop_keeps_the_reason(
    toolkit: Any, tiny: tuple[str, ...], result_of: Callable
) -> None:
    line = ("rl", "train", *tiny, "training.stop_full_pass=0")
    assert toolkit(*line, "--out", "whole").code == 0
    assert toolkit(*line, "--out", "torn", die_at=("/torn/.policy", 1)).code == KILLED
    assert toolkit("rl", "train", "--resume", "torn").code == 0
    found = result_of(toolkit.folder / "torn")
    assert found["summary"]["stopped"] == "solved"
    assert found["summary"]["steps"] == 2
    assert found == result_of(toolkit.folder / "whole")


def test_a_kill_of_the_installed_command(
    tmp_path: Path, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """Processes that share nothing, not even the seed of their hashes."""
    process = Command(tmp_path, "rl", "train", *tiny, "--out", "run")
    process.until(lambda: '"checkpoint_saved"' in _text(tmp_path / "run" / "events.jsonl"))
    process.kill()
    code, err = Command(tmp_path, "rl", "train", "--resume", "run").wait()
    assert code == 0, err
    assert result_of(tmp_path / "run") == result_of(uninterrupted)


LONG = (
    "training.max_steps=150",
    "training.prompts_per_step=4",
    "training.group_size=24",
    "schedule.switch_step=60",
    "evaluation.draws=64",
    "checkpoint.every=4",
)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_ten_kills_of_the_installed_command_at_random_moments(
    tmp_path: Path, tiny: tuple[str, ...], result_of: Callable
) -> None:
    """Each process dies after a random amount of processor time; a busy machine moves no kill."""
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    for folder in (whole, torn):
        folder.mkdir()
    line = ("rl", "train", *tiny, *LONG, "--out", "run")
    code, err = Command(whole, *line, TOOLKIT_CACHE=str(whole / "cache")).wait()
    assert code == 0, err
    stream = Stream(0, "random kills")
    cache = {"TOOLKIT_CACHE": str(torn / "cache")}
    kills = 0
    while kills < 10:
        started = (torn / "run" / "manifest.json").is_file()
        again = ("rl", "train", "--resume", "run") if started else line
        process = Command(torn, *again, **cache)
        # From the middle of the imports to some thirty steps.
        limit_s = 3.0 + 9.0 * stream.uniform()
        process.until(lambda p=process, limit=limit_s: p.cpu_s() > limit)
        process.kill()
        kills += 1
    code, err = Command(torn, "rl", "train", "--resume", "run", **cache).wait()
    assert code == 0, err
    assert result_of(torn / "run") == result_of(whole / "run")


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_kill_before_any_change_of_the_disk(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    """Every process dies some changes of the disk after its start: the fewer, the later it is started."""
    stream = Stream(0, "changes of the disk")
    kills = 0
    while True:
        place = (str(toolkit.folder), stream.integer(1, 60))
        ended = go_on(toolkit, tiny, die_at=place).wait()
        if ended.code == 0:
            break
        assert ended.code == KILLED, (place, ended.err)
        kills += 1
    assert kills >= 10
    assert result_of(toolkit.folder / "run") == result_of(uninterrupted)


class Command:
    """The console script in a process of its own."""

    def __init__(self, folder: Path, *argv: str, **environment: str) -> None:
        self._error = folder / ".command.err"
        with self._error.open("wb") as stream:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("toolkit")), *argv],
                cwd=folder,
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )

    def wait(self) -> tuple[int, str]:
        return self._process.wait(), _text(self._error)

    def cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert self._process.poll() is None, _text(self._error)
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait() == KILLED


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""
