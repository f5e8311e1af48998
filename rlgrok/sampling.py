"""Draw completions from a policy, fast: what completions have in common is computed once, finished ones are dropped.

Completions of a prompt begin alike, and a causal model's next token depends on what stands before it alone: so a row
of the cache stands for all completions that are the same so far, and is copied where they part.

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
"""Where no completions part, rows of the cache are dropped once fewer than this share of them has a completion left.

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

    def __call__(
        self, logits: torch.Tensor, prefix: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One token a row.

        Args:
            logits: (prefixes, vocabulary).
            prefix: (rows,), whose logits each row draws from.

        Returns:
            Token ids, their log-probabilities and the entropies, each (rows,).
        """
        logprobs = torch.log_softmax(logits.float() / self.temperature, dim=-1)
        probs = logprobs.exp()
        entropies = torch.special.entr(probs).sum(-1)
        if self.greedy:
            tokens = logprobs.argmax(-1)[prefix]
        else:
            kept = probs if self.top_p >= 1.0 else _nucleus(probs, self.top_p)
            tokens = torch.multinomial(kept[prefix], 1, generator=self.generator).squeeze(1)
        return tokens, logprobs[prefix, tokens], entropies[prefix]


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
    """Prefill each prompt once, then draw token by token; rows that are alike so far share one row of the cache."""
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
    logits = output.logits[:, -1]
    position = mask.sum(-1, keepdim=True)
    states = None if grammar is None else grammar.start(len(prompts), device)

    num_rows = len(prompts) * copies
    tokens_out = torch.full((num_rows, max_new_tokens), pad_id, dtype=torch.long, device=device)
    logprobs_out = torch.zeros((num_rows, max_new_tokens), device=device)
    entropies_out = torch.zeros((num_rows, max_new_tokens), device=device)
    lengths = torch.full((num_rows,), max_new_tokens, dtype=torch.long, device=device)
    finished = torch.zeros(num_rows, dtype=torch.bool, device=device)
    rows = torch.arange(num_rows, device=device)  # the completions that go on
    prefix = rows // copies  # the row of the cache that holds what each of them has so far

    for step in range(max_new_tokens):
        if grammar is not None:
            logits = grammar.mask(logits, states)
        tokens, logprobs, entropies = draw(logits, prefix)
        tokens_out[rows, step] = tokens
        logprobs_out[rows, step] = logprobs
        entropies_out[rows, step] = entropies
        ended = torch.isin(tokens, end_ids)
        finished[rows[ended]] = True
        lengths[rows[ended]] = step + 1
        rows, prefix, tokens = rows[~ended], prefix[~ended], tokens[~ended]
        if len(rows) == 0 or step + 1 == max_new_tokens:
            break
        parents, following, prefix = _longer_prefixes(prefix, tokens, len(logits), pad_id)
        if parents is not None:
            cache.batch_select_indices(parents)
            mask, position = mask[parents], position[parents]
            states = None if states is None else states[parents]
        states = None if states is None else grammar.advance(states, following)
        if not unpadded:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        output = model(
            input_ids=following[:, None],
            attention_mask=None if unpadded else mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1]
        position = position + 1
    return _collect(tokens_out, logprobs_out, entropies_out, lengths, finished)


def _longer_prefixes(
    prefix: torch.Tensor, tokens: torch.Tensor, num_prefixes: int, pad_id: int
) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
    """The distinct prefixes after one more token each.

    Args:
        prefix: (rows,), each row's prefix so far, in [0, num_prefixes).
        tokens: (rows,), the token drawn for each.
        num_prefixes: rows of the cache.
        pad_id: stands where a prefix has no row left and its place in the cache is kept.

    Returns:
        The prefix so far of each new one, None where every row of the cache stays in its place; the new ones' last
        tokens; and each row's new prefix.
    """
    stride = int(tokens.max()) + 1
    distinct, new = torch.unique(prefix * stride + tokens, return_inverse=True)
    parents, last = distinct // stride, distinct % stride
    splits = len(torch.unique_consecutive(parents)) < len(parents)
    if splits or len(parents) < COMPACT_WHEN * num_prefixes:
        return parents, last, new
    following = torch.full((num_prefixes,), pad_id, dtype=last.dtype, device=last.device)
    following[parents] = last
    return None, following, prefix


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
