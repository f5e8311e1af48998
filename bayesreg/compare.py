"""Methods against each other on the same held-out rows: folds, fits, scores, paired differences.

Every method sees the same folds. Scores are in units of each target's standard deviation in the training rows. The
standard errors of differences are over folds, which share training rows: as with any cross-validation they are an
indication, and somewhat too small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayesreg.baselines import SAMPLED_METHODS, fit_baseline
from bayesreg.compare_config import Split
from bayesreg.linear import Folds, random_folds
from bayesreg.sampled import Effort
from bayesreg.scoring import LEVEL, Scores, mean_and_error, paired_difference, score
from runtime.errors import ConfigError, InputError
from runtime.plotting import BLUE, RED, SOFT, drawing

MIN_TRAINING_ROWS = 10


SCORES = ("ptve", "log_density", "coverage", "crps", "seconds")
"""What is reported of a method, by fold."""


@dataclass(frozen=True)
class Comparison:
    """Scores of every method on every fold."""

    methods: tuple[str, ...]
    """The first is what the others are compared with."""
    values: Mapping[str, Mapping[str, np.ndarray]]
    """Method, then score, then (folds,); seconds are of the processor, for fitting and predicting."""
    num_rows: int
    num_covariates: int
    num_targets: int

    def table(self) -> list[dict[str, float | str | None]]:
        """A row a method: mean and standard error of each score, and of the first method minus this one."""
        rows: list[dict[str, float | str | None]] = []
        for method in self.methods:
            row: dict[str, float | str | None] = {"method": method}
            for name in SCORES:
                values = self.values[method][name]
                row[name], row[f"{name}_se"] = _plain(mean_and_error(values))
                if name != "seconds":
                    apart = paired_difference(self.values[self.methods[0]][name], values)
                    row[f"{name}_advantage"], row[f"{name}_advantage_se"] = _plain(apart)
            rows.append(row)
        return rows


def _plain(pair: tuple[float, float]) -> tuple[float | None, float | None]:
    mean, error = (value if np.isfinite(value) else None for value in pair)
    return mean, error


def make_folds(num_rows: int, count: int, split: Split, seed: int) -> Folds:
    """Training and test rows of every fold.

    Raises:
        InputError: too few rows.
    """
    if split is Split.RANDOM:
        folds = random_folds(num_rows, count, seed)
    else:
        blocks = np.array_split(np.arange(num_rows), count + 1)
        folds = [(np.concatenate(blocks[: i + 1]), blocks[i + 1]) for i in range(count)]
    fewest = min(len(train) for train, _ in folds)
    if fewest < MIN_TRAINING_ROWS or min(len(test) for _, test in folds) < 2:
        raise InputError(
            "too few rows for the folds",
            got=f"{num_rows} rows in {count} folds",
            expected=f"{MIN_TRAINING_ROWS} training rows and 2 held-out rows in each",
            hint="fewer folds: cv=2",
        )
    return folds


def compare(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray | None = None,
    *,
    methods: Sequence[str],
    folds: Folds,
    seed: int,
    effort: Effort | None = None,
    rank: int | None = None,
    on_done: Callable[[str, int, Scores], None] | None = None,
) -> Comparison:
    """Fit every method on every fold and score its predictions.

    Columns of X and Z that do not vary in a fold's training rows are left out of that fold; a target that does not
    vary there is not scored in it.

    Args:
        x: (N, P), finite.
        y: (N, K), NaN where missing.
        z: (N, C) or None.
        methods: names of `baselines.METHODS`; the first is the reference.
        folds: from `make_folds`.
        seed: of chains and of inner folds, the same for every method and fold.
        effort: of the sampled methods.
        rank: of the sampled methods; None: the default.
        on_done: told of each method on each fold.

    Raises:
        ConfigError: no such method, or one twice.
        InputError: tables that cannot be used.
    """
    if len(set(methods)) < len(methods) or not methods:
        raise ConfigError("methods are named once", got=", ".join(methods), where="methods")
    values: dict[str, dict[str, list[float]]] = {m: {s: [] for s in SCORES} for m in methods}
    for number, (train, test) in enumerate(folds):
        targets = _varying(y[train])
        x_kept = _varying(x[train])
        z_kept = np.zeros(0, bool) if z is None else _varying(z[train])
        rows = ~np.isnan(y[train][:, targets]).all(axis=1)
        given = y[train][rows][:, targets]
        held_out = y[test][:, targets]
        tables = [part[:, x_kept] for part in (x[train][rows], x[test])]
        others = (
            [part[:, z_kept] for part in (z[train][rows], z[test])] if z_kept.any() else [None] * 2
        )
        scale = np.nanstd(given, axis=0, ddof=1)
        for method in methods:
            start = time.process_time()
            fit = fit_baseline(
                method, tables[0], given, seed, z=others[0], effort=effort, rank=rank
            )
            mean = fit.mean(tables[1], others[1])
            seconds = time.process_time() - start
            found = score(held_out, mean, fit.mixture(tables[1], others[1]), scale=scale)
            for name in SCORES:
                values[method][name].append(seconds if name == "seconds" else getattr(found, name))
            if on_done is not None:
                on_done(method, number, found)
    arrays = {m: {s: np.array(v, float) for s, v in by.items()} for m, by in values.items()}
    return Comparison(tuple(methods), arrays, x.shape[0], x.shape[1], y.shape[1])


def _varying(table: np.ndarray) -> np.ndarray:
    """Columns with two different values."""
    low, high = (np.where(np.isnan(table), fill, table) for fill in (np.inf, -np.inf))
    return low.min(axis=0) < high.max(axis=0)


def comparison_figure(
    rows: Sequence[Mapping[str, float | str | None]], *, title: str, note: str = ""
) -> bytes:
    """Variance explained, log density and coverage of every method with standard errors, as PNG bytes.

    Dots are sampled methods, squares the others.

    Args:
        rows: of `Comparison.table`.
        title: first line.
        note: below it.
    """
    labels = (
        ("ptve", "variance explained"),
        ("log_density", "log density per cell, nats"),
        ("coverage", "coverage of 90 % intervals"),
    )
    at = np.arange(len(rows))[::-1]
    with drawing(1.7 + 0.32 * len(rows), title=title, note=note) as (figure, output):
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, label) in zip(panels, labels, strict=True):
            for place, row in zip(at, rows, strict=True):
                sampled = row["method"] in SAMPLED_METHODS
                if row[name] is not None:
                    axes.errorbar(
                        row[name], place, xerr=row[f"{name}_se"] or 0.0, capsize=2, markersize=5,
                        fmt="o" if sampled else "s", color=BLUE if sampled else RED,
                    )  # fmt: skip
            axes.set_xlabel(label)
            axes.locator_params(axis="x", nbins=4)  # a third of a figure holds four numbers
            axes.grid(visible=False, axis="y")
        panels[0].axvline(0.0, color=SOFT, linewidth=0.8)
        panels[2].axvline(LEVEL, color=SOFT, linewidth=0.8)
        panels[0].set_yticks(at, [str(row["method"]).replace("_", " ") for row in rows])
    return output.getvalue()
