"""What an attempt earns at a step, the schedule's mixture of the dense and the binary reward, and a completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        every_attempt: a completion earns the mean over its attempts; False: what its last attempt earns.
    """

    schedule: Schedule | FamilySchedules
    balanced: bool
    families: Mapping[str, str]
    every_attempt: bool = False

    def of_attempts(
        self, problem_id: str, attempts: Sequence[tuple[Verdict, Completion]], step: int
    ) -> float | None:
        """The reward of a completion with these attempts, in order; None where our own failure hit one that counts."""
        paid = [
            self(problem_id, verdict, completion, step)
            for verdict, completion in (attempts if self.every_attempt else attempts[-1:])
        ]
        earned = [reward for reward in paid if reward is not None]
        return sum(earned) / len(earned) if len(earned) == len(paid) else None

    def __call__(
        self, problem_id: str, verdict: Verdict, completion: Completion, step: int
    ) -> float | None:
        """The reward of one attempt, in [0, 1]; None, no reward, for a verdict that our own failure produced."""
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
