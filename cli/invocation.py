"""What the user asked for besides the experiment: the flags Typer owns, on their way to the task.

A launcher may start the task in another process, where only the environment arrives; so the flags travel as JSON
in one environment variable. Nothing outside `cli` reads it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from runtime.errors import InputError

VARIABLE = "TOOLKIT_INVOCATION"
DEFAULT_ROOT = "runs"
"""The folder of the runs, as `conf/` has it."""


@dataclasses.dataclass(frozen=True)
class Invocation:
    """One call of a command that runs an experiment.

    Attributes:
        command: as typed, without the program: `rl train`.
        argv: the whole line, for the manifest.
        overrides: what the user left for Hydra, flags excluded.
        device: `auto`, `cpu` or `cuda:N`.
        quiet: no progress.
        as_json: one object on standard output.
        out: the folder to make the run in; None: a dated one below `root`.
        root: the folder of the runs.
        resume: the run folder to continue.
        target: what `rl eval` evaluates: a run folder, a model folder or a hub id.
        rebuild: make the reference policy again although it is there.
        outbox: where jobs of a sweep leave their outcomes; None for a single run.
        process: the process that read the command line; a job elsewhere draws no live view.
    """

    command: str
    argv: list[str]
    overrides: list[str]
    device: str = "auto"
    quiet: bool = False
    as_json: bool = False
    out: str | None = None
    root: str = DEFAULT_ROOT
    resume: str | None = None
    target: str | None = None
    rebuild: bool = False
    outbox: str | None = None
    process: int = dataclasses.field(default_factory=os.getpid)

    @property
    def is_sweep(self) -> bool:
        """True when several jobs may run."""
        return self.outbox is not None

    def publish(self) -> None:
        """Put the call into the environment, for this process and those it starts."""
        os.environ[VARIABLE] = json.dumps(dataclasses.asdict(self))

    @classmethod
    def current(cls) -> Invocation:
        """The call that started this job.

        Raises:
            InputError: the variable is absent or not ours: the task was started without the command line.
        """
        try:
            return cls(**json.loads(os.environ[VARIABLE]))
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(
                "a job was started outside the command line",
                expected=VARIABLE,
                hint="start it with `toolkit`",
            ) from error


def temporary_outbox(root: Path) -> Path:
    """A new hidden folder under `root`, which workers on other machines reach when they reach the runs."""
    import tempfile

    from runtime.storage import storage_errors

    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".sweep-", dir=root))
