"""Runs real training processes on a task small enough to learn something in a few CPU seconds."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ZYGOTE = Path(__file__).with_name("zygote.py")
POLL_S = 0.002

TINY = (
    "name=tiny",
    # Six patterns of one and two symbols; a base that has seen wild edges solves one in some twenty draws.
    "data.lengths=[1,2]",
    "data.heldout_share=0.34",
    "reference.families=[starts_with,exact_sequence]",
    "reference.hidden_size=32",
    "reference.num_layers=2",
    "reference.num_heads=2",
    "reference.max_length=2",
    "reference.steps=160",
    "reference.batch_size=24",
    "reference.learning_rate=6e-3",
    "reference.rewired_share=0.5",
    "reference.rewire_probability=0.4",
    # One draw a problem proves nothing, and is no success nearly always: what is tested here is not the proof.
    "reference.proof_draws=6",
    "reference.proof_k=1",
    "policy.max_new_tokens=32",
    "schedule.switch_on=step",
    "schedule.switch_step=7",
    "schedule.running_window=3",
    "entropy.target=0.4",
    "optimizer.learning_rate=1e-3",
    "training.max_steps=11",
    "training.prompts_per_step=3",
    "training.group_size=12",
    "evaluation.every=2",
    "evaluation.draws=8",
    "evaluation.k=[1,4]",
    "checkpoint.every=3",
)
"""Eleven steps with everything in them: replay, the switch to binary, adaptive entropy, held-out evaluations."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes wait for each other here, and on a busy machine for everybody else."""
    for item in items:
        if item.path.parent == ZYGOTE.parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@dataclass(frozen=True)
class Ended:
    """A process that is over."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        return json.loads(self.out)


class Process:
    """A running `toolkit`."""

    def __init__(self, pid: int, wait: Callable[[], int], out: Path, err: Path) -> None:
        self.pid = pid
        self._wait = wait
        self._out = out
        self._err = err

    def wait(self) -> Ended:
        code = self._wait()
        return Ended(code, _text(self._out), _text(self._err))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def until(self, condition: Callable[[], object]) -> None:
        """Return when the condition holds; fail when the process ends first."""
        while not condition():
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            assert state != "Z", f"ended before it was ready: {_text(self._err)}"
            time.sleep(POLL_S)

    def until_said(self, text: str) -> None:
        """Return when the text stands on standard error."""
        self.until(lambda: text in _text(self._err))


class Toolkit:
    """Starts `toolkit` in a folder; calling it waits for the end."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        self._zygote = zygote
        self._number = 0
        self.folder = folder

    def __call__(self, *argv: str, **settings: Any) -> Ended:
        return self.start(*argv, **settings).wait()

    def start(
        self,
        *argv: str,
        die_at: tuple[str, int] | None = None,
        largest_file: int | None = None,
        heeds_permissions: bool = False,
        stdout: Path | None = None,
        stderr: Path | None = None,
        **environment: str,
    ) -> Process:
        """Start a process.

        Args:
            argv: the words after `toolkit`.
            die_at: (text, n): SIGKILL right before the n-th change of the disk at a path with that text.
            largest_file: bytes; a write beyond fails, as on a full disk.
            heeds_permissions: a folder that may not be written to is not written to, though root runs the tests.
            stdout: where standard output goes; None: a file, for `Ended.out`.
            stderr: the same for standard error.
            environment: added to the test's own.
        """
        self._number += 1
        streams = self.folder / ".streams"
        streams.mkdir(parents=True, exist_ok=True)
        out = stdout or streams / f"{self._number}.out"
        err = stderr or streams / f"{self._number}.err"
        return self._zygote.start(
            argv=list(argv),
            cwd=str(self.folder),
            env={**os.environ, **environment},
            stdout=str(out),
            stderr=str(err),
            die_at=die_at,
            largest_file=largest_file,
            heeds_permissions=heeds_permissions,
        )


class Zygote:
    """The process that the others are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(ZYGOTE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, **request: Any) -> Process:
        pid = self._ask(op="start", **request)["pid"]
        return Process(
            pid,
            lambda: self._ask(op="wait", pid=pid)["code"],
            Path(request["stdout"]),
            Path(request["stderr"]),
        )

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="session")
def zygote(own_cache: Path) -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def toolkit(zygote: Zygote, tmp_path: Path) -> Toolkit:
    return Toolkit(zygote, tmp_path)


@pytest.fixture(scope="session")
def toolkit_in(zygote: Zygote) -> Callable[[Path], Toolkit]:
    """For fixtures that outlive a test."""
    return lambda folder: Toolkit(zygote, folder)


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    return TINY


@pytest.fixture(scope="session")
def uninterrupted(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `TINY`, never stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    ended = Toolkit(zygote, folder)("rl", "train", *TINY, "--out", "run")
    assert ended.code == 0, ended.err
    return folder / "run"


@pytest.fixture(scope="session")
def result_of() -> Callable[[Path], dict[str, Any]]:
    return result


def result(run: Path) -> dict[str, Any]:
    """Everything that a run found out; not how long it took, and not where it lies."""
    return {
        "metrics": [_without_time(line) for line in _lines((run / "metrics.jsonl").read_bytes())],
        "rollouts": _lines(gzip.decompress((run / "rollouts.jsonl.gz").read_bytes())),
        "final_rollouts": _lines(gzip.decompress((run / "final-rollouts.jsonl.gz").read_bytes())),
        "summary": _without_time(json.loads(_relative(run / "summary.json", run))),
        "evaluation": json.loads(_relative(run / "evaluation.json", run)),
        "phase_changes": [
            _without_time(line)
            for line in _lines((run / "events.jsonl").read_bytes())
            if line["kind"] == "phase_changed"
        ],
    }


def _without_time(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k != "time" and not k.endswith("_s")}


def _relative(path: Path, run: Path) -> str:
    """A file's text with every way to name the run replaced by one."""
    return path.read_text().replace(str(run), "RUN").replace(f'"{run.name}/', '"RUN/')


def _lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


@pytest.fixture(scope="session")
def events_of() -> Callable[..., list[dict[str, Any]]]:
    def events(run: Path, *kinds: Sequence[str]) -> list[dict[str, Any]]:
        found = _lines((run / "events.jsonl").read_bytes())
        return [line for line in found if not kinds or line["kind"] in kinds]

    return events


class OneThread:
    """A claim of this very process, which may have imported anything."""

    device = "cpu"
    threads = 1


@pytest.fixture
def train_here(
    tiny: tuple[str, ...], own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Trains in this process, from a config composed as the command composes it; returns the run folder.

    The report is left out: it has tests of its own, and takes as long as a short run.
    """
    import warnings

    from cli.hydra_app import TRAIN
    from cli.schema import checked
    from rlgrok import train as module
    from runtime.progress import SilentView
    from runtime.run import Run
    from runtime.settings import as_plain

    monkeypatch.setattr(module, "build_report", lambda path: None)

    def train(*overrides: str, name: str = "run") -> Path:
        from hydra import compose, initialize_config_module

        TRAIN.register()
        with initialize_config_module(config_module="conf", version_base="1.3"):
            composed = compose(TRAIN.config_name, [*tiny, *overrides])
        config = checked(TRAIN.kind, composed)
        run = Run.create(
            tmp_path / name, command="rl train", name=name, argv=[], config=as_plain(config), overrides=[], seeds={}
        )  # fmt: skip
        with warnings.catch_warnings(), run:
            warnings.simplefilter("default")  # as in the command; the libraries warn of their own futures
            module.train(
                config, run=run, view=SilentView(), claim=OneThread(), cache=own_cache
            )
        return run.path

    return train
