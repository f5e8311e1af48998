"""`toolkit rl transfer`: trains every row of a setting, evaluates it on every column, and reports the matrix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rlgrok.transfer import TransferPlan

EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl transfer` lists the settings\n"
    "- `toolkit rl transfer exploratory --jobs 2`\n"
    "- `toolkit rl transfer families --seeds 0,1`\n"
    "- `toolkit rl transfer mine.yaml --report` only reads what is there\n\n"
    "Called again, it goes on: what is done stays, killed runs are resumed, failed ones wait for --retry."
)
FAILURES = "failures"


def complete_setting(incomplete: str) -> list[str]:
    """Names of the shipped settings, for the shell."""
    return [name for name in _shipped() if name.startswith(incomplete)]


def transfer(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SETTING|FILE",
            help="A shipped setting or a YAML file.",
            autocompletion=complete_setting,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Further overrides of every training.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="These seeds instead, separated by commas.", metavar="0,1")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    out: Annotated[Path | None, typer.Option(help="The folder of the transfer.")] = None,
    root: Annotated[Path, typer.Option("--root", help="The folder of the runs.")] = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Run failed jobs again.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Run nothing: gather what is there.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Does what was learned reach other problems? Before and after, axis by axis, with paired intervals."""
    from cli import output
    from runtime.errors import ConfigError

    if name is None:
        _list_settings(as_json=as_json)
        return
    plan = _plan(name, overrides or [], seeds)
    folder = out or root / "transfers" / plan.name
    if report and not folder.is_dir():
        raise ConfigError("the transfer has not been run", where=folder)
    if not report:
        _run_all(folder, plan, jobs=jobs, retry=retry, quiet=quiet)
    from rlgrok.report.transfer import write_transfer_report

    failed, open_jobs = _what_is_left(folder, plan)
    result = write_transfer_report(folder, plan, failed, open_jobs)
    if not quiet:
        output.say((folder / "table.md").read_text())
        output.say(f"to look at: {result['report']}")
    if as_json:
        status = "failed" if failed else "done"
        output.emit({"command": "rl transfer", "status": status, **result})
    sys.exit(1 if failed else 0)


def _shipped() -> dict[str, Path]:
    import conf

    folder = Path(conf.__file__).parent / "transfer"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _list_settings(*, as_json: bool) -> None:
    from cli import output
    from rlgrok.transfer import read_transfer

    plans = [
        read_transfer(path.read_text(encoding="utf-8"), where=str(path))
        for path in _shipped().values()
    ]
    for plan in plans:
        output.say(
            f"{plan.name:14} {len(plan.train)} x {len(plan.test)}, {len(plan.seeds)} seeds. {plan.about}"
        )
    if as_json:
        names = [plan.name for plan in plans]
        output.emit({"command": "rl transfer", "status": "done", "settings": names})


def _plan(name: str, overrides: Sequence[str], seeds: str | None) -> TransferPlan:
    from dataclasses import replace
    from difflib import get_close_matches

    from rlgrok.study import read_overrides
    from rlgrok.transfer import read_transfer
    from runtime.errors import ConfigError

    shipped = _shipped()
    path = shipped.get(name, Path(name))
    if not path.is_file():
        near = get_close_matches(name, list(shipped), n=1)
        raise ConfigError(
            "no such setting",
            got=name,
            expected=", ".join(shipped) or "a YAML file",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    plan = read_transfer(path.read_text(encoding="utf-8"), where=str(path))
    extra = read_overrides(list(overrides), "the command line")
    plan = replace(plan, common=(*plan.common, *extra))
    if seeds is None:
        return plan
    try:
        return replace(plan, seeds=tuple(int(seed) for seed in seeds.split(",")))
    except ValueError as error:
        raise ConfigError("seeds are whole numbers", got=seeds, where="--seeds") from error


def _run_all(folder: Path, plan: TransferPlan, *, jobs: int, retry: bool, quiet: bool) -> None:
    """Trainings first, then the evaluations of those that are done."""
    from cli.processes import run_commands

    for part in (_trainings, _evaluations):
        commands = {}
        for job, command, path in part(folder, plan):
            if _is_wanted(folder, job, path, retry=retry):
                if "--resume" not in command and path.exists():
                    _set_aside(path)
                commands[job] = command
        run_commands(commands, folder / FAILURES, jobs=jobs, quiet=quiet)


def _is_wanted(folder: Path, job: str, path: Path, *, retry: bool) -> bool:
    from cli.processes import note
    from rlgrok.study import State, state_of

    state = state_of(path)
    if state in (State.DONE, State.RUNNING):
        return False
    failed = state is State.FAILED or (
        state is State.MISSING and note(folder / FAILURES, job).is_file()
    )
    return retry or not failed


def _trainings(folder: Path, plan: TransferPlan) -> list[tuple[str, list[str], Path]]:
    """Job, command line and run folder of every row and seed."""
    from rlgrok.study import State, state_of
    from rlgrok.transfer import training_folder

    jobs = []
    for seed in plan.seeds:
        for row, overrides in plan.train.items():
            path = training_folder(folder, row, seed)
            start = [sys.executable, "-m", "cli.main", "rl", "train"]
            if state_of(path) is State.BROKEN:
                command = [*start, "--resume", str(path), "--quiet", "--json"]
            else:
                command = [
                    *start, *plan.common, *overrides, f"seed={seed}", f"name={plan.name}-{row}",
                    "--out", str(path), "--quiet", "--json",
                ]  # fmt: skip
            jobs.append((f"train {row} seed {seed}", command, path))
    return jobs


def _set_aside(path: Path) -> None:
    """What failed, or an evaluation that broke off, is kept beside; its draws are kept elsewhere anyway."""
    number = 1
    while (other := path.with_name(f"{path.name}-failed-{number}")).exists():
        number += 1
    path.rename(other)


def _evaluations(folder: Path, plan: TransferPlan) -> list[tuple[str, list[str], Path]]:
    """Job, command line and folder of every evaluation whose run is done."""
    from rlgrok.study import State, state_of
    from rlgrok.transfer import evaluation_folder, training_folder

    jobs = []
    for seed in plan.seeds:
        for row in plan.train:
            run = training_folder(folder, row, seed)
            if state_of(run) is not State.DONE:
                continue
            for name, column in plan.test.items():
                path = evaluation_folder(folder, row, seed, name)
                command = [
                    sys.executable, "-m", "cli.main", "rl", "eval", str(run), *plan.evaluation,
                    *column.overrides, "evaluation.compare_base=true",
                    "--out", str(path), "--quiet", "--json",
                ]  # fmt: skip
                jobs.append((f"eval {row} seed {seed} on {name}", command, path))
    return jobs


def _what_is_left(folder: Path, plan: TransferPlan) -> tuple[dict[str, str], int]:
    """Failed jobs with their reason, and how many are still to run."""
    from cli.processes import last_line, note
    from rlgrok.study import State, state_of
    from rlgrok.transfer import evaluation_folder, training_folder

    paths = {}
    for seed in plan.seeds:
        for row in plan.train:
            paths[f"train {row} seed {seed}"] = training_folder(folder, row, seed)
            for column in plan.test:
                job = f"eval {row} seed {seed} on {column}"
                paths[job] = evaluation_folder(folder, row, seed, column)
    failed: dict[str, str] = {}
    open_jobs = 0
    for job, path in paths.items():
        state = state_of(path)
        if state is State.DONE:
            continue
        if state is State.FAILED or note(folder / FAILURES, job).is_file():
            failed[job] = last_line(folder / FAILURES, job)
        else:
            open_jobs += 1
    return failed, open_jobs
