"""The completions of one step while they are made: drawn, continued after feedback, replaced, replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class StepBatch:
    """One entry a completion in every list; groups of one problem stand together.

    Attributes:
        group_size: completions a problem.
        problem_ids: of each completion.
        prompt_ids: token ids of each prompt.
        completion_ids: tokens of the policy and, after feedback, of the verifier's texts.
        logprobs: of the policy's tokens under the policy that drew them; 0 for the verifier's.
        source_step: step whose policy drew a replayed completion; None for one drawn now.
        own_tokens: 1 for a token of the policy, 0 for one of the verifier's; empty where all are the policy's.
        attempt_start: where the last attempt begins.
        earlier: the attempts before it, in order, each with the end token that gave way to the verifier's text.
    """

    group_size: int
    problem_ids: list[str]
    prompt_ids: list[list[int]]
    completion_ids: list[list[int]]
    logprobs: list[list[float]]
    source_step: list[int | None] = field(default_factory=list)
    own_tokens: list[list[int]] = field(default_factory=list)
    attempt_start: list[int] = field(default_factory=list)
    earlier: list[list[list[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Every completion is one attempt, drawn now."""
        count = len(self.completion_ids)
        self.source_step = self.source_step or [None] * count
        self.own_tokens = self.own_tokens or [[] for _ in range(count)]
        self.attempt_start = self.attempt_start or [0] * count
        self.earlier = self.earlier or [[] for _ in range(count)]

    def __len__(self) -> int:
        """Number of completions."""
        return len(self.completion_ids)

    @property
    def num_groups(self) -> int:
        """Number of problems."""
        return len(self) // self.group_size

    def places(self, group: int) -> range:
        """Where a group stands."""
        return range(group * self.group_size, (group + 1) * self.group_size)

    def attempt(self, row: int) -> list[int]:
        """Tokens of the last attempt."""
        return self.completion_ids[row][self.attempt_start[row] :]

    def append_text(self, row: int, tokens: Sequence[int]) -> None:
        """Put the verifier's text in the place of the end token."""
        self.earlier[row] = [*self.earlier[row], self.attempt(row)]
        own = self.own_tokens[row] or [1] * len(self.completion_ids[row])
        self.completion_ids[row] = [*self.completion_ids[row][:-1], *tokens]
        self.logprobs[row] = [*self.logprobs[row][:-1], *([0.0] * len(tokens))]
        self.own_tokens[row] = [*own[:-1], *([0] * len(tokens))]
        self.attempt_start[row] = len(self.completion_ids[row])

    def append_attempt(self, row: int, tokens: Sequence[int], logprobs: Sequence[float]) -> None:
        """Put what the policy wrote after the text."""
        self.completion_ids[row] = [*self.completion_ids[row], *tokens]
        self.logprobs[row] = [*self.logprobs[row], *logprobs]
        self.own_tokens[row] = [*self.own_tokens[row], *([1] * len(tokens))]

    def replay(self, row: int, tokens: Sequence[int], step: int) -> None:
        """Put a stored success in the place of a completion."""
        self.completion_ids[row] = list(tokens)
        self.logprobs[row] = [0.0] * len(tokens)
        self.source_step[row] = step
        self.own_tokens[row] = []
        self.attempt_start[row] = 0
        self.earlier[row] = []

    def replace_group(self, group: int, other: StepBatch, other_group: int) -> None:
        """Put a group of another batch in the place of one of this one."""
        for place, source in zip(self.places(group), other.places(other_group), strict=True):
            for name in (
                "problem_ids", "prompt_ids", "completion_ids", "logprobs", "source_step", "own_tokens",
                "attempt_start", "earlier",
            ):  # fmt: skip
                getattr(self, name)[place] = getattr(other, name)[source]

    def outputs(self) -> dict[str, Any]:
        """What the trainer is given. `env_mask` and `earlier` only when the verifier wrote something."""
        values: dict[str, Any] = {
            "prompt_ids": self.prompt_ids,
            "completion_ids": self.completion_ids,
            "logprobs": self.logprobs,
            "source_step": self.source_step,
            "problem_id": self.problem_ids,
            "attempt_start": self.attempt_start,
        }
        if any(self.own_tokens):
            values["env_mask"] = [
                own or [1] * len(tokens)
                for own, tokens in zip(self.own_tokens, self.completion_ids, strict=True)
            ]
            values["earlier"] = self.earlier
        return values
