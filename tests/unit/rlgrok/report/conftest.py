"""Run folders written by hand, as training and evaluation leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rlgrok.delta import SCOPES
from rlgrok.evaluation.counts import Evaluation, Judged, as_record, count_problem
from rlgrok.evaluation.gzip_lines import append_lines
from runtime.run import Run
from runtime.storage import atomic_write_json

DATA = {
    "scope": "manufactoria",
    "families": ["contains_ordered"],
    "colors": "two",
    "lengths": [3],
    "heldout_share": 0.5,
    "max_problems": None,
    "tests": "delta",
}
WRONG = "START start:\n    NEXT n0\nPULLER_RB n0:\n    [R] end\n    [B] end\nEND end"


def problems() -> list:
    names = ("families", "colors", "lengths", "heldout_share", "max_problems", "tests")
    return list(
        SCOPES["manufactoria"].build(**{name: DATA[name] for name in names}, seed=0).heldout
    )


def oracle(problem) -> str:
    return SCOPES["manufactoria"].oracle(problem)


def rollout(
    problem,
    step: int | None,
    *,
    kind: str = "greedy",
    passed: bool,
    right: bool,
    text: str | None = None,
) -> dict:
    return {
        "step": step,
        "kind": kind,
        "problem_id": problem.id,
        "text": text or (oracle(problem) if right else WRONG),
        "status": "passed" if passed else "failed",
        "pass_rate": 1.0 if passed else 0.5,
        "full_pass": passed,
        "exhaustive": right,
    }


def drawn(problem, step: int, solved: bool) -> dict:
    """A training draw; the later, the nearer a wrong one comes."""
    record = rollout(problem, step, kind="train", passed=solved, right=solved)
    rate = 1.0 if solved else step / 100
    return {**record, "exhaustive": None, "replayed": False, "pass_rate": rate, "problem_id": f"{problem.id}X"}


def result(label: str, share: float) -> dict:
    counts = []
    for problem in problems():
        drawn = [
            Judged(problem.id, "", "passed", 1.0, index < 8 * share, index < 6 * share, False)
            for index in range(8)
        ]
        counts.append(count_problem(drawn[0], drawn))
    return as_record(Evaluation(label, "folder", "sha256:aa", tuple(counts)), [1, 4], seed=0)


@pytest.fixture
def late_false_pass() -> dict:
    """A draw of the trained policy that passes its tests and is wrong."""
    subject = problems()[0]
    return rollout(subject, 100, kind="policy", passed=True, right=False, text=f"{WRONG}\n")


@pytest.fixture
def training_run(tmp_path) -> Callable[..., Path]:
    """A training run that climbs at `climb_at`, or never; written up to `last`; closed with `status`, or left open."""

    def make(
        *,
        climb_at: int | None = 55,
        last: int = 100,
        status: str | None = "done",
        evaluated: bool = True,
    ) -> Path:
        config = {
            "name": "demo",
            "seed": 0,
            "data": DATA,
            "schedule": {"kind": "staged"},
            "evaluation": {"k": [1, 4]},
        }
        run = Run.create(
            tmp_path / "run", command="rl train", name="demo", argv=["toolkit", "rl", "train"], config=config,
            overrides=[], seeds={"seed": 0},
        )  # fmt: skip
        run.event("base_proved", k=4, draws=400, successes=0, value=0.0, upper95=0.03, problems=4)
        run.event("trivial_floor", step=0, value=0.55, programs={"contains_ordered": "reject all"})
        for step in range(last + 1):
            solved = climb_at is not None and step >= climb_at
            line = {
                "reward": 0.5,
                "dense_reward": 0.6,
                "full_pass": float(solved),
                "zero_variance_share": 0.2,
                "entropy": 0.3,
            }
            if step % 10 == 0:
                line |= {"heldout_full_pass": float(solved), "heldout_exhaustive": float(solved)}
                records = [
                    rollout(problem, step, passed=solved, right=solved) for problem in problems()
                ]
                records += [drawn(problem, step, solved) for problem in problems()] if step else []
                append_lines(run.path / "rollouts.jsonl.gz", records)
            run.metrics.log(step, line)
        if climb_at is not None and last > climb_at:
            run.event(
                "phase_changed",
                step=climb_at + 3,
                old="dense",
                new="binary",
                reason="the gate opened",
            )
        if evaluated:
            results = [result("base", 0.0), result("policy", 1.0 if climb_at else 0.0)]
            atomic_write_json(run.path / "evaluation.json", {"format": 1, "evaluations": results})
        run.metrics.flush()
        if status is not None:
            run.finish(status)
        return run.path

    return make


@pytest.fixture
def evaluation_run(tmp_path) -> Path:
    """An evaluation of one policy, closed."""
    config = {
        "name": "demo",
        "seed": 0,
        "data": DATA,
        "policy": {"source": "models/mine"},
        "evaluation": {"k": [1, 4]},
    }
    run = Run.create(
        tmp_path / "evaluation", command="rl eval", name="demo", argv=["toolkit", "rl", "eval"], config=config,
        overrides=[], seeds={"seed": 0},
    )  # fmt: skip
    subject = problems()
    append_lines(
        run.path / "rollouts.jsonl.gz",
        [
            rollout(subject[0], None, kind="policy_greedy", passed=True, right=True),
            rollout(subject[1], None, kind="policy_greedy", passed=False, right=False),
            rollout(subject[1], None, kind="policy", passed=True, right=False),
        ],
    )
    atomic_write_json(
        run.path / "evaluation.json", {"format": 1, "evaluations": [result("policy", 0.5)]}
    )
    run.write_summary({"policy": "models/mine", "num_problems": len(subject), "pass_at_1": 0.375})
    run.finish("done")
    return run.path
