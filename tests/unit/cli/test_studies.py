"""`toolkit rl study` and `toolkit rl transfer`: what is run, left alone and told. The runs are replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli import output, processes
from cli.hydra_app import TRAIN, composed
from runtime.run import Run
from runtime.settings import as_plain
from runtime.storage import atomic_write_json

STUDY = """
name: toy
about: What does the toy do?
common: [experiment=grok_tiny]
arms: {staged: [], dense: [schedule=dense]}
reference: staged
seeds: [0, 1]
"""
TRANSFER = """
name: journey
about: Does the toy travel?
common: [experiment=grok_tiny]
evaluation: [evaluation.draws=4]
train: {short: ["data.lengths=[3]"], other: []}
test:
  own: {axis: same, overrides: []}
  long: {axis: exploratory, rows: [short], overrides: ["data.lengths=[5]"]}
seeds: [0]
"""


@dataclass
class Jobs:
    """Stands in for the processes: every command makes its folder as a run would, and ends as it is told to."""

    calls: list[dict[str, list[str]]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    breaking: set[str] = field(default_factory=set)

    def __call__(
        self, commands: Mapping[str, Sequence[str]], notes: Path, *, jobs: int, quiet: bool
    ) -> None:
        self.calls.append({name: list(command) for name, command in commands.items()})
        for name, command in commands.items():
            words = list(command)
            is_resumed = "--resume" in words
            path = Path(words[words.index("--resume" if is_resumed else "--out") + 1])
            status = "interrupted" if name in self.breaking else "failed" if name in self.failing else "done"
            leave(path, words, status, is_resumed=is_resumed)
            if status == "failed":
                processes.note(notes, name).parent.mkdir(parents=True, exist_ok=True)
                processes.note(notes, name).write_text("noise\nerror: it broke\n")
                output.say(f"failed: {name}: {processes.last_line(notes, name)}")
            else:
                processes.note(notes, name).unlink(missing_ok=True)

    @property
    def names(self) -> list[str]:
        """What the last call was asked to run, over all its parts."""
        return [name for call in self.calls for name in call]


def leave(
    path: Path, words: list[str], status: str, *, is_resumed: bool, config: dict[str, Any] | None = None
) -> None:
    """What a run leaves of what a report reads."""
    seed = next((int(word.removeprefix("seed=")) for word in words if word.startswith("seed=")), 0)
    if is_resumed:
        run = Run.resume(path, config=Run.open(path).config)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        command = f"rl {words[4]}"
        run = Run.create(
            path, command=command, name="x", argv=[], config=config or {"seed": seed}, overrides=[], seeds={}
        )
    if status == "done":
        for step, value in enumerate((0.0, 1.0, 1.0)):
            run.metrics.log(10 * step, {"heldout_exhaustive": value, "heldout_full_pass": value})
        run.metrics.flush()
        run.write_summary({
            "heldout_full_pass": 1.0, "heldout_exhaustive": 1.0, "num_heldout": 4, "cpu_s": 9.0, "steps": 20,
            "stopped": "solved", "base_pass_at_k": None,
        })  # fmt: skip
        problem = {"problem_id": "p", "num_draws": 4, "num_passes": 4}
        parts = [
            {"label": label, "problems": [{**problem, "num_exhaustive": right}]}
            for label, right in (("base", 0), ("policy", 3))
        ]
        atomic_write_json(path / "evaluation.json", {"format": 1, "evaluations": parts})
    run.finish(status)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs()
    monkeypatch.setattr(processes, "run_commands", made)
    return made


@pytest.fixture
def study(tmp_path: Path, toolkit: Callable) -> Callable[..., Any]:
    (tmp_path / "toy.yaml").write_text(STUDY)
    return lambda *words: toolkit("rl", "study", str(tmp_path / "toy.yaml"), "--json", *words)


@pytest.fixture
def transfer(tmp_path: Path, toolkit: Callable) -> Callable[..., Any]:
    (tmp_path / "journey.yaml").write_text(TRANSFER)
    return lambda *words: toolkit("rl", "transfer", str(tmp_path / "journey.yaml"), "--json", *words)


def test_a_broken_study_goes_on_without_redoing_or_overwriting(jobs: Jobs, study: Callable) -> None:
    jobs.failing, jobs.breaking = {"dense seed 0"}, {"staged seed 1"}
    first = study()
    assert first.code == 1 and "failed: dense seed 0: error: it broke" in first.err
    assert (first.json["done"], first.json["failed"], first.json["open"]) == (2, 1, 1)
    assert "it broke" in Path(first.json["report"]).read_text()  # listed at the end, too
    assert jobs.names == ["staged seed 0", "dense seed 0", "staged seed 1", "dense seed 1"]
    command = jobs.calls[0]["dense seed 1"]
    assert command[3:] == [
        "rl", "train", "experiment=grok_tiny", "schedule=dense", "seed=1", "name=toy-dense",
        "--out", "runs/studies/toy/runs/dense/seed-1", "--quiet", "--json",
    ]  # fmt: skip
    kept = Path("runs/studies/toy/runs/staged/seed-0/manifest.json").read_bytes()

    jobs.calls, jobs.failing, jobs.breaking = [], set(), set()
    second = study()
    assert second.code == 1 and second.json["done"] == 3  # what failed waits
    assert jobs.names == ["staged seed 1"]
    assert "--resume" in jobs.calls[0]["staged seed 1"]

    jobs.calls = []
    third = study("--retry")
    assert (third.code, third.json["done"], third.json["failed"]) == (0, 4, 0)
    assert jobs.names == ["dense seed 0"] and "--resume" not in jobs.calls[0]["dense seed 0"]
    assert Path("runs/studies/toy/runs/dense/seed-0-failed-1/manifest.json").is_file()
    assert Path("runs/studies/toy/runs/staged/seed-0/manifest.json").read_bytes() == kept

    jobs.calls = []
    assert study().code == 0 and jobs.names == []
    assert [row["reached"] for row in third.json["arms"]] == [2, 2]


def test_a_study_takes_trainings_of_the_same_configuration(
    jobs: Jobs, study: Callable, tmp_path: Path
) -> None:
    words = {
        "same": ["seed=1", "schedule=dense", "name=elsewhere"],
        "slow": ["seed=0", "schedule=dense", "optimizer.learning_rate=1e-5"],
    }
    for name, overrides in words.items():
        config = as_plain(composed(TRAIN, overrides))
        leave(tmp_path / "old" / name, ["", "", "", "", "train"], "done", is_resumed=False, config=config)
    leave(tmp_path / "old" / "broken", ["", "", "", "", "train"], "interrupted", is_resumed=False)
    result = study("--take", str(tmp_path / "old"))
    assert jobs.names == ["staged seed 0", "dense seed 0", "staged seed 1"]
    assert (result.code, result.json["done"]) == (0, 4)
    link = Path("runs/studies/toy/runs/dense/seed-1")
    assert link.resolve() == (tmp_path / "old" / "same").resolve()
    assert "taken: dense seed 1" in result.err
    jobs.calls = []
    assert study("--take", str(tmp_path / "old")).code == 0 and jobs.names == []
    other = study("--take", "runs/studies/toy", "--out", "other", "--arms", "dense", "--seeds", "1")
    assert jobs.names == [] and other.json["done"] == 1  # what was linked there is found, too
    refused = study("--take", "nowhere")
    assert refused.code == 2 and "no such folder; got nowhere" in refused.err


def test_a_study_refuses_a_changed_arm_and_takes_more_seeds(jobs: Jobs, study: Callable) -> None:
    assert study("--seeds", "0", "--quiet").code == 0
    jobs.calls = []
    assert study("--seeds", "0,3", "--quiet").code == 0
    assert jobs.names == ["staged seed 3", "dense seed 3"]
    refused = study("training.max_steps=7")
    assert refused.code == 2 and "other common overrides" in refused.err


def test_a_launchers_settings_need_the_launcher(jobs: Jobs, study: Callable) -> None:
    refused = study("hydra.launcher.n_jobs=2")
    assert refused.code == 2 and "a launcher's settings without a launcher" in refused.err
    assert jobs.names == []


def test_a_transfer_trains_then_tests_every_row_on_its_own_columns(jobs: Jobs, transfer: Callable) -> None:
    result = transfer()
    assert result.code == 0
    assert jobs.names == [
        "train short seed 0", "train other seed 0",
        "eval short seed 0 on own", "eval short seed 0 on long", "eval other seed 0 on own",
    ]  # fmt: skip
    test = jobs.calls[1]["eval short seed 0 on long"]
    assert test[5:9] == [
        "runs/transfers/journey/runs/short/seed-0", "evaluation.draws=4", "data.lengths=[5]",
        "evaluation.compare_base=true",
    ]  # fmt: skip
    cells = {(cell["row"], cell["column"]): cell for cell in result.json["cells"]}
    assert set(cells) == {("short", "own"), ("short", "long"), ("other", "own")}
    assert (cells["short", "long"]["before"], cells["short", "long"]["gain"]) == (0.0, 0.75)
    jobs.calls = []
    assert transfer().code == 0 and jobs.names == []
    assert "another common overrides" in transfer("training.max_steps=7").err


def test_further_overrides_of_the_evaluation_reach_the_evaluations(jobs: Jobs, transfer: Callable) -> None:
    assert transfer("evaluation.draws=2", "training.group_size=4").code == 0
    trained, measured = jobs.calls
    assert {"evaluation.draws=2", "training.group_size=4"} <= set(trained["train short seed 0"])
    words = measured["eval short seed 0 on own"]
    drawn = [word for word in words if word.startswith("evaluation.draws")]
    assert drawn == ["evaluation.draws=4", "evaluation.draws=2"]
    assert "training.group_size=4" not in words


def test_a_transfer_takes_runs_that_are_there(jobs: Jobs, transfer: Callable, tmp_path: Path) -> None:
    for name, seed in (("mine", 0), ("yours", 5)):
        leave(tmp_path / name, ["", "", "", "", "train", f"seed={seed}"], "done", is_resumed=False)
    result = transfer("--take", f"short={tmp_path / 'mine'}", "--take", f"theirs={tmp_path / 'yours'}")
    assert result.code == 0
    assert "train short seed 0" not in jobs.names and "train other seed 0" in jobs.names
    assert "eval theirs seed 5 on own" in jobs.names and "train theirs seed 5" not in jobs.names
    jobs.calls = []
    again = transfer()  # what was taken stays taken
    assert jobs.names == [] and len(again.json["cells"]) == 4
    assert transfer("--take", "short").code == 2


def test_a_transfer_as_a_study_takes_what_fits(jobs: Jobs, toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "journey.yaml").write_text(TRANSFER)
    config = as_plain(composed(TRAIN, ["data.lengths=[3]"]))
    leave(tmp_path / "old", ["", "", "", "", "train"], "done", is_resumed=False, config=config)
    words = ("rl", "study", str(tmp_path / "journey.yaml"), "--json", "--take", str(tmp_path / "old"))
    assert toolkit(*words).code == 0
    assert "train other seed 0" in jobs.names and "train short seed 0" not in jobs.names
    jobs.calls = []
    assert toolkit(*words, "--take", "runs/studies/journey").code == 0 and jobs.names == []


def test_a_study_can_be_a_transfer(jobs: Jobs, toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "journey.yaml").write_text(TRANSFER)
    result = toolkit("rl", "study", str(tmp_path / "journey.yaml"), "--json")
    assert (result.code, result.json["command"]) == (0, "rl study")
    assert Path("runs/studies/journey/report.html").is_file()
    assert toolkit("rl", "study", str(tmp_path / "journey.yaml"), "--arms", "short").code == 2
    listed = toolkit("rl", "study", "--json").json["studies"]
    assert listed == ["four_colors", "ingredients", "schedules", "tests_matter", "transfer"]
