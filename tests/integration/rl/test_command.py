"""What the command shows and refuses: no terminal, one object, a reader that leaves, two at once, wrong words."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHORT = ("training.max_steps=2", "evaluation.draws=4", "schedule.switch_step=2")
REQUIRED = (
    "base_pass_at_k", "heldout_full_pass", "heldout_exhaustive", "transition_step", "plateau_steps", "wall_s", "cpu_s",
    "schedule", "seed",
)  # fmt: skip


def test_redirected_output_is_plain_lines_and_one_object(
    toolkit: Any, tiny: tuple[str, ...]
) -> None:
    ended = toolkit("rl", "train", *tiny, *SHORT, "--json", TERM="xterm-256color", FORCE_COLOR="")
    assert ended.code == 0, ended.err
    for text in (ended.out, ended.err):
        assert "\x1b" not in text and "\r" not in text
    assert ended.out.count("\n") == 1
    assert ended.json["command"] == "rl train" and ended.json["status"] == "done"
    run = toolkit.folder / ended.json["run"]
    assert ended.json["summary"] == json.loads((run / "summary.json").read_text())
    assert set(REQUIRED) <= set(ended.json["summary"])
    for word in ("tiny: 2 steps", "step 2/2", "phase: from step 2: dense -> binary", "no transition"):
        assert word in ended.err


def test_a_run_that_never_climbs_says_so_and_is_no_failure(
    uninterrupted: Path, result_of: Callable
) -> None:
    summary = result_of(uninterrupted)["summary"]
    assert summary["outcome"] == "no transition"
    assert summary["transition_step"] is None and summary["plateau_steps"] is None
    assert summary["heldout_exhaustive"] < 0.9
    assert "No transition: " in (uninterrupted / "report.html").read_text()


def test_the_run_folder_is_complete(uninterrupted: Path, tiny: tuple[str, ...]) -> None:
    files = {path.name for path in uninterrupted.iterdir() if not path.name.startswith(".lock")}
    assert files == {
        "base", "checkpoints", "config.yaml", "evaluation.json", "events.jsonl", "figures", "final-rollouts.jsonl.gz",
        "manifest.json", "metrics.jsonl", "overrides.txt", "policy", "report.html", "rollouts.jsonl.gz", "summary.json",
    }  # fmt: skip
    manifest = json.loads((uninterrupted / "manifest.json").read_text())
    assert manifest["status"] == "done" and manifest["argv"][:3] == ["toolkit", "rl", "train"]
    assert (uninterrupted / "overrides.txt").read_text().splitlines() == list(tiny)
    # `checkpoint.keep` of them: the last step's, and the one before it.
    kept = sorted(path.name for path in (uninterrupted / "checkpoints").iterdir())
    assert kept == ["step-000009", "step-000011"]
    with gzip.open(uninterrupted / "rollouts.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in lines]
    assert sum(record["kind"] == "train" for record in records) == 11 * 3 * 12
    assert sum(record["kind"] == "greedy" for record in records) == 7 * 2


def test_a_reader_that_leaves_early_does_not_end_the_training(
    toolkit: Any, tiny: tuple[str, ...]
) -> None:
    """As `toolkit rl train 2>&1 | head -1` and `... --json | true`: both ends of both pipes are closed."""
    pipe = toolkit.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    process = toolkit.start(
        "rl", "train", *tiny, *SHORT, "--out", "run", "--json", stdout=pipe, stderr=pipe
    )
    said = b""

    def has_said_something() -> bool:
        nonlocal said
        try:
            said += os.read(reader, 1)
        except BlockingIOError:  # nothing yet
            return False
        return bool(said)

    process.until(has_said_something)
    os.close(reader)
    assert process.wait().code == 0
    manifest = json.loads((toolkit.folder / "run" / "manifest.json").read_text())
    assert manifest["status"] == "done"
    assert (toolkit.folder / "run" / "summary.json").is_file()


def test_two_runs_at_once_get_a_folder_each(toolkit: Any, tiny: tuple[str, ...]) -> None:
    line = ("rl", "train", *tiny, *SHORT, "--out", "run", "--json")
    both = [toolkit.start(*line), toolkit.start(*line)]
    ended = [process.wait() for process in both]
    assert [one.code for one in ended] == [0, 0], ended[0].err + ended[1].err
    assert {one.json["run"] for one in ended} == {"run", "run-2"}
    first, second = (one.json["summary"]["policy_identity"] for one in ended)
    assert first == second


def test_a_run_that_goes_on_cannot_be_resumed(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, result_of: Callable
) -> None:
    process = toolkit.start("rl", "train", *tiny, "--out", "run")
    process.until(lambda: (toolkit.folder / "run" / "metrics.jsonl").is_file())
    second = toolkit("rl", "train", "--resume", "run")
    assert second.code == 2
    assert "error: the run is still going on; got held by" in second.err
    assert str(process.pid) in second.err
    assert process.wait().code == 0
    assert result_of(toolkit.folder / "run") == result_of(uninterrupted)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--resume", "RUN"), "the run is already finished"),
        (("--resume", "RUN", "seed=1"), "--resume refuses a changed config; got seed=1"),
        (("training.max_stps=3",), "did you mean training.max_steps"),
        (("schedule=stagd",), "staged"),
        (("training.group_size=1",), "training.group_size"),
        (("policy.source=no/such/model",), "cannot load the policy; got no/such/model"),
        (("policy.source=.",), "not a model folder"),
        (("reference.families=[contains_ordered]",), "may not be taught a target family"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_2(
    words: tuple[str, ...], said: str, toolkit: Any, uninterrupted: Path
) -> None:
    ended = toolkit(
        "rl", "train", *(str(uninterrupted) if word == "RUN" else word for word in words)
    )
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert sum(line.startswith("error: ") for line in ended.err.splitlines()) == 1


def test_a_base_that_cannot_be_proved_ends_with_exit_code_3(
    toolkit: Any, tiny: tuple[str, ...]
) -> None:
    """One hundred draws a problem find a success: no base of this recipe may be called a base."""
    proof = ("reference.proof_draws=600", "reference.max_rebuilds=0")
    ended = toolkit("rl", "train", *tiny, *proof, "--out", "run")
    assert ended.code == 3, ended.err
    assert "no reference policy fails on the target" in ended.err
    assert json.loads((toolkit.folder / "run" / "manifest.json").read_text())["status"] == "done"
