"""`toolkit rl learnability`: an evaluation with many draws, read family by family.

Orchestration: `evaluate.py` draws, judges and keeps; `evaluation/learnability.py` says what the counts prove. The floor
is what programs earn that do not look at the problem.
"""

from __future__ import annotations

from typing import Any

from rlgrok.artefacts import LEARNABILITY
from rlgrok.config import EvalConfig
from rlgrok.evaluate import evaluate
from rlgrok.evaluation.learnability import family_curves
from rlgrok.floor import trivial_floor
from rlgrok.problems import build_problems
from runtime.devices import DeviceClaim
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.seeding import Stream
from runtime.storage import atomic_write_json


def learnability(
    config: EvalConfig, *, run: Run, view: TrainingView, claim: DeviceClaim
) -> dict[str, Any]:
    """Draw, judge, and say of each family whether it is solved, partly solved or unsolved at k.

    Args:
        config: checked; `evaluation.k` are the points of the curve.
        run: created; receives what an evaluation leaves, `learnability.json` and its figure.
        view: shows progress.
        claim: the device and the threads.

    Returns:
        The summary, as written to `summary.json`: an evaluation's, with `verdicts` (by family).

    Raises:
        As `evaluate`.
    """
    from rlgrok.report import build_report

    seen: dict[str, Any] = {}
    summary = evaluate(config, run=run, view=view, claim=claim, on_measured=seen.update)
    scope, data = build_problems(config.data, seed=config.seed, training=False)
    problems = data.heldout or data.train
    subject = list(seen.values())[-1].evaluation
    records = family_curves(
        subject,
        {problem.id: problem.family for problem in problems},
        config.evaluation.k,
        seed=Stream(config.seed, "learnability").seed,
    )
    verdict = "exhaustive" if subject.is_exhaustive else "tests"
    atomic_write_json(
        run.path / LEARNABILITY,
        {"verdict": verdict, "families": records, "floor": trivial_floor(scope.name, problems)},
    )
    summary["verdicts"] = {
        record["family"]: f"{record['verdict']} at k = {record['verdict_k']}" for record in records
    }
    run.write_summary(summary)
    build_report(run.path)
    return summary
