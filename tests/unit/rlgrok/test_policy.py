"""Policies: what makes two the same, what goes through a chat template, what a folder must hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlgrok.policy import (
    Policy,
    build_tiny_policy,
    load_policy,
    load_weights,
    pad_left,
    require_prompts,
    save_policy,
)
from rlgrok.types import PromptStyle
from runtime.errors import ConfigError, InputError, StorageError
from runtime.storage import damage

TEMPLATE = (
    "{% for m in messages %} {{ m.role == 'user' and 'two' or 'four' }} {{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %} :{% endif %}"
)


def tiny(seed: int = 0) -> Policy:
    return build_tiny_policy(
        hidden_size=16, num_layers=1, num_heads=2, max_positions=32, seed=seed
    )


def load(folder: Path | str, **changes: str) -> Policy:
    settings = {"prompt": PromptStyle.COMPACT, "device": "cpu", "dtype": "float32"}
    return load_policy(str(folder), **(settings | changes))  # type: ignore[arg-type]


def test_the_seed_decides_the_weights_and_leaves_global_randomness_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = tiny(0), tiny(0), tiny(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.identity() == again.identity()
    assert first.identity() != other.identity()


def test_the_identity_is_of_weights_words_and_template() -> None:
    policy = tiny()
    known = policy.identity()
    assert known.startswith("sha256:")
    policy.source = "elsewhere"
    assert policy.identity() == known
    with torch.no_grad():
        next(iter(policy.model.parameters()))[0, 0] += 1e-6
    changed = policy.identity()
    assert changed != known
    policy.tokenizer.chat_template = TEMPLATE
    assert policy.identity() not in {known, changed}


def test_a_prompt_goes_through_the_chat_template_when_there_is_one() -> None:
    policy = tiny()
    words = policy.tokenizer.get_vocab()
    plain = policy.encode_prompt("starts_with two R")
    assert plain == [words["starts_with"], words[" two"], words[" R"]]
    policy.tokenizer.chat_template = TEMPLATE
    assert policy.encode_prompt("starts_with R")[-1] == words[" :"]
    assert policy.encode_prompt("starts_with R")[0] == words[" two"]


@pytest.mark.parametrize(("declared", "expected"), [(None, [1]), (1, [1]), (7, [1, 7]), ([7, 1, 8], [7, 1, 8])])
def test_end_tokens_are_the_tokenizers_and_those_of_the_generation_config(
    declared: int | list[int] | None, expected: list[int]
) -> None:
    policy = tiny()
    policy.model.generation_config.eos_token_id = declared
    assert policy.end_token_ids() == expected


def test_saved_it_is_an_ordinary_folder_and_comes_back_the_same(tmp_path: Path) -> None:
    policy = tiny()
    save_policy(policy, tmp_path / "policy", {"more.json": {"a": 1}})
    assert damage(tmp_path / "policy") is None
    assert json.loads((tmp_path / "policy" / "more.json").read_text()) == {"a": 1}
    assert load(tmp_path / "policy").identity() == policy.identity()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "policy")
    ids = tokenizer("starts_with two R _ _ _ _ _ :", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, policy.model(ids).logits)


def test_saving_replaces_the_whole_folder(tmp_path: Path) -> None:
    save_policy(tiny(0), tmp_path / "policy", {"old.json": {}})
    save_policy(tiny(1), tmp_path / "policy")
    assert load(tmp_path / "policy").identity() == tiny(1).identity()
    assert not (tmp_path / "policy" / "old.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


def test_a_refused_save_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_policy(tiny(0), tmp_path / "policy")
    policy = tiny(1)

    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(policy.tokenizer, "save_pretrained", full)
    with pytest.raises(StorageError, match=r"the disk is full; at .*/policy$"):
        save_policy(policy, tmp_path / "policy")
    assert load(tmp_path / "policy").identity() == tiny(0).identity()
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


def test_weights_of_a_checkpoint_replace_those_in_memory(tmp_path: Path) -> None:
    save_policy(tiny(1), tmp_path / "checkpoint")
    policy = tiny(0)
    model = policy.model
    load_weights(policy, tmp_path / "checkpoint")
    assert policy.model is model
    assert policy.identity() == tiny(1).identity()


def test_precision_is_as_asked_for(tmp_path: Path) -> None:
    save_policy(tiny(), tmp_path / "policy")
    assert load(tmp_path / "policy", dtype="bfloat16").model.dtype is torch.bfloat16


def test_a_tokenizer_without_padding_pads_with_its_end_token(tmp_path: Path) -> None:
    policy = tiny()
    policy.tokenizer.pad_token = None
    policy.tokenizer.padding_side = "right"
    save_policy(policy, tmp_path / "policy")
    loaded = load(tmp_path / "policy").tokenizer
    assert loaded.pad_token_id == loaded.eos_token_id
    assert loaded.padding_side == "left"


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a model folder; got .*; expected a folder with config.json"):
        load(tmp_path)


def test_what_is_neither_a_folder_nor_a_hub_id_is_named() -> None:
    with pytest.raises(InputError, match=r"cannot load the policy; got no/such-model;.*policy.source"):
        load("no/such-model")


def test_a_folder_with_half_a_model_is_named(tmp_path: Path) -> None:
    save_policy(tiny(), tmp_path / "policy")
    weights = tmp_path / "policy" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot load the policy"):
        load(tmp_path / "policy")


def test_a_tokenizer_without_an_end_token_is_named(tmp_path: Path) -> None:
    policy = tiny()
    policy.tokenizer.eos_token = None
    save_policy(policy, tmp_path / "policy")
    with pytest.raises(InputError, match=r"tokenizer has no end token.*eos_token in its tokenizer_config"):
        load(tmp_path / "policy")


def test_prompts_outside_the_vocabulary_are_refused() -> None:
    require_prompts(tiny(), ["starts_with two R _ _ _ _ _ :"], max_new_tokens=8)
    with pytest.raises(ConfigError, match=r"words that the policy's vocabulary lacks; got compact;.*policy.prompt"):
        require_prompts(tiny(), ["starts_with two R :", "Write a program."], max_new_tokens=8)


def test_a_prompt_and_its_completion_must_fit_the_positions() -> None:
    prompts = ["starts_with two R", "starts_with two R R :"]  # 3 and 5 tokens of 32
    require_prompts(tiny(), prompts, max_new_tokens=27)
    with pytest.raises(ConfigError, match=r"no room.*got 5 \+ 28 tokens; expected at most 32 together"):
        require_prompts(tiny(), prompts, max_new_tokens=28)


def test_padding_goes_to_the_left() -> None:
    ids, mask = pad_left([[5, 6, 7], [8], []], pad_id=0)
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8], [0, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 0]]
