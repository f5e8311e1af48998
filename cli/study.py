"""`toolkit rl study`: runs a named matrix of trainings, one process a job, and gathers them into one report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rlgrok.study import JobKey, Plan

EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl study` lists the studies\n"
    "- `toolkit rl study ingredients`\n"
    "- `toolkit rl study transfer` trains rows and tests them on columns, as `toolkit rl transfer` does\n"
    "- `toolkit rl study ingredients --arms staged,no_replay --seeds 5,6 --out runs/more`\n"
    "- `toolkit rl study schedules --launcher joblib hydra.launcher.n_jobs=4`\n"
    "- `toolkit rl study my_study.yaml training.max_steps=50`\n"
    "- `toolkit rl study tests_matter --take runs/studies/ingredients` trains nothing that is there\n"
    "- `toolkit rl study ingredients --report` only reads what is there\n\n"
    "Called again, it goes on: runs that are done stay, killed ones are resumed, failed ones wait for --retry."
)


def complete_study(incomplete: str) -> list[str]:
    """Names of the shipped studies, for the shell."""
    return [name for name in _shipped() if name.startswith(incomplete)]


def study(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE",
            help="A shipped study or a YAML file.",
            autocompletion=complete_study,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Further overrides of every run.")
    ] = None,
    arms: Annotated[
        str | None, typer.Option(help="Only these arms, separated by commas.", metavar="A,B")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="These seeds instead, separated by commas.", metavar="0,1")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, without a launcher.")] = 1,
    launcher: Annotated[
        str | None,
        typer.Option(help="Hydra launcher of the seeds of an arm: joblib, submitit_slurm, ray..."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    root: Annotated[Path, typer.Option("--root", help="The folder of the runs.")] = Path("runs"),
    take: Annotated[
        list[Path] | None,
        typer.Option(
            help="Finished trainings below this folder stand for jobs of the same configuration. Repeatable.",
            metavar="FOLDER",
        ),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed jobs again.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Run nothing: gather what is there.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Run a matrix of trainings, resume it where it broke, and compare its arms with intervals."""
    from cli import output

    if name is None:
        _list_studies(as_json=as_json)
        return
    name = name.removeprefix("study=")
    if _is_transfer(name):
        _transfer(
            name, overrides or [], arms, seeds, launcher, take or [],
            out=out, root=root, jobs=jobs, retry=retry, report=report, quiet=quiet, as_json=as_json,
        )  # fmt: skip
    defining, launching = _split(overrides or [], launcher)
    text, plan = _plan(name, defining, arms, seeds)
    folder = out or root / "studies" / plan.name
    from cli.processes import tell_failed
    from rlgrok.study import require_same_plan
    from runtime.storage import atomic_write_bytes

    require_same_plan(folder, text)
    if not report:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(folder / "study.yaml", text.encode())
        _take(folder, plan, take or [], quiet=quiet)
        _run_all(folder, plan, jobs=jobs, launching=launching, retry=retry, quiet=quiet)
    result = _gather(folder, plan)
    if not quiet:
        output.say(Path(folder / "table.md").read_text())
        tell_failed({f"{key['arm']} seed {key['seed']}": key["why"] for key in result["failures"]})
        output.say(f"to look at: {result['report']}")
    if as_json:
        output.emit(
            {"command": "rl study", "status": "failed" if result["failed"] else "done", **result}
        )
    # A failed job is not this command's failure to report as success.
    sys.exit(1 if result["failed"] else 0)


def _shipped() -> dict[str, Path]:
    import conf

    return {
        path.stem: path for path in sorted((Path(conf.__file__).parent / "study").glob("*.yaml"))
    }


def _is_transfer(name: str) -> bool:
    """Whether the study is a matrix of trainings and tests, by what its file has."""
    from rlgrok.transfer import is_transfer

    path = _shipped().get(name, Path(name))
    return path.is_file() and is_transfer(path.read_text(encoding="utf-8"))


def _transfer(
    name: str,
    overrides: Sequence[str],
    arms: str | None,
    seeds: str | None,
    launcher: str | None,
    take: Sequence[Path],
    *,
    out: Path | None,
    root: Path,
    **options: bool | int,
) -> NoReturn:
    """A study that is a transfer, run as `toolkit rl transfer` runs it."""
    from cli.transfer import perform, read_plan
    from rlgrok.transfer import training_folder
    from runtime.errors import ConfigError

    for given, flag in ((arms, "--arms"), (launcher, "--launcher")):
        if given is not None:
            raise ConfigError(
                "a transfer has rows and columns", got=flag, expected="--seeds, --jobs, --out", where=flag
            )
    plan = read_plan(_shipped().get(name, Path(name)), overrides, seeds)
    folder = out or root / "studies" / plan.name
    trained = {row: [*plan.common, *words] for row, words in plan.train.items() if words is not None}
    found = _find_same(trained, plan.seeds, take)
    perform(
        folder,
        plan,
        take=[
            f"{row}={path}"
            for (row, seed), path in found.items()
            if not training_folder(folder, row, seed).exists()
        ],
        command="rl study",
        **options,  # type: ignore[arg-type]
    )


def _list_studies(*, as_json: bool) -> None:
    from cli import output
    from rlgrok.study import read_plan
    from rlgrok.transfer import is_transfer, read_transfer

    names = []
    for path in _shipped().values():
        text = path.read_text(encoding="utf-8")
        if is_transfer(text):
            rows = read_transfer(text, where=str(path))
            names.append(rows.name)
            tests = sum(len(rows.columns_of(row)) for row in rows.train)
            output.say(
                f"{rows.name:14} {len(rows.train)} rows x {len(rows.seeds)} seeds, {tests} tests each. {rows.about}"
            )
            continue
        plan = read_plan(text, where=str(path))
        names.append(plan.name)
        jobs = len(plan.arms) * len(plan.seeds)
        output.say(
            f"{plan.name:14} {len(plan.arms)} arms x {len(plan.seeds)} seeds = {jobs} runs. {plan.about}"
        )
    if as_json:
        output.emit({"command": "rl study", "status": "done", "studies": names})


def _split(overrides: Sequence[str], launcher: str | None) -> tuple[list[str], list[str]]:
    """Overrides that define the runs, and Hydra's words for the launcher: where runs happen is not part of a study."""
    from runtime.errors import ConfigError

    hydra = [word for word in overrides if word.lstrip("+~").startswith("hydra")]
    if hydra and launcher is None:
        raise ConfigError(
            "a launcher's settings without a launcher", got=hydra[0], expected="--launcher NAME as well"
        )
    launching = [] if launcher is None else [f"hydra/launcher={launcher}", *hydra]
    return [word for word in overrides if word not in hydra], launching


def _plan(
    name: str, overrides: Sequence[str], arms: str | None, seeds: str | None
) -> tuple[str, Plan]:
    """The plan as asked for, and its text, which is kept in the study's folder."""
    from difflib import get_close_matches

    import yaml

    from rlgrok.study import read_plan
    from runtime.errors import ConfigError

    shipped = _shipped()
    path = shipped.get(name, Path(name))
    if not path.is_file():
        near = get_close_matches(name, list(shipped), n=1)
        raise ConfigError(
            "no such study",
            got=name,
            expected=", ".join(shipped) or "a YAML file",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    plan = read_plan(path.read_text(encoding="utf-8"), where=str(path))
    chosen = list(plan.arms) if arms is None else [arm.strip() for arm in arms.split(",")]
    unknown = [arm for arm in chosen if arm not in plan.arms]
    if unknown:
        near = get_close_matches(unknown[0], list(plan.arms), n=1)
        raise ConfigError(
            "the study has no such arm",
            got=unknown[0],
            expected=", ".join(plan.arms),
            where="--arms",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    try:
        numbers = list(plan.seeds) if seeds is None else [int(seed) for seed in seeds.split(",")]
    except ValueError as error:
        raise ConfigError("seeds are whole numbers", got=seeds, where="--seeds") from error
    bad = [word for word in overrides if "=" not in word]
    if bad:
        raise ConfigError("not an override", got=bad[0], expected="key=value")
    text = yaml.safe_dump(
        {
            "name": plan.name,
            "about": plan.about,
            "common": [*plan.common, *overrides],
            "arms": {arm: list(plan.arms[arm]) for arm in chosen},
            "reference": plan.reference if plan.reference in chosen else chosen[0],
            "seeds": numbers,
        },
        sort_keys=False,
    )
    return text, read_plan(text, where=str(path))


def _take(folder: Path, plan: Plan, roots: Sequence[Path], *, quiet: bool) -> None:
    """Link finished trainings of the same configuration to the places of jobs that have no run yet."""
    from cli import output
    from rlgrok.study import JobKey

    found = _find_same({arm: plan.overrides(arm) for arm in plan.arms}, plan.seeds, roots)
    for (arm, seed), path in found.items():
        link = JobKey(arm, seed).folder(folder)
        if link.exists() or link.is_symlink():
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve(), target_is_directory=True)
        if not quiet:
            output.say(f"taken: {arm} seed {seed}: {path}")


def _find_same(
    wanted: Mapping[str, Sequence[str]], seeds: Sequence[int], roots: Sequence[Path]
) -> dict[tuple[str, int], Path]:
    """For every list of overrides and seed the first finished training below `roots` of the same configuration."""
    from cli.hydra_app import TRAIN, composed
    from rlgrok.study import finished_trainings, same_training
    from runtime.errors import ConfigError
    from runtime.settings import as_plain

    absent = next((root for root in roots if not root.is_dir()), None)
    if absent is not None:
        raise ConfigError("no such folder", got=str(absent), expected="a folder with runs", where="--take")
    runs = [run for root in roots for run in finished_trainings(root)]
    found: dict[tuple[str, int], Path] = {}
    for name, overrides in wanted.items() if runs else ():
        for seed in seeds:
            config = as_plain(composed(TRAIN, [*overrides, f"seed={seed}"]))
            run = next((run for run in runs if same_training(run.config, config)), None)
            if run is not None:
                found[name, seed] = run.path
    return found


def _run_all(
    folder: Path, plan: Plan, *, jobs: int, launching: Sequence[str], retry: bool, quiet: bool
) -> None:
    """Run what is missing and resume what is broken; a failure is told at once and the rest goes on."""
    from cli import output
    from cli.processes import note, run_commands
    from rlgrok.study import State, matrix, state_of

    wanted: list[tuple[JobKey, State]] = []
    for key in matrix(plan):
        state = state_of(key.folder(folder))
        never_began = state is State.MISSING and note(folder / FAILURES, _name(key)).is_file()
        has_failed = state is State.FAILED or never_began
        if (
            state is State.BROKEN
            or (state is State.MISSING and not never_began)
            or (has_failed and retry)
        ):
            wanted.append((key, state))
    done = len(matrix(plan)) - len(wanted)
    if done and not quiet:
        output.say(f"{done} of {len(matrix(plan))} jobs are there; {len(wanted)} to run")
    if launching:
        fresh = [key for key, state in wanted if state is State.MISSING]
        _launch(folder, plan, fresh, launching, quiet=quiet)
        wanted = [(key, state) for key, state in wanted if state is not State.MISSING]
    commands = {_name(key): _command(folder, plan, key, state) for key, state in wanted}
    run_commands(commands, folder / FAILURES, jobs=jobs, quiet=quiet)


FAILURES = "failures"
"""In a study's folder: what failed jobs said."""


def _name(key: JobKey) -> str:
    return f"{key.arm} seed {key.seed}"


def _command(folder: Path, plan: Plan, key: JobKey, state: object) -> list[str]:
    """The command line of one job."""
    import shutil

    from rlgrok.study import State

    path = key.folder(folder)
    start = [sys.executable, "-m", "cli.main", "rl", "train"]
    if state is State.BROKEN:
        return [*start, "--resume", str(path), "--quiet", "--json"]
    if state is State.FAILED:
        # Kept aside, not overwritten: what failed may be looked at.
        number = 1
        while (aside := path.with_name(f"{path.name}-failed-{number}")).exists():
            number += 1
        shutil.move(path, aside)
    return [
        *start, *plan.overrides(key.arm), f"seed={key.seed}", f"name={_run_name(plan, key)}",
        "--out", str(path), "--quiet", "--json",
    ]  # fmt: skip


def _run_name(plan: Plan, key: JobKey) -> str:
    return f"{plan.name}-{key.arm}"


def _launch(
    folder: Path, plan: Plan, keys: Sequence[JobKey], launching: Sequence[str], *, quiet: bool
) -> None:
    """The seeds of each arm as one multirun under a Hydra launcher."""
    from cli import output
    from cli.processes import note
    from rlgrok.study import State, state_of
    from runtime.storage import atomic_write_bytes

    for arm in plan.arms:
        seeds = [key.seed for key in keys if key.arm == arm]
        if not seeds:
            continue
        command = [
            sys.executable, "-m", "cli.main", "rl", "train", "--multirun", *plan.overrides(arm),
            f"seed={','.join(map(str, seeds))}", f"name={plan.name}-{arm}", *launching,
            "hydra.sweep.subdir=seed-${seed}", "--out", str(folder / "runs" / arm), "--quiet", "--json",
        ]  # fmt: skip
        ended = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if ended.returncode == 130:
            raise KeyboardInterrupt
        if ended.returncode not in (0, 3):
            output.say(f"failed: {arm}: {ended.stderr.strip()}")
            for key in keys:
                if key.arm == arm and state_of(key.folder(folder)) is State.MISSING:
                    (folder / FAILURES).mkdir(parents=True, exist_ok=True)
                    atomic_write_bytes(note(folder / FAILURES, _name(key)), ended.stderr.encode())
        elif not quiet:
            output.say(f"done: {arm}, {len(seeds)} seeds")


def _gather(folder: Path, plan: Plan) -> dict[str, object]:
    """The report of what is there."""
    from cli.processes import note, why_failed
    from rlgrok.report.study import write_study_report
    from rlgrok.study import State, matrix, read_finished, state_of
    from runtime.errors import ConfigError

    if not folder.is_dir():
        raise ConfigError("the study has not been run", where=folder)
    finished = read_finished(folder, plan)
    failed: dict[JobKey, str] = {}
    open_jobs = 0
    for key in matrix(plan):
        state = state_of(key.folder(folder))
        never_began = state is State.MISSING and note(folder / FAILURES, _name(key)).is_file()
        if state is State.FAILED or never_began:
            failed[key] = why_failed(key.folder(folder), folder / FAILURES, _name(key))
        elif state is not State.DONE:
            open_jobs += 1
    return write_study_report(folder, plan, finished, failed, open_jobs)
