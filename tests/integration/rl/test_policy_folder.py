"""Training from a model folder with a cluster's settings: lower precision, micro-batches, checkpointed activations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_small_steps_in_bfloat16_are_not_rounded_away(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path
) -> None:
    """A rate of 5e-7 moves a weight of 0.01 by less than a bfloat16 one can be moved."""
    start = uninterrupted / "policy"
    ended = toolkit(
        "rl", "train", *tiny, f"policy.source={start}", "policy.dtype=bfloat16",
        "optimizer.learning_rate=5e-7", "training.max_steps=2", "training.micro_batch_size=6",
        "training.gradient_checkpointing=true", "training.share_prefixes=false",
        "training.loss_type=dapo", "schedule.kind=dense", "--out", "run",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    before, after = weights(start), weights(toolkit.folder / "run" / "policy")
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    moved = sum(int((after[name] != before[name]).sum()) for name in before)
    assert moved > 0.5 * sum(tensor.numel() for tensor in before.values())
    assert all(torch.allclose(after[name], before[name], atol=2e-6) for name in before)
    # Measured as `toolkit rl eval` loads it, so that both mean the same policy.
    summary = json.loads((toolkit.folder / "run" / "summary.json").read_text())
    again = toolkit("rl", "eval", "run", "--out", "eval")
    assert again.code == 0, again.err
    evaluated = json.loads((toolkit.folder / "eval" / "summary.json").read_text())
    assert evaluated["policy_identity"] == summary["policy_identity"]


def test_without_held_out_problems_the_run_says_so(toolkit: Any, tiny: tuple[str, ...]) -> None:
    ended = toolkit(
        "rl", "train", *tiny, "data.heldout_share=0", "training.max_steps=1", "--out", "run"
    )
    assert ended.code == 0, ended.err
    assert "warning: no problem is held out" in ended.err
    summary = json.loads((toolkit.folder / "run" / "summary.json").read_text())
    assert (summary["split"], summary["num_heldout"]) == ("train", 0)


def test_under_a_launcher_of_two_it_does_not_start(toolkit: Any, tiny: tuple[str, ...]) -> None:
    ended = toolkit("rl", "train", *tiny, "--out", "run", WORLD_SIZE="2")
    assert ended.code == 2
    assert "error: training runs in one process on one device" in ended.err


def test_prompts_that_the_policy_cannot_read_are_refused(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path
) -> None:
    words = ("rl", "train", *tiny, f"policy.source={uninterrupted / 'policy'}", "--out", "run")
    for override, said in (
        ("policy.prompt=full", "the prompts have words that the policy's vocabulary lacks"),
        ("policy.max_new_tokens=64", "no room for the longest prompt"),
    ):
        ended = toolkit(*words, override)
        assert ended.code == 2, ended.err
        assert said in ended.err
