"""Shared prefixes against the plain forward pass: outputs, gradients, and what counts as the same prefix."""

from __future__ import annotations

import pytest
import torch

from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.prefixes import PrefixLayout, prefix_layout, share_prefixes
from runtime.seeding import Stream


def tiny() -> Policy:
    return build_tiny_policy(hidden_size=32, num_layers=2, num_heads=4, max_positions=64, seed=0)


def random_batch(rows: int, width: int, symbols: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask; rows begin and end in different columns and often begin alike."""
    stream = Stream(seed, "batch")
    ids = torch.zeros((rows, width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row in range(rows):
        start, end = stream.below(3), width - stream.below(width // 2)
        ids[row, start:end] = torch.tensor([3 + stream.below(symbols) for _ in range(end - start)])
        mask[row, start:end] = 1
    return ids, mask


def prefixes_of(ids: torch.Tensor, mask: torch.Tensor) -> list[set[tuple[int, ...]]]:
    """(first column, tokens...) of every prefix, from the definition, row by row."""
    found = []
    for row, real in zip(ids.tolist(), mask.tolist(), strict=True):
        start = real.index(1)
        tokens = row[start : start + sum(real)]
        found.append({(start, *tokens[: length + 1]) for length in range(len(tokens))})
    return found


def path(layout: PrefixLayout, row: int, mask: torch.Tensor) -> list[int]:
    return layout.batch_prefixes[row][mask[row].bool()].tolist()


@pytest.mark.parametrize("symbols", [1, 2, 30])
def test_every_distinct_prefix_stands_once(symbols: int) -> None:
    ids, mask = random_batch(40, 12, symbols, seed=symbols)
    layout = prefix_layout(ids, mask)
    assert len(layout.token_ids) == len(set.union(*prefixes_of(ids, mask)))
    # A prefix's number leads to its last token and its column, in the batch and in the distinct rows.
    for row in range(len(ids)):
        numbers = path(layout, row, mask)
        real = mask[row].bool()
        assert layout.token_ids[numbers].tolist() == ids[row][real].tolist()
        assert layout.positions[numbers].tolist() == real.nonzero().squeeze(1).tolist()
    assert layout.row_prefixes.flatten()[layout.first_places].tolist() == list(
        range(len(layout.token_ids))
    )
    assert len(layout.row_prefixes) == len({tuple(path(layout, row, mask)) for row in range(len(ids))})


@pytest.mark.parametrize("symbols", [1, 2, 30])
def test_outputs_and_gradients_are_those_of_the_plain_pass(symbols: int) -> None:
    ids, mask = random_batch(24, 14, symbols, seed=10 + symbols)
    plain, shared = tiny().model, tiny().model
    share_prefixes(shared)
    weights = torch.randn((*ids.shape, plain.config.vocab_size), generator=torch.Generator().manual_seed(0))
    gradients = []
    logits = []
    for model in (plain, shared):
        found = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()]
        (found.log_softmax(-1) * weights[mask.bool()]).sum().backward()
        logits.append(found.detach())
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(logits[1], logits[0], atol=1e-5, rtol=1e-5)
    assert gradients[0].norm() > 1
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-4)
    assert shared.config._attn_implementation == plain.config._attn_implementation


def test_keys_that_several_queries_share() -> None:
    """Fewer heads for keys than for queries, as most language models have."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=30, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    plain = LlamaForCausalLM(config)
    shared = LlamaForCausalLM(config)
    shared.load_state_dict(plain.state_dict())
    share_prefixes(shared)
    ids, mask = random_batch(12, 10, 3, seed=5)
    with torch.no_grad():
        expected = plain(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()]
        found = shared(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_pass_with_a_cache_is_left_alone() -> None:
    policy = tiny()
    ids = torch.tensor([[3, 17, 19, 20], [3, 17, 19, 21]])
    expected = policy.model(ids, use_cache=True)
    share_prefixes(policy.model)
    found = policy.model(ids, use_cache=True)
    assert torch.equal(found.logits, expected.logits)
    assert found.past_key_values.get_seq_length() == 4


def test_a_pass_that_fails_leaves_the_model_as_it_was() -> None:
    model = tiny().model
    plain = model.config._attn_implementation
    share_prefixes(model)
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[3, 10_000]]), use_cache=False)
    assert model.config._attn_implementation == plain
    assert model(input_ids=torch.tensor([[3, 4]]), use_cache=False).logits.isfinite().all()


@pytest.mark.parametrize("mask", [[[1, 0, 1]], [[0, 0, 0]]])
def test_rows_with_gaps_or_without_tokens_are_refused(mask: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="consecutive"):
        prefix_layout(torch.tensor([[3, 4, 5]]), torch.tensor(mask))
