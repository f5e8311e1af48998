"""One job: what happens between Hydra's call of a task and the return to it, in whatever process that is.

The job reads the flags, owns the run folder from claim to status, turns every exception into an `Outcome`, and
leaves that where the command finds it. It knows runs and configs; it does not know what the work is.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cli import errors, locking
from cli.invocation import Invocation
from cli.schema import checked, from_saved, known_keys
from runtime.errors import UntrustworthyError
from runtime.settings import as_plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runtime.run import Run

T = TypeVar("T")

FINISHED: list[Outcome] = []
"""Outcomes of the jobs that ran in this process, for the command that started them."""


class JobError(Exception):
    """Tells Hydra's launcher that a job of a sweep failed; the outcome file says why."""


@dataclass
class Outcome:
    """How a job ended."""

    number: int
    overrides: list[str]
    exit_code: int
    run: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None


@dataclass
class Job:
    """What the work of a task is given."""

    invocation: Invocation
    composed: DictConfig
    kind: type
    folder: Path
    """Hydra's folder for the job; the run is made in it."""
    number: int
    overrides: list[str]
    run: Run | None = None

    def config(self) -> Any:  # noqa: ANN401 - an instance of `kind`
        """The typed, checked config: of this line, or of the run that is resumed."""
        if self.invocation.resume is None:
            return checked(self.kind, self.composed)
        from cli.resume import refuse_changes
        from runtime.run import Run

        path = Path(self.invocation.resume)
        saved = Run.open(path).config
        changed = refuse_changes(
            self.kind, path, saved, self.invocation.overrides, self._extendable()
        )
        for key, value in changed.items():
            group, _, name = key.rpartition(".")
            (saved[group] if group else saved)[name] = value
        return from_saved(self.kind, saved, f"{path}/config.yaml")

    @contextmanager
    def open_run(self, config: Any, **manifest: Any) -> Iterator[Run]:  # noqa: ANN401
        """The run folder for the time of the work; its status is written on the way out, whatever happens.

        Args:
            config: the typed config; it has `name` and `seed`.
            manifest: further facts for the manifest.
        """
        from runtime.run import Run

        plain = as_plain(config)
        if self.invocation.resume is not None:
            run = Run.resume(
                Path(self.invocation.resume), config=plain, extendable=self._extendable()
            )
        else:
            run = Run.create(
                self.folder,
                command=self.invocation.command,
                name=config.name,
                argv=self.invocation.argv,
                config=plain,
                overrides=self.overrides,
                seeds={"seed": config.seed},
            )
        self.run = run
        if manifest:
            run.update_manifest(**manifest)
        with run:  # writes how it ended: done, interrupted or failed
            try:
                yield run
            except UntrustworthyError as error:
                run.finish("done", untrustworthy=error.one_line())
                raise

    def _extendable(self) -> tuple[str, ...]:
        """Keys of the config that say only how long the work goes on."""
        return getattr(self.kind, "EXTENDABLE", ())

    def live(self) -> bool | None:
        """Whether a live view may be drawn: None lets the terminal decide, False forbids it."""
        return (
            None
            if os.getpid() == self.invocation.process and not self.invocation.is_sweep
            else False
        )


def task(
    kind: type,
) -> Callable[[Callable[[Job], dict[str, Any]]], Callable[[DictConfig], float | None]]:
    """Make a module-level function of a job into a task that Hydra can launch anywhere."""

    def decorate(work: Callable[[Job], dict[str, Any]]) -> Callable[[DictConfig], float | None]:
        @functools.wraps(work)
        def run_task(composed: DictConfig) -> float | None:
            return _perform(work, kind, composed)

        return run_task

    return decorate


def _perform(
    work: Callable[[Job], dict[str, Any]], kind: type, composed: DictConfig
) -> float | None:
    from hydra.core.hydra_config import HydraConfig

    invocation = Invocation.current()
    interrupt_on_sigterm()
    silence_progress_bars()
    hydra = HydraConfig.get()
    job = Job(
        invocation=invocation,
        composed=composed,
        kind=kind,
        folder=_relative(Path(hydra.runtime.output_dir)),
        number=int(hydra.job.get("num") or 0) if invocation.is_sweep else 0,
        overrides=list(hydra.overrides.task),
    )
    try:
        locking.name_level()
        summary = work(job)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary of a job
        outcome = _failed(job, error)
    else:
        outcome = Outcome(job.number, job.overrides, errors.DONE, _path(job), summary)
    _deliver(outcome, invocation)
    if outcome.exit_code == errors.INTERRUPTED and invocation.is_sweep:
        raise KeyboardInterrupt
    failed = outcome.exit_code not in {errors.DONE, errors.UNTRUSTWORTHY}
    if failed and invocation.is_sweep and not _is_plain(hydra.sweeper):
        raise JobError((outcome.error or {}).get("message", "failed"))
    objective = outcome.summary.get("heldout_exhaustive")
    return float(objective) if objective is not None else None


def _is_plain(sweeper: DictConfig) -> bool:
    """Hydra's own sweeper: it makes nothing of a failed job but a line on standard error that repeats its overrides."""
    return str(sweeper.get("_target_")).endswith(".BasicSweeper")


def _failed(job: Job, error: BaseException) -> Outcome:
    path = job.run.path if job.run is not None else None
    failure = errors.describe(error, keys=known_keys(job.kind), folder=path)
    if job.run is None and job.invocation.resume is None:
        _remove_empty(job)
    summary = (
        job.run.summary()
        if job.run is not None and failure.exit_code == errors.UNTRUSTWORTHY
        else None
    )
    return Outcome(
        job.number, job.overrides, failure.exit_code, _path(job), summary or {}, failure.as_dict()
    )


def _deliver(outcome: Outcome, invocation: Invocation) -> None:
    if invocation.outbox is None:
        FINISHED.append(outcome)
        return
    from runtime.storage import atomic_write_json

    atomic_write_json(Path(invocation.outbox) / f"{outcome.number:06d}.json", asdict(outcome))


def collect(invocation: Invocation) -> list[Outcome]:
    """Take the outcomes of a command's jobs, in order, and remove what carried them."""
    if invocation.outbox is None:
        outcomes = list(FINISHED)
        FINISHED.clear()
        return outcomes
    outbox = Path(invocation.outbox)
    outcomes = [Outcome(**json.loads(path.read_text())) for path in sorted(outbox.glob("*.json"))]
    for path in outbox.iterdir():
        path.unlink()
    outbox.rmdir()
    with suppress(
        OSError
    ):  # the runs may be elsewhere, and then this folder was made for the box alone
        outbox.parent.rmdir()
    return outcomes


def interrupt_on_sigterm() -> None:
    """Let a polite kill do what Ctrl-C does, once: state is saved on the way out, and a second one is ignored."""

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    with suppress(ValueError):  # not the main thread of a worker: its parent gets the signal
        signal.signal(signal.SIGTERM, stop)


def silence_progress_bars() -> None:
    """Keep the bars of libraries out of our own view; both variables are read when the library is imported."""
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


def _path(job: Job) -> str | None:
    return str(job.run.path) if job.run is not None else None


def _relative(path: Path) -> Path:
    """The path as the user would type it from here, when it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _remove_empty(job: Job) -> None:
    """Remove the folder that Hydra made for a job that never started, and the date's folder above it, if empty."""
    with suppress(OSError):
        job.folder.rmdir()
        if job.invocation.out is None:
            job.folder.parent.rmdir()
