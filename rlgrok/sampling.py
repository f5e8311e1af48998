"""Draw completions from a policy, fast: each prompt given is prefilled once, finished rows are dropped.

Works with any causal language model that takes and returns a key-value cache. One call is a pure function of its
arguments, the seed included: it never touches the global random state, so a resumed run draws the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from rlgrok.grammar import Grammar
from rlgrok.policy import Policy, pad_left
from rlgrok.types import Completion

COMPACT_WHEN = 0.75
"""Finished rows are dropped from the cache once fewer than this share of its rows is alive.

Dropping copies the cache: at every finished row that copy would cost more than the rows it saves.
"""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Completions in the order of the prompts, `num_per_prompt` for each, as plain lists.

    `token_ids[i]` ends with an end token unless `truncated[i]`. `logprobs[i]` and `entropies[i]` have the same
    length: natural logarithm of the sampled token's probability, and the entropy in nats, of the distribution
    that the token was drawn from (temperature applied, before top-p).
    """

    token_ids: list[list[int]]
    logprobs: list[list[float]]
    entropies: list[list[float]]
    truncated: list[bool]


def complete(
    policy: Policy,
    prompts: Sequence[str],
    *,
    num_per_prompt: int,
    max_new_tokens: int,
    seed: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    greedy: bool = False,
    batch_size: int = 512,
    on_batch: Callable[[int], None] | None = None,
) -> list[Completion]:
    """Completions of prompts in words, `num_per_prompt` of each, grouped by prompt; arguments as `sample_tokens`."""
    sampled = sample_tokens(
        policy.model,
        [policy.encode_prompt(text) for text in prompts],
        num_per_prompt=num_per_prompt,
        max_new_tokens=max_new_tokens,
        end_ids=policy.end_token_ids(),
        pad_id=policy.tokenizer.pad_token_id,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        greedy=greedy,
        batch_size=batch_size,
        autocast=policy.autocast,
        grammar=policy.grammar,
        on_batch=on_batch,
    )
    texts = policy.tokenizer.batch_decode(sampled.token_ids, skip_special_tokens=True)
    return [
        Completion(tuple(ids), text, is_truncated=truncated)
        for ids, text, truncated in zip(sampled.token_ids, texts, sampled.truncated, strict=True)
    ]


def sample_tokens(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    num_per_prompt: int,
    max_new_tokens: int,
    end_ids: Sequence[int],
    pad_id: int,
    seed: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    greedy: bool = False,
    batch_size: int = 512,
    autocast: torch.dtype | None = None,
    grammar: Grammar | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Sampled:
    """Sample `num_per_prompt` completions of every prompt.

    Args:
        model: on any device; in evaluation mode during the call, as before it afterwards.
        prompts: token ids, one row a prompt; rows may differ in length.
        num_per_prompt: completions per prompt.
        max_new_tokens: longest completion; a row that reaches it without an end token is truncated.
        end_ids: tokens that end a completion.
        pad_id: fills shorter prompts on the left.
        seed: of this call's own generator.
        temperature: divides the logits; above 0.
        top_p: keep the smallest set of tokens whose probability reaches this.
        greedy: take the most likely token; temperature then only affects the reported log-probabilities.
        batch_size: rows decoded at once, a bound on memory.
        autocast: precision to compute in; None: that of the weights.
        grammar: what may be written; None: anything.
        on_batch: called with the number of completions just finished.

    Returns:
        `len(prompts) * num_per_prompt` completions, grouped by prompt.
    """
    generator = torch.Generator(device=model.device).manual_seed(seed)
    draw = _Draw(generator, temperature, top_p, greedy)
    ends = torch.tensor(list(end_ids), device=model.device)
    per_batch = max(1, batch_size // num_per_prompt)
    result = Sampled([], [], [], [])
    with _inference(model, autocast):
        for start in range(0, len(prompts), per_batch):
            chunk = prompts[start : start + per_batch]
            for first in range(0, num_per_prompt, batch_size):
                copies = min(batch_size, num_per_prompt - first)
                part = _decode(model, chunk, copies, max_new_tokens, ends, pad_id, draw, grammar)
                result.token_ids.extend(part.token_ids)
                result.logprobs.extend(part.logprobs)
                result.entropies.extend(part.entropies)
                result.truncated.extend(part.truncated)
                if on_batch is not None:
                    on_batch(len(part.truncated))
    return result


@contextmanager
def _inference(model: PreTrainedModel, autocast: torch.dtype | None) -> Iterator[None]:
    """No gradients, no dropout, and no checkpointing of activations, which in training mode does without a cache."""
    was_training = model.training
    model.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(model.device.type, dtype=autocast, enabled=autocast is not None),
        ):
            yield
    finally:
        model.train(was_training)


@dataclass(frozen=True, slots=True)
class _Draw:
    """How one token is drawn from a row of logits."""

    generator: torch.Generator
    temperature: float
    top_p: float
    greedy: bool

    def __call__(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (rows, vocabulary) to token ids, their log-probabilities and the entropies, each (rows,)."""
        logprobs = torch.log_softmax(logits.float() / self.temperature, dim=-1)
        probs = logprobs.exp()
        entropies = torch.special.entr(probs).sum(-1)
        if self.greedy:
            tokens = logprobs.argmax(-1)
        else:
            kept = probs if self.top_p >= 1.0 else _nucleus(probs, self.top_p)
            tokens = torch.multinomial(kept, 1, generator=self.generator).squeeze(1)
        return tokens, logprobs.gather(1, tokens[:, None]).squeeze(1), entropies


def _nucleus(probs: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero the tail: keep the most likely tokens until their sum reaches top_p, at least one."""
    ordered, index = probs.sort(dim=-1, descending=True)
    ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= top_p, 0.0)
    return torch.zeros_like(probs).scatter(1, index, ordered)


def _decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    copies: int,
    max_new_tokens: int,
    end_ids: torch.Tensor,
    pad_id: int,
    draw: _Draw,
    grammar: Grammar | None,
) -> Sampled:
    """Prefill each prompt once, repeat its cache `copies` times, then draw token by token."""
    device = model.device
    ids, mask = (tensor.to(device) for tensor in pad_left(prompts, pad_id))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    # A mask of ones everywhere says nothing; leaving it out lets attention take its fastest path.
    unpadded = bool(mask.all())
    output = model(
        input_ids=ids,
        attention_mask=None if unpadded else mask,
        position_ids=positions,
        use_cache=True,
        logits_to_keep=1,
    )
    cache = output.past_key_values
    cache.batch_repeat_interleave(copies)
    logits = output.logits[:, -1].repeat_interleave(copies, dim=0)
    mask = mask.repeat_interleave(copies, dim=0)
    position = mask.sum(-1, keepdim=True)

    num_rows = len(prompts) * copies
    tokens_out = torch.full((num_rows, max_new_tokens), pad_id, dtype=torch.long, device=device)
    logprobs_out = torch.zeros((num_rows, max_new_tokens), device=device)
    entropies_out = torch.zeros((num_rows, max_new_tokens), device=device)
    lengths = torch.full((num_rows,), max_new_tokens, dtype=torch.long, device=device)
    finished = torch.zeros(num_rows, dtype=torch.bool, device=device)
    rows = torch.arange(num_rows, device=device)  # where each row of the cache belongs

    states = None if grammar is None else grammar.start(num_rows, device)

    for step in range(max_new_tokens):
        if grammar is not None:
            logits = grammar.mask(logits, states)
        tokens, logprobs, entropies = draw(logits)
        tokens_out[rows, step] = tokens
        logprobs_out[rows, step] = logprobs
        entropies_out[rows, step] = entropies
        ended = torch.isin(tokens, end_ids)
        # A row that ended earlier and is still in the cache must not end twice.
        newly = rows[ended & ~finished[rows]]
        finished[newly] = True
        lengths[newly] = step + 1
        if grammar is not None:
            states = grammar.advance(states, tokens)
        alive = ~finished[rows]
        num_alive = int(alive.sum())
        if num_alive == 0 or step + 1 == max_new_tokens:
            break
        if num_alive < COMPACT_WHEN * len(rows):
            keep = alive.nonzero().squeeze(1)
            cache.batch_select_indices(keep)
            rows, tokens, mask, position = rows[keep], tokens[keep], mask[keep], position[keep]
            states = None if states is None else states[keep]
        if not unpadded:
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        output = model(
            input_ids=tokens[:, None],
            attention_mask=None if unpadded else mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1]
        position = position + 1
    return _collect(tokens_out, logprobs_out, entropies_out, lengths, finished)


def _collect(
    tokens: torch.Tensor,
    logprobs: torch.Tensor,
    entropies: torch.Tensor,
    lengths: torch.Tensor,
    finished: torch.Tensor,
) -> Sampled:
    """Cut the padded tensors to lists of each row's own length."""
    sizes = lengths.tolist()

    def cut(table: torch.Tensor) -> list[list]:
        return [row[:size] for row, size in zip(table.tolist(), sizes, strict=True)]

    return Sampled(cut(tokens), cut(logprobs), cut(entropies), (~finished).tolist())
