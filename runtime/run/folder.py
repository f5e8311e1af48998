"""The run folder: what a command leaves behind, and everything needed to continue it.

The manifest is written last on creation, so a folder without one is no run. One live process holds
a run, through a lock that dies with it. Every file is either written atomically or appended to by
whole lines: a SIGKILL at any instant leaves a folder that can be read and resumed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from runtime.errors import CheckpointError, ConfigError, InputError
from runtime.locks import OwnedLock, holder_of, is_held
from runtime.metrics import MetricsWriter
from runtime.run import provenance
from runtime.run.claiming import LOCK, MANIFEST, claim_folder
from runtime.run.differences import config_differences
from runtime.storage import (
    JsonlWriter,
    atomic_write_json,
    atomic_write_text,
    null_nonfinite,
    read_json,
    storage_errors,
    to_json,
    truncate_jsonl,
)

SCHEMA_VERSION = 1
"""Of the manifest. A folder of another version is refused, never guessed at."""

_LOCK_TIMEOUT_S = 0.5
"""Somebody who only looks whether the run is alive holds the lock for an instant."""

_REQUIRED = ("command", "name", "status", "started_at", "clock", "resumed_at", "data_hashes")

Status = Literal["done", "interrupted", "failed"]


class Run:
    """One run folder. Made by `create`, `open` or `resume`; only a run that is held can be written to.

    As a context manager it finishes the run when the block is left without a `finish`:
    `interrupted` on Ctrl-C, `failed` on any other exception, `done` otherwise.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], lock: OwnedLock | None) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock
        self._metrics: MetricsWriter | None = None
        self._events: JsonlWriter | None = None
        self._wall_start = time.monotonic()
        self._cpu_start = _cpu_seconds()

    def __repr__(self) -> str:
        """The path and whether this process holds it."""
        return f"Run({str(self.path)!r}, {'held' if self.held else 'read-only'})"

    # --- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        command: str,
        name: str,
        argv: Sequence[str],
        config: Mapping[str, Any],
        overrides: Sequence[str],
        seeds: Mapping[str, int],
    ) -> Run:
        """Start a run in a folder of its own: `path`, or `path-2`, `path-3`, ... when a run is there already.

        Two processes that ask for the same path at once get different folders. A folder that exists
        is used only when none of a run's files are in it.

        Args:
            path: the folder wanted; parents are created.
            command: `rl train`, `bayes fit`, ...
            name: the experiment's name.
            argv: the command line as typed.
            config: the resolved config, JSON-able.
            overrides: what was overridden, one each.
            seeds: root seeds by name.

        Raises:
            StorageError: the disk refused.
            ValueError: the config has a number that is not finite.
        """
        plain = json.loads(to_json(dict(config)))
        folder, lock = claim_folder(Path(path), owner=f"{command} {name}")
        try:
            manifest = {
                "schema_version": SCHEMA_VERSION,
                "command": command,
                "name": name,
                "argv": list(argv),
                "status": "running",
                "started_at": provenance.now(),
                "ended_at": None,
                "resumed_at": [],
                "clock": {"wall_s": 0.0, "cpu_s": 0.0},
                "seeds": dict(seeds),
                "data_hashes": {},
                "git": provenance.git_state(Path(__file__).parent, Path.cwd()),
                "versions": provenance.versions(),
                "hardware": provenance.hardware(),
            }
            _write_config(folder, plain)
            atomic_write_text(folder / "overrides.txt", "".join(f"{line}\n" for line in overrides))
            atomic_write_json(folder / MANIFEST, manifest)
        except BaseException:
            lock.release()
            raise
        run = cls(folder, manifest, lock)
        run.event("run_started", command=command, name=name)
        return run

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """An existing run, for reading.

        Raises:
            CheckpointError: no run folder, an unreadable manifest, or one of another schema
                version.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            what = "not a run folder (no manifest.json)" if path.is_dir() else "no such run folder"
            raise CheckpointError(what, where=path, hint="`toolkit runs list` shows the runs")
        try:
            manifest = read_json(path / MANIFEST)
        except InputError as error:
            raise CheckpointError(f"the manifest is {error.what}", where=error.where) from error
        version = manifest.get("schema_version") if isinstance(manifest, dict) else None
        if version != SCHEMA_VERSION:
            raise CheckpointError(
                "the run folder was written by another version of the toolkit",
                got=f"schema version {version}",
                expected=f"{SCHEMA_VERSION}",
                where=path / MANIFEST,
            )
        missing = [key for key in _REQUIRED if key not in manifest]
        if missing:
            raise CheckpointError(f"the manifest lacks {missing[0]}", where=path / MANIFEST)
        return cls(path, manifest, lock=None)

    @classmethod
    def resume(
        cls, path: Path | str, *, config: Mapping[str, Any], extendable: Collection[str] = ()
    ) -> Run:
        """Take an unfinished run over, with the very config it was started with.

        Args:
            path: its folder.
            config: the resolved config.
            extendable: dotted keys that say only how long the run goes on: they may differ, also from those of a
                finished run, and the new values are written to `config.yaml`.

        Raises:
            CheckpointError: no run folder, already finished, or held by a live process.
            ConfigError: the config differs; names the first key that does, with both values.
            StorageError: the disk refused.
        """
        run = cls.open(path)
        lock = OwnedLock(run.path / LOCK, owner=f"{run.manifest['command']} {run.manifest['name']}")
        if not lock.acquire(_LOCK_TIMEOUT_S):
            holder = holder_of(lock.path)
            raise CheckpointError(
                "the run is still going on",
                got=f"held by {holder or 'another process'}",
                expected="a run that no live process holds",
                where=run.path,
            )
        try:
            run = cls.open(path)  # as it is now that nobody else can write
            extended = run._check_resumable(config, extendable)
            run._lock = lock
            run.manifest["resumed_at"].append(provenance.now())
            for key in (
                "error",
                "untrustworthy",
            ):  # how an earlier part ended; it stays in the events
                run.manifest.pop(key, None)
            run.update_manifest(status="running", ended_at=None)
            if extended:
                _write_config(run.path, json.loads(to_json(dict(config))))
                run.event("extended", **extended)
        except BaseException:
            lock.release()
            raise
        return run

    # --- reading ------------------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """True when this object may write to the run."""
        return self._lock is not None

    @property
    def status(self) -> str:
        """`running`, `done`, `interrupted`, `failed`; `killed` when no live process holds a run that never ended."""
        status = self.manifest["status"]
        if status == "running" and not self.held and not is_held(self.path / LOCK):
            return "killed"
        return status

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config that the run was started with."""
        import yaml

        path = self.path / "config.yaml"
        try:
            return yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise CheckpointError(
                f"the run's config cannot be read: {error}", where=path
            ) from error

    def summary(self) -> dict[str, Any] | None:
        """The result; None while there is none."""
        path = self.path / "summary.json"
        return read_json(path) if path.exists() else None

    @property
    def metrics_path(self) -> Path:
        """Where the metrics are; may not exist yet."""
        return self.path / "metrics.jsonl"

    @property
    def events_path(self) -> Path:
        """Where the events are."""
        return self.path / "events.jsonl"

    @property
    def figures(self) -> Path:
        """The folder of the figures, made on first use."""
        return self._folder("figures")

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints, made on first use."""
        return self._folder("checkpoints")

    def clock(self) -> tuple[float, float]:
        """Wall and CPU seconds of the run, earlier parts included, children's CPU time too.

        What was done after the last `save_clock` before a kill is not in it, as its results are not
        either.
        """
        earlier = self.manifest["clock"]
        if not self.held:
            return earlier["wall_s"], earlier["cpu_s"]
        wall = time.monotonic() - self._wall_start
        return earlier["wall_s"] + wall, earlier["cpu_s"] + _cpu_seconds() - self._cpu_start

    # --- writing ------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> MetricsWriter:
        """The writer of `metrics.jsonl`; a number that is not finite becomes a warning event."""
        self._require_held()
        if self._metrics is None:
            self._metrics = MetricsWriter(self.metrics_path, on_warning=self._warn)
        return self._metrics

    def event(self, kind: str, **fields: Any) -> None:  # noqa: ANN401 - JSON-able fields
        """Append one line to `events.jsonl`: time, kind and the fields. Numbers that are not finite become null."""
        self._require_held()
        if self._events is None:
            self._events = JsonlWriter(self.events_path)
        plain, _ = null_nonfinite(fields)
        self._events.write({"time": round(time.time(), 3), "kind": kind, **plain})

    def update_manifest(self, **fields: Any) -> None:  # noqa: ANN401
        """Replace fields of the manifest, atomically."""
        self._require_held()
        manifest = {**self.manifest, **fields}
        atomic_write_json(self.path / MANIFEST, manifest)
        self.manifest = manifest

    def record_data(self, name: str, digest: str) -> None:
        """Note the hash of a data set, or check it against the one noted when the run was started.

        Raises:
            CheckpointError: the data set is not the one that the run was started with.
        """
        known = self.manifest["data_hashes"].get(name)
        if known is not None and known != digest:
            raise CheckpointError(
                "the data set has changed since the run was started",
                got=digest,
                expected=known,
                where=f"{self.path / MANIFEST}: data_hashes.{name}",
            )
        if known is None:
            self.update_manifest(data_hashes={**self.manifest["data_hashes"], name: digest})

    def rewind(self, step: int) -> int:
        """Drop metrics and events of the steps after `step`, which a resumed run will do again; note it as an event.

        Call it once, right after `resume`, with the step of the checkpoint (0 when there is none).

        Returns:
            The number of metric lines dropped.
        """
        self._require_held()
        self._close_files()
        dropped = truncate_jsonl(self.metrics_path, lambda line: line["step"] <= step)
        truncate_jsonl(self.events_path, lambda line: line.get("step", step) <= step)
        self.event("resumed", step=step, dropped=dropped)
        return dropped

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`, atomically. A number that is not finite becomes null and a warning event."""
        self._require_held()
        plain, nonfinite = null_nonfinite(dict(summary))
        if nonfinite:
            self._warn("summary value is not finite, written as null", names=nonfinite)
        atomic_write_json(self.path / "summary.json", plain)

    def save_clock(self) -> None:
        """Keep the time used so far in the manifest; call it with every checkpoint."""
        wall_s, cpu_s = self.clock()
        self._wall_start, self._cpu_start = time.monotonic(), _cpu_seconds()
        self.update_manifest(clock={"wall_s": round(wall_s, 3), "cpu_s": round(cpu_s, 3)})

    def finish(self, status: Status, **fields: Any) -> None:  # noqa: ANN401
        """End the run: last event, clock and status in the manifest, files closed, lock released.

        A second call does nothing. The lock is released even when the disk refuses the rest.

        Args:
            status: how it ended.
            fields: more fields for the manifest and the event, such as `error`.
        """
        if not self.held:
            return
        try:
            if self._metrics is not None and self._metrics.num_nonfinite:
                fields.setdefault("num_nonfinite_metrics", self._metrics.num_nonfinite)
            self._close_files(status)
            self.save_clock()
            self.event("run_finished", status=status, **fields)
            self._close_files(status)
            self.update_manifest(status=status, ended_at=provenance.now(), **fields)
        finally:
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()

    def __enter__(self) -> Run:
        """The run itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the run if that has not been done."""
        if error is None:
            self.finish("done")
        elif isinstance(error, KeyboardInterrupt):
            self.finish("interrupted")
        else:
            self.finish("failed", error=f"{type(error).__name__}: {error}")

    # --- private ------------------------------------------------------------------------------------------------

    def _check_resumable(
        self, config: Mapping[str, Any], extendable: Collection[str]
    ) -> dict[str, Any]:
        """Raises unless the run may go on; returns the extendable keys that differ, with their new values."""
        extended: dict[str, Any] = {}
        difference = None
        for key, old, new in config_differences(self.config, json.loads(to_json(dict(config)))):
            if key in extendable:
                extended[key] = new
            else:
                difference = difference or (key, old, new)
        if self.manifest["status"] == "done" and not extended:
            more = " or ".join(f"{key}=..." for key in extendable)
            raise CheckpointError(
                "the run is already finished",
                where=self.path,
                hint=f"ask for more of it: {more}"
                if more
                else "start a new run, or evaluate this one",
            )
        if difference is not None:
            key, old, new = difference
            raise ConfigError(
                "a run is resumed with the config it was started with",
                got=new,
                expected=repr(old),
                where=key,
            )
        return extended

    def _warn(self, message: str, **fields: Any) -> None:  # noqa: ANN401
        self.event("warning", message=message, **fields)

    def _require_held(self) -> None:
        if not self.held:
            raise RuntimeError(f"{self.path} is open for reading only")

    def _folder(self, name: str) -> Path:
        path = self.path / name
        if self.held:
            with storage_errors(path):
                path.mkdir(exist_ok=True)
        return path

    def _close_files(self, status: str = "interrupted") -> None:
        """Close the files; they open again on the next use."""
        metrics, events = self._metrics, self._events
        self._metrics = self._events = None
        if metrics is not None:
            metrics.close(status)
        if events is not None:
            events.close()


def _write_config(folder: Path, config: dict[str, Any]) -> None:
    import yaml  # 15 ms, and only commands that start or read a run need it

    atomic_write_text(
        folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    )


def _cpu_seconds() -> float:
    """User and system time of this process, all threads, and of its finished children."""
    times = os.times()  # ticks of 10 ms, good enough for children
    return time.process_time() + times.children_user + times.children_system
