"""Verification in the loop: a failed attempt is told why and goes on in the same completion.

The end token of a failed attempt gives way to the verifier's text, and the policy writes on, within the budget of one
completion. The text is not the policy's: it is masked out of the loss. What is judged is the last attempt alone. With
one attempt nothing here runs, and a step is bit for bit that of a run without feedback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rlgrok.ingredients import FeedbackConfig, FeedbackDetail, ShownTests
from rlgrok.policy import Policy
from rlgrok.training.batch import StepBatch
from rlgrok.types import Problem, Scope
from runtime.errors import ConfigError


@dataclass(frozen=True)
class FeedbackLoop:
    """Gives failed attempts another one.

    Attributes:
        attempts: of one completion, the first included.
        max_new_tokens: of one completion, all attempts and texts together.
        min_left: an attempt begins only when so many tokens are left.
        write: (problem id, attempt's text) -> what it is told.
        encode: text to token ids, no special tokens.
        is_success: (problem id, attempt's token ids) -> whether it passed and ended by itself.
        decode: token ids to text.
        draw: (prompts, limit on tokens, name of the draw) -> completions, their log-probabilities and entropies.
        end_ids: tokens that end a completion.
    """

    attempts: int
    max_new_tokens: int
    min_left: int
    write: Callable[[str, str], str]
    encode: Callable[[str], list[int]]
    is_success: Callable[[str, Sequence[int]], bool]
    decode: Callable[[Sequence[int]], str]
    draw: Callable[[Sequence[Sequence[int]], int, str], tuple[list[list[int]], list[list[float]]]]
    end_ids: frozenset[int]

    def __call__(self, batch: StepBatch) -> int:
        """Let every failed completion of the batch try again, in place; returns the number of further attempts."""
        total = 0
        for attempt in range(1, self.attempts):
            rows = [row for row in range(len(batch)) if self._may_go_on(batch, row)]
            texts: list[list[int]] = []
            kept: list[int] = []
            for row in rows:
                told = self.encode(
                    self.write(batch.problem_ids[row], self.decode(batch.attempt(row)))
                )
                used = len(batch.completion_ids[row]) - 1 + len(told)
                if self.max_new_tokens - used >= self.min_left:
                    kept.append(row)
                    texts.append(told)
            if not kept:
                break
            for row, told in zip(kept, texts, strict=True):
                batch.append_text(row, told)
            left = [self.max_new_tokens - len(batch.completion_ids[row]) for row in kept]
            prompts = [batch.prompt_ids[row] + batch.completion_ids[row] for row in kept]
            tokens, logprobs = self.draw(prompts, max(left), f"attempt {attempt + 1}")
            for row, room, own, values in zip(kept, left, tokens, logprobs, strict=True):
                batch.append_attempt(row, own[:room], values[:room])
            total += len(kept)
        return total

    def _may_go_on(self, batch: StepBatch, row: int) -> bool:
        """The last attempt ended by itself and failed."""
        attempt = batch.attempt(row)
        ended = bool(attempt) and attempt[-1] in self.end_ids
        return ended and not self.is_success(batch.problem_ids[row], attempt)


TEXTS_REMEMBERED = 50_000
"""A policy writes the same program often, and finding out what is wrong with it takes hundreds of tapes."""


def feedback_writer(
    feedback: FeedbackConfig, scope: Scope, problems: Sequence[Problem], policy: Policy
) -> Callable[[str, str], str] | None:
    """What tells a failed attempt why, by problem id; None without feedback.

    Raises:
        ConfigError: the scope says nothing about failures, or fresh tests are asked for and there are none.
    """
    if feedback.attempts == 1:
        return None
    if scope.feedback is None:
        raise ConfigError(
            "the scope has no feedback",
            got=scope.name,
            expected="feedback=none",
            where="feedback.attempts",
        )
    known = {problem.id: problem for problem in problems}
    write = scope.feedback
    max_cases = feedback.max_cases if feedback.detail is FeedbackDetail.CASES else None

    @lru_cache(maxsize=TEXTS_REMEMBERED)
    def told(problem_id: str, text: str) -> str:
        return write(
            known[problem_id],
            scope.extract(text),
            policy.prompt_style,
            fresh=feedback.shown is ShownTests.FRESH,
            max_cases=max_cases,
        )

    told(problems[0].id, "")  # what cannot be said is known before anything is drawn
    return told
