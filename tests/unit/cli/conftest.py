"""Runs command lines in this process, with the work and the device replaced: only the command line is under test."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cli import main
from cli.invocation import VARIABLE


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Work:
    """Stands in for `rlgrok.train.train` and `rlgrok.evaluate.evaluate`."""

    calls: list[SimpleNamespace] = field(default_factory=list)
    does: Callable[[SimpleNamespace], dict[str, Any]] = lambda call: {"heldout_exhaustive": 0.5}

    def __call__(self, config: Any, **given: Any) -> dict[str, Any]:
        call = SimpleNamespace(config=config, **given)
        self.calls.append(call)
        summary = self.does(call)
        call.run.write_summary(summary)
        return summary


class NoDevice:
    """A claim that touches nothing: this process may have imported anything."""

    device = "cpu"
    framework = "torch"
    threads = 1

    def __enter__(self) -> NoDevice:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def apply(self) -> None:
        return None


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    stand_in = Work()
    for name, attribute in (("rlgrok.train", "train"), ("rlgrok.evaluate", "evaluate")):
        module = ModuleType(name)
        setattr(module, attribute, stand_in)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("runtime.devices.claim", lambda request, **_: NoDevice())
    return stand_in


@pytest.fixture
def toolkit(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Result]]:
    """Call `toolkit` with arguments in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    handler = signal.getsignal(signal.SIGTERM)
    logger = logging.getLogger()
    logging_before = (
        list(logger.handlers),
        logger.level,
    )  # Hydra's --info writes through the root logger

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["toolkit", *arguments])
        capfd.readouterr()
        code = main.run(list(arguments))
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    yield call
    signal.signal(signal.SIGTERM, handler)
    logger.handlers[:], logger.level = logging_before
    assert Path(os.getcwd()) == tmp_path, "a command changed the working folder"
