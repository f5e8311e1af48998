"""Build, load and save a policy: a causal language model with its tokenizer.

Any folder in the ordinary transformers format, or a hub id, is a policy. The tiny policy is a Llama-shaped model
of about 160,000 parameters over the word-level tokenizer of `tokenizer.py`. Sampling is in `sampling.py`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from rlgrok.grammar import Grammar
from rlgrok.tokenizer import build_byte_tokenizer, build_tokenizer
from rlgrok.types import UNTRAINED, GrammarRules, PromptStyle
from rlgrok.writing import library_write_errors
from runtime.errors import ConfigError, InputError
from runtime.storage import atomic_write_json, publish_directory, storage_errors

UNTRAINED_POSITIONS = 32_768
"""Bytes of the longest prompt and its completion; positions are rotary and cost nothing."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def quiet_libraries() -> None:
    """Turn off the bars and the chatter of the model libraries: progress is the command line's to show."""
    import logging
    import warnings

    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    # It tells every attempt to reach the hub; what counts is whether the policy was found in the end.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    # Asked for by TRL itself, once a step.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")


@dataclass
class Policy:
    """A causal language model, its tokenizer and how problems are put to it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompt_style: PromptStyle
    source: str
    """Where it came from: `reference`, a folder or a hub id."""
    autocast: torch.dtype | None = None
    """Precision that its completions are computed in; None: that of the weights."""
    grammar: Grammar | None = None
    """Masks its tokens, in sampling and in the loss; set by `restrict`."""

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.model.device

    def identity(self) -> str:
        """`sha256:<hex>` over the weights, by name and raw bytes, vocabulary and chat template.

        Equal policies have equal ones; another precision or grammar is another policy. Reads every weight: seconds
        for billions.
        """
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
            flat = tensor.detach().to("cpu").contiguous().view(-1).view(torch.uint8)
            digest.update(flat.numpy())
        digest.update(repr(sorted(self.tokenizer.get_vocab().items())).encode())
        digest.update((self.tokenizer.chat_template or "").encode())
        if self.grammar is not None:
            digest.update(f"grammar:{self.grammar.rules}".encode())
        return f"sha256:{digest.hexdigest()}"

    def encode_prompt(self, text: str) -> list[int]:
        """Token ids of a prompt: through the chat template when the tokenizer has one, as plain text otherwise."""
        return encode_prompt(self.tokenizer, text)

    def restrict(self, rules: GrammarRules) -> Policy:
        """Let the policy write only what a grammar allows, from now on; returns itself.

        Raises:
            ConfigError: its tokenizer is not the tiny policy's.
        """
        if rules is not GrammarRules.NONE:
            self.grammar = Grammar(self.tokenizer, rules)
            self.grammar.attach(self.model)
        return self

    def end_token_ids(self) -> list[int]:
        """Every token id that ends a completion: the tokenizer's and those the model's generation config names."""
        return end_token_ids(self.model, self.tokenizer)

    def num_parameters(self) -> int:
        """Number of parameters, tied ones once."""
        return self.model.num_parameters()


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """See `Policy.encode_prompt`."""
    if tokenizer.chat_template:
        encoded = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        return list(encoded["input_ids"])
    return list(tokenizer(text, add_special_tokens=True)["input_ids"])


def end_token_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """See `Policy.end_token_ids`."""
    declared = model.generation_config.eos_token_id if model.generation_config else None
    ids = [] if declared is None else [declared] if isinstance(declared, int) else list(declared)
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ids:
        ids.insert(0, tokenizer.eos_token_id)
    return ids


def build_tiny_policy(
    *,
    hidden_size: int,
    num_layers: int,
    num_heads: int,
    max_positions: int,
    seed: int,
    feedback: bool = False,
) -> Policy:
    """A freshly initialised tiny policy on the CPU in float32.

    Args:
        hidden_size: width; a multiple of `num_heads`. The feed-forward width is three times it.
        num_layers: transformer blocks.
        num_heads: attention heads.
        max_positions: longest prompt plus completion, in tokens.
        seed: seeds the initial weights and nothing else.
        feedback: with words for what a failed attempt is told.
    """
    tokenizer = build_tokenizer(feedback=feedback)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return Policy(model.float().eval(), tokenizer, PromptStyle.COMPACT, "tiny")


def build_untrained_policy(*, prompt: PromptStyle) -> Policy:
    """A tiny policy that reads and writes any text, byte by byte, and has learned nothing.

    For trying a whole path - prompts, draws, sandbox, report - without a model at hand. Its weights never change.

    Args:
        prompt: how problems will be put to it.
    """
    tokenizer = build_byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=UNTRAINED_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    return Policy(model.float().eval(), tokenizer, prompt, UNTRAINED)


def load_policy(source: str, *, prompt: PromptStyle, device: str, dtype: str) -> Policy:
    """Load a policy from a folder or from the hub (its local cache when offline).

    Args:
        source: a folder with `config.json`, a hub id such as `Qwen/Qwen3-4B-Instruct-2507`, or `untrained`.
        prompt: how problems will be put to it.
        device: `cpu` or `cuda:N`.
        dtype: `float32` or `bfloat16`.

    Raises:
        InputError: no such folder or hub id, the folder does not hold a causal language model, or the tokenizer has
            no end token.
    """
    if source == UNTRAINED:
        policy = build_untrained_policy(prompt=prompt)
        policy.model.to(device=device, dtype=DTYPES[dtype])
        return policy
    folder = Path(source).expanduser()
    if folder.exists() and not (folder / "config.json").is_file():
        raise InputError(
            "not a model folder",
            got=str(folder),
            expected="a folder with config.json",
            where="policy.source",
        )
    name = str(folder) if folder.exists() else source
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForCausalLM.from_pretrained(name, dtype=DTYPES[dtype])
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            "cannot load the policy",
            got=source,
            expected="a model folder or a hub id of a causal language model",
            where="policy.source",
            hint=str(error).strip().splitlines()[0],
        ) from error
    if tokenizer.eos_token_id is None:
        raise InputError(
            "the policy's tokenizer has no end token, so no completion would end",
            got=source,
            expected="eos_token in its tokenizer_config.json",
            where="policy.source",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return Policy(model.to(device).eval(), tokenizer, prompt, source)


def require_prompts(policy: Policy, prompts: Sequence[str], max_new_tokens: int) -> None:
    """Refuse prompts that the policy cannot read, or has no room to complete.

    Args:
        policy: will be asked.
        prompts: in words, without the chat template.
        max_new_tokens: longest completion.

    Raises:
        ConfigError: a word that is not in the vocabulary, or the longest prompt and completion need more positions
            than the model was made for.
    """
    rows = [policy.encode_prompt(text) for text in prompts]
    unknown = policy.tokenizer.unk_token_id
    if unknown is not None and any(unknown in row for row in rows):
        raise ConfigError(
            "the prompts have words that the policy's vocabulary lacks",
            got=policy.prompt_style.value,
            expected="prompts that the policy was made for",
            where="policy.prompt",
        )
    positions = getattr(policy.model.config.get_text_config(), "max_position_embeddings", None)
    longest = max((len(row) for row in rows), default=0)
    if positions is not None and longest + max_new_tokens > positions:
        raise ConfigError(
            "the policy has no room for the longest prompt and its completion",
            got=f"{longest} + {max_new_tokens} tokens",
            expected=f"at most {positions} together",
            where="policy.max_new_tokens",
        )


def save_policy(policy: Policy, folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write model and tokenizer in the ordinary formats: the folder appears whole or not at all.

    Args:
        policy: what to write.
        folder: replaced when it exists.
        extra: further JSON files, content by name.

    Raises:
        StorageError: the disk refused; nothing is left behind.
    """
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with storage_errors(folder), library_write_errors(folder):
            staging.mkdir(parents=True)
            policy.model.save_pretrained(staging)
            policy.tokenizer.save_pretrained(staging)
        for name, content in (extra or {}).items():
            atomic_write_json(staging / name, content)
        publish_directory(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def load_weights(policy: Policy, folder: Path) -> None:
    """Replace a policy's weights by those of a checkpoint folder of the same model."""
    saved = AutoModelForCausalLM.from_pretrained(folder, dtype=policy.model.dtype)
    policy.model.load_state_dict(saved.state_dict())


def pad_left(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack rows of token ids, padded on the left.

    Returns:
        (ids, mask), both (len(rows), longest row), int64; the mask is 1 on real tokens.
    """
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        if row:
            ids[index, width - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[index, width - len(row) :] = 1
    return ids, mask
