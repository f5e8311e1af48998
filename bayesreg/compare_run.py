"""`toolkit bayes compare`, top to bottom: tables, folds, fits, scores, files."""

from __future__ import annotations

import csv
import io
from typing import Any

from bayesreg.compare import Comparison, compare, comparison_figure, make_folds
from bayesreg.compare_config import CompareConfig
from bayesreg.data import read_regression
from bayesreg.sampled import Effort
from runtime.progress import TrainingView
from runtime.report import Report
from runtime.run import Run
from runtime.storage import atomic_write_bytes, atomic_write_json, atomic_write_text

TABLE, FOLDS, FIGURE = "comparison.csv", "comparison.json", "comparison.png"


def compare_run(config: CompareConfig, *, run: Run, view: TrainingView) -> dict[str, Any]:
    """Compare methods on the tables of a config.

    Args:
        config: checked.
        run: created; receives `comparison.csv` (a row a method), `comparison.json` (every fold), a figure,
            `report.html` and `summary.json`.
        view: shows progress.

    Returns:
        The summary, as written.

    Raises:
        InputError: tables that cannot be used, or too few rows.
    """
    with view.task("reading the tables", 1) as task:
        data = read_regression(config.tables.source())
        run.record_data("tables", data.sha256)
        task.advance(1)
    for note in data.notes:
        run.event("warning", name="tables", message=note)
        view.note("warning", note)
    folds = make_folds(len(data.x), config.cv, config.split, config.seed)
    z = data.z if data.z.shape[1] else None
    with view.task("fits", len(folds) * len(config.methods)) as task:
        found = compare(
            data.x,
            data.y,
            z,
            methods=config.methods,
            folds=folds,
            seed=config.seed,
            effort=Effort(config.num_chains, config.num_warmup, config.num_draws),
            rank=config.rank,
            on_done=lambda *_: task.advance(1),
        )
    summary = summarise(found, config)
    _write(found, config, run)
    run.write_summary(summary)
    return summary


def summarise(found: Comparison, config: CompareConfig) -> dict[str, Any]:
    """Flat numbers: sizes, the best method by each score, and every method's scores with standard errors."""
    rows = found.table()
    summary: dict[str, Any] = {
        "num_rows": found.num_rows,
        "num_covariates": found.num_covariates,
        "num_targets": found.num_targets,
        "cv": config.cv,
        "split": config.split.value,
        "reference": found.methods[0],
    }
    for name in ("ptve", "log_density"):
        scored = [row for row in rows if row[name] is not None]
        if scored:
            summary[f"best_{name}"] = max(scored, key=lambda row: row[name])["method"]
    for row in rows:
        method = row["method"]
        summary |= {f"{method}_{key}": value for key, value in row.items() if key != "method"}
    return summary


def _write(found: Comparison, config: CompareConfig, run: Run) -> None:
    rows = found.table()
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write_text(run.path / TABLE, text.getvalue())
    values = {
        method: {name: list(map(float, folds)) for name, folds in by.items()}
        for method, by in found.values.items()
    }
    atomic_write_json(
        run.path / FOLDS, {"methods": list(found.methods), "folds": values, "rows": rows}
    )
    sizes = f"N = {found.num_rows}, P = {found.num_covariates}, K = {found.num_targets}"
    how = f"{config.cv} folds, {config.split.value}; {sizes}; bars are standard errors over folds"
    png = comparison_figure(found.table(), title="Held-out predictions", note=how)
    atomic_write_bytes(run.figures / FIGURE, png)
    report = Report(f"Comparison: {config.name}", how)
    report.section("Methods", "Advantage: the first method minus this one, on the same folds.")
    report.figure(png, "Scores of every method on the same held-out rows.")
    header = ["method", "PTVE", "se", "advantage", "se", "log density", "se", "advantage", "se"]
    keys = ["ptve", "ptve_se", "ptve_advantage", "ptve_advantage_se", "log_density"]
    keys += ["log_density_se", "log_density_advantage", "log_density_advantage_se"]
    header, keys = [*header, "coverage", "CRPS", "CPU s"], [*keys, "coverage", "crps", "seconds"]
    report.table(header, [[row["method"], *(row[key] for key in keys)] for row in rows])
    report.write(run.path / "report.html")
