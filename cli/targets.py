"""What `toolkit rl eval` evaluates: a run, a model folder, or a hub id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cli.hydra_app import Line
from cli.resume import as_override, flatten
from runtime.errors import CheckpointError, InputError
from runtime.run import Run, find_run, list_runs
from runtime.run.catalog import LATEST

TRAIN = "rl train"
ORACLE = "oracle"
"""In the place of a policy: the problems' own solutions."""


def split_target(line: Line) -> tuple[str | None, Line]:
    """Take the first word that is no override off the line."""
    for word in line.overrides:
        if "=" not in word and not word.startswith("~"):
            return word, replace(
                line, overrides=[other for other in line.overrides if other is not word]
            )
    return None, line


def preset_for(target: str | None, line: Line, root: Path) -> list[str]:
    """Overrides that make the config that of the target; those on the line come after and win.

    A run brings its seed (the held-out problems are drawn from it) and its `data` and `policy`, unless the line
    chooses another option of the group.

    Raises:
        InputError: there is no target and the line chooses no policy, or it is nothing that can be evaluated.
    """
    chosen = {override.lstrip("+").partition("=")[0] for override in line.overrides}
    if target is None and chosen & {"policy.source", "policy", "scope"}:
        return []
    if target is None:
        raise InputError(
            "nothing to evaluate", expected="a run, a model folder or a hub id, then overrides"
        )
    run = None if target == ORACLE else _as_run(target, root)
    if run is None:
        return [as_override("policy.source", target)]
    config = run.config
    inherited = {
        group: config[group]
        for group in ("data", "policy")
        if group in config and group not in chosen
    }
    values = {"name": config["name"], "seed": config["seed"], **flatten(inherited)}
    return [
        as_override(key, value) for key, value in {**values, "policy.source": str(run.path)}.items()
    ]


def find_training(root: Path, text: str) -> Path:
    """The training run that is meant; see `find_resumable`."""
    return find_resumable(root, text, TRAIN)


def find_resumable(root: Path, text: str, command: str) -> Path:
    """The run of a command that is meant; `latest` passes over those of other commands.

    Raises:
        InputError: there is none, or several.
        CheckpointError: it is a run of another command, or unreadable.
    """
    what = {TRAIN: "training run"}.get(command, f"run of `toolkit {command}`")
    if text != LATEST:
        path = find_run(root, text)
        found = Run.open(path).manifest["command"]
        if found != command:
            raise CheckpointError(
                f"not a {what}",
                got=f"a run of `toolkit {found}`",
                expected=f"a run of `toolkit {command}`",
                where=path,
            )
        return path
    matching = [info.path for info in list_runs(root) if info.command == command]
    if not matching:
        raise InputError(f"there are no {what}s", got=text, where=root)
    return matching[-1]


def _as_run(target: str, root: Path) -> Run | None:
    """The run that is meant; None when the target is a policy.

    Raises:
        InputError: neither.
        CheckpointError: a run without a policy.
    """
    folder = Path(target).expanduser()
    if (folder / "manifest.json").is_file():
        return Run.open(folder)
    if (folder / "config.json").is_file():
        return None
    try:
        return Run.open(find_training(root, target))
    except CheckpointError:  # a run, but not one that can be evaluated
        raise
    except InputError as error:
        if (
            "/" in target
            and len(Path(target).parts) == 2
            and not folder.exists()
            and "more than one" not in error.what
        ):
            return None  # the shape of a hub id; loading it says whether there is one
        raise InputError(
            error.what,
            got=target,
            expected="a run, a model folder or a hub id",
            where=root,
            hint=error.hint,
        ) from error
