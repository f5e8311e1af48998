"""The report of a transfer setting: one heatmap and one table an axis, before and after, with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlgrok import figures
from rlgrok.transfer import Axis, Cell, TransferPlan, read_cells
from runtime.report import Report
from runtime.storage import atomic_write_bytes, atomic_write_json

QUESTIONS = {
    Axis.SAME: "Held-out problems of what was trained.",
    Axis.EXPLORATORY: "The same family, larger: does the skill stretch?",
    Axis.COMPOSITIONAL: "Two trained skills in one problem: do they combine?",
    Axis.TRANSFORMATIVE: "A solution of another kind: is it found?",
    Axis.FAMILY: "Other families.",
}


def write_transfer_report(
    folder: Path, plan: TransferPlan, failed: Mapping[str, str], open_jobs: int
) -> dict[str, Any]:
    """Write `results.json`, `table.md`, figures and `report.html`.

    Args:
        folder: of the transfer.
        plan: rows and columns.
        failed: jobs that failed, and why.
        open_jobs: how many have not run yet.

    Returns:
        `cells`, `failed`, `open` and `report`, the page.
    """
    cells = read_cells(folder, plan)
    page = Report(
        f"Transfer: {plan.name}",
        f"{plan.about} Seeds {', '.join(map(str, plan.seeds))}; {len(failed)} jobs failed, {open_jobs} to come.",
    )
    drawn = folder / "figures"
    drawn.mkdir(parents=True, exist_ok=True)
    for axis, question in QUESTIONS.items():
        columns = [name for name, column in plan.test.items() if column.axis is axis]
        own = [cell for cell in cells if cell.column in columns]
        if not own:
            continue
        page.section(axis.value.capitalize(), question)
        asked = {(row, name) for row in plan.train for name in plan.columns_of(row)}
        png = figures.transfer_map(
            own, list(plan.train), columns, title=f"{plan.name}: {axis.value}", asked=asked
        )
        atomic_write_bytes(drawn / f"{axis.value}.png", png)
        page.figure(
            png,
            "Share of draws that are right on every short input, after training; below it the gain over the base with "
            "its paired 95 % interval. Bold: the interval is above 0. A dash: the setting does not ask.",
        )
        page.table(HEADER, [_row(cell) for cell in own])
    if failed:
        page.section("What failed", "Run again with --retry.")
        page.table(["job", "why"], [list(pair) for pair in failed.items()])
    path = page.write(folder / "report.html")
    result = {"name": plan.name, "cells": [asdict(cell) for cell in cells], "failed": len(failed), "open": open_jobs}
    atomic_write_json(folder / "results.json", result)
    atomic_write_bytes(folder / "table.md", markdown(cells, plan).encode())
    return {**result, "report": str(path)}


HEADER = ["trained on", "tested on", "seeds", "problems", "before", "after", "gain"]


def _row(cell: Cell) -> list[Any]:
    return [
        cell.row,
        cell.column,
        cell.num_seeds,
        cell.num_problems,
        f"{cell.before:.3f}",
        "{:.3f} [{:.3f}, {:.3f}]".format(cell.after, *cell.after_interval),
        "{:+.3f} [{:+.3f}, {:+.3f}]".format(cell.gain, *cell.gain_interval),
    ]


def markdown(cells: Sequence[Cell], plan: TransferPlan) -> str:
    """The table for a README, its axis in a column."""
    lines = ["| axis | " + " | ".join(HEADER) + " |", "|" + " --- |" * (len(HEADER) + 1)]
    for cell in cells:
        axis = plan.test[cell.column].axis.value
        lines.append(f"| {axis} | " + " | ".join(map(str, _row(cell))) + " |")
    return "\n".join(lines) + "\n"
