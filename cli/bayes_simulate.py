"""`toolkit bayes simulate`: the papers' generator as tables, with the truth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_simulation
from cli.options import AsJson, Out, Quiet, Runs, flags_of, invocation_of

EPILOG = (
    "Examples:\n\n"
    "- `toolkit bayes simulate` is the demonstration of the 2016 paper: 500 x 30 -> 60, 3 % signal\n"
    "- `toolkit bayes simulate noise_mixture=0.5 num_rows=1000 seed=3 --out data/half`\n"
    "- `toolkit bayes simulate covariates=gaussian format=parquet num_test_rows=0`\n"
    "- `toolkit bayes simulate -m 'seed=range(0,24)'` makes 24 sets\n\n"
    "Writes x, y and, for test rows, x_test and y_test, each with a column `id`; truth.npz has B (`coef`), the noise "
    "covariance of a row, the covariance of the covariates and the latent signal-to-noise ratio."
)


def simulate(
    ctx: typer.Context,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OVERRIDES",
            help="`key=value`, and Hydra's own flags.",
            autocompletion=complete_simulation,
        ),
    ] = None,
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a data set: weak effects of covariates on many targets, in structured noise."""
    from cli.hydra_app import SIMULATE, execute, read_line

    line = read_line(overrides or [], flags_of(ctx))
    invocation = invocation_of(
        "bayes simulate",
        line.overrides,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
    )
    sys.exit(execute(SIMULATE, line, invocation))
