"""Transfer: what a policy trained on one set of problems does on others, before and after, with paired intervals.

A plan names training rows and test columns, each as overrides; columns have an axis of the benchmark (exploratory,
compositional, transformative) or are the training family itself. Each row is trained once a seed and evaluated on every
column, together with the base it started from. Plans and numbers only; processes are the command's business
(`cli/transfer.py`). Source of the axes: "RL Grokking Recipe" (arXiv 2509.21016), section on generalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rlgrok.artefacts import RESULTS
from rlgrok.study import State, read_overrides, state_of
from runtime.errors import ConfigError
from runtime.run import Run
from runtime.seeding import Stream
from runtime.storage import read_json


class Axis(StrEnum):
    """What a test column asks beyond the training problems."""

    SAME = "same"
    """Held-out problems of what was trained."""
    EXPLORATORY = "exploratory"
    """The same family, larger."""
    COMPOSITIONAL = "compositional"
    """Two trained skills in one problem."""
    TRANSFORMATIVE = "transformative"
    """A solution of another kind."""
    FAMILY = "family"
    """Another family; of the cross-family matrix."""


@dataclass(frozen=True)
class Column:
    """Problems to test on."""

    axis: Axis
    overrides: tuple[str, ...]
    rows: tuple[str, ...] | None = None
    """What it is a test of; None: of every row."""

    def belongs_to(self, row: str) -> bool:
        """Whether a row is tested on it."""
        return self.rows is None or row in self.rows


@dataclass(frozen=True)
class TransferPlan:
    """Rows, columns and seeds."""

    name: str
    about: str
    common: tuple[str, ...]
    """Overrides of every training."""
    evaluation: tuple[str, ...]
    """Overrides of every evaluation."""
    train: Mapping[str, tuple[str, ...] | None]
    """Overrides of each row; None: a row of runs that were there, and nothing is trained for it."""
    test: Mapping[str, Column]
    seeds: tuple[int, ...]

    def columns_of(self, row: str) -> dict[str, Column]:
        """What a row is tested on."""
        return {name: column for name, column in self.test.items() if column.belongs_to(row)}


def is_transfer(text: str) -> bool:
    """Whether a plan is one of a transfer, by what it has: rows to train and columns to test."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return isinstance(raw, dict) and {"train", "test"} <= set(raw)


@dataclass(frozen=True)
class Cell:
    """One row on one column: share of draws that are right, mean over seeds and problems, with 95 % intervals."""

    row: str
    column: str
    num_seeds: int
    num_problems: int
    """Of one seed; the most, where seeds differ."""
    before: float
    after: float
    after_interval: tuple[float, float]
    gain: float
    gain_interval: tuple[float, float]


def read_transfer(text: str, *, where: str) -> TransferPlan:
    """A plan from YAML.

    Raises:
        ConfigError: what is missing, unknown or of the wrong kind.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            "a transfer setting must be YAML", got=str(error).splitlines()[0], where=where
        ) from error
    kinds = {
        "name": str, "about": str, "common": list, "evaluation": list, "train": dict, "test": dict, "seeds": list,
    }  # fmt: skip
    unknown = sorted(set(raw) - set(kinds)) if isinstance(raw, dict) else ["(no mapping)"]
    if unknown:
        raise ConfigError(
            "a transfer setting has no such key", got=unknown[0], expected=", ".join(kinds), where=where
        )
    for key, kind in kinds.items():
        if not isinstance(raw.get(key), kind) or (not raw[key] and key in ("train", "test", "seeds")):
            raise ConfigError(
                f"a transfer setting needs {key}",
                got=raw.get(key, "(absent)"),
                expected=kind.__name__,
                where=f"{where}: {key}",
            )
    if any(isinstance(seed, bool) or not isinstance(seed, int) for seed in raw["seeds"]):
        raise ConfigError("seeds are whole numbers", got=raw["seeds"], where=f"{where}: seeds")
    test = {
        str(name): _column(value, f"{where}: test.{name}", list(map(str, raw["train"])))
        for name, value in raw["test"].items()
    }
    return TransferPlan(
        name=raw["name"],
        about=raw["about"],
        common=read_overrides(raw["common"], f"{where}: common"),
        evaluation=read_overrides(raw["evaluation"], f"{where}: evaluation"),
        train={
            str(name): None if value is None else read_overrides(value, f"{where}: train.{name}")
            for name, value in raw["train"].items()
        },
        test=test,
        seeds=tuple(raw["seeds"]),
    )


def _column(value: Any, where: str, rows: Sequence[str]) -> Column:  # noqa: ANN401 - what YAML gave
    if not isinstance(value, dict) or set(value) - {"rows"} != {"axis", "overrides"}:
        raise ConfigError(
            "a test column has an axis and overrides",
            got=value,
            expected="axis, overrides; and rows, where it is not for all",
            where=where,
        )
    own = value.get("rows", list(rows))
    unknown = [row for row in own if row not in rows] if isinstance(own, list) else [own]
    if unknown:
        raise ConfigError("no such row", got=unknown[0], expected=", ".join(rows), where=f"{where}.rows")
    if value["axis"] not in list(Axis):
        raise ConfigError(
            "no such axis", got=value["axis"], expected=", ".join(Axis), where=f"{where}.axis"
        )
    return Column(
        Axis(value["axis"]),
        read_overrides(value["overrides"], f"{where}.overrides"),
        tuple(own) if "rows" in value else None,
    )


def training_folder(folder: Path, row: str, seed: int) -> Path:
    """The run of a row and a seed."""
    return folder / "runs" / row / f"seed-{seed}"


def seeds_of(folder: Path, plan: TransferPlan, row: str) -> list[int]:
    """The plan's seeds, where the row is trained, and those of the runs that it was given."""
    own = () if plan.train[row] is None else plan.seeds
    given = [
        int(path.name.removeprefix("seed-"))
        for path in (folder / "runs" / row).glob("seed-*")
        if path.is_symlink()
    ]
    return [*own, *sorted(set(given) - set(own))]


def evaluation_folder(folder: Path, row: str, seed: int, column: str) -> Path:
    """The evaluation of that run on a column."""
    return folder / "evaluations" / row / f"seed-{seed}" / column


def read_cells(folder: Path, plan: TransferPlan) -> list[Cell]:
    """Every cell with at least one evaluation that is done, row by row."""
    cells = []
    for row in plan.train:
        for column in plan.columns_of(row):
            pairs = []
            for seed in seeds_of(folder, plan, row):
                path = evaluation_folder(folder, row, seed, column)
                if state_of(path) is State.DONE:
                    pairs.append(read_pair(path))
            if pairs:
                cells.append(make_cell(row, column, pairs))
    return cells


def read_pair(evaluation: Path) -> tuple[np.ndarray, np.ndarray]:
    """Share of right draws of each problem, (problems,), before and after training.

    Raises:
        ConfigError: the evaluation measured one policy only.
    """
    by_label = {record["label"]: record["problems"] for record in read_json(evaluation / RESULTS)["evaluations"]}
    if "base" not in by_label:
        raise ConfigError(
            "the evaluation has no base to compare with",
            expected="evaluation.compare_base=true",
            where=evaluation,
        )
    before, after = (
        {problem["problem_id"]: _share(problem) for problem in by_label[label]}
        for label in ("base", "policy")
    )
    names = sorted(before)
    return np.array([before[name] for name in names]), np.array([after[name] for name in names])


def _share(problem: Mapping[str, Any]) -> float:
    """Of the draws, under the stricter verdict there is."""
    right = problem["num_passes"] if problem["num_exhaustive"] is None else problem["num_exhaustive"]
    return right / problem["num_draws"]


PLAN_FILE = "transfer.yaml"
"""In a transfer's folder: the plan that its runs are of."""


def plan_text(plan: TransferPlan) -> str:
    """The plan as YAML, as `read_transfer` reads it."""
    columns = {
        name: {
            "axis": column.axis.value,
            "overrides": list(column.overrides),
            **({} if column.rows is None else {"rows": list(column.rows)}),
        }
        for name, column in plan.test.items()
    }
    return yaml.safe_dump(
        {
            "name": plan.name,
            "about": plan.about,
            "common": list(plan.common),
            "evaluation": list(plan.evaluation),
            "train": {
                name: None if overrides is None else list(overrides)
                for name, overrides in plan.train.items()
            },
            "test": columns,
            "seeds": list(plan.seeds),
        },
        sort_keys=False,
    )


def require_same_transfer(folder: Path, plan: TransferPlan) -> None:
    """Refuse to go on with a transfer under another plan; more seeds, rows or columns are the same plan.

    Raises:
        ConfigError: names the first thing that differs.
    """
    kept = folder / PLAN_FILE
    if not kept.is_file():
        return
    old = read_transfer(kept.read_text(encoding="utf-8"), where=str(kept))
    pairs: list[tuple[str, Any, Any]] = [
        ("common overrides", old.common, plan.common),
        ("overrides of the evaluations", old.evaluation, plan.evaluation),
    ]
    pairs += [
        (f"row {row}", known, plan.train.get(row, known))
        for row, known in old.train.items()
        if known is not None
    ]
    pairs += [
        (f"column {name}", known.overrides, plan.test.get(name, known).overrides)
        for name, known in old.test.items()
    ]
    for what, known, wanted in pairs:
        if known != wanted:
            raise ConfigError(
                f"the transfer has another {what}",
                got=" ".join(wanted or ("(runs that are taken)",)),
                expected=" ".join(known),
                where=kept,
                hint="another folder: --out",
            )


def take_run(folder: Path, row: str, run: Path) -> int:
    """Let a run that is there be a row's run of its own seed, by a link; returns the seed.

    Raises:
        ConfigError: no finished training, or another run stands for the seed already.
    """
    where = f"--take {row}"
    if state_of(run) is not State.DONE or (found := Run.open(run)).manifest["command"] != "rl train":
        raise ConfigError("not a training that is done", got=run, where=where)
    seed = int(found.config["seed"])
    link = training_folder(folder, row, seed)
    if link.is_symlink() and link.resolve() == run.resolve():
        return seed
    if link.exists() or link.is_symlink():
        raise ConfigError(
            "the row has a run of this seed", got=run, expected=str(link.resolve()), where=where
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(run.resolve(), target_is_directory=True)
    return seed


RESAMPLES = 4000


def make_cell(
    row: str,
    column: str,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Cell:
    """Means and percentile bootstrap intervals; before and after are resampled together.

    Seeds are resampled, then problems within each, so that both are counted as drawn from more of their kind. With one
    seed the interval speaks of its problems alone.

    Args:
        row: trained on.
        column: tested on.
        pairs: a seed each: shares before and after, (problems,).
        level: of the intervals.
        resamples: of the bootstrap.
    """
    rng = np.random.default_rng(Stream(0, "transfer", row, column).seed)
    # (resamples, seeds): which seed stands there, then the means over its problems, drawn anew for every place.
    places = rng.integers(0, len(pairs), (resamples, len(pairs)))
    means = np.empty((2, *places.shape))
    for seed, (old, new) in enumerate(pairs):
        is_here = places == seed
        picks = rng.integers(0, len(old), (int(is_here.sum()), len(old)))
        means[0, is_here] = new[picks].mean(1)
        means[1, is_here] = (new - old)[picks].mean(1)
    after, gain = means.mean(2)
    tails = [(1 - level) / 2, (1 + level) / 2]
    return Cell(
        row=row,
        column=column,
        num_seeds=len(pairs),
        num_problems=max(len(old) for old, _ in pairs),
        before=float(np.mean([old.mean() for old, _ in pairs])),
        after=float(np.mean([new.mean() for _, new in pairs])),
        after_interval=tuple(map(float, np.quantile(after, tails))),  # type: ignore[arg-type]
        gain=float(np.mean([new.mean() - old.mean() for old, new in pairs])),
        gain_interval=tuple(map(float, np.quantile(gain, tails))),  # type: ignore[arg-type]
    )
