"""What a run folder holds, read for a report: tolerant of whatever an unfinished or killed run has not written.

Reading only; nothing is interpreted beyond picking the example programs. What surprises: a file that is there but
damaged is an error, a file that is not there yet is simply empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlgrok.curves import Curves, read_curves
from rlgrok.evaluation.gzip_lines import read_lines
from runtime.run import Run
from runtime.storage import read_json, read_jsonl

ROLLOUTS = "rollouts.jsonl.gz"
FINAL_ROLLOUTS = "final-rollouts.jsonl.gz"
"""Completions of the evaluation at the end of training."""
RESULTS = "evaluation.json"
"""Per policy: accuracies, pass@k and every problem's counts."""
LEARNABILITY = "learnability.json"
"""Per family: pass@k with bounds, and a verdict."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Examples:
    """Programs worth a look; None where the run has none."""

    base_attempt: Record | None
    """The untrained policy's greedy completion of the problem of `first_heldout`, where that is wrong."""
    near_miss: Record | None
    """Of the draws before the first success the wrong one that passes the largest share of the tests, the last such."""
    first_success: Record | None
    """The earliest rollout, training or held-out, that is right as far as it was judged."""
    first_heldout: Record | None
    """The earliest right greedy completion of a held-out problem."""
    last_failure: Record | None
    """The latest greedy completion that is wrong."""
    false_pass: Record | None
    """The latest completion that passes every test and is exhaustively wrong."""


@dataclass(frozen=True)
class Artefacts:
    """A run folder's content."""

    path: Path
    manifest: Mapping[str, Any]
    status: str
    """As `Run.status`."""
    config: Mapping[str, Any]
    config_text: str
    summary: Mapping[str, Any]
    """Empty while there is none."""
    events: tuple[Record, ...]
    curves: Curves
    evaluations: tuple[Record, ...]
    examples: Examples

    @property
    def seed(self) -> int:
        """The root seed."""
        return int(self.config.get("seed", 0))


def read_artefacts(path: Path) -> Artefacts:
    """Everything a report needs.

    Raises:
        CheckpointError: not a run folder.
        InputError: a file is damaged.
    """
    run = Run.open(path)
    events = read_jsonl(run.events_path) if run.events_path.exists() else []
    metrics = read_jsonl(run.metrics_path) if run.metrics_path.exists() else []
    results = read_json(path / RESULTS) if (path / RESULTS).exists() else {"evaluations": []}
    scan = _Scan()
    for name in (ROLLOUTS, FINAL_ROLLOUTS):
        if (path / name).exists():
            read_lines(path / name, scan.see)
    summary = run.summary() or {}
    # The report is written after the summary and before the run is closed: by then it is done.
    is_closing = run.status == "running" and bool(summary)
    return Artefacts(
        path=path,
        manifest=run.manifest,
        status="done" if is_closing else run.status,
        config=run.config,
        config_text=(path / "config.yaml").read_text(encoding="utf-8"),
        summary=summary,
        events=tuple(events),
        curves=read_curves(metrics, events, scan.greedy, scan.training),
        evaluations=tuple(results["evaluations"]),
        examples=scan.examples(),
    )


class _Scan:
    """Picks what is needed from hundreds of thousands of rollouts in one pass, keeping only that."""

    def __init__(self) -> None:
        self.greedy: list[Record] = []
        self._first_success: Record | None = None
        self.training: dict[str, dict[int, tuple[int, int]]] = {}
        self._near_miss: Record | None = None
        self._false_pass: Record | None = None
        self._final: list[Record] = []

    def see(self, record: dict[str, Any]) -> bool:
        """Look at a record; always False, as nothing else is to be kept."""
        if record["kind"] == "greedy":
            self.greedy.append(record)
        elif record["kind"].endswith("_greedy") and record["kind"] != "base_greedy":
            self._final.append(record)
        if (
            is_right(record)
            and not record.get("replayed")
            and not record["kind"].startswith("base")
        ):
            self._first_success = _earlier(self._first_success, record)
        elif record["kind"] == "train" and not record.get("replayed"):
            self._near_miss = self._nearer(record)
        if record["kind"] == "train" and not record.get("replayed"):
            self._count(record)
        if record["full_pass"] and record.get("exhaustive") is False:
            self._false_pass = record
        return False

    def _nearer(self, record: Record) -> Record | None:
        """The better near miss of the known one and a wrong draw; none counts after the first success."""
        known = self._near_miss
        is_late = self._first_success is not None and _step(self._first_success) < _step(record)
        if is_late or (known is not None and record["pass_rate"] < known["pass_rate"]):
            return known
        return record if record["status"] == "failed" and record["pass_rate"] else known

    def _count(self, record: Record) -> None:
        steps = self.training.setdefault(record["problem_id"], {})
        passes, total = steps.get(int(record["step"]), (0, 0))
        steps[int(record["step"])] = passes + bool(record["full_pass"]), total + 1

    def examples(self) -> Examples:
        """The programs picked; the final evaluation counts as later than any step."""
        heldout = [*self.greedy, *self._final]
        first_heldout = _first(heldout, is_right)
        subject = None if first_heldout is None else first_heldout["problem_id"]
        return Examples(
            base_attempt=_first(
                self.greedy,
                lambda record: not is_right(record)
                and record["step"] == 0
                and subject in (None, record["problem_id"]),
            ),
            near_miss=self._near_miss,
            first_success=self._first_success,
            first_heldout=first_heldout,
            last_failure=_first(reversed(heldout), lambda record: not is_right(record)),
            false_pass=self._false_pass,
        )


def is_right(record: Record) -> bool:
    """Passes its tests and, where that was judged, is exhaustively right."""
    return bool(record["full_pass"]) and record.get("exhaustive") is not False


def _earlier(known: Record | None, record: Record) -> Record:
    """The one with the smaller step; a missing step comes last, ties go to the known one."""
    if known is None:
        return record
    return record if _step(record) < _step(known) else known


def _step(record: Record) -> float:
    return float("inf") if record.get("step") is None else float(record["step"])


def _first(records: Iterable[Record], wanted: Callable[[Record], bool]) -> Record | None:
    return next((record for record in records if wanted(record)), None)
