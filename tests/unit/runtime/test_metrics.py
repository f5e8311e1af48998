"""The metrics writer: one line a step, typed values reduced, nothing silently lost; trackers never end a run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.errors import ConfigError
from runtime.metrics import Last, Mean, MetricsWriter, Share, TrackerError, make_trackers
from runtime.storage import read_jsonl


class MemoryTracker:
    """Keeps what it gets; fails from a given call on."""

    name = "memory"

    def __init__(self, fails_at=None):
        self.calls = []
        self.fails_at = fails_at

    def _call(self, *call):
        if self.fails_at is not None and len(self.calls) >= self.fails_at:
            raise TrackerError("server is gone")
        self.calls.append(call)

    def log(self, step, values):
        self._call("log", step, dict(values))

    def flush(self):
        self._call("flush")

    def close(self, status):
        self._call("close", status)


def lines(path):
    """The records without their time, which is checked on the way."""
    records = read_jsonl(path)
    assert all(record.pop("time") > 1.6e9 for record in records)
    return records


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (Mean([1.0, 2.0, 6.0]), 3.0),
        (Mean([1e16, 1.0, -1e16]), 1 / 3),  # naive summation gives 0
        (Mean([]), None),
        (Mean(np.array([True, False])), 0.5),
        (Share(3, 4), 0.75),
        (Share(0, 0), None),
        (Last([1.0, 4.0]), 4.0),
        (Last([]), None),
    ],
    ids=repr,
)
def test_typed_metrics_reduce(metric, value):
    assert metric.reduce() == value


def test_a_line_holds_reduced_values_in_order(tmp_path):
    with_types = {
        "phase": "dense",
        "reward": Mean([0.0, 1.0]),
        "pass": Share(1, 4),
        "count": 3,
        "flag": True,
        "scalar": np.float64(0.25),
        "array": np.array([2]),
        "none": None,
        "empty": Mean([]),
    }
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer.log(1, with_types)
    plain = {"reward": 0.5, "pass": 0.25, "scalar": 0.25, "array": 2, "empty": None}
    (line,) = lines(tmp_path / "metrics.jsonl")
    assert line == {"step": 1, **with_types, **plain}
    assert list(line) == ["step", *with_types]
    assert writer.num_nonfinite == 0


def test_not_finite_becomes_null_is_counted_and_reported_once_a_name(tmp_path):
    told = []
    writer = MetricsWriter(
        tmp_path / "m.jsonl", on_warning=lambda message, **fields: told.append((message, fields))
    )
    writer.log(1, {"loss": math.nan, "good": 1.0})
    writer.log(2, {"loss": -math.inf, "mean": Mean([1.0, math.inf])})
    assert lines(tmp_path / "m.jsonl") == [
        {"step": 1, "loss": None, "good": 1.0},
        {"step": 2, "loss": None, "mean": None},
    ]
    assert writer.num_nonfinite == 3
    message = "metric is not finite, written as null"
    assert told == [
        (message, {"step": 1, "names": ["loss"]}),
        (message, {"step": 2, "names": ["mean"]}),
    ]


def test_steps_only_go_up_also_after_reopening(tmp_path):
    writer = MetricsWriter(tmp_path / "m.jsonl")
    writer.log(0, {})
    writer.log(3, {})
    with pytest.raises(ValueError, match="step 3 follows step 3"):
        writer.log(3, {})
    writer.close()
    writer = MetricsWriter(tmp_path / "m.jsonl")
    with pytest.raises(ValueError, match="step 2 follows step 3"):
        writer.log(2, {})
    writer.log(4, {})
    assert [line["step"] for line in lines(tmp_path / "m.jsonl")] == [0, 3, 4]


@pytest.mark.parametrize("name", ["step", "time"])
def test_reserved_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"no metric may be called '{name}'"):
        MetricsWriter(tmp_path / "m.jsonl").log(1, {name: 1.0})


@pytest.mark.parametrize(
    "value", [[1.0], {"a": 1}, object()], ids=lambda value: type(value).__name__
)
def test_other_values_are_refused_by_name(tmp_path, value):
    with pytest.raises(TypeError, match="metric 'x' must be a number"):
        MetricsWriter(tmp_path / "m.jsonl").log(1, {"x": value})
    assert lines(tmp_path / "m.jsonl") == []


def test_trackers_get_the_numbers_only(tmp_path):
    tracker = MemoryTracker()
    writer = MetricsWriter(tmp_path / "m.jsonl", [tracker])
    writer.log(1, {"phase": "dense", "x": Mean([1.0, 2.0]), "bad": math.nan, "none": None, "n": 2})
    writer.flush()
    writer.close("interrupted")
    writer.close()
    assert tracker.calls == [("log", 1, {"x": 1.5, "n": 2.0}), ("flush",), ("close", "interrupted")]


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_failing_tracker_is_dropped_with_a_warning(tmp_path, fails_at):
    told, good, bad = [], MemoryTracker(), MemoryTracker(fails_at)
    writer = MetricsWriter(
        tmp_path / "m.jsonl", [bad], on_warning=lambda message, **_fields: told.append(message)
    )
    writer.attach([good])
    writer.log(1, {"x": 1.0})
    writer.log(2, {"x": 2.0})
    writer.close("done")
    assert told == ["tracker memory failed and is off from here: server is gone"]
    assert len(bad.calls) == fails_at
    assert good.calls == [("log", 1, {"x": 1.0}), ("log", 2, {"x": 2.0}), ("close", "done")]
    assert [line["step"] for line in lines(tmp_path / "m.jsonl")] == [1, 2]


def test_an_unknown_tracker_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match="unknown tracker; got comet; expected tensorboard or mlflow or wandb"
    ):
        make_trackers(["comet"], run_path=tmp_path, project="p", uri=None, name="n", config={})


def test_no_trackers(tmp_path):
    assert make_trackers([], run_path=tmp_path, project="p", uri=None, name="n", config={}) == []
