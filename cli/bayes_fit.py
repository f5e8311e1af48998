"""`toolkit bayes fit`: tables and overrides in, a run folder with draws out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_fit, complete_run
from cli.options import AsJson, Device, Out, Quiet, Runs, flags_of, invocation_of

EPILOG = (
    "Examples:\n\n"
    "- `toolkit bayes fit --x X.csv --y Y.csv`\n"
    "- `toolkit bayes fit --x X.csv --y Y.csv --confounders Z.csv model=information_sharing`\n"
    "- `toolkit bayes fit --data all.parquet 'tables.targets=[y*]' inference.target_ess=1000`\n"
    "- `toolkit bayes fit --x X.csv --y Y.csv inference=svi` for a quick look\n"
    "- `toolkit bayes fit --x X.csv --y Y.csv --cfg job` shows the config, nothing runs\n"
    "- `toolkit bayes fit --resume latest` goes on after a kill or Ctrl-C\n"
    "- `toolkit bayes fit --resume latest inference.num_draws=8000` adds draws, also to a finished run\n\n"
    "Groups: model (latent_noise, information_sharing, independent_noise, brrr), inference (gibbs, nuts, svi). CSV, "
    "TSV, Parquet, Feather and NPZ; tables are joined by a column `id` or `row`, or by position. Exit code 3: all is "
    "written, and R-hat or effective sample sizes say that the chains have not converged."
)

Tables = list[Path] | None


def fit(
    ctx: typer.Context,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OVERRIDES",
            help="`key=value`, `group=option`, and Hydra's own flags.",
            autocompletion=complete_fit,
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
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Continue this run exactly: a path, a part of its name, or `latest`.",
            autocompletion=complete_run,
        ),
    ] = None,
    device: Device = "auto",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit the latent-noise regression of many targets on weak covariates."""
    from cli.hydra_app import FIT, execute, read_line
    from cli.targets import find_resumable

    line = read_line(overrides or [], flags_of(ctx))
    given = table_overrides(x, y, confounders, data)
    invocation = invocation_of(
        "bayes fit",
        [*given, *line.overrides],
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
        resume=None if resume is None else str(find_resumable(root, resume, "bayes fit")),
    )
    sys.exit(execute(FIT, line, invocation, given))


def table_overrides(x: Tables, y: Tables, confounders: Tables, data: Tables) -> list[str]:
    """The tables as overrides, so that the run's own config knows them; absolute, so that it can be resumed anywhere.

    Raises:
        ConfigError: --data together with --x.
    """
    from cli.resume import as_override
    from runtime.errors import ConfigError

    if data and x:
        raise ConfigError(
            "--data is the one table with everything",
            got="--data and --x",
            expected="either of them",
            where="--data",
        )
    tables = {"x": data or x, "y": y, "confounders": confounders}
    return [
        as_override(f"tables.{key}", [os.path.abspath(path) for path in paths])
        for key, paths in tables.items()
        if paths
    ]
