"""`toolkit rl train` and `eval` from the line to the work and back, in one process."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import conf
from cli import job
from runtime.errors import DeviceError, InfrastructureError, UntrustworthyError
from runtime.run import Run


def only_run(folder: Path) -> Path:
    (manifest,) = folder.rglob("manifest.json")
    return manifest.parent


def test_train_makes_a_complete_run_folder(toolkit: Callable, work: Any, tmp_path: Path) -> None:
    result = toolkit("rl", "train", "training.max_steps=3", "seed=5", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    run = only_run(tmp_path)
    assert result.json == {
        "command": "rl train",
        "status": "done",
        "run": str(run.relative_to(tmp_path)),
        "summary": {"heldout_exhaustive": 0.5},
    }
    date, name = run.relative_to(tmp_path / "runs").parts
    assert len(date.split("-")) == 3
    assert name.endswith("-rl-train-grok_tiny")
    manifest = Run.open(run).manifest
    assert manifest["status"] == "done"
    assert manifest["argv"] == [
        "toolkit",
        "rl",
        "train",
        "training.max_steps=3",
        "seed=5",
        "--device",
        "cpu",
        "--json",
    ]
    assert manifest["seeds"] == {"seed": 5}
    assert (run / "overrides.txt").read_text().split() == ["training.max_steps=3", "seed=5"]
    assert yaml.safe_load((run / "config.yaml").read_text())["training"]["max_steps"] == 3
    files = {path.name for path in run.iterdir()}
    assert not files & {".hydra", "rl-train.log"}


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["rl", "train"], "*-*-*/*-rl-train-grok_tiny"),
        (["rl", "eval", "org/model"], "*-*-*/*-rl-eval-eval"),
        (["rl", "train", "--multirun", "seed=0,1"], "*-*-*/*-rl-train-grok_tiny/[01]-grok_tiny"),
    ],
)
def test_another_folder_for_the_runs(
    toolkit: Callable, work: Any, tmp_path: Path, words: list[str], pattern: str
) -> None:
    root = "other place/it's"
    result = toolkit(*words, "--root", root, "--quiet")
    assert result.code == 0, result.err
    made = list((tmp_path / root).glob(pattern))
    assert len(made) == len(work.calls)
    assert [path.name for path in tmp_path.iterdir()] == ["other place"]
    listed = toolkit("runs", "list", "--root", root, "--json").json["runs"]
    assert {str(tmp_path / run["run"]) for run in listed} == set(map(str, made))


def test_a_framework_without_the_claimed_device_is_refused(
    toolkit: Callable, work: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(claim: object) -> None:
        raise DeviceError("torch does not see GPU 0, which was claimed for it")

    monkeypatch.setattr("runtime.devices.verify_torch", refuse)
    for command in (["train"], ["eval", "org/model"]):
        result = toolkit("rl", *command)
        assert result.code == 2
        assert "does not see GPU 0" in result.err
    assert work.calls == []


def test_the_end_of_a_run_shows_what_there_is_and_why(toolkit: Callable, work: Any) -> None:
    work.does = lambda call: {
        "pass_at_8": 0.5,
        "outcome": "no transition",
        "transition_reason": "no climb",
        "transition_step": None,
        "heldout_exhaustive": 0.0,
    }
    result = toolkit("rl", "train", "name=a_name_longer_than_the_table_that_follows_is_wide")
    lines = result.err.splitlines()
    (title,) = (number for number, line in enumerate(lines) if line.endswith("_is_wide"))
    shown = [line.split(None, 1) for line in lines[title + 1 :]]
    rows = [[name, *(word.strip() for word in words)] for name, *words in filter(None, shown)]
    assert rows == [
        ["outcome", "no transition"],
        ["transition_reason", "no climb"],
        ["heldout_exhaustive", "0"],
        ["pass_at_8", "0.5"],
    ]


def test_the_work_gets_the_typed_config_and_the_flags(
    toolkit: Callable, work: Any, own_cache: Path
) -> None:
    assert toolkit("rl", "train", "training.max_steps=3", "--rebuild-reference").code == 0
    (call,) = work.calls
    assert call.config.training.max_steps == 3
    assert call.resume is False
    assert call.rebuild_reference is True
    assert call.cache == own_cache
    assert call.claim.device == "cpu"


def test_overrides_and_flags_mix_in_any_order(toolkit: Callable, work: Any) -> None:
    result = toolkit(
        "rl", "train", "seed=1", "--multirun", "training.max_steps=3,4", "--quiet", "name=x"
    )
    assert result.code == 0, result.err
    assert [(c.config.seed, c.config.training.max_steps, c.config.name) for c in work.calls] == [
        (1, 3, "x"),
        (1, 4, "x"),
    ]


def test_two_runs_in_one_second_get_two_folders(toolkit: Callable, tmp_path: Path) -> None:
    for _ in range(2):
        assert toolkit("rl", "train", "--out", "here").code == 0
    assert {path.parent.name for path in tmp_path.rglob("manifest.json")} == {"here", "here-2"}


def test_a_sweep_is_one_object_with_a_run_each(
    toolkit: Callable, work: Any, tmp_path: Path
) -> None:
    result = toolkit("rl", "train", "--multirun", "seed=0,1,2", "--json")
    assert result.code == 0, result.err
    assert result.json["run"] is None
    runs = [Path(part["run"]) for part in result.json["runs"]]
    assert [Run.open(tmp_path / run).manifest["seeds"]["seed"] for run in runs] == [0, 1, 2]
    assert [run.name for run in runs] == ["0-grok_tiny", "1-grok_tiny", "2-grok_tiny"]
    assert len({run.parent for run in runs}) == 1
    assert not list(tmp_path.glob("runs/.sweep-*"))


def test_a_failing_job_of_a_sweep_keeps_the_others(toolkit: Callable, work: Any) -> None:
    def does(call: SimpleNamespace) -> dict[str, Any]:
        if call.config.seed == 1:
            raise UntrustworthyError("the base could not be proved")
        return {"heldout_exhaustive": 1.0}

    work.does = does
    result = toolkit("rl", "train", "--multirun", "seed=0,1,2", "--json")
    assert result.code == 3
    assert [part["status"] for part in result.json["runs"]] == ["done", "untrustworthy", "done"]


def test_a_sweep_with_a_failing_job_goes_on_and_names_it(toolkit: Callable, work: Any) -> None:
    def does(call: SimpleNamespace) -> dict[str, Any]:
        if call.config.seed == 0:
            raise InfrastructureError("the judge broke")
        return {"heldout_exhaustive": 1.0}

    work.does = does
    result = toolkit("rl", "train", "--multirun", "seed=0,1", "--json", "--quiet")
    assert result.code == 1
    failed, done = result.json["runs"]
    assert (failed["status"], done["status"]) == ("failed", "done")
    lines = result.err.splitlines()
    assert lines[0] == f"error: {failed['run']}: the judge broke"
    assert all(line.startswith("hint: ") for line in lines[1:]), "Hydra's own line"


def test_another_sweeper_is_told_of_a_failed_job() -> None:
    from omegaconf import OmegaConf

    plain = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
    other = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    assert job._is_plain(OmegaConf.create({"_target_": plain}))
    assert not job._is_plain(OmegaConf.create({"_target_": other}))


@pytest.mark.parametrize("words", [[], ["rl"], ["rl", "train"], ["runs", "list"], ["doctor"]])
def test_help_by_either_name(toolkit: Callable, words: list[str]) -> None:
    short, long = toolkit(*words, "-h"), toolkit(*words, "--help")
    assert (short.code, short.out) == (0, long.out)
    assert "Usage: toolkit" in short.out


def test_the_help_names_every_group(toolkit: Callable) -> None:
    shown = " ".join(toolkit("rl", "train", "--help").out.split())
    root = yaml.safe_load((Path(conf.__file__).parent / "rl_train.yaml").read_text())
    groups = {name for entry in root["defaults"] if isinstance(entry, dict) for name in entry}
    groups -= {name for name in groups if name.startswith("override ")}
    named = shown.partition("Groups, each a folder of conf/: ")[2].partition(".")[0]
    assert set(named.split(", ")) == groups


def test_showing_the_config_runs_nothing(toolkit: Callable, work: Any, tmp_path: Path) -> None:
    result = toolkit("rl", "train", "seed=4", "--cfg", "job")
    assert result.code == 0
    assert yaml.safe_load(result.out)["seed"] == 4
    assert not work.calls and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flags", [["--info", "defaults"], ["--hydra-help"], ["--cfg", "hydra"], ["--version"]]
)
def test_hydra_can_be_asked_about_itself(toolkit: Callable, work: Any, flags: list[str]) -> None:
    result = toolkit("rl", "train", *flags)
    assert result.code == 0
    assert "hydra" in result.out.lower()
    assert not work.calls


def test_what_libraries_print_does_not_reach_the_object(toolkit: Callable, work: Any) -> None:
    def does(call: SimpleNamespace) -> dict[str, Any]:
        sys.stdout.write("{'loss': 0.1}\n")
        os.write(1, b"from below\n")
        return {"loss": float("nan")}

    work.does = does
    result = toolkit("rl", "train", "--json")
    assert result.json["summary"] == {"loss": None}
    assert result.out.count("\n") == 1
    assert "from below" in result.err


@pytest.mark.parametrize(
    ("error", "code", "status", "word"),
    [
        (UntrustworthyError("no base could be proved"), 3, "done", "no base could be proved"),
        (InfrastructureError("the verifier broke"), 1, "failed", "fault of the toolkit"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted",
            "state saved, go on with: toolkit rl train --resume ",
        ),
        (
            ZeroDivisionError("division by zero"),
            1,
            "failed",
            "unexpected ZeroDivisionError: division by zero",
        ),
        (
            OSError(28, "No space left on device", "x"),
            2,
            "failed",
            "no space left on the disk; at x",
        ),
        (MemoryError(), 2, "failed", "out of memory"),
    ],
)
def test_how_a_run_can_end(
    error: BaseException,
    code: int,
    status: str,
    word: str,
    toolkit: Callable,
    work: Any,
    tmp_path: Path,
) -> None:
    def does(call: SimpleNamespace) -> dict[str, Any]:
        raise error

    work.does = does
    result = toolkit("rl", "train", "--json")
    assert result.code == code
    assert word in result.err
    assert "Traceback" not in result.err
    run = only_run(tmp_path)
    assert Run.open(run).manifest["status"] == status
    assert result.json["run"] == str(run.relative_to(tmp_path))
    assert result.json["error"]["exit_code"] == code
    assert (run / "error.txt").exists() == (code == 1)


def test_a_polite_kill_is_an_interruption(toolkit: Callable, work: Any, tmp_path: Path) -> None:
    work.does = lambda call: os.kill(os.getpid(), signal.SIGTERM) or {}
    result = toolkit("rl", "train")
    assert result.code == 130
    assert Run.open(only_run(tmp_path)).manifest["status"] == "interrupted"


def test_a_folder_that_cannot_be_written_is_named(toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    result = toolkit("rl", "train")
    assert result.code == 2
    assert "runs" in result.err and "Traceback" not in result.err


class TestResume:
    @pytest.fixture
    def interrupted(self, toolkit: Callable, work: Any, tmp_path: Path) -> Path:
        def does(call: SimpleNamespace) -> dict[str, Any]:
            raise KeyboardInterrupt

        done, work.does = work.does, does
        assert (
            toolkit("rl", "train", "schedule=binary", "seed=7", "optimizer.beta1=0.5").code == 130
        )
        work.does = done
        work.calls.clear()
        return only_run(tmp_path)

    def test_continues_with_the_runs_own_config(
        self, interrupted: Path, toolkit: Callable, work: Any
    ) -> None:
        result = toolkit("rl", "train", "--resume", "latest", "--json")
        assert result.code == 0, result.err
        (call,) = work.calls
        assert (call.config.seed, call.config.schedule.kind.value, call.resume) == (
            7,
            "binary",
            True,
        )
        assert call.run.path.name == interrupted.name
        assert len(Run.open(interrupted).manifest["resumed_at"]) == 1

    def test_the_original_overrides_may_be_repeated(
        self, interrupted: Path, toolkit: Callable
    ) -> None:
        assert (
            toolkit(
                "rl",
                "train",
                "schedule=binary",
                "optimizer.beta1=0.5",
                "--resume",
                interrupted.name,
            ).code
            == 0
        )

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            (
                "optimizer.beta1=0.25",
                "got optimizer.beta1=0.25; expected 0.5 as in the run",
            ),
            ("schedule=staged", "got schedule.kind=staged; expected binary as in the run"),
            ("seed=8", "got seed=8; expected 7 as in the run"),
            ("replay.enabled=false", "got replay.enabled=false; expected true as in the run"),
            ("training.threads=2", "got training.threads=2; expected"),
        ],
    )
    def test_a_change_is_refused_by_name(
        self, override: str, message: str, interrupted: Path, toolkit: Callable, work: Any
    ) -> None:
        result = toolkit("rl", "train", override, "--resume", str(interrupted))
        assert result.code == 2
        assert "--resume refuses a changed config" in result.err
        assert message in result.err
        assert not work.calls

    def test_a_changed_conf_is_no_change_of_the_run(
        self, interrupted: Path, toolkit: Callable, work: Any
    ) -> None:
        saved = yaml.safe_load((interrupted / "config.yaml").read_text())
        saved["optimizer"]["beta2"] = 0.5  # as if conf/ had said so when the run was started
        (interrupted / "config.yaml").write_text(yaml.safe_dump(saved))
        assert toolkit("rl", "train", "seed=7", "--resume", "latest").code == 0
        assert work.calls[0].config.optimizer.beta2 == 0.5

    def test_a_value_that_is_now_the_default_is_still_a_change(
        self, interrupted: Path, toolkit: Callable
    ) -> None:
        saved = yaml.safe_load((interrupted / "config.yaml").read_text())
        saved["optimizer"]["beta2"] = 0.5
        (interrupted / "config.yaml").write_text(yaml.safe_dump(saved))
        default = yaml.safe_load(toolkit("rl", "train", "--cfg", "job").out)["optimizer"]["beta2"]
        result = toolkit("rl", "train", f"optimizer.beta2={default}", "--resume", "latest")
        assert f"got optimizer.beta2={default}; expected 0.5 as in the run" in result.err

    def test_a_config_of_another_version_is_refused(
        self, interrupted: Path, toolkit: Callable
    ) -> None:
        saved = yaml.safe_load((interrupted / "config.yaml").read_text())
        saved["optimizer"]["momentum"] = 0.5
        (interrupted / "config.yaml").write_text(yaml.safe_dump(saved))
        result = toolkit("rl", "train", "--resume", "latest")
        assert result.code == 2
        assert (
            "the saved config does not fit this version" in result.err and "momentum" in result.err
        )

    def test_a_run_of_another_command_cannot_be_resumed(
        self, toolkit: Callable, work: Any, tmp_path: Path
    ) -> None:
        assert toolkit("rl", "eval", "org/model", "--out", "runs/2026-01-01/100000-x").code == 0
        for words in (
            ["train", "--resume", "100000-x"],
            ["eval", "2026-01-01/100000-x"],
        ):
            result = toolkit("rl", *words)
            assert result.code == 2
            assert "not a training run; got a run of `toolkit rl eval`" in result.err

    def test_a_sweep_cannot_resume(self, interrupted: Path, toolkit: Callable) -> None:
        result = toolkit("rl", "train", "--resume", "latest", "--multirun", "seed=7,8")
        assert result.code == 2 and "--resume continues one run" in result.err

    def test_a_finished_run_is_refused(self, interrupted: Path, toolkit: Callable) -> None:
        assert toolkit("rl", "train", "--resume", "latest").code == 0
        result = toolkit("rl", "train", "--resume", "latest")
        assert result.code == 2 and "already finished" in result.err
        assert interrupted.is_dir()

    def test_an_unknown_run_is_refused(self, interrupted: Path, toolkit: Callable) -> None:
        result = toolkit("rl", "train", "--resume", "grok_tyni")
        assert result.code == 2 and "no run of that name; got grok_tyni" in result.err


class TestEval:
    @pytest.fixture
    def trained(self, toolkit: Callable, work: Any, tmp_path: Path) -> Path:
        assert (
            toolkit("rl", "train", "seed=7", "data.lengths=[2,3]", "policy.max_new_tokens=40").code
            == 0
        )
        work.calls.clear()
        return only_run(tmp_path)

    def test_a_run_brings_its_data_policy_and_seed(
        self, trained: Path, toolkit: Callable, work: Any
    ) -> None:
        result = toolkit("rl", "eval", "latest", "evaluation.draws=600", "--json")
        assert result.code == 0, result.err
        config = work.calls[0].config
        assert (config.seed, config.data.lengths, config.policy.max_new_tokens) == (7, [2, 3], 40)
        assert config.policy.source == str(trained.relative_to(Path.cwd()))
        assert config.evaluation.draws == 600
        run = Run.open(result.json["run"])
        assert run.manifest["command"] == "rl eval"
        assert run.manifest["target"] == "latest"

    def test_the_line_wins_over_the_run(self, trained: Path, toolkit: Callable, work: Any) -> None:
        assert toolkit("rl", "eval", str(trained), "data=contains_substring", "seed=1").code == 0
        config = work.calls[0].config
        assert (config.seed, config.data.families) == (1, ["contains_substring"])
        assert config.data.lengths != [2, 3]
        assert config.policy.max_new_tokens == 40

    def test_a_model_folder(self, toolkit: Callable, work: Any, tmp_path: Path) -> None:
        model = tmp_path / "my model's"
        model.mkdir()
        (model / "config.json").write_text("{}")
        assert toolkit("rl", "eval", str(model), "policy.prompt=full").code == 0
        assert work.calls[0].config.policy.source == str(model)

    def test_a_hub_id(self, toolkit: Callable, work: Any) -> None:
        assert toolkit("rl", "eval", "org/model-1").code == 0
        assert work.calls[0].config.policy.source == "org/model-1"

    def test_the_target_may_stand_behind_flags_and_overrides(
        self, toolkit: Callable, work: Any
    ) -> None:
        assert toolkit("rl", "eval", "seed=3", "--quiet", "org/model").code == 0
        assert work.calls[0].config.seed == 3

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "nothing to evaluate; expected a run, a model folder or a hub id"),
            (["seed=1"], "nothing to evaluate"),
            (["nothing"], "got nothing; expected a run, a model folder or a hub id"),
            (["org/model", "evaluation.k=[1,1024]"], "pass@k needs at least k draws"),
            (["org/model", "experiment=grok_tiny"], "unknown key experiment"),
        ],
    )
    def test_what_cannot_be_evaluated(
        self, arguments: list[str], message: str, toolkit: Callable, work: Any
    ) -> None:
        result = toolkit("rl", "eval", *arguments)
        assert result.code == 2
        assert message in result.err
        assert not work.calls

    def test_showing_the_config_needs_no_target(self, toolkit: Callable) -> None:
        result = toolkit("rl", "eval", "--cfg", "job")
        assert result.code == 0 and yaml.safe_load(result.out)["name"] == "eval"


def test_results_are_json_even_for_odd_values(toolkit: Callable, work: Any) -> None:
    work.does = lambda call: {"path": "ä", "values": [float("inf"), 1], "nested": {"none": None}}
    result = toolkit("rl", "train", "--json")
    assert json.loads(result.out)["summary"] == {
        "path": "ä",
        "values": [None, 1],
        "nested": {"none": None},
    }
