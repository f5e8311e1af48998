"""The report of a study: one row an arm with intervals, survival curves, every seed's curve, what failed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlgrok import figures
from rlgrok.curves import heldout_name
from rlgrok.study import HOLD, LEVEL, Finished, JobKey, Plan, by_arm
from rlgrok.survival import Times, first_reach, logrank_p, median_time
from runtime.report import Report
from runtime.seeding import Stream
from runtime.storage import atomic_write_bytes, atomic_write_json

RESAMPLES = 4000


def times_of(runs: Sequence[Finished]) -> Times:
    """When each seed's held-out accuracy, under the stricter verdict there is, came to `LEVEL` and stayed."""
    steps = [learned_at(run) for run in runs]
    reached = [step for step in steps if step is not None]
    censored = [
        float(run.curves.last_step)
        for run, step in zip(runs, steps, strict=True)
        if step is None
    ]
    return Times(tuple(sorted(reached)), tuple(sorted(censored)))


def learned_at(run: Finished) -> float | None:
    """The step at which a run's held-out accuracy came to `LEVEL` and stayed; None if it never did."""
    series = run.curves.get(heldout_name(run.curves))
    return first_reach(series.steps.tolist(), series.values.tolist(), LEVEL, hold=HOLD)


def run_records(finished: Sequence[Finished]) -> list[dict[str, Any]]:
    """One record a run: what the rows of the arms are made of, for whoever adds runs of elsewhere."""
    return [
        {
            "arm": run.key.arm,
            "seed": run.key.seed,
            "steps": run.summary.get("steps"),
            "stopped": run.summary.get("stopped"),
            "learned_at": learned_at(run),
            "test": run.summary.get("heldout_full_pass"),
            "exhaustive": run.summary.get("heldout_exhaustive"),
            "folder": str(run.key.folder(Path())),
        }
        for run in finished
    ]


def rows_of(plan: Plan, finished: Sequence[Finished]) -> list[dict[str, Any]]:
    """One record an arm: counts, times, final accuracies with bootstrap intervals over seeds, the log-rank test."""
    groups = by_arm(finished)
    reference = times_of(groups.get(plan.reference, []))
    rows = []
    for arm, runs in groups.items():
        times = times_of(runs)
        is_compared = arm != plan.reference and reference.total > 0
        rows.append(
            {
                "arm": arm,
                "seeds": len(runs),
                "reached": len(times.reached),
                "median_step": median_time(times),
                "logrank_p": logrank_p(times, reference) if is_compared else None,
                "test": _mean_interval(runs, "heldout_full_pass"),
                "exhaustive": _mean_interval(runs, "heldout_exhaustive"),
                "false_pass_share": _false_passes(runs),
                "base_successes": sum(_base(run)["successes"] for run in runs),
                "base_upper95": max(_base(run)["upper95"] for run in runs),
                "cpu_s": statistics.median(run.summary["cpu_s"] for run in runs),
            }
        )
    return rows


def _base(run: Finished) -> Mapping[str, Any]:
    return run.summary.get("base_pass_at_k") or {"successes": 0, "upper95": 1.0}


def _mean_interval(runs: Sequence[Finished], key: str) -> list[float] | None:
    """Mean over seeds with a 95 % percentile bootstrap; None where a run has no such number."""
    values = [run.summary.get(key) for run in runs]
    if any(value is None for value in values):
        return None
    array = np.array(values, float)
    rng = np.random.default_rng(Stream(0, "study", key).seed)
    picks = rng.integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.quantile(array[picks].mean(1), [0.025, 0.975])
    return [float(array.mean()), float(low), float(high)]


def _false_passes(runs: Sequence[Finished]) -> float | None:
    """Share of the passing greedy completions, over all seeds, that the exhaustive verdict refuses."""
    passes = right = 0.0
    for run in runs:
        if run.summary.get("heldout_exhaustive") is None:
            return None
        count = run.summary["num_heldout"]
        passes += run.summary["heldout_full_pass"] * count
        right += run.summary["heldout_exhaustive"] * count
    return 1.0 - right / passes if passes else None


def write_study_report(
    study: Path, plan: Plan, finished: Sequence[Finished], failed: Mapping[JobKey, str], open_jobs: int
) -> dict[str, Any]:
    """Write `results.json`, `table.md`, figures and `report.html` of a study.

    Args:
        study: its folder.
        plan: the matrix.
        finished: runs that are done.
        failed: why the others ended.
        open_jobs: how many have not run yet.

    Returns:
        `arms`: the rows; `runs`: one record a run; `done`, `failed`, `open`: numbers of jobs; `failures`: arm, seed and
        why of each that failed; `report`: the page.
    """
    rows = rows_of(plan, finished)
    page = Report(
        f"Study: {plan.name}",
        f"{plan.about} {len(finished)} runs, {len(failed)} failed, {open_jobs} still to come.",
    )
    if rows:
        page.section(
            "Arms",
            f"Learned: held-out accuracy of {LEVEL:g} under the exhaustive verdict, {HOLD} evaluations in a row. "
            "Medians and p-values take the seeds that never learned as censored. Brackets: 95 % bootstrap over seeds.",
        )
        page.table(HEADER, [_cells(row, plan) for row in rows], _table_words(plan))
        _add_figures(page, study, plan, finished)
    if failed:
        page.section("What failed", "Run again with --retry.")
        page.table(
            ["arm", "seed", "why"], [[key.arm, key.seed, text] for key, text in failed.items()]
        )
    page.section("Runs")
    records = run_records(finished)
    page.table(
        ["arm", "seed", "steps", "stopped", "learned at step", "test", "exhaustive", "folder"],
        [list(record.values()) for record in records],
    )
    page.section("Arms as overrides")
    page.code("\n".join(f"{arm}: {' '.join(plan.overrides(arm))}" for arm in plan.arms))
    path = page.write(study / "report.html")
    result = {
        "name": plan.name,
        "arms": rows,
        "runs": records,
        "done": len(finished),
        "failed": len(failed),
        "failures": [{"arm": key.arm, "seed": key.seed, "why": why} for key, why in failed.items()],
        "open": open_jobs,
    }
    atomic_write_json(study / "results.json", result)
    atomic_write_bytes(study / "table.md", markdown(rows, plan).encode())
    return {**result, "report": str(path)}


HEADER = [
    "arm", "seeds", "learned", "median step", "log-rank p", "test", "exhaustive", "false passes", "CPU s",
]  # fmt: skip


def _table_words(plan: Plan) -> str:
    return f"p: log-rank against {plan.reference}, two-sided, not corrected for the number of arms."


def _cells(row: Mapping[str, Any], plan: Plan) -> list[Any]:
    p = row["logrank_p"]
    return [
        row["arm"],
        row["seeds"],
        f"{row['reached']} of {row['seeds']}",
        row["median_step"],
        "reference" if row["arm"] == plan.reference else "-" if p is None else f"{p:.3f}",
        _words(row["test"]),
        _words(row["exhaustive"]),
        "-" if row["false_pass_share"] is None else f"{row['false_pass_share']:.0%}",
        round(row["cpu_s"]),
    ]


def _words(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else "{:.2f} [{:.2f}, {:.2f}]".format(*interval)


def markdown(rows: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """The table for a README."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    for row in rows:
        cells = ["none" if cell is None else str(cell) for cell in _cells(row, plan)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _add_figures(page: Report, study: Path, plan: Plan, finished: Sequence[Finished]) -> None:
    groups = by_arm(finished)
    folder = study / "figures"
    folder.mkdir(exist_ok=True)
    drawn = {
        "survival": (
            figures.survival_curves(
                {arm: times_of(runs) for arm, runs in groups.items()},
                title=f"{plan.name}: how soon seeds learn",
                level=LEVEL,
            ),
            "Share of seeds that have learned by a step, with pointwise 95 % intervals.",
        ),
        "curves": (
            figures.arm_curves(
                {arm: [_curve(run) for run in runs] for arm, runs in groups.items()},
                title=f"{plan.name}: held-out accuracy of every seed",
            ),
            "Thin: a seed, under the exhaustive verdict. Thick: their mean. A run that stopped stays where it was.",
        ),
    }
    for name, (png, caption) in drawn.items():
        atomic_write_bytes(folder / f"{name}.png", png)
        page.figure(png, caption)


def _curve(run: Finished) -> tuple[list[float], list[float]]:
    series = run.curves.get(heldout_name(run.curves))
    return series.steps.tolist(), series.values.tolist()
