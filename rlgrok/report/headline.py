"""The top of a report: what happened, in one sentence and a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlgrok.artefacts import Artefacts
from rlgrok.curves import find_transition, heldout_name
from rlgrok.report.wording import CONFIDENCE, base_words, duration, percent
from runtime.report import Report
from runtime.seeding import Stream


def transition_of(run: Artefacts) -> dict[str, Any]:
    """As the summary says, or, for a run without one, as the detector sees the curve so far."""
    if "transition_step" in run.summary:
        return dict(run.summary)
    if not run.curves.get(heldout_name(run.curves)) or run.curves.num_heldout is None:
        return {"transition_step": None, "transition_reason": "no held-out evaluation yet"}
    seed = Stream(run.seed, "transition").seed
    return find_transition(run.curves, num_heldout=run.curves.num_heldout, seed=seed).summary()


def add_headline(report: Report, run: Artefacts, transition: Mapping[str, Any] | None) -> None:
    """What happened, in a sentence and a row of numbers."""
    if run.status == "running":
        report.callout(
            f"This run is still going on; the report ends at step {run.curves.last_step}."
        )
    elif run.status != "done":
        reason = run.manifest.get("error")
        words = f"This run is {run.status}{f': {reason}' if reason else ''}."
        report.callout(f"{words} The report covers what it left behind.", "warning")
    if transition is None:
        report.facts(_evaluation_facts(run))
        return
    if transition["transition_step"] is None:
        report.callout(
            f"No transition: {transition.get('transition_reason') or 'the criterion is not met'}.",
            "warning",
        )
    else:
        low, high = transition["transition_interval_95"]
        report.callout(
            f"A plateau of {transition['plateau_steps']} steps, then an abrupt climb: transition at step "
            f"{transition['transition_step']} ({CONFIDENCE} interval {low} to {high}).",
            "good",
        )
    report.facts(_training_facts(run, transition))


def _training_facts(run: Artefacts, transition: Mapping[str, Any]) -> dict[str, Any]:
    def last(name: str) -> float | None:
        value = run.summary.get(name)
        series = run.curves.get(name)
        return value if value is not None else float(series.values[-1]) if series else None

    changes = run.curves.changes
    return {
        "held-out, right on every short input": percent(last("heldout_exhaustive")),
        "held-out, passes the tests": percent(last("heldout_full_pass")),
        "base policy": base_words(run),
        "transition at step": transition["transition_step"],
        "plateau, steps": transition.get("plateau_steps"),
        "reward changed at step": changes[-1].step if changes else None,
        "schedule": run.config.get("schedule", {}).get("kind"),
        "steps": run.curves.last_step,
        "wall time": duration(run.summary.get("wall_s", run.manifest["clock"]["wall_s"])),
        "CPU time": duration(run.summary.get("cpu_s", run.manifest["clock"]["cpu_s"])),
    }


def _evaluation_facts(run: Artefacts) -> dict[str, Any]:
    summary = run.summary
    facts = {
        "policy": Path(str(summary.get("policy", run.config.get("policy", {}).get("source")))).name,
        "problems": summary.get("num_problems"),
        "draws": summary.get("num_draws"),
        "greedy, right on every short input": percent(summary.get("heldout_exhaustive")),
        "greedy, passes the tests": percent(summary.get("heldout_full_pass")),
    }
    for k in (run.config.get("evaluation") or {}).get("k", []):
        if f"pass_at_{k}" in summary:
            facts[f"pass@{k}"] = percent(summary[f"pass_at_{k}"])
    return facts
