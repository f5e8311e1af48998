"""The held-out curve: greedy, on the same problems every time, by both verdicts."""

from __future__ import annotations

import pytest
import torch

from rlgrok.delta import SCOPES
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.training.heldout import HeldoutEvaluator
from rlgrok.training.verification import Verifier
from rlgrok.types import PromptStyle, TestSource

SCOPE = SCOPES["manufactoria"]
PROBLEMS = SCOPE.build(
    families=["contains_ordered"], colors="two", lengths=[1, 2], tests=TestSource.LADDER, seed=0
).train

@pytest.fixture
def policy() -> Policy:
    return build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=0)


def evaluator(policy: Policy, *, exhaustive: bool = True, batch_size: int = 100) -> HeldoutEvaluator:
    return HeldoutEvaluator(
        policy,
        PROBLEMS,
        [SCOPE.render_prompt(problem, PromptStyle.COMPACT) for problem in PROBLEMS],
        Verifier(SCOPE, {problem.id: problem for problem in PROBLEMS}),
        max_new_tokens=8,
        batch_size=batch_size,
        exhaustive=exhaustive,
    )


def test_it_is_greedy_and_touches_no_random_state(policy: Policy) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = evaluator(policy)()
    assert torch.equal(torch.get_rng_state(), before)
    assert evaluator(policy, batch_size=1)().completions == first.completions
    for problem, completion in zip(PROBLEMS, first.completions, strict=True):
        ids = torch.tensor([policy.encode_prompt(SCOPE.render_prompt(problem, PromptStyle.COMPACT))])
        theirs = policy.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0
        )
        assert list(completion.token_ids) == theirs[0, ids.shape[1] :].tolist()


def test_it_sees_the_weights_as_they_are_when_it_is_called(policy: Policy) -> None:
    judge = evaluator(policy)
    first = judge()
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(-1.0)
    assert judge().completions != first.completions


def test_a_policy_that_writes_the_oracle_passes_both(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [SCOPE.oracle(problem) for problem in PROBLEMS]
    monkeypatch.setattr(policy.tokenizer, "batch_decode", lambda *_, **__: texts)
    # Any token ends a completion, so none is truncated.
    policy.model.generation_config.eos_token_id = list(range(len(policy.tokenizer)))
    found = evaluator(policy)().metrics()
    assert found == {"heldout_full_pass": 1.0, "heldout_pass_rate": 1.0, "heldout_exhaustive": 1.0}
    assert evaluator(policy, exhaustive=False)().exhaustive is None
