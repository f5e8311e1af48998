"""`toolkit rl transfer`: trains every row of a setting, evaluates it on every column, and reports the matrix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rlgrok.transfer import TransferPlan

EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl transfer` lists the settings\n"
    "- `toolkit rl transfer exploratory --jobs 2`\n"
    "- `toolkit rl transfer families --seeds 0,1`\n"
    "- `toolkit rl transfer exploratory --take length_5=runs/studies/ingredients/runs/staged/seed-0`\n"
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
        list[str] | None,
        typer.Argument(
            help="Further overrides of every training; those of `evaluation.` of every evaluation too."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="These seeds instead, separated by commas.", metavar="0,1")
    ] = None,
    take: Annotated[
        list[str] | None,
        typer.Option(
            help="A training that is there as a row's run of its seed; a new name is a new row. Repeatable.",
            metavar="ROW=RUN",
        ),
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
    from runtime.errors import ConfigError

    if name is None:
        _list_settings(as_json=as_json)
        return
    if take and report:
        raise ConfigError("--report reads what is there", got="--take", expected="one of the two")
    name = name.removeprefix("setting=")
    plan = _plan(name, overrides or [], seeds)
    folder = out or root / "transfers" / plan.name
    perform(folder, plan, take=take or [], jobs=jobs, retry=retry, report=report, quiet=quiet, as_json=as_json)


def perform(
    folder: Path,
    plan: TransferPlan,
    *,
    take: Sequence[str],
    jobs: int,
    retry: bool,
    report: bool,
    quiet: bool,
    as_json: bool,
    command: str = "rl transfer",
) -> NoReturn:
    """Run what is missing of a plan, gather it, tell, and exit."""
    from cli import output
    from cli.processes import tell_failed
    from rlgrok.report.transfer import write_transfer_report
    from rlgrok.transfer import PLAN_FILE, plan_text, require_same_transfer
    from runtime.errors import ConfigError
    from runtime.storage import atomic_write_bytes

    if report and not folder.is_dir():
        raise ConfigError("the transfer has not been run", where=folder)
    require_same_transfer(folder, plan)
    plan = _with_taken(folder, plan, take)
    if not report:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(folder / PLAN_FILE, plan_text(plan).encode())
        _run_all(folder, plan, jobs=jobs, retry=retry, quiet=quiet)
    failed, open_jobs = _what_is_left(folder, plan)
    result = write_transfer_report(folder, plan, failed, open_jobs)
    if not quiet:
        output.say((folder / "table.md").read_text())
        tell_failed(failed)
        output.say(f"to look at: {result['report']}")
    if as_json:
        status = "failed" if failed else "done"
        output.emit({"command": command, "status": status, **result})
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
    """The plan of a setting's name, or of a file."""
    from difflib import get_close_matches

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
    return read_plan(path, overrides, seeds)


def read_plan(path: Path, overrides: Sequence[str], seeds: str | None) -> TransferPlan:
    """The plan of a file, with further overrides of its trainings, and of its evaluations, and other seeds."""
    from dataclasses import replace

    from rlgrok.study import read_overrides
    from rlgrok.transfer import read_transfer
    from runtime.errors import ConfigError

    plan = read_transfer(path.read_text(encoding="utf-8"), where=str(path))
    extra = read_overrides(list(overrides), "the command line")
    measured = [word for word in extra if word.startswith("evaluation.")]
    plan = replace(
        plan, common=(*plan.common, *extra), evaluation=(*plan.evaluation, *measured)
    )
    if seeds is None:
        return plan
    try:
        return replace(plan, seeds=tuple(int(seed) for seed in seeds.split(",")))
    except ValueError as error:
        raise ConfigError("seeds are whole numbers", got=seeds, where="--seeds") from error


def _with_taken(folder: Path, plan: TransferPlan, take: Sequence[str]) -> TransferPlan:
    """The plan with the runs that are given, now or earlier; a row that it does not have is of these alone."""
    from dataclasses import replace

    from rlgrok.transfer import PLAN_FILE, read_transfer, take_run
    from runtime.errors import ConfigError

    rows = dict(plan.train)
    kept = folder / PLAN_FILE
    if kept.is_file():
        known = read_transfer(kept.read_text(encoding="utf-8"), where=str(kept)).train
        rows |= {row: None for row, overrides in known.items() if overrides is None and row not in rows}
    for word in take:
        row, _, path = word.partition("=")
        if not row or not path:
            raise ConfigError("not a row and a run", got=word, expected="ROW=RUN", where="--take")
        take_run(folder, row, Path(path))
        rows.setdefault(row, None)
    return replace(plan, train=rows)


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
    for row, seed in _runs(folder, plan):
        path = training_folder(folder, row, seed)
        if path.is_symlink():
            continue
        start = [sys.executable, "-m", "cli.main", "rl", "train"]
        if state_of(path) is State.BROKEN:
            command = [*start, "--resume", str(path), "--quiet", "--json"]
        else:
            command = [
                *start, *plan.common, *(plan.train[row] or ()), f"seed={seed}", f"name={plan.name}-{row}",
                "--out", str(path), "--quiet", "--json",
            ]  # fmt: skip
        jobs.append((f"train {row} seed {seed}", command, path))
    return jobs


def _runs(folder: Path, plan: TransferPlan) -> list[tuple[str, int]]:
    """Row and seed of every run, seed by seed."""
    from rlgrok.transfer import seeds_of

    pairs = [(row, seed) for row in plan.train for seed in seeds_of(folder, plan, row)]
    return sorted(pairs, key=lambda pair: pair[1])


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
    for row, seed in _runs(folder, plan):
        run = training_folder(folder, row, seed)
        if state_of(run) is not State.DONE:
            continue
        for name, column in plan.columns_of(row).items():
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
    from cli.processes import note, why_failed
    from rlgrok.study import State, state_of
    from rlgrok.transfer import evaluation_folder, training_folder

    paths = {}
    for row, seed in _runs(folder, plan):
        paths[f"train {row} seed {seed}"] = training_folder(folder, row, seed)
        for column in plan.columns_of(row):
            job = f"eval {row} seed {seed} on {column}"
            paths[job] = evaluation_folder(folder, row, seed, column)
    failed: dict[str, str] = {}
    open_jobs = 0
    for job, path in paths.items():
        state = state_of(path)
        if state is State.DONE:
            continue
        if state is State.FAILED or note(folder / FAILURES, job).is_file():
            failed[job] = why_failed(path, folder / FAILURES, job)
        else:
            open_jobs += 1
    return failed, open_jobs
