"""A study: a named matrix of training runs, arms times seeds, that is run, resumed and gathered.

The plan is a YAML file (`conf/study/`): arms as overrides of `toolkit rl train`, the seeds, and the arm that the others
are compared with. Each job is one run folder, `runs/<arm>/seed-<n>` below the study's; the folders are the ledger:
what is done stays, what was interrupted or killed is resumed, what failed is listed and run again only when asked for.
This file plans and reads; starting processes is the command's business (`cli/study.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from rlgrok.curves import Curves
from runtime.errors import CheckpointError, ConfigError
from runtime.run import Run
from runtime.run.differences import config_differences
from runtime.settings import MANDATORY

LEVEL = 0.9
"""Held-out accuracy from which on a seed counts as having learned."""
HOLD = 2
"""Evaluations in a row at that level."""


class State(StrEnum):
    """What became of a job so far."""

    MISSING = "missing"
    DONE = "done"
    BROKEN = "broken"
    """Interrupted or killed: resumed."""
    FAILED = "failed"
    RUNNING = "running"


@dataclass(frozen=True)
class Plan:
    """The matrix."""

    name: str
    about: str
    """What the study asks, one sentence."""
    common: tuple[str, ...]
    """Overrides of every arm."""
    arms: Mapping[str, tuple[str, ...]]
    """Overrides of each arm beyond the common ones."""
    reference: str
    """The arm that the others are compared with."""
    seeds: tuple[int, ...]

    def overrides(self, arm: str) -> list[str]:
        """All overrides of an arm, the arm's own last."""
        return [*self.common, *self.arms[arm]]


@dataclass(frozen=True)
class JobKey:
    """One run of the matrix."""

    arm: str
    seed: int

    def folder(self, study: Path) -> Path:
        """Its run folder."""
        return study / "runs" / self.arm / f"seed-{self.seed}"


@dataclass(frozen=True)
class Finished:
    """What a study reads of a run that is done."""

    key: JobKey
    summary: Mapping[str, Any]
    curves: Curves


def read_plan(text: str, *, where: str) -> Plan:
    """A plan from YAML.

    Raises:
        ConfigError: what is missing, unknown or of the wrong kind.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("a study must be YAML", got=str(error).splitlines()[0], where=where) from error
    fields = {"name": str, "about": str, "common": list, "arms": dict, "reference": str, "seeds": list}
    if not isinstance(raw, dict):
        raise ConfigError("a study is a mapping", got=type(raw).__name__, where=where)
    unknown = sorted(set(raw) - set(fields))
    if unknown:
        raise ConfigError(
            "a study has no such key", got=unknown[0], expected=", ".join(fields), where=where
        )
    for key, kind in fields.items():
        if not isinstance(raw.get(key), kind):
            raise ConfigError(
                f"a study needs {key}",
                got=raw.get(key, MANDATORY),
                expected=kind.__name__,
                where=f"{where}: {key}",
            )
    arms = {str(name): read_overrides(value, f"{where}: arms.{name}") for name, value in raw["arms"].items()}
    if raw["reference"] not in arms:
        raise ConfigError(
            "the arm to compare with is none of the study's",
            got=raw["reference"],
            expected=", ".join(arms),
            where=f"{where}: reference",
        )
    seeds = raw["seeds"]
    if not seeds or any(isinstance(seed, bool) or not isinstance(seed, int) for seed in seeds):
        raise ConfigError("seeds are whole numbers", got=seeds, where=f"{where}: seeds")
    return Plan(
        name=raw["name"],
        about=raw["about"],
        common=read_overrides(raw["common"], f"{where}: common"),
        arms=arms,
        reference=raw["reference"],
        seeds=tuple(seeds),
    )


def read_overrides(value: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401 - what YAML gave
    """A list of overrides.

    Raises:
        ConfigError: anything else.
    """
    if not isinstance(value, list) or not all(isinstance(item, str) and "=" in item for item in value):
        raise ConfigError(
            "overrides are a list of key=value", got=value, expected='["schedule=dense"]', where=where
        )
    return tuple(value)


def matrix(plan: Plan) -> list[JobKey]:
    """Every job, seed by seed: a study that is broken off has whole seeds to compare."""
    return [JobKey(arm, seed) for seed in plan.seeds for arm in plan.arms]


def state_of(folder: Path) -> State:
    """What became of a job, read off its run folder."""
    if not (folder / "manifest.json").is_file():
        return State.MISSING
    try:
        status = Run.open(folder).status
    except CheckpointError:
        return State.FAILED
    return {
        "done": State.DONE,
        "running": State.RUNNING,
        "interrupted": State.BROKEN,
        "killed": State.BROKEN,
    }.get(status, State.FAILED)


def same_training(run: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two plain configs train the same: names and trackers do not matter.

    Args:
        run: of a run that is there.
        wanted: of a job.
    """
    differences = (dotted for dotted, _, _ in config_differences(run, wanted))
    return all(dotted.partition(".")[0] in {"name", "tracking"} for dotted in differences)


def finished_trainings(folder: Path) -> list[Run]:
    """Every training below a folder that is done, in the order of their paths; those that a study has linked, too."""
    paths = {manifest.parent for manifest in folder.rglob("manifest.json")}
    paths |= set(folder.rglob("seed-*"))  # which finds links and does not look into them
    runs = [Run.open(path) for path in sorted(paths) if state_of(path) is State.DONE]
    return [run for run in runs if run.manifest["command"] == "rl train"]


def require_same_plan(study: Path, text: str) -> None:
    """Refuse to go on with a study under another plan; a longer list of seeds or further arms is the same plan.

    Raises:
        ConfigError: names the first thing that differs.
    """
    kept = study / "study.yaml"
    if not kept.is_file():
        return
    old = read_plan(kept.read_text(encoding="utf-8"), where=str(kept))
    new = read_plan(text, where="the study")
    if old.common != new.common:
        raise ConfigError(
            "the study has other common overrides",
            got=" ".join(new.common),
            expected=" ".join(old.common),
            where=kept,
            hint="another folder: --out",
        )
    for arm, overrides in old.arms.items():
        if new.arms.get(arm) != overrides:
            raise ConfigError(
                f"the arm {arm} has changed",
                got=" ".join(new.arms.get(arm, ("(absent)",))),
                expected=" ".join(overrides),
                where=kept,
                hint="another folder: --out",
            )


def read_finished(study: Path, plan: Plan) -> list[Finished]:
    """Every run of the matrix that is done, in its order."""
    from rlgrok.curves import read_curves
    from runtime.storage import read_jsonl

    found = []
    for key in matrix(plan):
        folder = key.folder(study)
        if state_of(folder) is not State.DONE:
            continue
        run = Run.open(folder)
        events = read_jsonl(run.events_path)
        found.append(
            Finished(key, run.summary() or {}, read_curves(read_jsonl(run.metrics_path), events))
        )
    return found


def by_arm(finished: Sequence[Finished]) -> dict[str, list[Finished]]:
    """Runs of each arm."""
    groups: dict[str, list[Finished]] = {}
    for one in finished:
        groups.setdefault(one.key.arm, []).append(one)
    return groups
