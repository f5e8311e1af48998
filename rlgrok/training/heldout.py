"""Greedy accuracy on held-out problems during training: the curve in which grokking is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlgrok.policy import Policy
from rlgrok.rewards import is_success, require_verdict
from rlgrok.sampling import complete
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Problem, Verdict


@dataclass(frozen=True)
class HeldoutResult:
    """One greedy completion a problem, judged as the final evaluation judges it; in the order of the problems."""

    completions: tuple[Completion, ...]
    verdicts: tuple[Verdict, ...]
    """Of the problems' own tests."""
    passed: tuple[bool, ...]
    """Passed them all and ended by itself."""
    exhaustive: tuple[bool, ...] | None
    """Passed, and right on every short input as well; None: not judged."""

    def metrics(self) -> dict[str, float]:
        """Shares over problems: of full passes, of tests passed, of exhaustive passes where they were judged."""
        total = len(self.verdicts)
        values = {
            "heldout_full_pass": sum(self.passed) / total,
            "heldout_pass_rate": sum(verdict.pass_rate for verdict in self.verdicts) / total,
        }
        if self.exhaustive is not None:
            values["heldout_exhaustive"] = sum(self.exhaustive) / total
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
        self._prompts = prompts
        self._verifier = verifier
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size
        self._exhaustive = exhaustive

    @property
    def problem_ids(self) -> list[str]:
        """Ids in the order of the results."""
        return [problem.id for problem in self._problems]

    def __call__(self) -> HeldoutResult:
        """Judge the current weights.

        Raises:
            InfrastructureError: the verifier failed on a completion.
        """
        completions = tuple(
            complete(
                self._policy,
                self._prompts,
                num_per_prompt=1,
                max_new_tokens=self._max_new_tokens,
                seed=0,  # greedy: nothing is drawn
                greedy=True,
                batch_size=self._batch_size,
            )
        )
        pairs = list(zip(self.problem_ids, completions, strict=True))
        verdicts = tuple(
            require_verdict(self._verifier.verify(name, completion), name)
            for name, completion in pairs
        )
        passed = tuple(
            is_success(verdict, is_truncated=completion.is_truncated)
            for verdict, completion in zip(verdicts, completions, strict=True)
        )
        exhaustive = None
        if self._exhaustive:
            exhaustive = tuple(
                is_pass and self._is_right(name, completion)
                for is_pass, (name, completion) in zip(passed, pairs, strict=True)
            )
        return HeldoutResult(completions, verdicts, passed, exhaustive)

    def _is_right(self, problem_id: str, completion: Completion) -> bool:
        verdict = self._verifier.verify_exhaustive(problem_id, completion)
        return require_verdict(verdict, problem_id).full_pass
