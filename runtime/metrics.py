"""Typed metrics, reduced once at the log call: one JSON line a step always, trackers on request.

The run folder's `metrics.jsonl` is the record; trackers (TensorBoard, MLflow, W&B) get copies, and
one that fails is dropped with a warning instead of ending the run. A number that is not finite is
written as null, counted and
reported: it never makes the file invalid and never disappears silently.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import ConfigError
from runtime.storage import JsonlWriter, read_jsonl

RESERVED = ("step", "time")
"""Names that every line carries and no metric may have."""


class Metric(Protocol):
    """A quantity that knows how to become one number."""

    def reduce(self) -> float | None:
        """The number; None when there is nothing to report."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of some values; nothing when there are none."""

    values: Iterable[float]

    def reduce(self) -> float | None:
        """The arithmetic mean, summed exactly."""
        values = [float(value) for value in self.values]
        if not values:
            return None
        if not all(map(math.isfinite, values)):
            return sum(values)  # NaN or an infinity: reported by the writer
        return math.fsum(values) / len(values)


@dataclass(frozen=True, slots=True)
class Share:
    """`count` out of `total`; nothing when the total is 0."""

    count: float
    total: float

    def reduce(self) -> float | None:
        """The share, in [0, 1] when 0 <= count <= total."""
        return self.count / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Last:
    """The last of some values; nothing when there are none."""

    values: Sequence[float]

    def reduce(self) -> float | None:
        """The last value."""
        return float(self.values[-1]) if len(self.values) else None


class Tracker(Protocol):
    """Somewhere else that metrics go."""

    name: str

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send the numbers of one step. Raises TrackerError."""

    def flush(self) -> None:
        """Send what is still buffered. Raises TrackerError."""

    def close(self, status: str) -> None:
        """Send everything and say how the run ended. Raises TrackerError."""


class TrackerError(Exception):
    """A tracker could not take what it was given. Never ends a run."""


def make_trackers(
    kinds: Sequence[str],
    *,
    run_path: Path,
    project: str,
    uri: str | None,
    name: str,
    config: Mapping[str, Any],
    resume_step: int | None = None,
) -> list[Tracker]:
    """Open the trackers that a config asks for, in its order.

    Args:
        kinds: any of `tensorboard`, `mlflow`, `wandb`.
        run_path: the run folder; trackers keep their local files and their identity for resuming in
            it.
        project: MLflow experiment or W&B project.
        uri: MLflow tracking URI. None: a SQLite file in the run folder.
        name: the run's name in the tracker.
        config: the resolved config, logged as parameters.
        resume_step: the step that the run continues after. None: a new run.

    Raises:
        ConfigError: an unknown kind, a package that is not installed, or a tracker that refuses to
            start.
    """
    from runtime import trackers

    table = {
        "tensorboard": lambda: trackers.TensorBoardTracker(run_path, resume_step=resume_step),
        "mlflow": lambda: trackers.MlflowTracker(
            run_path, project=project, uri=uri, name=name, config=config
        ),
        "wandb": lambda: trackers.WandbTracker(run_path, project=project, name=name, config=config),
    }
    unknown = [kind for kind in kinds if kind not in table]
    if unknown:
        raise ConfigError(
            "unknown tracker",
            got=unknown[0],
            expected=" or ".join(table),
            where="tracking.trackers",
        )
    return [table[kind]() for kind in kinds]


class MetricsWriter:
    """Write metrics to a JSON-lines file and pass the numbers on to trackers.

    Args:
        path: `metrics.jsonl`; appended to. Steps continue after the last one in it.
        trackers: opened trackers; the writer closes them.
        on_warning: called with a message and fields when a number is not finite for the first time,
            or a tracker fails. None: nobody is told, the counter alone remains.

    Raises:
        StorageError: the disk refused.
        InputError: the file holds something other than JSON lines.
    """

    def __init__(
        self,
        path: Path | str,
        trackers: Sequence[Tracker] = (),
        *,
        on_warning: Callable[..., None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.num_nonfinite = 0
        """Numbers written as null because they were NaN or infinite."""
        self._trackers = list(trackers)
        self._on_warning = on_warning
        self._reported: set[str] = set()
        self._file = JsonlWriter(self.path)
        records = read_jsonl(self.path)
        self._last_step: int | None = records[-1].get("step") if records else None

    def attach(self, trackers: Sequence[Tracker]) -> None:
        """Pass everything logged from now on to these trackers too."""
        self._trackers += trackers

    def log(self, step: int, values: Mapping[str, float | str | bool | Metric | None]) -> None:
        """Write the line of one step. Text and None are kept in the file and not sent to trackers.

        Args:
            step: optimiser step; above every step logged before.
            values: by name. Typed metrics are reduced here. Array scalars are welcome.

        Raises:
            ValueError: the step does not increase, or a metric is called `step` or `time`.
            TypeError: a value is none of the above.
            StorageError: the disk refused.
        """
        if self._last_step is not None and step <= self._last_step:
            raise ValueError(
                f"step {step} follows step {self._last_step}: one line a step, in order"
            )
        taken = [name for name in RESERVED if name in values]
        if taken:
            raise ValueError(f"no metric may be called {taken[0]!r}: every line carries it")
        plain = {name: _reduced(name, value) for name, value in values.items()}
        nonfinite = [
            name
            for name, value in plain.items()
            if isinstance(value, float) and not math.isfinite(value)
        ]
        plain.update(dict.fromkeys(nonfinite))
        self._file.write({"step": step, "time": round(time.time(), 3), **plain})
        self._last_step = step
        self._report_nonfinite(step, nonfinite)
        numbers = {
            name: float(value) for name, value in plain.items() if isinstance(value, (int, float))
        }
        self._each_tracker("log", step, numbers)

    def flush(self) -> None:
        """Make every line durable and push what trackers still buffer."""
        self._file.flush()
        self._each_tracker("flush")

    def close(self, status: str = "done") -> None:
        """Close the file and the trackers; `status` is how the run ended. A second call does nothing."""
        self._each_tracker("close", status)
        self._trackers = []
        self._file.close()

    def _report_nonfinite(self, step: int, names: list[str]) -> None:
        self.num_nonfinite += len(names)
        new = [name for name in names if name not in self._reported]
        if new and self._on_warning is not None:
            self._on_warning("metric is not finite, written as null", step=step, names=new)
        self._reported.update(new)

    def _each_tracker(self, method: str, *arguments: Any) -> None:  # noqa: ANN401
        for tracker in tuple(self._trackers):
            try:
                getattr(tracker, method)(*arguments)
            except TrackerError as error:
                self._trackers.remove(tracker)
                if self._on_warning is not None:
                    self._on_warning(f"tracker {tracker.name} failed and is off from here: {error}")


def _reduced(name: str, value: Any) -> float | int | str | bool | None:  # noqa: ANN401
    if hasattr(value, "reduce") and not hasattr(value, "item"):
        value = value.reduce()
    elif hasattr(value, "item"):  # a NumPy, torch or JAX scalar
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"metric {name!r} must be a number, text, None or a typed metric, got {value!r}"
    )
