"""Forward passes in which every distinct prefix is computed once.

The completions of a group begin alike: of the tokens of a step's 512 programs a quarter to a half are distinct as
prefixes. In a causal model a token's hidden state depends on its prefix alone, so norms, projections and feed-forward
layers run on distinct prefixes; only attention sees whole rows, each made of the projections of its prefixes. Outputs
and gradients are those of the plain forward pass up to the order of summation: a prefix's gradient is the sum over
the rows that begin with it.

What surprises: it is attached to a model's backbone and then works for whoever calls the model without a cache, the
trainer included; with a cache, as in sampling, nothing changes (`rlgrok/sampling.py` shares prefixes its own way).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

ATTENTION = "toolkit_prefixes"
"""Name of the attention below among the library's; a name for which it makes no mask."""
_LAYOUT = "prefix_layout"
"""Argument that takes the layout from the backbone to its attention layers."""


@dataclass(frozen=True)
class PrefixLayout:
    """Which prefix each token of a batch stands for. N prefixes, R distinct rows of at most W tokens."""

    token_ids: torch.Tensor
    """(N,): last token of each prefix."""
    positions: torch.Tensor
    """(N,): its column in the batch, which the plain forward pass takes for its position."""
    row_prefixes: torch.Tensor
    """(R, W): the prefixes of each distinct row from its first real token on; 0 behind its last."""
    first_places: torch.Tensor
    """(N,): a place in the flattened `row_prefixes` where each prefix stands."""
    batch_prefixes: torch.Tensor
    """(B, T): the prefix of each token of the batch; 0 where there is padding."""


def prefix_layout(token_ids: torch.Tensor, mask: torch.Tensor) -> PrefixLayout:
    """The distinct prefixes of a batch.

    Args:
        token_ids: (B, T), any device.
        mask: (B, T); the ones of each row are consecutive: padding on the left, on the right, or both.

    Raises:
        ValueError: a row without a token, or one with a gap.
    """
    is_real = mask.bool()
    lengths = is_real.sum(1)
    starts = is_real.int().argmax(1)
    columns = torch.arange(token_ids.shape[1], device=token_ids.device)
    place = columns - starts[:, None]
    inside = (place >= 0) & (place < lengths[:, None])
    if bool((lengths == 0).any()) or not torch.equal(inside, is_real):
        raise ValueError("the tokens of every row must be consecutive, and at least one")
    width = int(lengths.max())
    # Rows moved to the left; -1 behind their ends. Rows that start in different columns share nothing: their
    # positions differ.
    offsets = columns[:width] + starts[:, None]
    is_token = columns[:width] < lengths[:, None]
    moved = token_ids.gather(1, offsets.clamp(max=token_ids.shape[1] - 1))
    moved = torch.where(is_token, moved, -1)
    rows, inverse = torch.unique(torch.cat([starts[:, None], moved], 1), dim=0, return_inverse=True)
    tokens = rows[:, 1:]
    # Rows are sorted, so those with a common prefix stand together, and a prefix is new where the row differs from
    # the one before it at that column or an earlier one.
    differs = torch.ones_like(rows, dtype=torch.bool)
    differs[1:] = rows[1:] != rows[:-1]
    is_new = (differs.cumsum(1)[:, 1:] > 0) & (tokens >= 0)
    numbers = (is_new.flatten().cumsum(0) - 1).view(tokens.shape)
    newest = torch.where(is_new, numbers, -1).cummax(0).values
    row_prefixes = torch.where(tokens >= 0, newest, 0)
    first_places = is_new.flatten().nonzero().squeeze(1)
    batch_prefixes = row_prefixes[inverse].gather(1, place.clamp(0, width - 1))
    return PrefixLayout(
        token_ids=tokens.flatten()[first_places],
        positions=(rows[:, :1] + columns[:width]).flatten()[first_places],
        row_prefixes=row_prefixes,
        first_places=first_places,
        batch_prefixes=torch.where(is_real, batch_prefixes, 0),
    )


def share_prefixes(model: PreTrainedModel) -> None:
    """Make a causal model's forward passes without a cache compute every distinct prefix once, from now on.

    The model's attention must be one that the library lets be named (`set_attn_implementation`), causal over all
    earlier tokens, with positions that enter before attention (rotary or learned); no gradient checkpointing.
    """
    backbone = model.base_model
    plain = backbone.config._attn_implementation

    def compress(
        _: object, args: tuple[Any, ...], given: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        token_ids = args[0] if args else given.get("input_ids")
        if token_ids is None or given.get("use_cache") or given.get("past_key_values") is not None:
            return None
        mask = given.get("attention_mask")
        layout = prefix_layout(token_ids, torch.ones_like(token_ids) if mask is None else mask)
        backbone.config._attn_implementation = ATTENTION
        return (), {
            **given,
            "input_ids": layout.token_ids[None],
            "position_ids": layout.positions[None],
            "attention_mask": None,
            _LAYOUT: layout,
        }

    def expand(_: object, __: object, given: dict[str, Any], output: Any) -> Any:  # noqa: ANN401
        layout = given.get(_LAYOUT)
        if layout is None:
            return output
        backbone.config._attn_implementation = plain
        if output is not None:
            places = layout.batch_prefixes
            hidden = output.last_hidden_state[0].index_select(0, places.flatten())
            output.last_hidden_state = hidden.view(*places.shape, -1)
        return output

    ALL_ATTENTION_FUNCTIONS.register(ATTENTION, _attend)
    backbone.register_forward_pre_hook(compress, with_kwargs=True)
    backbone.register_forward_hook(expand, with_kwargs=True, always_call=True)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    prefix_layout: PrefixLayout,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention of whole rows; query (1, heads, N, width), key and value likewise; returns (1, N, heads, width)."""
    width = prefix_layout.row_prefixes.shape[1]
    places = prefix_layout.row_prefixes.flatten()

    def rows(tensor: torch.Tensor) -> torch.Tensor:
        _, heads, number, size = tensor.shape
        flat = tensor[0].transpose(0, 1).reshape(number, heads * size)
        return flat.index_select(0, places).view(-1, width, heads, size).transpose(1, 2)

    attended = scaled_dot_product_attention(
        rows(query),
        rows(key),
        rows(value),
        dropout_p=dropout,
        is_causal=True,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    heads, size = attended.shape[1], attended.shape[3]
    flat = attended.transpose(1, 2).reshape(-1, heads * size)
    return flat.index_select(0, prefix_layout.first_places).view(1, -1, heads, size), None
