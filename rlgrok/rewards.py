"""From a verdict to a number. Pure.

A verdict of our own failing infrastructure has no reward: asking for one raises, so that it can never train.
"""

from __future__ import annotations

from rlgrok.types import Status, Verdict
from runtime.errors import InfrastructureError


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
    _refuse_infrastructure(verdict)
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
    _refuse_infrastructure(verdict)
    return 1.0 if verdict.full_pass and not is_truncated else 0.0


def _refuse_infrastructure(verdict: Verdict) -> None:
    if verdict.status is Status.INFRASTRUCTURE_ERROR:
        raise InfrastructureError(
            "a verdict of the failing verifier is never a reward",
            got=verdict.message or "no message",
        )
