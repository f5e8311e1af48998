"""`toolkit runs`: what people and machines are shown of run folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import runs
from runtime.run import Run


def make_run(path: Path, *, seed: int = 0, status: Any = "done", **summary: Any) -> Path:
    run = Run.create(
        path,
        command="rl train",
        name="x",
        argv=["toolkit", "rl", "train"],
        config={"name": "x", "seed": seed, "optimizer": {"learning_rate": 0.1 * (seed + 1)}},
        overrides=[],
        seeds={"seed": seed},
    )
    if summary:
        run.write_summary(summary)
    run.event("phase_changed", step=3, reason="gate")
    run.finish(status)
    return run.path


@pytest.fixture
def two_runs(tmp_path: Path) -> tuple[Path, Path]:
    first = make_run(tmp_path / "runs/2026-01-01/100000-rl-train-x", heldout_exhaustive=0.25)
    second = make_run(tmp_path / "runs/2026-01-02/100000-rl-train-y", seed=1, status="failed")
    return first, second


def test_list_without_runs(toolkit: Callable) -> None:
    result = toolkit("runs", "list")
    assert (result.code, result.out, result.err) == (0, "", "no runs in runs\n")


def test_list_for_people(two_runs: object, toolkit: Callable) -> None:
    result = toolkit("runs", "list")
    assert result.out == ""
    rows = [line.split() for line in result.err.splitlines() if "rl-train" in line]
    assert [row[0] for row in rows] == [
        "2026-01-01/100000-rl-train-x",
        "2026-01-02/100000-rl-train-y",
    ]
    assert rows[0][1] == "done" and "0.25" in rows[0]
    assert rows[1][1] == "failed"
    assert max(map(len, result.err.splitlines())) < 80


def test_list_for_machines(two_runs: tuple[Path, Path], toolkit: Callable, tmp_path: Path) -> None:
    result = toolkit("runs", "list", "--status", "done", "--json")
    (entry,) = result.json["runs"]
    assert entry["run"] == str(two_runs[0].relative_to(tmp_path))
    assert entry["summary"] == {"heldout_exhaustive": 0.25}
    assert result.err == ""


def test_ctrl_c_where_there_is_no_run_is_told_too(
    toolkit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(root: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runtime.run.list_runs", interrupt)
    result = toolkit("runs", "list", "--json")
    assert (result.code, result.err) == (130, "interrupted\n")
    assert result.json["status"] == "interrupted"


def test_list_refuses_a_status_that_no_run_can_have(two_runs: object, toolkit: Callable) -> None:
    result = toolkit("runs", "list", "--status", "finished")
    assert result.code == 2
    assert "no such status; got finished; expected running, done, interrupted" in result.err
    for status in runs.STATUSES:
        assert toolkit("runs", "list", "--status", status).code == 0


def test_show_begins_with_what_matters(toolkit: Callable, tmp_path: Path) -> None:
    make_run(tmp_path / "runs/2026-01-01/100000-rl-train-x", aside=1, heldout_exhaustive=0.25)
    shown = toolkit("runs", "show", "latest").err
    assert shown.index("heldout_exhaustive") < shown.index("aside")
    assert shown.count("heldout_exhaustive") == 1


def test_show(two_runs: object, toolkit: Callable) -> None:
    result = toolkit("runs", "show", "rl-train-x")
    for word in ("done", "heldout_exhaustive", "0.25", "phase_changed", "reason gate"):
        assert word in result.err
    found = toolkit("runs", "show", "latest", "--json").json
    assert found["status"] == "failed"
    assert found["config"]["seed"] == 1
    assert found["summary"] is None
    assert found["manifest"]["command"] == "rl train"


def test_compare(two_runs: tuple[Path, Path], toolkit: Callable) -> None:
    found = toolkit("runs", "compare", "rl-train-x", "rl-train-y", "--json").json
    assert {d["key"]: (d["a"], d["b"]) for d in found["config"]} == {
        "seed": (0, 1),
        "optimizer.learning_rate": (0.1, 0.2),
    }
    result = toolkit("runs", "compare", "rl-train-x", "rl-train-y")
    assert "optimizer.learning_rate" in result.err and "0.1" in result.err
    assert "differ in nothing" in toolkit("runs", "compare", "rl-train-x", "rl-train-x").err


@pytest.mark.parametrize("command", [["show"], ["report"], ["compare", "rl-train-x"]])
def test_an_unknown_run_is_named_with_a_near_one(
    two_runs: object, toolkit: Callable, command: list[str]
) -> None:
    result = toolkit("runs", *command, "100000-rl-train-z")
    assert result.code == 2
    assert "no run of that name; got 100000-rl-train-z" in result.err
    assert "did you mean" in result.err


def test_a_damaged_run_is_listed_as_such(two_runs: tuple[Path, Path], toolkit: Callable) -> None:
    (two_runs[0] / "manifest.json").write_text("{")
    statuses = {
        entry["name"]: entry["status"] for entry in toolkit("runs", "list", "--json").json["runs"]
    }
    assert "unreadable" in statuses.values()


def test_plain_tables_end_where_their_words_end(toolkit: Callable, tmp_path: Path) -> None:
    make_run(tmp_path / "runs/2026-01-01/100000-rl-train-x", short=1, long="x" * 90)
    lines = toolkit("runs", "show", "latest").err.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert any(line.endswith("x" * 90) for line in lines)
