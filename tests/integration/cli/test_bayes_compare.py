"""`toolkit bayes compare` as it is typed; methods that need no compilation, so that it takes seconds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.timeout(600)

METHODS = "methods=[ridge,least_squares,pls]"


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x[:, :1] * [2.0, -1.0] + 0.5 * rng.normal(size=(60, 2))
    for name, table, columns in (("x.csv", x, "a,b,c"), ("y.csv", y, "u,v")):
        lines = [",".join(f"{cell:.6f}" for cell in row) for row in table]
        (tmp_path / name).write_text("\n".join([columns, *lines]) + "\n")
    return ["--x", "x.csv", "--y", "y.csv"]


def test_a_table_for_people_and_one_object_for_machines(toolkit: Any, tables: list[str]) -> None:
    done = toolkit("bayes", "compare", *tables, METHODS, "--cv", "4", "--json")
    assert done.code == 0, done.err
    result = done.json
    assert (result["command"], result["status"]) == ("bayes compare", "done")
    summary = result["summary"]
    assert (summary["num_rows"], summary["num_covariates"], summary["num_targets"]) == (60, 3, 2)
    assert summary["cv"] == 4 and summary["reference"] == "ridge"
    assert summary["ridge_ptve"] > 0.8 and summary["best_ptve"] in {"ridge", "least_squares", "pls"}
    assert "held-out rows" in done.err and "least_squares" in done.err
    folder = toolkit.folder / result["run"]
    rows = list(csv.DictReader((folder / "comparison.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["ridge", "least_squares", "pls"]
    assert float(rows[0]["ptve"]) == pytest.approx(summary["ridge_ptve"])
    assert (folder / "figures" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "least_squares" in (folder / "report.html").read_text()
    assert "torch" not in done.modules


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["methods=[ridge,lasso]"], "value is not one of the choices; got lasso"),
        (["methods=[ridge,ridge]"], "methods are named once each"),
        (["--cv", "40", METHODS], "too few rows for the folds; got 60 rows in 40 folds"),
        (["split=time", "cv=7", METHODS], "too few rows for the folds"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    toolkit: Any, tables: list[str], words: list[str], message: str
) -> None:
    done = toolkit("bayes", "compare", *tables, *words)
    assert done.code == 2
    assert message in done.err
    assert not any(toolkit.folder.glob("runs/*/*/summary.json"))


def test_tables_are_needed(toolkit: Any) -> None:
    done = toolkit("bayes", "compare")
    assert done.code == 2 and "there are no covariates; expected --x FILE" in done.err
