"""The curves of a training run as arrays, read from its metrics, events and greedy rollouts. Pure; no file, no plot.

What surprises: held-out numbers are on some steps only, so they have an axis of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rlgrok.transition import Transition, detect


class Series(NamedTuple):
    """One metric: steps and values, both (T,), in the order of the steps."""

    steps: np.ndarray
    values: np.ndarray

    def __bool__(self) -> bool:
        """True when there is any point."""
        return len(self.steps) > 0


class PhaseChange(NamedTuple):
    """The first step that was paid the new reward."""

    step: int
    old: str
    new: str
    reason: str


@dataclass(frozen=True)
class Curves:
    """Everything that the figures of a training run show over steps."""

    series: Mapping[str, Series]
    """By metric name; every number in `metrics.jsonl`."""
    changes: tuple[PhaseChange, ...] = ()
    num_heldout: int | None = None
    """Problems in each held-out evaluation; None when unknown."""
    by_problem: Mapping[str, Mapping[int, Mapping[str, Any]]] = field(default_factory=dict)
    """Problem id -> step -> greedy rollout record."""
    training: Mapping[str, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    """Training problem id -> step -> full passes and completions, replayed ones left out, as far as they were kept."""
    floor: float | None = None
    """Dense reward of the best program that does not look at the problem; None when unknown."""

    def get(self, name: str) -> Series:
        """A metric; empty when it was never logged."""
        return self.series.get(name, Series(np.array([]), np.array([])))

    @property
    def last_step(self) -> int:
        """The last step of any metric; 0 without metrics."""
        return int(max((series.steps[-1] for series in self.series.values() if series), default=0))


def read_curves(
    metrics: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]] = (),
    greedy: Iterable[Mapping[str, Any]] = (),
    training: Mapping[str, Mapping[int, tuple[int, int]]] | None = None,
) -> Curves:
    """Curves from the records of a run folder.

    Args:
        metrics: lines of `metrics.jsonl`. Of two lines with the same step and name the later one counts.
        events: lines of `events.jsonl`.
        greedy: rollout records of kind `greedy`.
        training: see `Curves.training`.
    """
    events = tuple(events)
    points: dict[str, dict[int, float]] = {}
    for line in metrics:
        for name, value in line.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and name not in ("step", "time"):
                points.setdefault(name, {})[int(line["step"])] = float(value)
    by_problem: dict[str, dict[int, Mapping[str, Any]]] = {}
    for record in greedy:
        by_problem.setdefault(record["problem_id"], {})[int(record["step"])] = record
    return Curves(
        series={name: _series(values) for name, values in points.items()},
        changes=tuple(
            PhaseChange(_first_step(event), event["old"], event["new"], event.get("reason", ""))
            for event in events
            if event.get("kind") == "phase_changed"
        ),
        num_heldout=len(by_problem) or None,
        by_problem=by_problem,
        training=training or {},
        floor=next((e["value"] for e in reversed(events) if e.get("kind") == "trivial_floor"), None),
    )


def heldout_name(curves: Curves) -> str:
    """The stricter held-out accuracy that was logged: exhaustive when there is one, else the tests'."""
    return "heldout_exhaustive" if curves.get("heldout_exhaustive") else "heldout_full_pass"


def find_transition(curves: Curves, *, num_heldout: int, seed: int) -> Transition:
    """The detector on the stricter held-out curve.

    Args:
        curves: of one run.
        num_heldout: problems in each evaluation.
        seed: of the bootstrap.
    """
    series = curves.get(heldout_name(curves))
    successes = np.round(series.values * num_heldout).astype(int)
    return detect(series.steps.astype(int).tolist(), successes.tolist(), num_heldout, seed=seed)


def centred_mean(values: Sequence[float] | np.ndarray, window: int) -> np.ndarray:
    """Mean over the `window` values around each point, fewer at the ends; same length, no lag.

    Args:
        values: (T,).
        window: odd, at least 1.
    """
    array = np.asarray(values, dtype=float)
    total = np.concatenate([[0.0], np.cumsum(array)])
    places, half = np.arange(len(array)), window // 2
    starts, ends = np.maximum(0, places - half), np.minimum(len(array), places + half + 1)
    return (total[ends] - total[starts]) / (ends - starts)


def _first_step(event: Mapping[str, Any]) -> int:
    """An event is dated by the step after which it happened; the new reward is first paid at `first_step`."""
    return int(event.get("first_step", event["step"]))


def _series(points: Mapping[int, float]) -> Series:
    steps = sorted(points)
    return Series(np.array(steps), np.array([points[step] for step in steps]))
