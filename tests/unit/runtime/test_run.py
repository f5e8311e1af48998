"""Run folders: created once, finished once, resumed only as they were. Between processes: tests/integration/runtime."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from pathlib import Path

import pytest
import yaml

from runtime.errors import CheckpointError, ConfigError, StorageError
from runtime.locks import OwnedLock
from runtime.run import Run, config_differences
from runtime.storage import read_jsonl

CONFIG = {"seed": 0, "name": "off", "opt": {"rate": 1e-5, "betas": [0.9, 0.999]}, "none": None}


def make_run(path, **overrides) -> Run:
    options = {
        "command": "rl train",
        "name": "demo",
        "argv": ["toolkit", "rl", "train"],
        "config": CONFIG,
        "overrides": ["opt.rate=1e-5"],
        "seeds": {"root": 0},
    }
    return Run.create(path, **(options | overrides))


def events(run, *, without=("time",)):
    return [
        {key: value for key, value in event.items() if key not in without}
        for event in read_jsonl(run.events_path)
    ]


# --- create ---------------------------------------------------------------------------------------------------------


def test_a_new_run_has_everything_that_says_what_runs(tmp_path):
    run = make_run(tmp_path / "2026-01-02" / "demo")
    assert run.path == tmp_path / "2026-01-02" / "demo"
    assert yaml.safe_load((run.path / "config.yaml").read_text()) == CONFIG == run.config
    assert (run.path / "overrides.txt").read_text() == "opt.rate=1e-5\n"
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest == run.manifest
    assert manifest["schema_version"] == 1
    assert (manifest["command"], manifest["name"], manifest["status"]) == (
        "rl train",
        "demo",
        "running",
    )
    assert manifest["argv"] == ["toolkit", "rl", "train"]
    assert manifest["seeds"] == {"root": 0}
    assert (manifest["resumed_at"], manifest["ended_at"], manifest["data_hashes"]) == ([], None, {})
    assert {"python", "numpy", "torch"} <= manifest["versions"].keys()
    assert manifest["hardware"]["cpus"] >= 1 and manifest["hardware"]["memory_mib"] > 0
    assert events(run) == [{"kind": "run_started", "command": "rl train", "name": "demo"}]


def test_a_run_is_never_overwritten(tmp_path):
    paths = []
    for _ in range(3):
        with make_run(tmp_path / "demo") as run:
            paths.append(run.path.name)
    assert paths == ["demo", "demo-2", "demo-3"]


def test_a_run_that_is_still_being_made_is_not_joined(tmp_path):
    first = make_run(tmp_path / "demo")
    (first.path / "manifest.json").unlink()
    (first.path / "config.yaml").unlink()
    (first.path / "overrides.txt").unlink()
    (first.path / "events.jsonl").unlink()
    assert make_run(tmp_path / "demo").path.name == "demo-2"  # its lock is held


def after_locking(monkeypatch, module, happens):
    """Let something happen between the moment a lock is wanted and the moment it is had."""

    class Slow(OwnedLock):
        def acquire(self, timeout_s=0.0):
            happens(self.path.parent)
            return super().acquire(timeout_s)

    monkeypatch.setattr(f"{module}.OwnedLock", Slow)


def test_a_run_made_and_ended_while_we_waited_for_the_lock_is_seen(tmp_path, monkeypatch):
    def another(folder):
        if folder.name == "demo":
            (folder / "manifest.json").write_text("theirs")

    after_locking(monkeypatch, "runtime.run.claiming", another)
    assert make_run(tmp_path / "demo").path.name == "demo-2"
    assert (tmp_path / "demo" / "manifest.json").read_text() == "theirs"


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "report.html", "checkpoints"])
def test_a_folder_with_files_of_a_run_is_not_used(tmp_path, name):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / name).write_text("mine")
    assert make_run(tmp_path / "demo").path.name == "demo-2"
    assert (tmp_path / "demo" / name).read_text() == "mine"


def test_a_folder_with_other_files_is_used(tmp_path):
    (tmp_path / "demo" / ".hydra").mkdir(parents=True)
    (tmp_path / "demo" / "job.log").write_text("")
    assert make_run(tmp_path / "demo").path.name == "demo"


def test_a_refusing_disk_is_named_and_nothing_is_a_run(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(StorageError, match="the disk is full") as caught:
            make_run(tmp_path / "demo")
    assert str(tmp_path / "demo") in caught.value.where
    assert not (tmp_path / "demo" / "manifest.json").exists()
    assert make_run(tmp_path / "demo").path.name in ("demo", "demo-2")  # the lock was given back


def test_a_config_that_is_not_finite_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match=r"opt\.rate is not finite"):
        make_run(tmp_path / "demo", config={"opt": {"rate": math.nan}})
    assert not (tmp_path / "demo").exists()


# --- open -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: None, "no such run folder"),
        (lambda path: path.mkdir(), r"not a run folder \(no manifest.json\)"),
        (
            lambda path: (path.mkdir(), (path / "manifest.json").write_text("{")),
            "the manifest is not valid JSON",
        ),
        (
            lambda path: (
                path.mkdir(),
                (path / "manifest.json").write_text('{"schema_version": 99}'),
            ),
            "another version of the toolkit; got schema version 99; expected 1",
        ),
        (
            lambda path: (path.mkdir(), (path / "manifest.json").write_text("[]")),
            "got schema version None",
        ),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, prepare, message):
    prepare(tmp_path / "x")
    with pytest.raises(CheckpointError, match=message):
        Run.open(tmp_path / "x")


def test_an_opened_run_is_for_reading(tmp_path):
    make_run(tmp_path / "demo").metrics.log(1, {"x": 1.0})
    run = Run.open(tmp_path / "demo")
    assert run.config == CONFIG
    assert run.summary() is None
    assert read_jsonl(run.metrics_path)[0]["x"] == 1.0
    assert not run.figures.exists()
    for write in (
        lambda: run.event("x"),
        lambda: run.metrics,
        lambda: run.write_summary({}),
        lambda: run.update_manifest(a=1),
        lambda: run.rewind(0),
        run.save_clock,
    ):
        with pytest.raises(RuntimeError, match="open for reading only"):
            write()


def test_status_tells_the_living_from_the_dead(tmp_path):
    run = make_run(tmp_path / "demo")
    assert (run.status, Run.open(run.path).status) == ("running", "running")
    run._lock.release()  # what the kernel does for a killed process
    assert Run.open(run.path).status == "killed"


# --- while it runs --------------------------------------------------------------------------------------------------


def test_folders_are_made_when_used(tmp_path):
    run = make_run(tmp_path / "demo")
    assert not (run.path / "figures").exists()
    assert run.figures.is_dir() and run.checkpoints.is_dir()


def test_a_metric_that_is_not_finite_becomes_an_event(tmp_path):
    run = make_run(tmp_path / "demo")
    run.metrics.log(4, {"loss": math.nan})
    warning = {
        "kind": "warning",
        "message": "metric is not finite, written as null",
        "step": 4,
        "names": ["loss"],
    }
    assert events(run)[-1] == warning
    run.finish("done")
    assert Run.open(run.path).manifest["num_nonfinite_metrics"] == 1


def test_events_keep_null_for_what_is_not_finite(tmp_path):
    run = make_run(tmp_path / "demo")
    run.event("phase_changed", step=3, value=math.inf, nested={"a": [math.nan, 1.0]})
    assert events(run)[-1] == {
        "kind": "phase_changed",
        "step": 3,
        "value": None,
        "nested": {"a": [None, 1.0]},
    }


def test_the_summary_is_written_whole_and_read_back(tmp_path):
    run = make_run(tmp_path / "demo")
    run.write_summary({"heldout": 0.5, "step": None, "bad": {"x": math.nan}})
    assert Run.open(run.path).summary() == {"heldout": 0.5, "step": None, "bad": {"x": None}}
    assert events(run)[-1]["names"] == ["bad.x"]


def test_data_hashes_are_noted_then_checked(tmp_path):
    run = make_run(tmp_path / "demo")
    run.record_data("train", "sha256:1")
    run.record_data("train", "sha256:1")
    run.record_data("heldout", "sha256:2")
    assert Run.open(run.path).manifest["data_hashes"] == {
        "train": "sha256:1",
        "heldout": "sha256:2",
    }
    with pytest.raises(
        CheckpointError,
        match=r"data set has changed.*got sha256:3; expected sha256:1.*data_hashes.train",
    ):
        run.record_data("train", "sha256:3")


def test_the_clock_adds_up_over_resumes(tmp_path, monkeypatch):
    now, cpu = [100.0], [7.0]
    monkeypatch.setattr("runtime.run.folder.time.monotonic", lambda: now[0])
    monkeypatch.setattr("runtime.run.folder._cpu_seconds", lambda: cpu[0])
    run = make_run(tmp_path / "demo")
    now[0], cpu[0] = 110.0, 9.0
    assert run.clock() == (10.0, 2.0)
    run.save_clock()
    now[0], cpu[0] = 115.0, 9.5
    assert run.clock() == (15.0, 2.5)
    run._lock.release()  # killed: the last five seconds are lost, with what they did
    now[0], cpu[0] = 500.0, 0.0
    assert Run.open(run.path).clock() == (10.0, 2.0)
    resumed = Run.resume(run.path, config=CONFIG)
    now[0], cpu[0] = 503.0, 1.0
    assert resumed.clock() == (13.0, 3.0)
    resumed.finish("done")
    assert Run.open(run.path).clock() == (13.0, 3.0)


def test_the_real_clock_runs(tmp_path):
    run = make_run(tmp_path / "demo")
    started = time.process_time()
    while time.process_time() - started < 0.05:
        math.factorial(500)
    wall_s, cpu_s = run.clock()
    assert cpu_s >= 0.05
    assert wall_s > 0.0


# --- finish ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["done", "interrupted", "failed"])
def test_finishing_says_how_and_lets_go(tmp_path, status):
    run = make_run(tmp_path / "demo")
    run.finish(status, error="why")
    run.finish("done")  # too late
    opened = Run.open(run.path)
    assert (opened.status, opened.manifest["error"]) == (status, "why")
    assert opened.manifest["ended_at"] >= opened.manifest["started_at"]
    assert events(run)[-1] == {"kind": "run_finished", "status": status, "error": "why"}
    assert not run.held


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (None, "done", None),
        (KeyboardInterrupt(), "interrupted", None),
        (ValueError("bad"), "failed", "ValueError: bad"),
    ],
    ids=repr,
)
def test_leaving_the_block_finishes(tmp_path, error, status, text):
    try:
        with make_run(tmp_path / "demo") as run:
            if error is not None:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    assert Run.open(run.path).status == status
    assert Run.open(run.path).manifest.get("error") == text


def test_a_full_disk_at_the_end_still_lets_go(tmp_path, monkeypatch):
    run = make_run(tmp_path / "demo")

    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(StorageError, match="the disk is full"):
            run.finish("done")
    assert Run.open(run.path).status == "killed"  # not held, not finished: can be resumed
    Run.resume(run.path, config=CONFIG).finish("done")


# --- resume ---------------------------------------------------------------------------------------------------------


def interrupted_run(path) -> Path:
    run = make_run(path)
    for step in range(1, 6):
        run.metrics.log(step, {"x": float(step)})
        run.event("checkpoint_saved" if step == 3 else "tick", step=step)
    run.finish("interrupted", error="Ctrl-C")
    return run.path


def test_resume_continues_from_the_checkpoint(tmp_path):
    run = Run.resume(interrupted_run(tmp_path / "demo"), config=CONFIG)
    assert run.rewind(3) == 2
    run.metrics.log(4, {"x": 40.0})
    assert [(line["step"], line["x"]) for line in read_jsonl(run.metrics_path)] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 40),
    ]
    kinds = [event["kind"] for event in events(run)]
    assert kinds == ["run_started", "tick", "tick", "checkpoint_saved", "run_finished", "resumed"]
    assert events(run)[-1] == {"kind": "resumed", "step": 3, "dropped": 2}
    assert run.manifest["status"] == "running"
    assert run.manifest["ended_at"] is None and "error" not in run.manifest
    assert len(run.manifest["resumed_at"]) == 1


def test_rewinding_an_open_writer_does_not_write_to_a_lost_file(tmp_path):
    run = make_run(tmp_path / "demo")
    for step in (1, 2, 3):
        run.metrics.log(step, {})
    run.rewind(1)
    run.metrics.log(2, {"again": True})
    assert [line["step"] for line in read_jsonl(run.metrics_path)] == [1, 2]


def test_rewind_to_the_start_without_a_checkpoint(tmp_path):
    run = Run.resume(interrupted_run(tmp_path / "demo"), config=CONFIG)
    assert run.rewind(0) == 5
    assert read_jsonl(run.metrics_path) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (CONFIG | {"seed": 1}, "got 1; expected 0; at seed"),
        (
            CONFIG | {"opt": {"rate": 1e-4, "betas": [0.9, 0.99]}},
            "got 0.0001; expected 1e-05; at opt.rate",
        ),
        (
            CONFIG | {"opt": {"rate": 1e-5, "betas": [0.9]}},
            r"got \[0.9\]; expected \[0.9, 0.999\]; at opt.betas",
        ),
        (
            CONFIG | {"opt": {"rate": 1e-5}},
            r"got \(absent\); expected \[0.9, 0.999\]; at opt.betas",
        ),
        (CONFIG | {"new": 3}, r"got 3; expected '\(absent\)'; at new"),
        (CONFIG | {"name": False}, "got False; expected 'off'; at name"),
        (CONFIG | {"none": "x"}, "got x; expected None; at none"),
    ],
)
def test_resume_refuses_another_config_and_names_the_first_key(tmp_path, changed, message):
    path = interrupted_run(tmp_path / "demo")
    before = (path / "manifest.json").read_bytes()
    with pytest.raises(ConfigError, match=message):
        Run.resume(path, config=changed)
    assert (path / "manifest.json").read_bytes() == before
    Run.resume(path, config=CONFIG).finish("done")  # the refusal let go of the lock


def test_a_config_is_the_same_whatever_its_containers(tmp_path):
    path = interrupted_run(tmp_path / "demo")
    same = CONFIG | {"opt": {"rate": 1e-5, "betas": (0.9, 0.999)}}
    Run.resume(path, config=same).finish("done")


def test_resume_refuses_a_finished_run(tmp_path):
    run = make_run(tmp_path / "demo")
    run.finish("done")
    with pytest.raises(CheckpointError, match="the run is already finished"):
        Run.resume(run.path, config=CONFIG)


def test_resume_sees_that_the_run_was_finished_while_it_waited_for_the_lock(tmp_path, monkeypatch):
    path = interrupted_run(tmp_path / "demo")

    def finish(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | {"status": "done"}))

    after_locking(monkeypatch, "runtime.run.folder", finish)
    with pytest.raises(CheckpointError, match="the run is already finished"):
        Run.resume(path, config=CONFIG)


def test_resume_refuses_a_held_run(tmp_path):
    run = make_run(tmp_path / "demo")
    with pytest.raises(
        CheckpointError, match=f"still going on; got held by process {os.getpid()} .*rl train demo"
    ):
        Run.resume(run.path, config=CONFIG)


def test_resume_after_a_kill(tmp_path):
    run = make_run(tmp_path / "demo")
    run.metrics.log(1, {"x": 1.0})
    with open(run.metrics_path, "ab") as file:
        file.write(b'{"step": 2, "ti')
    run._lock.release()
    resumed = Run.resume(run.path, config=CONFIG)
    resumed.rewind(1)
    resumed.metrics.log(2, {"x": 2.0})
    assert [line["step"] for line in read_jsonl(run.metrics_path, tolerate_torn_tail=False)] == [
        1,
        2,
    ]


def test_resume_without_a_readable_config(tmp_path):
    path = interrupted_run(tmp_path / "demo")
    (path / "config.yaml").write_text("a: [")
    with pytest.raises(CheckpointError, match="config cannot be read"):
        Run.resume(path, config=CONFIG)


# --- differences ----------------------------------------------------------------------------------------------------


def test_differences_are_dotted_and_ordered():
    old = {"b": 1, "a": {"x": 1, "y": {"z": [1]}}, "gone": 0, "same": None}
    new = {"same": None, "new": 2, "a": {"x": 1.0, "y": {"z": [1, 2]}}, "b": True}
    assert list(config_differences(old, new)) == [
        ("b", 1, True),
        ("a.y.z", [1], [1, 2]),
        ("gone", 0, "(absent)"),
        ("new", "(absent)", 2),
    ]
