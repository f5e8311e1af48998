"""A general language model in small: Qwen-shaped, byte-level tokens, a chat template, the full prompt."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rlgrok.delta import SCOPES
from rlgrok.policy import load_policy
from rlgrok.types import PromptStyle, TestSource

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SETTINGS = (
    "policy.prompt=full",
    "policy.max_new_tokens=16",
    # Its completions are noise, and all earn the same: the entropy bonus alone moves the weights.
    "entropy=fixed",
    "entropy.coefficient=1.0",
    "training.max_steps=2",
    "training.prompts_per_step=2",
    "training.group_size=4",
    "evaluation.every=2",
    "evaluation.draws=4",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained; its tokenizer learnt to write the prompt in few tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    scope = SCOPES["manufactoria"]
    problems = scope.build(
        families=["contains_ordered"], colors="two", lengths=[1, 2], tests=TestSource.LADDER, seed=0
    ).train
    texts = [scope.render_prompt(problem, PromptStyle.FULL) for problem in problems]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.train_from_iterator(
        [*texts, *(scope.oracle(problem) for problem in problems)],
        trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=SPECIAL[0], eos_token=SPECIAL[2], chat_template=TEMPLATE
    )
    torch.manual_seed(0)
    made = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=8192,
            tie_word_embeddings=True,
        )
    )
    made.generation_config = GenerationConfig(eos_token_id=[2, 0], pad_token_id=0)
    folder = tmp_path_factory.mktemp("model") / "qwen"
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_policy(
        str(run / "policy"), prompt=PromptStyle.FULL, device="cpu", dtype="float32"
    ).model.state_dict()


def test_the_prompt_is_a_chat_that_the_assistant_is_to_answer(model: Path) -> None:
    policy = load_policy(str(model), prompt=PromptStyle.FULL, device="cpu", dtype="float32")
    text = policy.tokenizer.decode(policy.encode_prompt("Hello.\nYou!"))
    assert text == "<|im_start|>user\nHello.\nYou!<|im_end|>\n<|im_start|>assistant\n"
    assert policy.end_token_ids() == [2, 0]


@pytest.mark.parametrize("rollout", ["cached", "trl"])
def test_it_trains(rollout: str, model: Path, train_here: Callable[..., Path]) -> None:
    replay = () if rollout == "cached" else ("replay=none",)
    run = train_here(*SETTINGS, *replay, f"policy.source={model}", f"training.rollout={rollout}")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2]
    for line in lines[1:]:
        assert line["num_completions"] == 8.0
        assert line["entropy"] == pytest.approx(6.55, abs=0.1)  # ln 700: it has learnt nothing
        assert line["grad_norm"] > 0.0
    with gzip.open(run / "rollouts.jsonl.gz", "rt") as records:
        texts = [json.loads(record)["text"] for record in records]
    assert len(texts) == 2 + 8 + 8 + 2  # greedy, drawn, drawn, greedy
    assert not any(name in text for text in texts for name in SPECIAL)
    before = load_policy(str(model), prompt=PromptStyle.FULL, device="cpu", dtype="float32")
    changed = [
        name for name, tensor in weights(run).items() if not torch.equal(tensor, before.model.state_dict()[name])
    ]  # fmt: skip
    assert "model.embed_tokens.weight" in changed
    assert (run / "policy" / "chat_template.jinja").read_text() == TEMPLATE


def test_accumulated_micro_batches_are_one_step(model: Path, train_here: Callable) -> None:
    """The same draws, and one update whose gradient is as long; `dapo` counts the tokens of the whole step."""
    line = (*SETTINGS, f"policy.source={model}", "training.loss_type=dapo", "training.max_steps=1")
    found = []
    for name, size in (("whole", "null"), ("parts", "2")):
        run = train_here(*line, f"training.micro_batch_size={size}", name=name)
        last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        found.append((last["grad_norm"], gzip.decompress((run / "rollouts.jsonl.gz").read_bytes())))
    (whole, drawn), (parts, again) = found
    assert parts == pytest.approx(whole, rel=1e-4) and whole > 1e-3
    assert drawn.splitlines()[:10] == again.splitlines()[:10]


def test_it_is_evaluated_by_its_folder(model: Path, toolkit: Any) -> None:
    ended = toolkit(
        "rl", "eval", str(model), "data=contains_ordered", "data.lengths=[1,2]", "policy.prompt=full",
        "policy.max_new_tokens=16", "evaluation.draws=4", "evaluation.k=[1,4]", "--out", "eval", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    summary = ended.json["summary"]
    assert summary["heldout_exhaustive"] == 0.0 and summary["num_draws"] == 4 * summary["num_problems"]
    assert summary["pass_at_4"] == 0.0 and 0.0 < summary["pass_at_4_upper95"] < 1.0
    assert (toolkit.folder / "eval" / "report.html").is_file()
    assert "\r" not in ended.err


def test_it_is_evaluated_on_scenes(model: Path, toolkit: Any) -> None:
    """The other scope, end to end: prompts of scenes, completions that are no Python, the sandbox, a report."""
    ended = toolkit(
        "rl", "eval", str(model), "data=bouncingsim_rotbox", "data.max_problems=3", "policy.prompt=full",
        "policy.max_new_tokens=8", "evaluation.draws=2", "evaluation.k=[1,2]", "--out", "scenes", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    summary = ended.json["summary"]
    assert (summary["num_problems"], summary["num_draws"]) == (3, 6)
    assert summary["heldout_full_pass"] == summary["pass_at_2"] == 0.0
    with gzip.open(toolkit.folder / "scenes" / "rollouts.jsonl.gz", "rt") as records:
        found = {json.loads(record)["status"] for record in records}
    assert found <= {"no_program", "parse_error", "runtime_error", "failed"}


def test_scenes_without_a_model_at_hand(toolkit: Any) -> None:
    """`scope=bouncingsim` alone brings an untrained policy that reads any text."""
    ended = toolkit(
        "rl", "eval", "scope=bouncingsim", "data.max_problems=6", "evaluation.draws=2",
        "evaluation.k=[1,2]", "policy.max_new_tokens=8", "--out", "untrained", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    summary = ended.json["summary"]
    assert summary["policy"] == "untrained" and summary["num_draws"] == 2 * summary["num_problems"]
    assert summary["heldout_full_pass"] == 0.0
    assert (toolkit.folder / "untrained" / "report.html").is_file()
