"""The real command in processes of its own, and one debug training run that every test may read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Runs one command line as the console script does, and leaves the names of what it imported.
WRAPPER = """
import os, sys
from cli.main import run
code = run(sys.argv[1:])
with open(os.environ["TEST_MODULES_FILE"], "w") as file:
    file.write("\\n".join(sys.modules))
sys.exit(code)
"""


@dataclass
class Result:
    code: int
    out: str
    err: str
    modules: set[str]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Toolkit:
    """Starts `toolkit` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "TEST_MODULES_FILE": str(self.folder / ".modules"),
            **variables,
        }
        return subprocess.Popen(
            [sys.executable, "-c", WRAPPER, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Result:
        out, err = process.communicate(timeout=580)
        listed = self.folder / ".modules"
        modules = set(listed.read_text().split()) if listed.exists() else set()
        return Result(process.returncode, out, err, modules)

    def __call__(self, *arguments: str, **variables: str) -> Result:
        return self.finish(self.start(*arguments, **variables))

    def interrupt_when(
        self, number: signal.Signals, ready: Callable[[], bool], *arguments: str
    ) -> Result:
        """Send a signal as soon as something has happened."""
        process = self.start(*arguments)
        deadline = time.monotonic() + 120
        while not ready() and process.poll() is None:
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.02)
        process.send_signal(number)
        return self.finish(process)


@pytest.fixture
def toolkit(tmp_path: Path) -> Toolkit:
    return Toolkit(tmp_path)


@pytest.fixture(scope="session")
def toolkits(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Toolkit]:
    """The command in a new folder, for fixtures that outlive a test."""
    return lambda: Toolkit(tmp_path_factory.mktemp("toolkit"))


@pytest.fixture(scope="session")
def trained(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Toolkit, Result]:
    """A debug training run: the folder it was started in and what came back. Read only."""
    toolkit = Toolkit(tmp_path_factory.mktemp("trained"))
    result = toolkit("rl", "train", "debug=tiny", "--json")
    (toolkit.folder / ".left").write_text(" ".join(path.name for path in toolkit.folder.iterdir()))
    return toolkit, result
