"""The rollouts on disk: all or an even selection, cut back on resume, readable by anything that reads gzip."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from rlgrok.training.record import StepRecord
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.types import Completion, Rollout, Status, Verdict

HALF = Verdict(Status.FAILED, 2, 4, 2, 2)


def record(step: int, count: int = 8) -> StepRecord:
    rollouts = [
        Rollout(step, f"p{i // 2}", Completion((i,), f"text {i}"), HALF, 0.5, policy_step=step - 1, is_replayed=True)
        for i in range(count)
    ]  # fmt: skip
    return StepRecord(step=step, rollouts=rollouts, group_size=2)


def read(path: Path) -> list[dict]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_a_step_is_stored_in_full(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=None)
    log.write_step(record(1, count=1))
    assert read(log.path) == [
        {
            "step": 1,
            "kind": "train",
            "problem_id": "p0",
            "text": "text 0",
            "status": "failed",
            "pass_rate": 0.5,
            "full_pass": False,
            "exhaustive": None,
            "reward": 0.5,
            "replayed": True,
            "policy_step": 0,
        }
    ]


def test_a_selection_is_even(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=4)
    log.write_step(record(1))
    assert [line["text"] for line in read(log.path)] == ["text 0", "text 2", "text 4", "text 6"]


def test_it_is_cut_back_to_a_step_and_goes_on(tmp_path: Path) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=None)
    log.cut_after(3)  # nothing there yet
    for step in (1, 2, 3):
        log.write_step(record(step, count=2))
    log.path.write_bytes(log.path.read_bytes()[:-5])  # killed while writing
    log.cut_after(1)
    log.write_step(record(2, count=2))
    assert [line["step"] for line in read(log.path)] == [1, 1, 2, 2]
    log.cut_after(-1)
    assert read(log.path) == []
