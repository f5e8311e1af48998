"""Skipped backward passes: what is idle, and that the optimiser cannot tell."""

from __future__ import annotations

import pytest
import torch

from rlgrok.policy import build_tiny_policy
from rlgrok.prefixes import share_prefixes
from rlgrok.training.idle import has_advantage, skip_backward_when

IDS = torch.tensor([[3, 17, 19, 20], [3, 17, 19, 21]])


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0.0, 0.0, 1.0, 1.0], False),
        ([0.0, 1.0, 1.0, 1.0], True),
        ([0.0, 0.0, 1.0, None], True),
        ([0.25, 0.25, 0.5, 0.5], False),
    ],
)
def test_equal_rewards_within_every_group_are_no_advantage(rewards, expected):
    assert has_advantage(rewards, 2) is expected


def test_an_advantage_that_is_a_rounding_of_the_trainers_mean_counts():
    """In float32 the mean of equal numbers can be off; the trainer divides what is left by 0.0001."""
    sizes = [n for n in range(2, 200) if (torch.full((n,), 0.3) - torch.full((n,), 0.3).mean()).any()]
    assert sizes
    assert all(has_advantage([0.3] * size, size) for size in sizes)


@pytest.mark.parametrize("shared", [True, False])
def test_the_optimiser_cannot_tell(shared):
    """A step with a gradient, then three of a loss times zero: momentum and decay go on alike."""
    ends = []
    for skip in (False, True):
        model = build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=0).model
        idle = False
        if shared:
            share_prefixes(model)
        if skip:
            skip_backward_when(model, lambda: idle)  # noqa: B023
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
        for weight in (1.0, 0.0, 0.0, 0.0):
            idle = weight == 0.0
            logits = model(IDS, use_cache=False).logits
            (weight * logits.logsumexp(-1).sum()).backward()
            assert all(parameter.grad is not None for parameter in model.parameters())
            optimizer.step()
            optimizer.zero_grad()
        ends.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(*ends)


def test_a_pass_that_fails_or_wants_no_gradient_leaves_the_mode_alone():
    model = build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=0).model
    skip_backward_when(model, lambda: True)
    with pytest.raises(IndexError):
        model(torch.tensor([[3, 10_000]]), use_cache=False)
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not model(IDS, use_cache=False).logits.requires_grad
        assert not torch.is_grad_enabled()
    assert model(IDS, use_cache=False).logits.requires_grad
