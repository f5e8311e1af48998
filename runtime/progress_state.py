"""What a view of a training run knows: step, latest values, the held-out curve, pace, notes, side tasks.

Pure bookkeeping and text, no terminal and no Rich: both the live view and the plain one are drawn
from it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CURVE_KEY = "heldout_full_pass"
"""The value whose history is drawn."""

LABELS = {
    "reward": "reward",
    "full_pass": "full pass, training",
    "running_full_pass": "full pass, running",
    "heldout_full_pass": "held-out, tests",
    "heldout_exhaustive": "held-out, exhaustive",
    "zero_variance_share": "zero-variance groups",
    "entropy": "entropy",
    "decisive_entropy": "entropy, decisive",
    "gate_distance": "below the gate",
    "draws": "draws a chain",
    "max_rhat": "largest R-hat",
    "min_ess_bulk": "smallest ESS, bulk",
    "min_ess_tail": "smallest ESS, tail",
}
"""The values shown, in this order, with what they are called."""

_PERCENT = ("zero_variance_share",)
_NATS = ("entropy", "decisive_entropy")
_WHOLE = ("draws", "min_ess_bulk", "min_ess_tail")
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-:=+*#"
_NOTES_KEPT = 5
_PACE_STEPS = 50  # the pace is the mean over the last steps: long enough to smooth evaluations


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened."""

    kind: str
    text: str
    at_s: float
    """Seconds after the view was opened."""


@dataclass
class SideTask:
    """Work that is not a training step: building a policy, drawing, judging. Counts up to `total`."""

    description: str
    total: int | None
    done: int = 0


@dataclass
class TrainingState:
    """Everything that a view shows. `clock` is in seconds and only its differences count."""

    clock: Callable[[], float] = time.monotonic
    title: str = ""
    total_steps: int = 0
    step: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    """(step, held-out full pass) at every change."""
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=_NOTES_KEPT))
    tasks: list[SideTask] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._opened = self.clock()
        self._pace: deque[tuple[float, int]] = deque(maxlen=_PACE_STEPS + 1)

    def start(self, total_steps: int, title: str) -> None:
        """The training loop begins."""
        self.total_steps, self.title = total_steps, title
        self._pace.clear()

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        """Take in the values of a step. An absent value keeps the last one, None takes it away."""
        self.step = step
        self.values.update(values)
        self._pace.append((self.clock(), step))
        point = values.get(CURVE_KEY)
        if is_number(point) and (not self.curve or point != self.curve[-1][1]):
            self.curve.append((step, float(point)))

    def elapsed_s(self) -> float:
        """Seconds since the view was opened."""
        return self.clock() - self._opened

    def step_s(self) -> float | None:
        """Seconds a step, over the last steps; None before there are two."""
        if len(self._pace) < 2:
            return None
        (first_time, first_step), (last_time, last_step) = self._pace[0], self._pace[-1]
        return (
            (last_time - first_time) / (last_step - first_step) if last_step > first_step else None
        )

    def left_s(self) -> float | None:
        """Seconds to the last step at the present pace; None while unknown."""
        pace = self.step_s()
        return None if pace is None else max(0, self.total_steps - self.step) * pace

    def add_note(self, kind: str, text: str) -> Note:
        """Remember what happened."""
        note = Note(kind, text, self.elapsed_s())
        self.notes.append(note)
        return note

    def shown(self) -> list[tuple[str, str]]:
        """Label and text of every known value, in the order of `LABELS`."""
        return [
            (label, format_value(key, self.values[key]))
            for key, label in LABELS.items()
            if is_number(self.values.get(key))
        ]


def is_number(value: object) -> bool:
    """True for a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def format_value(key: str, value: float) -> str:
    """A value as a view shows it, with its unit."""
    if key in _PERCENT:
        return f"{100 * value:.0f} %"
    if key in _WHOLE:
        return f"{value:.0f}"
    return f"{value:.3f} nats" if key in _NATS else f"{value:.3f}"


def format_duration(seconds: float | None) -> str:
    """Seconds as m:ss or h:mm:ss; a dash when unknown."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def sparkline(
    curve: Sequence[tuple[int, float]],
    step: int,
    total_steps: int,
    width: int,
    *,
    ascii_only: bool = False,
) -> str:
    """A curve of values in [0, 1] as one line of blocks, on fixed scales in both directions.

    Args:
        curve: (step, value) at every change, oldest first; a value holds until the next one.
        step: the curve is drawn up to here.
        total_steps: what the full width stands for.
        width: of the whole run, in characters.
        ascii_only: for terminals that cannot show blocks.

    Returns:
        At most `width` characters: blanks before the first value. The lowest block is exactly 0, so
        that the first success is seen.
    """
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    total = max(total_steps, step, 1)
    line, held, rest = "", None, deque(curve)
    for column in range(math.ceil(width * step / total)):
        while rest and rest[0][0] <= min(step, total * (column + 1) / width):
            held = rest.popleft()[1]
        level = 0.0 if held is None else min(1.0, max(0.0, held))
        line += " " if held is None else blocks[math.ceil(level * (len(blocks) - 1))]
    return line
