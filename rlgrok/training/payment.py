"""What a completion earns at a step: the schedule's mixture of the dense and the binary reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlgrok.rewards import binary_reward, dense_reward
from rlgrok.training.schedule import FamilySchedules, Schedule
from rlgrok.types import Completion, Status, Verdict


@dataclass(frozen=True)
class Payment:
    """Pays a verdict.

    Attributes:
        schedule: says how much of the reward is binary.
        balanced: the dense reward is the mean of the rates over accepting and rejecting tests.
        families: family by problem id.
    """

    schedule: Schedule | FamilySchedules
    balanced: bool
    families: Mapping[str, str]

    def __call__(
        self, problem_id: str, verdict: Verdict, completion: Completion, step: int
    ) -> float | None:
        """The reward, in [0, 1]; None for a verdict that our own failure produced, which is no reward."""
        if verdict.status is Status.INFRASTRUCTURE_ERROR:
            return None
        is_truncated = completion.is_truncated
        weight = self.schedule.binary_weight(step, self.families[problem_id])
        if weight == 1.0:
            return binary_reward(verdict, is_truncated=is_truncated)
        dense = dense_reward(verdict, balanced=self.balanced, is_truncated=is_truncated)
        if weight == 0.0:
            return dense
        return (1.0 - weight) * dense + weight * binary_reward(verdict, is_truncated=is_truncated)
