"""Rewards of verdicts, by hand."""

from __future__ import annotations

import pytest

from rlgrok.rewards import binary_reward, dense_reward, is_success, require_verdict
from rlgrok.types import Status, Verdict
from runtime.errors import InfrastructureError

# Ten tests, two of them accepting; one accepting and six rejecting ones passed.
MIXED = Verdict(
    Status.FAILED, num_passed=7, num_tests=10, num_accepting=2, num_accepting_passed=1
)
PERFECT = Verdict(Status.PASSED, 10, 10, 2, 2)
UNPARSED = Verdict(Status.PARSE_ERROR, 0, 10, 2, 0)
OURS = Verdict(Status.INFRASTRUCTURE_ERROR, 0, 10, 2, 0, message="the judge broke")


@pytest.mark.parametrize(
    ("verdict", "plain", "balanced", "binary"),
    [(MIXED, 0.7, (1 / 2 + 6 / 8) / 2, 0.0), (PERFECT, 1.0, 1.0, 1.0), (UNPARSED, 0.0, 0.0, 0.0)],
)
def test_values(verdict: Verdict, plain: float, balanced: float, binary: float) -> None:
    assert dense_reward(verdict, balanced=False, is_truncated=False) == plain
    assert dense_reward(verdict, balanced=True, is_truncated=False) == balanced
    assert binary_reward(verdict, is_truncated=False) == binary


def test_a_constant_program_earns_half_of_the_balanced_reward_whatever_the_mix() -> None:
    for num_accepting in (1, 5, 9):
        rejects_all = Verdict(Status.FAILED, 10 - num_accepting, 10, num_accepting, 0)
        accepts_all = Verdict(Status.FAILED, num_accepting, 10, num_accepting, num_accepting)
        assert dense_reward(rejects_all, balanced=True, is_truncated=False) == 0.5
        assert dense_reward(accepts_all, balanced=True, is_truncated=False) == 0.5


def test_a_truncated_completion_earns_nothing_however_right_it_is() -> None:
    assert dense_reward(PERFECT, balanced=False, is_truncated=True) == 0.0
    assert dense_reward(PERFECT, balanced=True, is_truncated=True) == 0.0
    assert binary_reward(PERFECT, is_truncated=True) == 0.0


@pytest.mark.parametrize("is_truncated", [False, True])
def test_our_own_failure_is_never_a_reward(is_truncated: bool) -> None:
    message = "the verifier failed, which is neither a reward nor a wrong program; got the judge broke"
    with pytest.raises(InfrastructureError, match=message):
        dense_reward(OURS, balanced=False, is_truncated=is_truncated)
    with pytest.raises(InfrastructureError, match=message):
        binary_reward(OURS, is_truncated=is_truncated)


def test_a_success_passed_everything_and_ended_by_itself() -> None:
    assert is_success(PERFECT, is_truncated=False)
    assert not is_success(PERFECT, is_truncated=True)
    assert not is_success(MIXED, is_truncated=False)


def test_a_required_verdict_is_itself_or_names_what_it_was_of() -> None:
    assert require_verdict(UNPARSED, "a:b") is UNPARSED
    with pytest.raises(InfrastructureError, match="got the judge broke; at a:b"):
        require_verdict(OURS, "a:b")
