"""Greedy accuracy on held-out problems during training: the curve in which grokking is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlgrok.policy import Policy
from rlgrok.sampling import sample_tokens
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Problem, Verdict


@dataclass(frozen=True)
class HeldoutResult:
    """One greedy completion a problem, with both verdicts; in the order of the problems."""

    completions: tuple[Completion, ...]
    verdicts: tuple[Verdict, ...]
    exhaustive: tuple[Verdict, ...] | None

    def metrics(self) -> dict[str, float]:
        """Shares over problems: of full passes, of tests passed, of exhaustive passes where they were judged."""
        total = len(self.verdicts)
        values = {
            "heldout_full_pass": sum(verdict.full_pass for verdict in self.verdicts) / total,
            "heldout_pass_rate": sum(verdict.pass_rate for verdict in self.verdicts) / total,
        }
        if self.exhaustive is not None:
            values["heldout_exhaustive"] = sum(v.full_pass for v in self.exhaustive) / total
        return values


class HeldoutEvaluator:
    """Decodes the same held-out problems greedily whenever it is called."""

    def __init__(
        self,
        policy: Policy,
        problems: Sequence[Problem],
        prompts: Sequence[str],
        verifier: Verifier,
        *,
        max_new_tokens: int,
        batch_size: int,
        exhaustive: bool,
    ) -> None:
        self._policy = policy
        self._problems = problems
        self._prompts = [policy.encode_prompt(text) for text in prompts]
        self._verifier = verifier
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size
        self._exhaustive = exhaustive

    @property
    def problem_ids(self) -> list[str]:
        """Ids in the order of the results."""
        return [problem.id for problem in self._problems]

    def __call__(self) -> HeldoutResult:
        """Judge the current weights."""
        policy = self._policy
        sampled = sample_tokens(
            policy.model,
            self._prompts,
            num_per_prompt=1,
            max_new_tokens=self._max_new_tokens,
            end_ids=policy.end_token_ids(),
            pad_id=policy.tokenizer.pad_token_id,
            seed=0,  # greedy: nothing is drawn
            greedy=True,
            batch_size=self._batch_size,
        )
        texts = policy.tokenizer.batch_decode(sampled.token_ids, skip_special_tokens=True)
        completions = tuple(
            Completion(tuple(ids), text, is_truncated=truncated)
            for ids, text, truncated in zip(
                sampled.token_ids, texts, sampled.truncated, strict=True
            )
        )
        pairs = list(zip(self._problems, completions, strict=True))
        verdicts = tuple(
            self._verifier.verify(problem.id, completion) for problem, completion in pairs
        )
        exhaustive = None
        if self._exhaustive:
            exhaustive = tuple(
                self._verifier.verify_exhaustive(problem.id, completion)
                for problem, completion in pairs
            )
        return HeldoutResult(completions, verdicts, exhaustive)
