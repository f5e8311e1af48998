"""What the commands with an experiment share: their options, and the way from Typer's words to Hydra's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import complete_device

if TYPE_CHECKING:
    from cli.invocation import Invocation

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Whatever Typer does not know is Hydra's."""

Device = Annotated[
    str,
    typer.Option(
        help="`auto` (a free GPU, the CPU without any), `cpu` or `cuda:N`.",
        autocompletion=complete_device,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no tables, only errors.")]
Runs = Annotated[
    Path,
    typer.Option("--root", help="The folder of the runs: a new one goes there, by date and name."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Make the run folder exactly here instead."),
]


def flags_of(ctx: typer.Context) -> list[str]:
    """The options that Typer takes, for suggestions."""
    return [
        option
        for parameter in ctx.command.params
        for option in parameter.opts
        if option.startswith("-")
    ]


def invocation_of(command: str, overrides: list[str], **flags: object) -> Invocation:
    """This call, for the jobs that it starts."""
    from cli.invocation import Invocation

    return Invocation(command, ["toolkit", *sys.argv[1:]], overrides, **flags)  # type: ignore[arg-type]
