"""What a policy source names."""

from __future__ import annotations

import pytest

from rlgrok.evaluation.sources import Source, resolve
from rlgrok.training import checkpoints
from runtime.errors import CheckpointError, ConfigError


def touch(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def test_a_folder_or_hub_id_is_itself(tmp_path) -> None:
    assert resolve("Qwen/Qwen3-4B") == Source("Qwen/Qwen3-4B")
    touch(tmp_path / "config.json")
    assert resolve(str(tmp_path)) == Source(str(tmp_path))


def test_a_run_brings_its_policy_its_base_and_its_draws(tmp_path) -> None:
    for name in ("manifest.json", "policy/config.json", "base/config.json"):
        touch(tmp_path / name)
    assert resolve(str(tmp_path)) == Source(
        str(tmp_path / "policy"), str(tmp_path / "base"), tmp_path / "draws"
    )


def test_an_unfinished_run_brings_its_newest_checkpoint(tmp_path) -> None:
    touch(tmp_path / "manifest.json")
    for step in (5, 10):
        written = checkpoints.staging_folder(tmp_path / "checkpoints")
        touch(written / "config.json")
        checkpoints.publish(written, tmp_path / "checkpoints", step, {})
    assert resolve(str(tmp_path)).policy == str(tmp_path / "checkpoints" / "step-000010")
    assert resolve(str(tmp_path)).base is None


def test_a_run_with_nothing_to_evaluate_says_so(tmp_path) -> None:
    touch(tmp_path / "manifest.json")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        resolve(str(tmp_path))


def test_the_reference_needs_a_run() -> None:
    with pytest.raises(ConfigError, match=r"built by a training run.*policy.source"):
        resolve("reference")
