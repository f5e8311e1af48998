"""The rollouts of a run on disk: `rollouts.jsonl.gz`, one gzip member a step, cut back on resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlgrok.evaluation.gzip_lines import append_lines, encode_lines, read_lines
from rlgrok.rewards import is_success
from rlgrok.training.heldout import HeldoutResult
from rlgrok.training.record import StepRecord
from runtime.storage import atomic_write_bytes


class RolloutLog:
    """Appends rollouts; `kind` is `train` for a training draw, `greedy` for a held-out evaluation.

    Each record has step, kind, problem_id, text, status, pass_rate, full_pass and exhaustive (null where it was not
    judged); training records also reward, replayed and policy_step. `full_pass` is false for a truncated completion.

    Args:
        path: the file; made when something is written.
        per_step: training rollouts kept a step; None: all.
    """

    def __init__(self, path: Path, *, per_step: int | None) -> None:
        self.path = path
        self._per_step = per_step

    def write_step(self, record: StepRecord) -> None:
        """Append a step's rollouts: all, or `per_step` of them, evenly spaced over the groups."""
        rollouts = record.rollouts
        if self._per_step is not None and len(rollouts) > self._per_step:
            total = len(rollouts)
            places = [index * total // self._per_step for index in range(self._per_step)]
            rollouts = [rollouts[place] for place in places]
        append_lines(
            self.path,
            [
                {
                    "step": rollout.step,
                    "kind": "train",
                    "problem_id": rollout.problem_id,
                    "text": rollout.completion.text,
                    "status": rollout.verdict.status.value,
                    "pass_rate": rollout.verdict.pass_rate,
                    "full_pass": is_success(
                        rollout.verdict, is_truncated=rollout.completion.is_truncated
                    ),
                    "exhaustive": None,
                    "reward": rollout.reward,
                    "replayed": rollout.is_replayed,
                    "policy_step": rollout.policy_step,
                }
                for rollout in rollouts
            ],
        )

    def write_heldout(self, step: int, problem_ids: Sequence[str], result: HeldoutResult) -> None:
        """Append a held-out evaluation, one record a problem."""
        exhaustive = result.exhaustive or [None] * len(problem_ids)
        append_lines(
            self.path,
            [
                {
                    "step": step,
                    "kind": "greedy",
                    "problem_id": problem_id,
                    "text": completion.text,
                    "status": verdict.status.value,
                    "pass_rate": verdict.pass_rate,
                    "full_pass": passed,
                    "exhaustive": is_right,
                }
                for problem_id, completion, verdict, passed, is_right in zip(
                    problem_ids,
                    result.completions,
                    result.verdicts,
                    result.passed,
                    exhaustive,
                    strict=True,
                )
            ],
        )

    def cut_after(self, step: int) -> None:
        """Forget everything after a step: a resumed run will write it again."""
        if self.path.exists():
            kept = read_lines(self.path, lambda record: record["step"] <= step).records
            atomic_write_bytes(self.path, encode_lines(kept) if kept else b"")
