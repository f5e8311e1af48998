"""The order of prompts: every problem equally often, none twice in a step."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rlgrok.training.order import prompt_order
from runtime.seeding import Stream


@given(
    num_problems=st.integers(1, 20),
    per_step=st.integers(1, 24),
    num_steps=st.integers(1, 20),
    seed=st.integers(0, 5),
)
def test_steps_are_distinct_and_passes_complete(num_problems, per_step, num_steps, seed):
    order = prompt_order(num_problems, per_step=per_step, num_steps=num_steps, stream=Stream(seed))
    assert len(order) == per_step * num_steps
    assert set(order) <= set(range(num_problems))
    for start in range(0, len(order), per_step):
        step = order[start : start + per_step]
        assert len(set(step)) == min(per_step, num_problems)
    counts = Counter(order)
    # A pass is at most one step's problems behind or ahead of the next one.
    spread = max(counts.values()) - min(counts.get(index, 0) for index in range(num_problems))
    assert spread <= 2 + per_step // num_problems


def test_a_longer_run_starts_like_a_shorter_one():
    short = prompt_order(42, per_step=16, num_steps=5, stream=Stream(3))
    long = prompt_order(42, per_step=16, num_steps=50, stream=Stream(3))
    assert long[: len(short)] == short
