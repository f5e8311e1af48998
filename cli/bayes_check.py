"""`toolkit bayes check`: is the sampler of a configuration exact?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_check
from cli.options import AsJson, Device, Out, Quiet, Runs, flags_of, invocation_of

EPILOG = (
    "Examples:\n\n"
    "- `toolkit bayes check`\n"
    "- `toolkit bayes check model=information_sharing`\n"
    "- `toolkit bayes check model.signal_covariance=free joint_replicates=16000`\n"
    "- `toolkit bayes check missing_cells=6` also tests the row-by-row sampler and its wrong order\n"
    "- `toolkit bayes check controls=false calibration_replicates=0` is the quickest\n\n"
    "Runs thousands of tiny data sets. Joint-distribution test (Geweke, JASA 2004): every |z| below `bound`; samplers "
    "with a known mistake must exceed it. Simulation-based calibration (Talts et al., arXiv:1804.06788): uniform "
    "ranks. Writes checks.csv and figures. Exit code 3: the sampler fails, or a mistake was not seen."
)


def check(
    ctx: typer.Context,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OVERRIDES",
            help="`key=value`, `model=NAME`, and Hydra's own flags.",
            autocompletion=complete_check,
        ),
    ] = None,
    device: Device = "cpu",
    out: Out = None,
    root: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check that the sampler of a configuration draws from the posterior, and that mistakes would be seen."""
    from cli.hydra_app import CHECK, execute, read_line

    line = read_line(overrides or [], flags_of(ctx))
    invocation = invocation_of(
        "bayes check",
        line.overrides,
        device=device,
        quiet=quiet,
        as_json=as_json,
        out=None if out is None else str(out),
        root=str(root),
    )
    sys.exit(execute(CHECK, line, invocation))
