"""Several command lines of ours at a time, each in a process of its own: what studies and transfers are run by."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def run_commands(
    commands: Mapping[str, Sequence[str]], notes: Path, *, jobs: int, quiet: bool
) -> None:
    """Keep `jobs` processes going until all have ended; a failure is told at once and the rest goes on.

    Ctrl-C reaches the processes too, and they save their state; SIGTERM does the same. They share the CPUs: each is
    told by `OMP_NUM_THREADS`, unless that is set already, to take its part of them.

    Args:
        commands: name to command line.
        notes: folder in which what a failed command said is kept, one file a name.
        jobs: at a time.
        quiet: no progress.

    Raises:
        KeyboardInterrupt: a process was interrupted, or this one.
    """
    from cli import output
    from runtime.devices import usable_cpus
    from runtime.progress import make_training_view

    if not commands:
        return
    running: dict[subprocess.Popen[bytes], str] = {}
    at_once = min(jobs, len(commands))
    environment = {"OMP_NUM_THREADS": str(max(1, usable_cpus() // at_once)), **os.environ}
    waiting = list(commands.items())
    try:
        with (
            _sigterm_interrupts(),
            make_training_view(quiet=quiet, live=None) as view,
            view.task("runs", len(waiting)) as task,
        ):
            while waiting or running:
                while waiting and len(running) < jobs:
                    name, command = waiting.pop(0)
                    running[_started(command, note(notes, name), environment)] = name
                ended = [process for process in running if process.poll() is not None]
                if not ended:
                    time.sleep(0.2)
                for process in ended:
                    name = running.pop(process)
                    if process.returncode == 130:
                        raise KeyboardInterrupt
                    if process.returncode in (0, 3):
                        note(notes, name).unlink(missing_ok=True)
                    else:
                        if process.returncode < 0:
                            _note_signal(note(notes, name), -process.returncode)
                        output.say(f"failed: {name}: {last_line(notes, name)}")
                    task.advance(1)
    except KeyboardInterrupt:
        for process in running:
            process.terminate()  # saves its state, as after Ctrl-C
        for process in running:
            process.wait()
        raise


def note(notes: Path, name: str) -> Path:
    """What a command said on standard error; stays when it failed, also when it never made its folder."""
    return notes / f"{name}.txt"


def _note_signal(path: Path, number: int) -> None:
    """A process that was killed said nothing itself."""
    name = signal.Signals(number).name
    hint = ", as the system does when memory runs out" if number == signal.SIGKILL else ""
    with path.open("a") as file:
        file.write(f"\nerror: ended by {name}{hint}\n")


def tell_failed(failed: Mapping[str, str]) -> None:
    """All failures once more, at the end: the first may have been said hours ago."""
    from cli import output

    for name, why in failed.items():
        output.say(f"failed: {name}: {why}")
    if failed:
        output.say("--retry runs what failed again")


def why_failed(run: Path, notes: Path, name: str) -> str:
    """The error of a failed command: what it said, else, when a launcher started it, what its run folder says."""
    from runtime.run import Run

    if note(notes, name).is_file() or not (run / "manifest.json").is_file():
        return last_line(notes, name)
    return str(Run.open(run).manifest.get("error", "no message"))


def last_line(notes: Path, name: str) -> str:
    """The error that a failed command ended with."""
    path = note(notes, name)
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    wrong = [line for line in lines if line.startswith("error:")]
    return (wrong or lines or ["no message"])[-1]


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """A polite kill reaches the processes as Ctrl-C does; without it they would go on alone."""
    from cli.job import interrupt_on_sigterm

    before = signal.getsignal(signal.SIGTERM)
    interrupt_on_sigterm()
    try:
        yield
    finally:
        with suppress(ValueError):  # not the main thread: nothing was set
            signal.signal(signal.SIGTERM, before)


def _started(
    command: Sequence[str], errors: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """What it says goes to a file, which it cannot fill as it could a pipe."""
    errors.parent.mkdir(parents=True, exist_ok=True)
    with errors.open("wb") as file:
        return subprocess.Popen(list(command), stdout=subprocess.DEVNULL, stderr=file, env=environment)
