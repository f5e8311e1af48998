"""The adapters against the real libraries: what was logged is read back from what they wrote."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import json
import shutil
import time

import pytest

from runtime.errors import ConfigError
from runtime.metrics import MetricsWriter, TrackerError, make_trackers
from runtime.storage import read_jsonl

CONFIG = {"seed": 0, "training": {"lengths": [3, 4], "rate": 1e-3}, "name": None}

# SQLAlchemy 2.1 deprecates an option that MLflow 3.17 uses; MLflow leaves its SQLite connections to the collector.
MLFLOW_WARNINGS = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def open_tracker(kind, run_path, **options):
    settings = {"project": "proj", "uri": None, "name": "grok", "config": CONFIG} | options
    return make_trackers([kind], run_path=run_path, **settings)[0]


def hide(monkeypatch, package):
    """Make a package look as if it were not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else find_spec(name, *rest),
    )


@pytest.mark.parametrize(
    ("kind", "package"),
    [("tensorboard",) * 2, ("mlflow",) * 2, ("wandb",) * 2, ("mlflow", "sqlalchemy")],
)
def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch, kind, package):
    hide(monkeypatch, package)
    with pytest.raises(ConfigError, match=f"the package {package} is not installed") as caught:
        open_tracker(kind, tmp_path)
    assert caught.value.hint == "pip install 'delta-toolkit[tracking]'"


# --- TensorBoard ----------------------------------------------------------------------------------------------------


def tensorboard_scalars(run_path):
    """Tag -> [(step, value)] as TensorBoard itself loads them."""
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator(str(run_path / "tensorboard"))
    accumulator.Reload()
    return {
        tag: [(point.step, pytest.approx(point.value)) for point in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def test_tensorboard_reads_the_event_files(tmp_path):
    tracker = open_tracker("tensorboard", tmp_path)
    tracker.log(1, {"reward": 0.25, "heldout/full_pass": 0.0})
    tracker.log(2, {"reward": 0.5})
    tracker.close("done")
    assert tensorboard_scalars(tmp_path) == {
        "reward": [(1, 0.25), (2, 0.5)],
        "heldout/full_pass": [(1, 0.0)],
    }


def test_tensorboard_flushes_before_the_end(tmp_path):
    tracker = open_tracker("tensorboard", tmp_path)
    tracker.log(1, {"reward": 0.25})
    tracker.flush()
    assert tensorboard_scalars(tmp_path) == {"reward": [(1, 0.25)]}
    tracker.close("done")


def test_tensorboard_forgets_the_steps_that_a_resumed_run_repeats(tmp_path):
    tracker = open_tracker("tensorboard", tmp_path)
    for step in (1, 2, 3):
        tracker.log(step, {"reward": float(step)})
    tracker.close("interrupted")
    # TensorBoard orders event files by name, which starts with the second they were opened in
    first = next((tmp_path / "tensorboard").iterdir())
    first.rename(first.with_name(first.name.replace("tfevents.", "tfevents.0")))
    tracker = open_tracker("tensorboard", tmp_path, resume_step=1)
    tracker.log(2, {"reward": 20.0})
    tracker.close("done")
    assert tensorboard_scalars(tmp_path) == {"reward": [(1, 1.0), (2, 20.0)]}


def test_a_closed_tensorboard_is_a_tracker_error(tmp_path):
    tracker = open_tracker("tensorboard", tmp_path)
    tracker.close("done")
    with pytest.raises(TrackerError, match="Writer is closed"):
        tracker.log(1, {"x": 1.0})


# --- MLflow ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables, made once: it takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def database(empty_database, tmp_path):
    """The URI of a database of the test's own, where the tracker would make one."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def mlflow_client(uri):
    return importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)


def mlflow_run(uri):
    client = mlflow_client(uri)
    experiment = client.get_experiment_by_name("proj")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    return client, runs[0]


def history(client, run, key):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]


@MLFLOW_WARNINGS
def test_mlflow_reads_metrics_parameters_and_status_back(tmp_path, database):
    tracker = open_tracker("mlflow", tmp_path)
    tracker.log(1, {"reward": 0.25, "pass/full": 1.0})
    tracker.log(2, {"reward": 0.5})
    tracker.flush()
    tracker.close("done")
    client, run = mlflow_run(database)
    assert history(client, run, "reward") == [(1, 0.25), (2, 0.5)]
    assert history(client, run, "pass/full") == [(1, 1.0)]
    assert run.data.params == {
        "seed": "0",
        "training.lengths": "[3, 4]",
        "training.rate": "0.001",
        "name": "None",
    }
    assert (run.info.run_name, run.info.status) == ("grok", "FINISHED")


@MLFLOW_WARNINGS
@pytest.mark.parametrize(("status", "word"), [("interrupted", "KILLED"), ("failed", "FAILED")])
def test_mlflow_says_how_a_run_ended(tmp_path, database, status, word):
    open_tracker("mlflow", tmp_path).close(status)
    assert mlflow_run(database)[1].info.status == word


@MLFLOW_WARNINGS
def test_mlflow_continues_a_resumed_run_without_doubles(tmp_path, database):
    tracker = open_tracker("mlflow", tmp_path)
    for step in (1, 2, 3):
        tracker.log(step, {"reward": float(step)})
    tracker.close("interrupted")
    tracker = open_tracker("mlflow", tmp_path, resume_step=1)
    for step in (2, 3, 4):
        tracker.log(step, {"reward": float(step), "new": 0.0})
    client, run = mlflow_run(database)
    assert run.info.status == "RUNNING"
    assert history(client, run, "reward") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]
    assert history(client, run, "new") == [(2, 0.0), (3, 0.0), (4, 0.0)]
    tracker.close("done")


@MLFLOW_WARNINGS
def test_mlflow_that_refuses_to_start_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="tracker mlflow did not start"):
        open_tracker("mlflow", tmp_path, uri="nonsense://x")


@MLFLOW_WARNINGS
def test_mlflow_that_fails_later_is_dropped_and_the_record_goes_on(tmp_path, database):
    told = []
    tracker = open_tracker("mlflow", tmp_path)
    writer = MetricsWriter(
        tmp_path / "m.jsonl", [tracker], on_warning=lambda text, **_fields: told.append(text)
    )
    writer.log(1, {"x": 1.0})
    mlflow_client(database).delete_run(tracker._run_id)
    writer.log(2, {"x": 2.0})
    writer.close()
    assert len(told) == 1 and told[0].startswith(
        "tracker mlflow failed and is off from here: MlflowException"
    )
    assert [line["x"] for line in read_jsonl(tmp_path / "m.jsonl")] == [1.0, 2.0]


# --- W&B ------------------------------------------------------------------------------------------------------------


def wandb_records(path):
    """The payloads of a W&B run file: LevelDB's log format, blocks of 32 KiB, after a header of 7 bytes."""
    data, at, payload = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the rest of a block is too short for a record
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if at + 7 + size > len(data):
            return  # still being written
        payload += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            yield payload
            payload = b""


def wandb_history(run_path, timeout_s=20.0):
    """(step, values) of the only offline run, from the file that `wandb sync` would send.

    W&B writes it from a process of its own, which may still be at it when the run is finished.
    """
    proto = importlib.import_module("wandb.proto.wandb_internal_pb2")
    (path,) = (run_path / "wandb").glob("offline-run-*/run-*.wandb")
    deadline = time.monotonic() + timeout_s
    records = []
    while not any(record.WhichOneof("record_type") == "exit" for record in records):
        assert time.monotonic() < deadline, f"{path} is never finished"
        time.sleep(0.02)
        records = [proto.Record.FromString(payload) for payload in wandb_records(path)]
    rows = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    plain = [{item.nested_key[0]: json.loads(item.value_json) for item in row.item} for row in rows]
    return [(row["_step"], row) for row in plain]


@pytest.fixture
def wandb_offline(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-home"))


@pytest.mark.usefixtures("wandb_offline")
def test_wandb_keeps_an_offline_run(tmp_path):
    tracker = open_tracker("wandb", tmp_path)
    tracker.log(1, {"reward": 0.25})
    tracker.log(2, {"reward": 0.5})
    tracker.flush()
    tracker.close("done")
    rows = [(step, row["reward"]) for step, row in wandb_history(tmp_path) if "reward" in row]
    assert rows == [(1, 0.25), (2, 0.5)]


@pytest.mark.usefixtures("wandb_offline")
def test_wandb_keeps_its_identity_for_resuming(tmp_path):
    open_tracker("wandb", tmp_path).close("interrupted")
    identity = json.loads((tmp_path / "trackers" / "wandb.json").read_text())
    tracker = open_tracker("wandb", tmp_path)
    assert tracker._run.id == identity["run_id"]
    tracker.close("done")


def test_a_library_that_does_not_import_is_a_config_error(tmp_path, monkeypatch):
    def broken(name, *rest, **options):
        if name == "tensorboard.compat.proto.event_pb2":
            raise ImportError("wrong protobuf")
        return import_module(name, *rest, **options)

    import_module = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(
        ConfigError, match="tracker tensorboard did not start: ImportError: wrong protobuf"
    ):
        open_tracker("tensorboard", tmp_path)


def test_opening_never_prints(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(builtins, "print", lambda *_words, **_options: pytest.fail("printed"))
    open_tracker("tensorboard", tmp_path).close("done")
    assert capfd.readouterr() == ("", "")
