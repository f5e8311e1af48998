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


@dataclass(frozen=True)
class TransferPlan:
    """Rows, columns and seeds."""

    name: str
    about: str
    common: tuple[str, ...]
    """Overrides of every training."""
    evaluation: tuple[str, ...]
    """Overrides of every evaluation."""
    train: Mapping[str, tuple[str, ...]]
    test: Mapping[str, Column]
    seeds: tuple[int, ...]


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
    return TransferPlan(
        name=raw["name"],
        about=raw["about"],
        common=read_overrides(raw["common"], f"{where}: common"),
        evaluation=read_overrides(raw["evaluation"], f"{where}: evaluation"),
        train={
            str(name): read_overrides(value, f"{where}: train.{name}")
            for name, value in raw["train"].items()
        },
        test={str(name): _column(value, f"{where}: test.{name}") for name, value in raw["test"].items()},
        seeds=tuple(raw["seeds"]),
    )


def _column(value: Any, where: str) -> Column:  # noqa: ANN401 - what YAML gave
    if not isinstance(value, dict) or set(value) != {"axis", "overrides"}:
        raise ConfigError(
            "a test column has an axis and overrides", got=value, expected="axis, overrides", where=where
        )
    if value["axis"] not in list(Axis):
        raise ConfigError(
            "no such axis", got=value["axis"], expected=", ".join(Axis), where=f"{where}.axis"
        )
    return Column(Axis(value["axis"]), read_overrides(value["overrides"], f"{where}.overrides"))


def training_folder(folder: Path, row: str, seed: int) -> Path:
    """The run of a row and a seed."""
    return folder / "runs" / row / f"seed-{seed}"


def evaluation_folder(folder: Path, row: str, seed: int, column: str) -> Path:
    """The evaluation of that run on a column."""
    return folder / "evaluations" / row / f"seed-{seed}" / column


def read_cells(folder: Path, plan: TransferPlan) -> list[Cell]:
    """Every cell with at least one evaluation that is done, row by row."""
    cells = []
    for row in plan.train:
        for column in plan.test:
            pairs = []
            for seed in plan.seeds:
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
    after = np.empty(resamples)
    gain = np.empty(resamples)
    for index in range(resamples):
        means = []
        for seed in rng.integers(0, len(pairs), len(pairs)):
            old, new = pairs[seed]
            picks = rng.integers(0, len(old), len(old))
            means.append((new[picks].mean(), (new[picks] - old[picks]).mean()))
        after[index], gain[index] = np.mean(means, axis=0)
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
