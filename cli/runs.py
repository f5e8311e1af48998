"""`toolkit runs`: list, show, compare and report what lies in run folders. Reads artefacts, runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.completion import complete_run
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from runtime.run import Run, RunInfo

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="What lies in the run folders."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Runs = Annotated[Path, typer.Option("--root", help="The folder of the runs.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A path, a part of a name, or `latest`.", autocompletion=complete_run
    ),
]

STATUSES = ("running", "done", "interrupted", "failed", "killed", "unreadable")

HEADLINE = {
    "tests": "heldout_full_pass",
    "exhaustive": "heldout_exhaustive",
    "climb": "transition_step",
}
"""Summary values worth a column in the list, by its heading: short ones, for terminals of 80 columns."""


def complete_status(incomplete: str) -> list[str]:
    """Statuses, for the shell."""
    return [status for status in STATUSES if status.startswith(incomplete)]


@app.command(
    "list",
    epilog="Examples:\n\n- `toolkit runs list`\n- `toolkit runs list --status done --json`\n",
)
def list_(
    status: Annotated[
        str | None,
        typer.Option(help=f"Only these: {', '.join(STATUSES)}.", autocompletion=complete_status),
    ] = None,
    root: Runs = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs, oldest first: held-out accuracy by tests and by every short input, step of the climb."""
    from cli import output
    from runtime.run import list_runs

    if status is not None and status not in STATUSES:
        raise ConfigError(
            "no such status", got=status, expected=", ".join(STATUSES), where="--status"
        )
    found = [info for info in list_runs(root) if status is None or info.status == status]
    if as_json:
        output.emit({"root": str(root), "runs": [_as_dict(info) for info in found]})
        return
    if not found:
        output.say(f"no runs in {root}")
        return
    header = ("run", "status", "min", *HEADLINE)
    output.table("", header, [_row(info, root) for info in found], first_folds=True)


@app.command(
    epilog="Examples:\n\n- `toolkit runs show latest`\n- `toolkit runs show train-grok_tiny --json`\n"
)
def show(run: RunName, root: Runs = Path("runs"), as_json: AsJson = False) -> None:
    """Show a run: how it went, what came out, its last events."""
    from cli import output
    from runtime.run import Run, find_run, run_info

    path = find_run(root, run)
    opened, info = Run.open(path), run_info(path)
    if as_json:
        output.emit(
            {
                "run": str(path),
                "status": info.status,
                "manifest": opened.manifest,
                "config": opened.config,
                "summary": info.summary,
            }
        )
        return
    output.facts(str(path), _story(opened, info))
    if info.summary:
        output.facts("summary", {**output.headlines(info.summary), **info.summary})
    events = [
        (str(event.pop("kind")), output.shown(_without_time(event)))
        for event in _last_events(opened)
    ]
    if events:
        output.table("last events", ("kind", ""), events)


@app.command(
    epilog="Example:\n\n- `toolkit runs compare 2026-01-05/101500-rl-train-grok_tiny latest`\n"
)
def compare(
    first: RunName,
    second: RunName,
    root: Runs = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Say what differs between two runs: config, summary, where they come from."""
    import dataclasses

    from cli import output
    from runtime.run import compare_runs, find_run

    comparison = compare_runs(find_run(root, first), find_run(root, second))
    if as_json:
        output.emit(dataclasses.asdict(comparison))
        return
    parts = {
        "config": comparison.config,
        "summary": comparison.summary,
        "origin": comparison.provenance,
    }
    for name, differences in parts.items():
        if differences:
            rows = [(d.key, output.shown(d.a), output.shown(d.b)) for d in differences]
            output.table(name, ("", str(comparison.a), str(comparison.b)), rows)
    if not any(parts.values()):
        output.say("the runs differ in nothing but time")


@app.command(epilog="Example:\n\n- `toolkit runs report latest`\n")
def report(run: RunName, root: Runs = Path("runs"), as_json: AsJson = False) -> None:
    """Write `report.html` of a run from its artefacts; opens offline."""
    write_report(run, root=root, as_json=as_json)


def write_report(run: str, *, root: Path, as_json: bool) -> None:
    """See `report`; `toolkit rl report` is the same."""
    from cli import output
    from runtime.run import find_run, run_info

    path = find_run(root, run)
    if run_info(path).command.startswith("bayes "):
        from bayesreg.report import build_report
    else:
        from rlgrok.report import build_report
    page = build_report(path)
    if as_json:
        output.emit(
            {"command": "runs report", "status": "done", "run": str(path), "report": str(page)}
        )
    else:
        output.say(f"wrote {page}")


def _row(info: RunInfo, root: Path) -> tuple[str, ...]:
    from cli.output import shown

    summary = info.summary or {}
    name = (
        info.path.relative_to(root).as_posix() if info.path.is_relative_to(root) else str(info.path)
    )
    minutes = f"{info.wall_s / 60:.1f}"
    return name, info.status, minutes, *(shown(summary.get(key)) for key in HEADLINE.values())


def _as_dict(info: RunInfo) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(info), "path": str(info.path), "run": str(info.path)}


def _story(run: Run, info: RunInfo) -> dict[str, Any]:
    manifest = run.manifest
    git = manifest.get("git") or {}
    story = {
        "command": " ".join(manifest["argv"]),
        "status": info.status,
        "started": info.started_at,
        "wall": f"{info.wall_s:.0f} s",
        "cpu": f"{info.cpu_s:.0f} s",
        "seeds": manifest["seeds"],
        "commit": f"{str(git.get('commit'))[:12]}{' and changes' if git.get('dirty') else ''}"
        if git
        else None,
        "resumed": len(manifest["resumed_at"]) or None,
        "error": manifest.get("error"),
        "problem": info.problem or None,
    }
    return {key: value for key, value in story.items() if value is not None}


def _last_events(run: Run, count: int = 6) -> list[dict[str, Any]]:
    from runtime.storage import read_jsonl

    return read_jsonl(run.events_path)[-count:] if run.events_path.exists() else []


def _without_time(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "time"}
