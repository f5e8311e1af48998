"""Several processes at a time: what a failed one said is kept, also when it could say nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
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


def test_processes_share_the_cpus_unless_somebody_said_how_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.devices.usable_cpus", lambda: 8)
    report = "import os, sys; sys.exit('threads ' + os.environ['OMP_NUM_THREADS'])"
    commands = {name: [sys.executable, "-c", report] for name in ("a", "b", "c")}
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for jobs, given, expected in ((1, None, 8), (3, None, 2), (20, None, 2), (3, "5", 5)):
        if given:
            monkeypatch.setenv("OMP_NUM_THREADS", given)
        run_commands(commands, tmp_path, jobs=jobs, quiet=True)
        assert [last_line(tmp_path, name) for name in commands] == [f"threads {expected}"] * 3


def test_a_polite_kill_reaches_the_processes(tmp_path: Path) -> None:
    waits = "import pathlib, signal, sys\npathlib.Path(sys.argv[1]).touch()\nsignal.pause()"
    mark = tmp_path / "started"
    command = [sys.executable, "-c", waits, str(mark)]
    killer = threading.Thread(target=kill_when_there, args=(mark,))
    before = signal.getsignal(signal.SIGTERM)
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        run_commands({"waiting": command}, tmp_path / "notes", jobs=1, quiet=True)
    killer.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not any(str(mark) in line for line in command_lines())


def command_lines() -> list[str]:
    """Of all processes that can be seen; one that ends meanwhile has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return found


def kill_when_there(mark: Path) -> None:
    """Ends this very process politely once a file is there; after a minute without it does nothing."""
    limit = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < limit:
        time.sleep(0.01)
    if mark.exists():
        os.kill(os.getpid(), signal.SIGTERM)
