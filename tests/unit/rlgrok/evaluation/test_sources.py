"""What a policy source names."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlgrok.evaluation.sources import Source, resolve, runs_root
from rlgrok.training import checkpoints
from runtime.errors import CheckpointError, ConfigError, InputError
from runtime.run import Run


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def make_run(folder: Path, *, command: str = "rl train", source: str = "reference") -> Path:
    config = {"policy": {"source": source}}
    run = Run.create(
        folder, command=command, name="demo", argv=[], config=config, overrides=[], seeds={}
    )
    run.finish("interrupted")
    return run.path


def test_a_folder_or_hub_id_is_itself(tmp_path) -> None:
    assert resolve("Qwen/Qwen3-4B") == Source("Qwen/Qwen3-4B")
    touch(tmp_path / "config.json")
    assert resolve(str(tmp_path)) == Source(str(tmp_path))


def test_a_run_brings_its_policy_and_its_base(tmp_path) -> None:
    run = make_run(tmp_path / "run")
    touch(run / "policy" / "config.json")
    assert resolve(str(run)) == Source(str(run / "policy"), str(run / "base"))


def test_a_run_from_another_policy_is_compared_with_that(tmp_path) -> None:
    run = make_run(tmp_path / "run", source="Qwen/Qwen3-4B")
    touch(run / "policy" / "config.json")
    assert resolve(str(run)).base == "Qwen/Qwen3-4B"


def test_an_unfinished_run_brings_its_newest_checkpoint(tmp_path) -> None:
    run = make_run(tmp_path / "run")
    for step in (5, 10):
        written = checkpoints.staging_folder(run / "checkpoints")
        touch(written / "config.json")
        checkpoints.publish(written, run / "checkpoints", step, {})
    assert resolve(str(run)).policy == str(run / "checkpoints" / "step-000010")


def test_a_run_with_nothing_to_evaluate_says_so(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        resolve(str(make_run(tmp_path / "run")))
    with pytest.raises(InputError, match="this run has no policy; got a run of `toolkit rl eval`"):
        resolve(str(make_run(tmp_path / "other", command="rl eval")))


def test_the_reference_needs_a_run() -> None:
    with pytest.raises(ConfigError, match=r"built by a training run.*policy\.source"):
        resolve("reference")


def test_the_folder_of_all_runs() -> None:
    assert runs_root(Path("runs/2026-01-31/101500-rl-eval-x")) == Path("runs")
    assert runs_root(Path("runs/2026-01-31/101500-rl-train-x/0-x")) == Path("runs")
    assert runs_root(Path("somewhere/mine")) == Path("somewhere")
    assert runs_root(Path("2026-01-31/mine/runs/this")) == Path("2026-01-31/mine/runs")
