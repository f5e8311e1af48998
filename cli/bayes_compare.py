"""`toolkit bayes compare`: tables and overrides in, one table of methods on the same held-out rows out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.bayes_fit import Tables
from cli.completion import complete_compare
from cli.options import AsJson, Device, Out, Quiet, Runs, flags_of, invocation_of

EPILOG = (
    "Examples:\n\n"
    "- `toolkit bayes compare --x X.csv --y Y.csv`\n"
    "- `toolkit bayes compare --x X.csv --y Y.csv --cv 10 'methods=[latent_noise,ridge,pls]'`\n"
    "- `toolkit bayes compare --x lags.csv --y series.csv split=time` predicts each block from the rows before it\n"
    "- `toolkit bayes compare --x X.csv --y Y.csv --confounders Z.csv num_draws=1000`\n\n"
    "Methods: latent_noise, common_ratio, mixed_noise, independent_noise, brrr, ridge, ridge_per_target, "
    "ridge_reduced_rank, reduced_rank, multitask_lasso, elastic_net, pls, least_squares. The first is compared with "
    "the others. The run folder has comparison.csv, comparison.json (every fold), a figure and report.html."
)


def compare(
    ctx: typer.Context,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OVERRIDES",
            help="`key=value`, and Hydra's own flags.",
            autocompletion=complete_compare,
        ),
    ] = None,
    x: Annotated[
        Tables, typer.Option("--x", metavar="FILE", help="Covariates; again for further parts.")
    ] = None,
    y: Annotated[
        Tables,
        typer.Option("--y", metavar="FILE", help="Targets, empty or NA where missing; likewise."),
    ] = None,
    confounders: Annotated[
        Tables, typer.Option("--confounders", metavar="FILE", help="Confounders; likewise.")
    ] = None,
    data: Annotated[
        Tables,
        typer.Option("--data", metavar="FILE", help="One table with all; name `tables.targets`."),
    ] = None,
    cv: Annotated[int | None, typer.Option(help="Number of folds; the config has 5.")] = None,
    device: Device = "auto",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare latent-noise regression with baselines on the same held-out rows."""
    from cli.bayes_fit import table_overrides
    from cli.hydra_app import COMPARE, execute, read_line

    line = read_line(overrides or [], flags_of(ctx))
    given = table_overrides(x, y, confounders, data)
    if cv is not None:
        given.append(f"cv={cv}")
    invocation = invocation_of(
        "bayes compare",
        [*given, *line.overrides],
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
    )
    sys.exit(execute(COMPARE, line, invocation, given))


def show_comparison(folder: Path) -> None:
    """The table of a comparison's run folder, for people."""
    from cli import output

    rows = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["rows"]
    header = (
        "method",
        "PTVE",
        "first minus it",
        "log density",
        "first minus it",
        "coverage",
        "CPU s",
    )
    texts = [
        [
            row["method"],
            _pair(row, "ptve"),
            "" if number == 0 else _pair(row, "ptve_advantage", "+"),
            _pair(row, "log_density"),
            "" if number == 0 else _pair(row, "log_density_advantage", "+"),
            _pair(row, "coverage"),
            output.shown(row["seconds"]),
        ]
        for number, row in enumerate(rows)
    ]
    output.table("held-out rows, mean ± standard error over folds", header, texts)


def _pair(row: dict[str, Any], key: str, sign: str = "") -> str:
    if row[key] is None:
        return "-"
    error = row[f"{key}_se"]
    return f"{row[key]:{sign}.4f}" + ("" if error is None else f" ± {error:.4f}")
