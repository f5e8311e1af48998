"""`toolkit bayes predict`: a fit and new tables in, a table of predictions out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.completion import complete_run
from cli.options import AsJson, Quiet

EPILOG = (
    "Examples:\n\n"
    "- `toolkit bayes predict latest --x NEW.csv --out predictions.parquet`\n"
    "- `toolkit bayes predict latest --x NEW.csv --format wide | head`\n"
    "- `toolkit bayes predict RUN --x NEW.parquet --confounders Z.parquet --out predictions.csv`\n"
    "- `toolkit bayes predict RUN --x NEW.csv --quantile 0.025 --quantile 0.975 --out p.tsv`\n\n"
    "Columns are found by name; the order of the columns does not matter, and columns that the fit does not know are "
    "named and not used. Rows stream through: a table may be larger than memory."
)


def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run of `bayes fit`: a path, a part of its name, or `latest`.",
            autocompletion=complete_run,
        ),
    ],
    x: Annotated[
        list[Path], typer.Option("--x", metavar="FILE", help="Covariates; again for further parts.")
    ],
    confounders: Annotated[
        list[Path] | None,
        typer.Option("--confounders", metavar="FILE", help="Confounders; in --x without it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV, TSV, Parquet or Feather by suffix; standard output as CSV without it.",
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            help="`long` (a line a row and target) or `wide` (a line a row).",
        ),
    ] = "long",
    quantile: Annotated[
        list[float] | None,
        typer.Option(metavar="LEVEL", help="Again for more; 0.05 and 0.95 without it."),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="Names the rows; the fit's, `id` or `row` without it, `-` for their numbers.",
        ),
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="The folder of the runs.")] = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Predict the targets of new rows: mean, standard deviation, quantiles, signal and noise apart."""
    from bayesreg.predict import predict_tables
    from cli import errors, output

    fit, found = _fit(root, run)
    shape = _shape(layout, out, as_json=as_json)
    with _progress(hidden=quiet or (out is None and sys.stdout.isatty())) as count:
        counts = predict_tables(
            fit,
            tuple(x),
            tuple(confounders) if confounders else None,
            out=out,
            shape=shape,
            quantiles=tuple(quantile or (0.05, 0.95)),
            id_column=id_column,
            progress=count,
        )
    notes = [*counts.notes, *_doubts(found)]
    for note in notes:
        output.say(f"note: {note}")
    facts = {"rows": counts.num_rows, "targets": counts.num_targets}
    if not quiet and out is not None:
        output.facts(str(out), facts)
    if as_json:
        output.emit(
            {
                "command": "bayes predict",
                "status": output.status(errors.DONE),
                "run": str(found),
                "out": str(out),
                "num_rows": counts.num_rows,
                "num_targets": counts.num_targets,
                "notes": notes,
            }
        )


def _fit(root: Path, text: str) -> tuple[Any, Path]:
    """The fit that is meant and the folder of its run."""
    from bayesreg.drawsfile import load_fit
    from cli.targets import find_resumable

    folder = find_resumable(root, text, "bayes fit")
    return load_fit(folder), folder


def _shape(layout: str, out: Path | None, *, as_json: bool) -> Any:  # noqa: ANN401 - a heavy module's enum
    from bayesreg.predict import Shape
    from bayesreg.tablewriting import check_suffix
    from runtime.errors import ConfigError

    if as_json and out is None:
        raise ConfigError(
            "--json needs --out",
            got="predictions and result both on standard output",
            where="--json",
        )
    if out is not None:
        check_suffix(out)
    try:
        return Shape(layout)
    except ValueError as error:
        raise ConfigError(
            "unknown format", got=layout, expected="long or wide", where="--format"
        ) from error


def _doubts(folder: Path) -> list[str]:
    """A sentence where the run says itself that its draws should not be trusted."""
    from runtime.run import Run

    status = Run.open(folder).manifest["status"]
    if status == "done":
        return []
    return [f"the run's status is `{status}`: see `toolkit runs show {folder}`"]


def _progress(*, hidden: bool) -> Any:  # noqa: ANN401 - a context manager of either branch
    """Shows how many rows are done, where standard error is a terminal."""
    from contextlib import contextmanager, nullcontext

    if hidden or not sys.stderr.isatty():
        return nullcontext()

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from cli import output

    @contextmanager
    def shown() -> Any:  # noqa: ANN401
        columns = (
            SpinnerColumn(), TextColumn("predicting"), TextColumn("{task.completed:,.0f} rows"),
            TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=output.console(), transient=True) as progress:
            task = progress.add_task("predicting", total=None)
            yield lambda rows: progress.update(task, completed=rows)

    return shown()
