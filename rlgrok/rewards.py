"""From a verdict to a success or a number. Pure.

A verdict of our own failing infrastructure has no reward: asking for one raises, so that it can never train.
"""

from __future__ import annotations

from rlgrok.types import Status, Verdict
from runtime.errors import InfrastructureError


def is_success(verdict: Verdict, *, is_truncated: bool) -> bool:
    """Passed every test and ended by itself: what every count of full passes counts."""
    return verdict.full_pass and not is_truncated


def dense_reward(verdict: Verdict, *, balanced: bool, is_truncated: bool) -> float:
    """Share of tests passed, in [0, 1].

    Args:
        verdict: of the completion's program.
        balanced: mean of the shares over accepting and rejecting tests, so that a constant program earns 1/2
            whatever the mix; otherwise the plain share (the benchmark's `pass_rate`).
        is_truncated: a completion that hit the length limit earns 0 (the benchmark's non-stop value).

    Raises:
        InfrastructureError: the verifier itself failed.

    Source:
        DELTA's released training scripts, score mode `pass_rate`; `balanced` is ours.
    """
    require_verdict(verdict)
    if is_truncated:
        return 0.0
    return verdict.balanced_pass_rate if balanced else verdict.pass_rate


def binary_reward(verdict: Verdict, *, is_truncated: bool) -> float:
    """1 when every test passed, else 0; a truncated completion earns 0.

    Raises:
        InfrastructureError: the verifier itself failed.

    Source:
        DELTA's released training scripts, score mode `full_pass`.
    """
    require_verdict(verdict)
    return float(is_success(verdict, is_truncated=is_truncated))


def require_verdict(verdict: Verdict, where: str | None = None) -> Verdict:
    """The verdict itself, when it says something of the program.

    Raises:
        InfrastructureError: the verifier itself failed; `where` says on what.
    """
    if verdict.status is Status.INFRASTRUCTURE_ERROR:
        raise InfrastructureError(
            "the verifier failed, which is neither a reward nor a wrong program",
            got=verdict.message or "no message",
            where=where,
        )
    return verdict
