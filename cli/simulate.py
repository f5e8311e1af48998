"""`toolkit rl simulate`: where the balls of BouncingSim's scenes are, one scene a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

COMMAND = "rl simulate"
EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl simulate --scenes scenes.jsonl --out positions.jsonl`\n"
    "- `toolkit rl simulate --scenes - --workers 1 < scenes.jsonl`\n\n"
    'Each line in: `{"id": ..., "scene": {...}, "timestamps": [seconds, ...]}`. Each line out: `{"id": ..., '
    '"positions": [[[x, y], ...], ...]}`, for each time a point for each ball. Exit code 2 when a line is no scene; '
    "its own line out says why."
)


def simulate(
    scenes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="One JSON record a line; `-` is standard input."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Positions, one line a scene; standard output without."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes.  [default: one a core]")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no table, only errors.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Compute ground truth: the positions of every ball of a scene at the times asked for, in one pass."""
    import sys
    from dataclasses import asdict

    from cli import errors, output
    from cli.verify import line_progress, line_writer, open_lines
    from rlgrok.delta.bouncingsim.truth import require_engine
    from rlgrok.simulate import simulate_lines
    from runtime.devices import usable_cpus
    from runtime.errors import ConfigError

    if as_json and out is None:
        raise ConfigError(
            "--json needs --out", got="positions and result both on standard output", where="--json"
        )
    require_engine()
    hidden = quiet or (out is None and sys.stdout.isatty())
    with open_lines(scenes) as lines, line_writer(out) as write:
        with line_progress(scenes, lines, "simulating", hidden=hidden) as counted:
            counts = simulate_lines(counted, write, num_workers=workers or usable_cpus())
    code = errors.USER if counts.num_malformed else errors.DONE
    if not quiet:
        output.facts("simulated", asdict(counts))
    if counts.num_malformed:
        total = counts.num_scenes + counts.num_malformed
        output.say(f"error: {counts.num_malformed} of {total} lines are no scenes; they say why")
    if as_json:
        output.emit(
            {
                "command": COMMAND,
                "status": output.status(code),
                "run": None,
                "out": str(out),
                **asdict(counts),
            }
        )
    sys.exit(code)
