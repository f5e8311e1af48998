"""The sampler against the library's own generation and against a full forward pass."""

from __future__ import annotations

import pytest
import torch

from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import Sampled, complete, sample_tokens

PROMPTS = [[3, 17, 19, 20], [4, 18, 20, 20, 21, 22], [5, 17]]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_tiny_policy(hidden_size=32, num_layers=2, num_heads=4, max_positions=64, seed=0)


def draw(policy: Policy, **overrides) -> Sampled:
    arguments = {
        "num_per_prompt": 4,
        "max_new_tokens": 12,
        "end_ids": [1],
        "pad_id": 0,
        "seed": 7,
    }
    return sample_tokens(policy.model, PROMPTS, **(arguments | overrides))


def test_greedy_equals_the_librarys_generation(policy):
    ours = draw(policy, num_per_prompt=2, greedy=True)
    for index, prompt in enumerate(PROMPTS):
        ids = torch.tensor([prompt])
        theirs = policy.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        expected = theirs[0, len(prompt) :].tolist()
        assert ours.token_ids[2 * index] == expected
        assert ours.token_ids[2 * index + 1] == expected


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_and_entropies_are_those_of_a_full_forward_pass(policy, temperature):
    ours = draw(policy, temperature=temperature)
    for row, tokens in enumerate(ours.token_ids):
        prompt = PROMPTS[row // 4]
        with torch.no_grad():
            logits = policy.model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
        logprobs = torch.log_softmax(logits / temperature, dim=-1)
        chosen = logprobs[range(len(tokens)), tokens]
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        torch.testing.assert_close(torch.tensor(ours.logprobs[row]), chosen, atol=2e-5, rtol=0)
        torch.testing.assert_close(torch.tensor(ours.entropies[row]), entropy, atol=2e-5, rtol=0)


def test_a_call_is_a_function_of_its_seed_and_leaves_global_randomness_alone(policy):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw(policy)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    assert draw(policy) == first
    assert draw(policy, seed=8) != first


def test_rows_end_at_the_first_end_token_and_are_truncated_otherwise(policy):
    # Every token ends a completion: each has exactly one. None does: each is cut at the limit.
    vocabulary = range(len(policy.tokenizer))
    ended = draw(policy, end_ids=list(vocabulary))
    assert [len(row) for row in ended.token_ids] == [1] * 12
    assert not any(ended.truncated)
    endless = draw(policy, end_ids=[])
    assert [len(row) for row in endless.token_ids] == [12] * 12
    assert all(endless.truncated)
    some = draw(policy, end_ids=list(range(0, len(policy.tokenizer), 4)), num_per_prompt=64)
    ends = set(range(0, len(policy.tokenizer), 4))
    for row, truncated in zip(some.token_ids, some.truncated, strict=True):
        assert (row[-1] in ends) is not truncated
        assert not ends & set(row[:-1])


def test_dropping_finished_rows_does_not_change_what_the_others_see(policy):
    ends = list(range(0, len(policy.tokenizer), 4))
    ours = draw(policy, end_ids=ends, num_per_prompt=32)
    for row, tokens in enumerate(ours.token_ids):
        prompt = PROMPTS[row // 32]
        with torch.no_grad():
            logits = policy.model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
        chosen = torch.log_softmax(logits, dim=-1)[range(len(tokens)), tokens]
        torch.testing.assert_close(torch.tensor(ours.logprobs[row]), chosen, atol=2e-5, rtol=0)


def test_batches_of_any_size_cover_every_prompt_in_order(policy):
    for batch_size in (1, 3, 4, 100):
        sampled = draw(policy, batch_size=batch_size, greedy=True)
        assert sampled.token_ids == draw(policy, greedy=True).token_ids


def test_top_p_keeps_the_smallest_set_that_reaches_it(policy):
    prompt = PROMPTS[0]
    with torch.no_grad():
        probs = policy.model(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    order = probs.sort(descending=True)
    kept = set(order.indices[: int((order.values.cumsum(0) < 0.3).sum()) + 1].tolist())
    sampled = sample_tokens(
        policy.model,
        [prompt],
        num_per_prompt=2000,
        max_new_tokens=1,
        end_ids=[1],
        pad_id=0,
        seed=0,
        top_p=0.3,
        batch_size=2000,
    )
    seen = {row[0] for row in sampled.token_ids}
    # The rarest kept token has probability above 1/59 of 0.3: missed by 2000 draws with probability below 1e-4.
    assert seen == kept


def test_checkpointed_activations_in_training_mode_do_not_cost_the_cache(policy):
    """In training mode such a model keeps no cache; drawing must neither need that nor change it."""
    expected = draw(policy)
    policy.model.enable_input_require_grads()
    policy.model.train()
    for module in policy.model.modules():
        if hasattr(module, "gradient_checkpointing"):
            module.gradient_checkpointing = True
    try:
        assert draw(policy) == expected
        assert policy.model.training
    finally:
        for module in policy.model.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = False
        policy.model.disable_input_require_grads()
        policy.model.eval()


def test_a_lower_precision_changes_the_numbers_a_little_and_not_the_weights(policy):
    exact = draw(policy, greedy=True)
    rounded = draw(policy, greedy=True, autocast=torch.bfloat16)
    assert policy.model.dtype is torch.float32
    assert rounded.logprobs != exact.logprobs
    # The first token: from then on, texts may part. bfloat16 has eight bits: 2^-8 of logits below 4.
    firsts = zip(rounded.logprobs, exact.logprobs, strict=True)
    assert all(abs(ours[0] - theirs[0]) < 4 * 2**-8 * 2 for ours, theirs in firsts)


def test_completions_in_words_are_the_tokens_decoded(policy):
    prompts = ["starts_with two R _ _ _ _ _ :", "exact_sequence four B Y _ _ _ _ :"]
    settings = {"num_per_prompt": 3, "max_new_tokens": 8, "seed": 7}
    ours = complete(policy, prompts, **settings)
    tokens = sample_tokens(
        policy.model,
        [policy.encode_prompt(text) for text in prompts],
        end_ids=policy.end_token_ids(),
        pad_id=policy.tokenizer.pad_token_id,
        **settings,
    )
    assert [list(made.token_ids) for made in ours] == tokens.token_ids
    assert [made.is_truncated for made in ours] == tokens.truncated
    for made in ours:
        assert made.text == policy.tokenizer.decode(made.token_ids, skip_special_tokens=True)


def test_completions_that_are_alike_so_far_are_computed_once(policy, monkeypatch):
    """300 completions of three prompts over few tokens: never more rows a pass than distinct prefixes."""
    rows = []
    forward = policy.model.forward

    def counted(**given):
        rows.append(len(given["input_ids"]))
        return forward(**given)

    monkeypatch.setattr(policy.model, "forward", counted)
    sampled = draw(policy, num_per_prompt=100, max_new_tokens=6, end_ids=[], temperature=0.25, batch_size=300)
    distinct = [
        len({(row // 100, *tokens[:length]) for row, tokens in enumerate(sampled.token_ids)})
        for length in range(6)
    ]
    assert rows == distinct
    assert rows[2] < 250
