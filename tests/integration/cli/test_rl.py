"""The real command on `conf/debug`: exit code, files, manifest; interruption and resume; sweeps in worker processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from runtime.run import Run

pytestmark = pytest.mark.timeout(600)  # whole training runs, on a machine that may be busy

DEBUG = ("debug=tiny", "training.max_steps=4")


def manifests(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("manifest.json"))


def curve(run: Path, name: str) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line[name]) for line in lines if name in line]


def test_a_debug_run_leaves_everything(trained: tuple) -> None:
    toolkit, result = trained
    assert result.code == 0, result.err
    run = toolkit.folder / result.json["run"]
    files = {path.name for path in run.iterdir()}
    expected = "config.yaml overrides.txt manifest.json metrics.jsonl events.jsonl summary.json checkpoints report.html"
    assert set(expected.split()) <= files
    assert Run.open(run).manifest["status"] == "done"
    summary = json.loads((run / "summary.json").read_text())
    assert result.json["summary"] == summary
    required = "base_pass_at_k heldout_full_pass heldout_exhaustive transition_step plateau_steps wall_s cpu_s"
    assert {*required.split(), "schedule", "seed"} <= set(summary)
    assert set(summary["base_pass_at_k"]) >= {"k", "value", "upper95", "draws"}


def test_standard_error_is_readable(trained: tuple) -> None:
    _, result = trained
    assert "Traceback" not in result.err
    assert "it/s]" not in result.err, "a library's own progress bar"
    assert "Warning" not in result.err


def test_nothing_is_left_beside_the_runs(trained: tuple) -> None:
    toolkit, _ = trained
    left = (toolkit.folder / ".left").read_text().split()  # right after training: other tests write here too
    assert set(left) == {"runs", ".modules"}


def test_evaluation_of_the_run(trained: tuple) -> None:
    toolkit, trained_result = trained
    result = toolkit(
        "rl",
        "eval",
        trained_result.json["run"],
        "evaluation.draws=8",
        "evaluation.k=[1,8]",
        "--json",
    )
    assert result.code == 0, result.err
    summary = result.json["summary"]
    assert 0 <= summary["pass_at_8"] <= 1
    assert summary["num_problems"] == trained_result.json["summary"]["num_heldout"]
    assert (toolkit.folder / result.json["run"] / "report.html").is_file()


def test_report_is_written_again(trained: tuple) -> None:
    toolkit, trained_result = trained
    page = toolkit.folder / trained_result.json["run"] / "report.html"
    before = page.stat().st_mtime_ns
    result = toolkit("rl", "report", trained_result.json["run"], "--json")
    assert result.code == 0, result.err
    assert toolkit.folder / result.json["report"] == page
    assert page.stat().st_mtime_ns > before


def test_reference_is_found_where_training_left_it(trained: tuple, own_cache: Path) -> None:
    toolkit, _ = trained
    result = toolkit("rl", "reference", "debug=tiny", "--json")
    assert result.code == 0, result.err
    summary = result.json["summary"]
    assert Path(summary["folder"]).parent.is_relative_to(own_cache)
    assert summary["base_pass_at_k"]["successes"] == 0
    assert "training the reference policy" not in result.err
    assert "rl-reference" in result.json["run"]


def test_a_reference_that_cannot_be_cached_is_in_its_run(toolkit: object, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    result = toolkit("rl", "reference", "debug=tiny", "--json", TOOLKIT_CACHE="cache")
    assert result.code == 0, result.err
    assert "warning: the reference policy could not be cached" in result.err
    assert result.json["summary"]["folder"] == f"{result.json['run']}/policy"
    assert (tmp_path / result.json["summary"]["folder"] / "model.safetensors").is_file()


def test_quiet_is_quiet(trained: tuple) -> None:
    toolkit, _ = trained
    result = toolkit("rl", "train", *DEBUG, "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_equals_uninterrupted(
    number: signal.Signals, trained: tuple, tmp_path: Path
) -> None:
    toolkit = type(trained[0])(tmp_path)
    arguments = (
        "debug=tiny",
        "training.max_steps=40",
        "evaluation.every=20",
        "evaluation.compare_base=false",
    )
    whole = toolkit("rl", "train", *arguments, "--out", "whole", "--quiet")
    assert whole.code == 0, whole.err

    def some_steps() -> bool:
        path = tmp_path / "parts" / "metrics.jsonl"
        return path.exists() and path.read_text().count("\n") >= 4

    stopped = toolkit.interrupt_when(
        number, some_steps, "rl", "train", *arguments, "--out", "parts", "--quiet"
    )
    assert stopped.code == 130, stopped.err
    assert "go on with: toolkit rl train --resume parts" in stopped.err
    assert Run.open(tmp_path / "parts").status == "interrupted"
    resumed = toolkit("rl", "train", "--resume", "parts", "--quiet")
    assert resumed.code == 0, resumed.err
    for name in ("reward", "loss", "entropy", "heldout_exhaustive"):
        assert curve(tmp_path / "parts", name) == curve(tmp_path / "whole", name)


def test_a_sweep_in_worker_processes(trained: tuple, tmp_path: Path) -> None:
    toolkit = type(trained[0])(tmp_path)
    result = toolkit(
        "rl", "train", "--multirun", "debug=tiny", "training.max_steps=2", "seed=0,1", "evaluation.compare_base=false",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "--json", "--quiet", "--device", "cpu", "--out", "sweep",
    )  # fmt: skip
    assert result.code == 0, result.err
    parts = result.json["runs"]
    assert [part["summary"]["seed"] for part in parts] == [0, 1]
    assert [part["run"] for part in parts] == ["sweep/0-debug", "sweep/1-debug"]
    assert len(manifests(tmp_path)) == 2
    assert "--device" in Run.open(tmp_path / "sweep" / "1-debug").manifest["argv"]
    assert not (tmp_path / "runs").exists()
    assert "torch" not in result.modules, "the jobs ran in this process"


def test_a_failing_job_in_a_worker_process_is_told(toolkit: object, tmp_path: Path) -> None:
    result = toolkit(
        "rl", "train", "--multirun", "debug=tiny", "policy.source=nowhere/a,nowhere/b", "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=1", "--json", "--quiet",
    )  # fmt: skip
    assert result.code == 2
    assert [part["status"] for part in result.json["runs"]] == ["failed", "failed"]
    assert all("nowhere/" in part["error"]["message"] for part in result.json["runs"])
    assert "Traceback" not in result.err


def test_a_reader_that_goes_away_is_no_failure(toolkit: object, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"dsl": "", "test_cases": []}\n' * 20_000)
    process = toolkit.start("rl", "verify", "--in", "in.jsonl")
    assert process.stdout.readline().startswith('{"valid": false')
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
