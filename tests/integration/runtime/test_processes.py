"""What several processes, and killed ones, do to run folders and devices."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from runtime.devices import Gpu, GpuList, claim
from runtime.errors import CheckpointError, DeviceError
from runtime.run import Run, list_runs
from runtime.storage import damage, is_complete, read_json, read_jsonl

TIMEOUT_S = 60.0
CONFIG = {"seed": 0}

CREATE = """
import sys
from runtime.run import Run
print("ready", flush=True)
sys.stdin.readline()
options = dict(command="rl train", name="demo", argv=[], config={"seed": 0}, overrides=[], seeds={"root": 0})
run = Run.create(sys.argv[1], **options)
print(run.path, flush=True)
sys.stdin.readline()
"""

CLAIM = """
import sys
from pathlib import Path
from runtime.devices import Gpu, GpuList, claim
from runtime.errors import DeviceError
gpus = GpuList((Gpu(0, "GPU-aa", "H200"),))
print("ready", flush=True)
sys.stdin.readline()
try:
    found = claim("auto", owner=sys.argv[2], framework="torch", lock_dir=Path(sys.argv[1]), gpus=gpus)
    print("got", found.device, flush=True)
except DeviceError as error:
    print("refused", error, flush=True)
sys.stdin.readline()
"""

TRAIN = """
import os, sys
from pathlib import Path
from runtime.run import Run
from runtime.storage import publish_directory
path = Path(sys.argv[1])
if (path / "manifest.json").exists():
    run = Run.resume(path, config={"seed": 0})
else:
    options = dict(command="rl train", name="demo", argv=[], config={"seed": 0}, overrides=[], seeds={"root": 0})
    run = Run.create(path, **options)
done = [int(folder.name) for folder in run.checkpoints.iterdir() if folder.name.isdigit()]
start = max(done, default=0)
run.rewind(start)
print("running", flush=True)
for step in range(start + 1, 100_000):
    run.metrics.log(step, {"value": step * 0.5, "text": "x" * 300})
    run.event("tick", step=step)
    if step % 5 == 0:
        staging = run.checkpoints / ".staging"
        staging.mkdir(exist_ok=True)
        (staging / "weights").write_bytes(step.to_bytes(4, "big") * 5000)
        publish_directory(staging, run.checkpoints / str(step))
        run.save_clock()
"""


class Child:
    """A Python program that is talked to by lines; killed when the test ends."""

    def __init__(self, code, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        assert line, f"the process ended with {self.process.wait(TIMEOUT_S)}"
        return line.strip()

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def close(self):
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start():
    children = []

    def call(code, *arguments):
        children.append(Child(code, *arguments))
        return children[-1]

    yield call
    for child in children:
        child.close()


# --- two at once ----------------------------------------------------------------------------------------------------


def test_processes_that_want_one_folder_get_one_each(tmp_path, start):
    children = [start(CREATE, tmp_path / "demo") for _ in range(4)]
    for child in children:
        assert child.hear() == "ready"
    for child in children:  # all four go at once
        child.say()
    paths = sorted(child.hear() for child in children)
    assert paths == [str(tmp_path / name) for name in ("demo", "demo-2", "demo-3", "demo-4")]
    assert [info.status for info in list_runs(tmp_path)] == ["running"] * 4
    for child in children:
        child.kill()
    assert [info.status for info in list_runs(tmp_path)] == ["killed"] * 4


def test_one_gpu_goes_to_one_process_and_comes_back_when_it_is_killed(tmp_path, start, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)  # also for the children
    children = {name: start(CLAIM, tmp_path, name) for name in ("runs/a", "runs/b")}
    for child in children.values():
        child.hear()
        child.say()
    answers = {name: child.hear() for name, child in children.items()}
    winner, loser = sorted(answers, key=lambda name: answers[name])
    assert answers[winner] == "got cuda:0"
    pid = children[winner].process.pid
    assert answers[loser].startswith(f"refused every GPU is taken; got GPU 0 held by process {pid}")
    assert winner in answers[loser]

    gpus = GpuList((Gpu(0, "GPU-aa", "H200"),))
    options = {"owner": "test", "framework": "torch", "lock_dir": tmp_path, "gpus": gpus}
    with pytest.raises(DeviceError, match="the GPU is taken"):
        claim("cuda:0", **options)
    children[winner].kill()
    with claim("cuda:0", **options) as found:
        assert found.index == 0


def test_a_run_held_by_a_live_process_is_not_resumed_and_a_dead_ones_is(tmp_path, start):
    child = start(CREATE, tmp_path / "demo")
    child.hear()
    child.say()
    child.hear()
    with pytest.raises(
        CheckpointError, match=f"still going on; got held by process {child.process.pid} "
    ):
        Run.resume(tmp_path / "demo", config=CONFIG)
    child.kill()
    run = Run.resume(tmp_path / "demo", config=CONFIG)
    assert run.status == "running"
    run.finish("done")


# --- killed ---------------------------------------------------------------------------------------------------------


def check_folder(path):
    """Everything in a run folder can be read, and what claims to be complete is."""
    run = Run.open(path)
    assert run.status == "killed"
    assert run.config == CONFIG
    read_json(path / "manifest.json")
    steps = (
        [line["step"] for line in read_jsonl(run.metrics_path)] if run.metrics_path.exists() else []
    )
    assert steps == list(range(1, len(steps) + 1))
    events = read_jsonl(run.events_path) if run.events_path.exists() else []
    ticks = [event["step"] for event in events if event["kind"] == "tick"]
    assert ticks == list(range(1, len(ticks) + 1))
    for folder in run.checkpoints.glob("[0-9]*"):
        assert is_complete(folder)
        assert damage(folder) is None
        assert (folder / "weights").read_bytes() == int(folder.name).to_bytes(4, "big") * 5000
    return steps


def kill_and_resume(path, start, rounds, seed):
    """Kill a writing process at random moments, each time resuming where the last one was."""
    moments = random.Random(seed)
    for _ in range(rounds):
        child = start(TRAIN, path)
        if moments.random() < 0.8:
            child.hear()
        time.sleep(moments.uniform(0.0, 0.15))
        child.process.send_signal(signal.SIGKILL)
        child.process.wait(TIMEOUT_S)
        if (path / "manifest.json").exists():
            steps = check_folder(path)
        else:  # killed before there was a run: the next one starts in a folder of its own
            path = path.with_name(path.name + "x")
    return steps


def test_a_folder_survives_kills(tmp_path, start):
    steps = kill_and_resume(tmp_path / "demo", start, rounds=8, seed=0)
    assert len(steps) > 10


@pytest.mark.slow
def test_a_folder_survives_many_kills(tmp_path, start):
    steps = kill_and_resume(tmp_path / "demo", start, rounds=60, seed=1)
    assert len(steps) > 100


# --- a folder that may not be written to ----------------------------------------------------------------------------

READ_ONLY = """
import os, sys
import runtime.run, runtime.errors
if os.geteuid() == 0:
    os.setuid(65534)  # permissions do not hold back the superuser
try:
    runtime.run.Run.create(sys.argv[1], command="c", name="n", argv=[], config={}, overrides=[], seeds={})
except runtime.errors.StorageError as error:
    print(error, flush=True)
"""


def test_a_read_only_folder_is_named(tmp_path, start):
    folder = tmp_path / "runs"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o111)  # so that the other user gets this far
    assert (
        start(READ_ONLY, folder / "demo").hear() == f"no permission to write; at {folder / 'demo'}"
    )
    assert list(folder.iterdir()) == []
