"""`report.html` of a training or evaluation run, and its figures, made from the run folder's files alone.

Works at any moment of a run: what is not there yet is left out or said to be missing. Nothing is sampled or trained,
and no model library is imported; only the oracle's program is rebuilt, from the config. Figures are written to
`figures/` as well, for a README or a paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlgrok.artefacts import Artefacts, read_artefacts
from rlgrok.report.headline import add_headline, transition_of
from rlgrok.report.learnability import add_learnability
from rlgrok.report.programs import add_programs
from rlgrok.report.sections import (
    add_curve,
    add_policies,
    add_problems,
    add_signal,
    add_training_problems,
    add_verdicts,
)
from rlgrok.report.wording import data_words, event_words, pairs
from runtime.report import Report

SHOWN_NOTES = 40
"""Rows in the table of notes; the rest stays in events.jsonl."""
NOTE_KINDS = ("warning", "error", "resumed", "base_refused", "early_stop")


def build_report(path: Path) -> Path:
    """Write `report.html` and `figures/*.png` of a run.

    Args:
        path: the run folder, of any status.

    Returns:
        The report's path.

    Raises:
        CheckpointError: not a run folder.
        InputError: a file of the run is damaged.
        StorageError: the disk refused.
    """
    run = read_artefacts(path)
    is_training = run.manifest["command"] == "rl train"
    transition = transition_of(run) if is_training else None
    report = Report(_title(run), _subtitle(run))
    add_headline(report, run, transition)
    if is_training:
        add_curve(report, run, transition)
    add_learnability(report, run)
    if run.evaluations:
        add_policies(report, run)
        add_verdicts(report, run)
    if is_training:
        add_signal(report, run)
    add_problems(report, run)
    if is_training:
        add_training_problems(report, run)
    add_programs(report, run)
    _add_notes(report, run)
    _add_origin(report, run)
    return report.write(path / "report.html")


def _title(run: Artefacts) -> str:
    return f"{run.manifest['command'].removeprefix('rl ')}: {run.manifest['name']}".capitalize()


def _subtitle(run: Artefacts) -> str:
    started = run.manifest["started_at"].replace("T", " ")[:16]
    return f"{data_words(run)}, seed {run.seed}. Started {started} UTC, {run.status}."


def _add_notes(report: Report, run: Artefacts) -> None:
    """Warnings, refusals, resumptions and errors."""
    notes = [event for event in run.events if event.get("kind") in NOTE_KINDS]
    if not notes:
        return
    report.section("Notes of the run")
    rows = [
        [event.get("step"), event["kind"].replace("_", " "), event_words(event)]
        for event in notes[:SHOWN_NOTES]
    ]
    left_out = len(notes) - len(rows)
    report.table(
        ["step", "what", "details"],
        rows,
        f"{left_out} more in events.jsonl." if left_out > 0 else "",
    )


def _add_origin(report: Report, run: Artefacts) -> None:
    report.section(
        "Where this comes from", "Everything above is made from the files of the run folder."
    )
    manifest = run.manifest
    git = manifest.get("git") or {}
    commit = git.get("commit")
    hardware = manifest.get("hardware") or {}
    rows: list[list[Any]] = [
        ["command line", " ".join(manifest["argv"])],
        ["started", manifest["started_at"]],
        ["ended", manifest.get("ended_at")],
        ["resumed", len(manifest.get("resumed_at", [])) or None],
        [
            "commit",
            f"{commit}{' with local changes' if git.get('dirty') else ''}" if commit else None,
        ],
        ["seeds", pairs(manifest.get("seeds"))],
        ["data", pairs(manifest.get("data_hashes"))],
        ["hardware", pairs(hardware)],
        ["versions", pairs(manifest.get("versions"))],
    ]
    # A run writes its report as its last act, and has no end yet.
    report.table(["", ""], [row for row in rows if row[1] is not None])
    report.code(run.config_text)
