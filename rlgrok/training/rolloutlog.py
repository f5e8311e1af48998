"""The rollouts of a run on disk: `rollouts.jsonl.gz`, one gzip member a step, cut back on resume."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlgrok.training.heldout import HeldoutResult
from rlgrok.training.rollouts import StepRecord
from runtime.storage import atomic_write_bytes, storage_errors

COMPRESSION = 3
"""Level of gzip: rollouts repeat themselves, so higher levels save a tenth and cost three times as long."""


class RolloutLog:
    """Appends rollouts; `kind` is `train` for a training draw, `greedy` for a held-out evaluation.

    Each record has step, kind, problem_id, text, status, pass_rate, full_pass; training records also reward,
    replayed and policy_step; greedy records also exhaustive (null where it was not judged).
    """

    def __init__(self, path: Path, *, per_step: int | None) -> None:
        self.path = path
        self._per_step = per_step

    def write_step(self, record: StepRecord) -> None:
        """Append a step's rollouts: all, or `per_step` of them, evenly spaced so that every group is seen."""
        rollouts = record.rollouts
        if self._per_step is not None and len(rollouts) > self._per_step:
            stride = len(rollouts) / self._per_step
            rollouts = [rollouts[int(index * stride)] for index in range(self._per_step)]
        self._append(
            [
                {
                    "step": rollout.step,
                    "kind": "train",
                    "problem_id": rollout.problem_id,
                    "text": rollout.completion.text,
                    "status": rollout.verdict.status.value,
                    "pass_rate": rollout.verdict.pass_rate,
                    "full_pass": rollout.verdict.full_pass,
                    "exhaustive": None,
                    "reward": rollout.reward,
                    "replayed": rollout.is_replayed,
                    "policy_step": rollout.policy_step,
                }
                for rollout in rollouts
            ]
        )

    def write_heldout(self, step: int, problem_ids: Sequence[str], result: HeldoutResult) -> None:
        """Append a held-out evaluation, one record a problem."""
        exhaustive = result.exhaustive or [None] * len(problem_ids)
        self._append(
            [
                {
                    "step": step,
                    "kind": "greedy",
                    "problem_id": problem_id,
                    "text": completion.text,
                    "status": verdict.status.value,
                    "pass_rate": verdict.pass_rate,
                    "full_pass": verdict.full_pass,
                    "exhaustive": None if strict is None else strict.full_pass,
                }
                for problem_id, completion, verdict, strict in zip(
                    problem_ids, result.completions, result.verdicts, exhaustive, strict=True
                )
            ]
        )

    def flush(self) -> None:
        """Make everything written so far durable."""
        if self.path.exists():
            with storage_errors(self.path), self.path.open("rb") as file:
                os.fsync(file.fileno())

    def cut_after(self, step: int) -> None:
        """Forget everything after a step: a resumed run will write it again."""
        if self.path.exists():
            kept = [record for record in read_rollouts(self.path) if record["step"] <= step]
            atomic_write_bytes(self.path, _member(kept) if kept else b"")

    def _append(self, records: list[dict[str, Any]]) -> None:
        with storage_errors(self.path), self.path.open("ab") as file:
            file.write(_member(records))


def read_rollouts(path: Path) -> list[dict[str, Any]]:
    """Every whole record; what a kill left half-written at the end is passed over."""
    records = []
    try:
        with storage_errors(path), gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                records.append(json.loads(line))
    except (EOFError, gzip.BadGzipFile, zlib.error, json.JSONDecodeError):
        return records
    return records


def _member(records: list[dict[str, Any]]) -> bytes:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return gzip.compress(text.encode("utf-8"), COMPRESSION, mtime=0)
