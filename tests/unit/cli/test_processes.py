"""Several processes at a time: what a failed one said is kept, also when it could say nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cli.processes import last_line, run_commands

SCRIPTS = {
    "fine": "print('done')",
    "wrong": "import sys; sys.exit('error: no such arm')",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "ended": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}


def test_what_failed_is_kept_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = {name: [sys.executable, "-c", script] for name, script in SCRIPTS.items()}
    run_commands(commands, tmp_path, jobs=2, quiet=True)
    assert sorted(os.listdir(tmp_path)) == ["ended.txt", "killed.txt", "wrong.txt"]
    assert last_line(tmp_path, "wrong") == "error: no such arm"
    assert last_line(tmp_path, "killed").startswith("error: ended by SIGKILL, as the system does")
    assert last_line(tmp_path, "ended") == "error: ended by SIGTERM"
    said = capsys.readouterr()
    assert "failed: killed: error: ended by SIGKILL" in said.out + said.err
