"""Held-out accuracy during training: counted as the final evaluation counts, and stored as rollouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rlgrok import sampling
from rlgrok.evaluation.gzip_lines import read_lines
from rlgrok.training.heldout import HeldoutEvaluator, HeldoutResult
from rlgrok.training.record import StepRecord
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Problem, Rollout, Status, Verdict
from runtime.errors import InfrastructureError

PASSED = Verdict(Status.PASSED, 2, 2, 1, 1)


@pytest.fixture
def evaluate(policy, toy_scope, problems, written, monkeypatch) -> Callable[..., HeldoutResult]:
    def run(texts: Sequence[str], *, exhaustive: bool = True) -> HeldoutResult:
        monkeypatch.setattr(sampling, "sample_tokens", lambda *_, **__: written(texts))
        evaluator = HeldoutEvaluator(
            policy,
            problems,
            [f"any two {problem.name} :" for problem in problems],
            Verifier(toy_scope(), {problem.id: problem for problem in problems}),
            max_new_tokens=4,
            batch_size=8,
            exhaustive=exhaustive,
        )
        return evaluator()

    return run


def test_shares_are_over_problems(evaluate) -> None:
    result = evaluate(["R.", "R B.", "R."])
    assert result.metrics() == {
        "heldout_full_pass": 2 / 3,
        "heldout_pass_rate": pytest.approx(5 / 6),
        "heldout_exhaustive": 1 / 3,
    }
    assert "heldout_exhaustive" not in evaluate(["R.", "B.", "Y."], exhaustive=False).metrics()


def test_a_truncated_completion_passes_nothing_however_right_it_is(evaluate) -> None:
    result = evaluate(["R", "B.", "Y"])
    assert result.passed == (False, True, False)
    assert result.exhaustive == (False, True, False)
    assert result.metrics()["heldout_full_pass"] == pytest.approx(1 / 3)


def test_our_own_failure_is_not_a_wrong_program(evaluate) -> None:
    with pytest.raises(InfrastructureError, match=r"the verifier failed.*no judge; at toy:B"):
        evaluate(["R.", "G.", "Y."])


def test_greedy_records_say_what_the_shares_count(evaluate, tmp_path: Path, problems) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=None)
    log.write_heldout(3, [problem.id for problem in problems], evaluate(["R", "R B.", "Y."]))
    records = read_lines(log.path).records
    assert [record["full_pass"] for record in records] == [False, True, True]
    assert [record["exhaustive"] for record in records] == [False, False, True]
    assert {(record["step"], record["kind"]) for record in records} == {(3, "greedy")}


def a_step(problems: Sequence[Problem], *, is_truncated: bool = False) -> StepRecord:
    rollouts = [
        Rollout(1, problem.id, Completion((), str(place), (), is_truncated), PASSED, 1.0)
        for problem in problems
        for place in range(4)
    ]
    return StepRecord(step=1, rollouts=rollouts, group_size=4)


@pytest.mark.parametrize(("per_step", "kept"), [(None, 12), (12, 12), (3, 3), (5, 5), (0, 0)])
def test_as_many_training_rollouts_are_kept_as_asked_for(
    per_step: int | None, kept: int, tmp_path: Path, problems
) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=per_step)
    log.write_step(a_step(problems))
    records = read_lines(log.path).records if log.path.exists() else []
    assert len(records) == kept
    if kept >= len(problems):
        assert {record["problem_id"] for record in records} == {p.id for p in problems}


def test_a_truncated_rollout_is_stored_as_no_pass(tmp_path: Path, problems) -> None:
    log = RolloutLog(tmp_path / "rollouts.jsonl.gz", per_step=1)
    log.write_step(a_step(problems, is_truncated=True))
    (record,) = read_lines(log.path).records
    assert (record["status"], record["full_pass"]) == ("passed", False)
