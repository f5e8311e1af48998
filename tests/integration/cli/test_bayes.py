"""The regression as it is typed: simulate, fit, go on, predict, report, check; and what bad tables are told."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.timeout(600)

SHORT = (
    "inference.num_draws=100",
    "inference.num_warmup=100",
    "inference.block=50",
    "model.rank=2",
)


@pytest.fixture(scope="module")
def fitted(toolkits: Callable[[], Any]) -> tuple[Any, Path, Any]:
    """A simulated set, and a fit of it that is too short to be trusted."""
    toolkit = toolkits()
    made = toolkit(
        "bayes", "simulate", "num_rows=80", "num_test_rows=5", "num_covariates=3", "num_targets=4",
        "rank=1", "noise_rank=1", "--out", "data", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    done = toolkit(
        "bayes", "fit", "--x", "data/x.csv", "--y", "data/y.csv", *SHORT, "--out", "fit", "--json"
    )
    return toolkit, toolkit.folder, done


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_simulated_set_has_its_truth(fitted: tuple) -> None:
    _, folder, _ = fitted
    truth = np.load(folder / "data" / "truth.npz")
    assert truth["coef"].shape == (3, 4) and truth["noise_covariance"].shape == (4, 4)
    assert [row["id"] for row in rows_of(folder / "data" / "x_test.csv")] == [
        str(number) for number in range(80, 85)
    ]


def test_a_fit_that_is_too_short_is_written_and_says_so(fitted: tuple) -> None:
    _, folder, done = fitted
    assert done.code == 3
    assert "the chains have not converged" in done.err
    assert done.json["summary"]["diagnostics_passed"] is False
    written = {path.name for path in (folder / "fit").iterdir()}
    assert {"draws.nc", "report.html", "coefficients.csv", "ptve.csv", "summary.json"} <= written
    assert len(rows_of(folder / "fit" / "coefficients.csv")) == 12
    assert (folder / "fit" / "figures" / "coefficients.png").stat().st_size > 5000


def test_missing_cells_come_with_their_predictive_distributions(fitted: tuple) -> None:
    toolkit, folder, _ = fitted
    lines = (folder / "data" / "y.csv").read_text().splitlines()
    names = lines[0].split(",")
    holes = {(row, 1 + row % 4): float(lines[1 + row].split(",")[1 + row % 4]) for row in range(0, 60, 3)}
    for row, column in holes:
        cells = lines[1 + row].split(",")
        lines[1 + row] = ",".join("" if at == column else cell for at, cell in enumerate(cells))
    (folder / "holes.csv").write_text("\n".join(lines) + "\n")
    done = toolkit(
        "bayes", "fit", "--x", "data/x.csv", "--y", "holes.csv", *SHORT, "--out", "filled", "--json"
    )
    assert done.json["summary"]["num_missing_cells"] == 20
    found = rows_of(folder / "filled" / "imputed.csv")
    assert {(int(line["row"]), names.index(line["target"])) for line in found} == set(holes)
    truth = np.array([holes[int(line["row"]), names.index(line["target"])] for line in found])
    mean, sd, low, high = (
        np.array([float(line[name]) for line in found]) for name in ("mean", "sd", "q05", "q95")
    )
    assert np.corrcoef(mean, truth)[0, 1] > 0.3  # 20 cells; the targets share their noise
    assert np.abs((truth - mean) / sd).max() < 4.5
    assert np.mean((low <= truth) & (truth <= high)) >= 0.7


def test_a_time_limit_stops_after_a_block(fitted: tuple) -> None:
    toolkit, _, _ = fitted
    done = toolkit(
        "bayes", "fit", "--x", "data/x.csv", "--y", "data/y.csv", *SHORT, "inference.num_draws=100000",
        "inference.time_limit_s=0.001", "--out", "limited", "--json",
    )  # fmt: skip
    assert done.code == 3, done.err
    assert done.json["summary"]["stopped"] == "time_limit"
    assert done.json["summary"]["num_draws"] == 50


def test_more_draws_are_appended_to_those_that_are_there(fitted: tuple, toolkits: Any) -> None:
    import shutil

    import h5netcdf

    toolkit, folder, _ = fitted
    shutil.copytree(folder / "fit", folder / "longer", dirs_exist_ok=True)
    done = toolkit("bayes", "fit", "--resume", "longer", "inference.num_draws=150", "--json")
    assert done.code == 3, done.err
    with (
        h5netcdf.File(folder / "fit" / "draws.nc") as short,
        h5netcdf.File(folder / "longer" / "draws.nc") as long,
    ):
        name = "posterior/noise_scale"
        before, after = short[name][...], long[name][...]
    assert after.shape[1] == 150
    np.testing.assert_array_equal(after[:, :100], before)


def test_predictions_long_wide_and_as_parquet(fitted: tuple) -> None:
    toolkit, folder, _ = fitted
    command = ("bayes", "predict", "fit", "--x", "data/x_test.csv")
    assert toolkit(*command, "--out", "long.csv").code == 0
    long = rows_of(folder / "long.csv")
    assert len(long) == 20 and {"row", "target", "mean", "sd", "q05", "q95"} <= set(long[0])
    assert {row["row"] for row in long} == {str(number) for number in range(80, 85)}
    assert all(float(row["q05"]) < float(row["mean"]) < float(row["q95"]) for row in long)
    assert toolkit(*command, "--format", "wide", "--out", "wide.parquet").code == 0
    wide = pq.read_table(folder / "wide.parquet")
    assert wide.num_rows == 5
    assert {"y1", "y1__sd", "y1__q05", "y1__q95"} <= set(wide.column_names)
    means = {(row["row"], row["target"]): float(row["mean"]) for row in long}
    names = [str(name) for name in wide.column(0).to_pylist()]
    for name, value in zip(names, wide["y2"].to_pylist(), strict=True):
        assert value == pytest.approx(means[name, "y2"])


def test_the_report_can_be_made_again(fitted: tuple) -> None:
    toolkit, folder, _ = fitted
    (folder / "fit" / "report.html").unlink()
    assert toolkit("runs", "report", "fit").code == 0
    page = (folder / "fit" / "report.html").read_text()
    assert "Variance explained" in page and "data:image/png;base64" in page


def test_a_check_writes_its_table_and_its_verdict(toolkits: Any) -> None:
    toolkit = toolkits()
    done = toolkit(
        "bayes", "check", "joint_replicates=400", "joint_sweeps=10", "controls=false",
        "calibration_replicates=0", "bound=6", "--out", "check", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["summary"]["passed"] is True
    rows = rows_of(toolkit.folder / "check" / "checks.csv")
    assert len(rows) > 10 and max(abs(float(row["z"])) for row in rows) < 6
    assert (toolkit.folder / "check" / "figures" / "z_scores.png").is_file()


def table(path: Path, names: list[str], cells: list[list[Any]]) -> None:
    lines = [",".join(map(str, row)) for row in [names, *cells]]
    path.write_text("\n".join(lines) + "\n")


GOOD_X = [[i, i * 0.5 % 1.7, i * i % 5] for i in range(12)]
GOOD_Y = [[i, i * 0.3 % 1.1, i % 4] for i in range(12)]


def changed(rows: list[list[Any]], row: int, column: int, value: Any) -> list[list[Any]]:
    copy = [list(cells) for cells in rows]
    copy[row][column] = value
    return copy


BAD = {
    "nan in x": (changed(GOOD_X, 3, 1, "nan"), GOOD_Y, ["a", "1"]),
    "inf in x": (changed(GOOD_X, 3, 1, "inf"), GOOD_Y, ["a"]),
    "text in y": (GOOD_X, changed(GOOD_Y, 4, 2, "tall"), ["v", "tall"]),
    "no row in common": (
        [[i + 50, *row[1:]] for i, row in enumerate(GOOD_X)],
        GOOD_Y,
        ["no id", "50"],
    ),
    "one row": (GOOD_X[:1], GOOD_Y[:1], ["1"]),
    "no row": ([], [], []),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_with_what_is_wrong_and_where(toolkit: Any, name: str) -> None:
    x, y, words = BAD[name]
    table(toolkit.folder / "x.csv", ["id", "a", "b"], x)
    table(toolkit.folder / "y.csv", ["id", "u", "v"], y)
    done = toolkit("bayes", "fit", "--x", "x.csv", "--y", "y.csv", *SHORT)
    assert done.code == 2, done.err
    assert "error:" in done.err and "Traceback" not in done.err
    assert all(word in done.err for word in words), done.err


@pytest.mark.parametrize(
    ("num_rows", "num_covariates"), [(12, 20), pytest.param(60, 5000, marks=pytest.mark.slow)]
)
def test_one_huge_target_on_collinear_covariates_more_than_rows_is_fitted(
    toolkit: Any, num_rows: int, num_covariates: int
) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(num_rows, num_covariates))
    x[:, 7] = x[:, 2] + x[:, 3]
    y = 1e6 * (x[:, :1] + rng.normal(size=(num_rows, 1)))
    table(toolkit.folder / "x.csv", [f"x{p}" for p in range(num_covariates)], x.tolist())
    table(toolkit.folder / "y.csv", ["only"], y.tolist())
    done = toolkit("bayes", "fit", "--x", "x.csv", "--y", "y.csv", *SHORT, "--out", "fit", "--json")
    assert done.code in (0, 3), done.err  # too short to be trusted, which is not what is asked here
    assert done.json["summary"]["num_covariates"] == num_covariates
    rows = rows_of(toolkit.folder / "fit" / "coefficients.csv")
    assert len(rows) == num_covariates and {row["target"] for row in rows} == {"only"}
    found = np.array([[float(row[name]) for name in ("q05", "mean", "q95", "sd")] for row in rows])
    assert np.isfinite(found).all() and (found[:, 0] < found[:, 2]).all()
    assert found[:, 3].max() > 1e3  # in the units of the table


def test_a_truncated_parquet_file_is_named(toolkit: Any) -> None:
    import pyarrow as pa

    pq.write_table(pa.table({"a": list(range(1000))}), toolkit.folder / "x.parquet")
    whole = (toolkit.folder / "x.parquet").read_bytes()
    (toolkit.folder / "x.parquet").write_bytes(whole[: len(whole) // 2])
    table(toolkit.folder / "y.csv", ["u"], [[i] for i in range(1000)])
    done = toolkit("bayes", "fit", "--x", "x.parquet", "--y", "y.csv", *SHORT)
    assert done.code == 2 and "x.parquet" in done.err and "Traceback" not in done.err


def test_a_run_of_another_version_is_refused(fitted: tuple) -> None:
    import shutil

    toolkit, folder, _ = fitted
    shutil.copytree(folder / "fit", folder / "other", dirs_exist_ok=True)
    manifest = json.loads((folder / "other" / "manifest.json").read_text())
    manifest["schema_version"] = 99
    (folder / "other" / "manifest.json").write_text(json.dumps(manifest))
    done = toolkit("bayes", "predict", "other", "--x", "data/x_test.csv", "--out", "p.csv")
    assert done.code == 2 and "99" in done.err and "Traceback" not in done.err
    assert not (folder / "p.csv").exists()
