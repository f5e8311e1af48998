"""Adapters that copy metrics to TensorBoard, MLflow and W&B. Each imports its library only when it is opened.

A tracker keeps its local files and its identity inside the run folder, so that a resumed run
continues the same curve. What a tracker raises while the run goes on becomes a `TrackerError`,
whatever its type: these libraries do not document theirs, and none of them may end a run. What is
not guaranteed: that steps which a resumed run repeats replace those sent before the kill;
TensorBoard purges them, MLflow and W&B keep the first copy.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import ConfigError
from runtime.metrics import TrackerError
from runtime.storage import atomic_write_json

INSTALL_HINT = "pip install 'delta-toolkit[tracking]'"

_MLFLOW_BATCH = 100  # the server refuses more parameters than this in one request


class TensorBoardTracker:
    """Event files under `tensorboard/` in the run folder.

    Args:
        run_path: the run folder.
        resume_step: the step that the run continues after; later points from before the kill are
            purged.

    Raises:
        ConfigError: the package is not installed, or refuses to start.
    """

    name = "tensorboard"

    def __init__(self, run_path: Path, *, resume_step: int | None = None) -> None:
        _require("tensorboard")
        with _opening(self.name):
            self._proto = importlib.import_module("tensorboard.compat.proto.event_pb2")
            module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
            self._writer = module.EventFileWriter(str(run_path / "tensorboard"))
            if resume_step is not None:
                start = self._proto.SessionLog(status=self._proto.SessionLog.START)
                self._add(step=resume_step + 1, session_log=start)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar point a metric."""
        with _running():
            summary = self._proto.Event().summary
            for name, value in values.items():
                summary.value.add(tag=name, simple_value=value)
            self._add(step=step, summary=summary)

    def flush(self) -> None:
        """Write the event file."""
        with _running():
            self._writer.flush()

    def close(self, status: str) -> None:
        """Close the event file; TensorBoard has no notion of a status."""
        with _running():
            self._writer.close()

    def _add(self, **fields: Any) -> None:  # noqa: ANN401 - protocol buffer fields
        self._writer.add_event(self._proto.Event(wall_time=time.time(), **fields))


class MlflowTracker:
    """One MLflow run, in a SQLite file of the run folder unless a tracking URI is given.

    Args:
        run_path: the run folder.
        project: experiment name, created when absent.
        uri: tracking URI; None for `mlflow.db` in the run folder.
        name: the run's name.
        config: logged as parameters under dotted keys.

    Raises:
        ConfigError: a package is not installed, or the server refuses.
    """

    name = "mlflow"

    def __init__(
        self, run_path: Path, *, project: str, uri: str | None, name: str, config: Mapping[str, Any]
    ) -> None:
        _require("mlflow")
        if uri is None or uri.startswith("sqlite"):
            _require("sqlalchemy")
            _require("alembic")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        with _opening(self.name):
            self._entities = importlib.import_module("mlflow.entities")
            for noisy in ("mlflow", "alembic"):  # MLflow sets its own level when imported
                logging.getLogger(noisy).setLevel(logging.WARNING)
            client = importlib.import_module("mlflow.tracking").MlflowClient
            self._client = client(
                tracking_uri=uri or f"sqlite:///{(run_path / 'mlflow.db').absolute()}"
            )
            identity = _identity(run_path, self.name)
            self._resumed = "run_id" in identity
            if not self._resumed:
                identity = {"run_id": self._create(run_path, project, name, config)}
                _remember(run_path, self.name, identity)
            self._run_id = identity["run_id"]
            self._client.update_run(self._run_id, status="RUNNING")
        self._known: dict[str, int] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One batch a step; points that a resumed run repeats are left out."""
        with _running():
            now = int(time.time() * 1000)
            metrics = [
                self._entities.Metric(key, value, now, step)
                for key, value in values.items()
                if not (self._resumed and step <= self._last_step(key))
            ]
            if metrics:
                self._client.log_batch(self._run_id, metrics=metrics)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self, status: str) -> None:
        """Mark the run finished, killed or failed."""
        words = {"done": "FINISHED", "interrupted": "KILLED"}
        with _running():
            self._client.set_terminated(self._run_id, words.get(status, "FAILED"))

    def _create(self, run_path: Path, project: str, name: str, config: Mapping[str, Any]) -> str:
        experiment = self._client.get_experiment_by_name(project)
        if experiment is None:
            artifacts = (run_path / "mlartifacts").absolute().as_uri()
            experiment_id = self._client.create_experiment(project, artifact_location=artifacts)
        else:
            experiment_id = experiment.experiment_id
        run_id = self._client.create_run(experiment_id, run_name=name).info.run_id
        params = [self._entities.Param(key, value) for key, value in _flat(config)]
        for start in range(0, len(params), _MLFLOW_BATCH):
            self._client.log_batch(run_id, params=params[start : start + _MLFLOW_BATCH])
        return run_id

    def _last_step(self, key: str) -> int:
        """The last step of a metric that was sent before this process started."""
        if key not in self._known:
            history = self._client.get_metric_history(self._run_id, key)
            self._known[key] = max((point.step for point in history), default=-1)
        return self._known[key]


class WandbTracker:
    """One W&B run; offline when the environment says `WANDB_MODE=offline`.

    Args:
        run_path: the run folder; local files go to `wandb/` in it.
        project: W&B project.
        name: the run's name.
        config: the resolved config.

    Raises:
        ConfigError: the package is not installed, or W&B refuses to start a run.
    """

    name = "wandb"

    def __init__(
        self, run_path: Path, *, project: str, name: str, config: Mapping[str, Any]
    ) -> None:
        _require("wandb")
        identity = _identity(run_path, self.name) or {"run_id": secrets.token_hex(8)}
        with _opening(self.name, hint="run `wandb login` first, or set WANDB_MODE=offline"):
            library = importlib.import_module("wandb")
            self._run = library.init(
                project=project,
                name=name,
                id=identity["run_id"],
                dir=str(run_path),
                config=dict(config),
                resume="allow",
                # the terminal belongs to the live view; W&B would capture and duplicate it
                settings=library.Settings(silent=True, console="off"),
            )
        _remember(run_path, self.name, identity)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One history row a step."""
        with _running():
            self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """W&B sends from its own process."""

    def close(self, status: str) -> None:
        """Finish the W&B run; a run that is not done gets a non-zero exit code there."""
        with _running():
            self._run.finish(exit_code=0 if status == "done" else 1)


@contextlib.contextmanager
def _opening(name: str, hint: str | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ConfigError(
            f"tracker {name} did not start: {_first_line(error)}",
            where="tracking.trackers",
            hint=hint,
        ) from error


@contextlib.contextmanager
def _running() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise TrackerError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"the package {package} is not installed", where="tracking.trackers", hint=INSTALL_HINT
        )


def _identity(run_path: Path, tracker: str) -> dict[str, str]:
    """What a tracker called this run before, empty for a new run."""
    try:
        return json.loads((run_path / "trackers" / f"{tracker}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _remember(run_path: Path, tracker: str, identity: Mapping[str, str]) -> None:
    (run_path / "trackers").mkdir(exist_ok=True)
    atomic_write_json(run_path / "trackers" / f"{tracker}.json", dict(identity))


def _flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values as text, leaves only."""
    for key, value in config.items():
        dotted = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, dotted)
        else:
            yield dotted, str(value)
