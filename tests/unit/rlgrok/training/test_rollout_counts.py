"""A step's rollouts: what is replayed, what is paid, what is counted, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.policy import Policy
from rlgrok.sampling import Sampled
from rlgrok.training import rollouts
from rlgrok.training.payment import Payment
from rlgrok.training.record import StepRecord, step_metrics
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rollouts import (
    RewardFunction,
    RolloutFunction,
    Sampling,
    TrainingProblems,
)
from rlgrok.training.schedule import Schedule
from rlgrok.training.session import step_warnings
from rlgrok.training.verification import Verifier
from rlgrok.types import Problem, Scope
from runtime.seeding import Stream

SCHEDULE = ScheduleConfig(
    kind=ScheduleKind.DENSE,
    dense_reward=DenseReward.PASS_RATE,
    switch_on=SwitchOn.STEP,
    switch_step=None,
    switch_threshold=0.5,
    switch_patience=1,
    running_window=1,
    plateau_delta=0.01,
    fallback_step=None,
)

DENSE = {"phase": "dense", "gate_distance": 0.0, "running_full_pass": 0.0}


class Step:
    """Runs steps of two completions a prompt whose texts are given."""

    def __init__(
        self,
        policy: Policy,
        scope: Scope,
        problems: Sequence[Problem],
        texts: Callable[[], Sampled],
        monkeypatch: pytest.MonkeyPatch,
        *,
        replay: ReplayStore | None = None,
    ) -> None:
        monkeypatch.setattr(rollouts, "sample_tokens", lambda *_, **__: texts())
        self.record = StepRecord(group_size=2)
        self._policy = policy
        payment = Payment(Schedule(SCHEDULE), False, {p.id: p.family for p in problems})
        shared: dict[str, Any] = {
            "payment": payment,
            "tokenizer": policy.tokenizer,
            "end_ids": policy.end_token_ids(),
            "verifier": Verifier(scope, {problem.id: problem for problem in problems}),
            "record": self.record,
        }
        self._prompts = {problem.id: f"prompt {problem.name}" for problem in problems}
        self._draw = RolloutFunction(
            problems=TrainingProblems(list(self._prompts), list(self._prompts.values())),
            encode=lambda text: [3],
            sampling=Sampling(
                group_size=2, max_new_tokens=4, temperature=1.0, top_p=1.0, batch_size=8
            ),
            stream=Stream(0),
            replay=replay,
            per_group=1,
            decisive_ids=None,
            **shared,
        )
        self._pay = RewardFunction(**shared)

    def __call__(self, ids: Sequence[str], step: int) -> list[float | None]:
        prompts = [self._prompts[name] for name in ids for _ in range(2)]
        drawn = self._draw(self._policy.model, prompts, step)
        each = [name for name in ids for _ in range(2)]
        return self._pay(drawn["completion_ids"], each, drawn["source_step"], step)


@pytest.fixture
def make_step(policy, toy_scope, problems, written, monkeypatch) -> Callable[..., Step]:
    def make(*texts: Sequence[str], scope: Scope | None = None, **options: Any) -> Step:
        queue = [written(step) for step in texts]
        return Step(
            policy, scope or toy_scope(), problems, lambda: queue.pop(0), monkeypatch, **options
        )

    return make


def test_a_failed_group_gets_a_stored_success_and_the_policy_no_credit(make_step) -> None:
    store = ReplayStore(4)
    step = make_step(["R.", "B."], ["B.", "Y."], replay=store)
    assert step(["toy:R"], 1) == [1.0, 0.5]
    assert step(["toy:R"], 2) == [0.5, 1.0]
    replayed = step.record.rollouts[1]
    assert (replayed.is_replayed, replayed.policy_step) == (True, 1)
    metrics = step_metrics(step.record, balanced=False)
    assert metrics["replayed"] == 1.0
    assert (metrics["reward"], metrics["dense_reward"]) == (0.75, 0.5)
    assert (metrics["full_pass"], metrics["pass_at_group"]) == (0.0, 0.0)


def test_a_success_replayed_within_its_own_step_is_a_replayed_one(make_step) -> None:
    """With fewer problems than prompts a step, a problem comes twice."""
    step = make_step(["R.", "B.", "B.", "Y."], replay=ReplayStore(4))
    assert step(["toy:R", "toy:R"], 1) == [1.0, 0.5, 0.5, 1.0]
    assert [rollout.is_replayed for rollout in step.record.rollouts] == [False, False, False, True]
    metrics = step_metrics(step.record, balanced=False)
    assert (metrics["full_pass"], metrics["pass_at_group"]) == (0.25, 0.5)


def test_judging_is_no_part_of_generation_although_replay_judges_first(
    make_step, toy_scope, monkeypatch
) -> None:
    clock = [0.0]
    plain = toy_scope()

    def slowly(problem: Problem, text: str) -> Any:
        clock[0] += 1.0
        return plain.verify(problem, text)

    monkeypatch.setattr("rlgrok.training.rollouts.time.perf_counter", lambda: clock[0])
    scope = toy_scope(verify=slowly)
    for replay in (None, ReplayStore(4)):
        step = make_step(["R.", "B."], scope=scope, replay=replay)
        step(["toy:R"], 1)
        assert (step.record.generate_s, step.record.judge_s) == (0.0, 2.0)


def test_where_the_verifier_failed_nothing_is_paid_or_counted_and_a_warning_says_so(
    make_step,
) -> None:
    step = make_step(["R.", "R G.", "G.", "G.", "B.", "Y B."])
    assert step(["toy:R", "toy:B", "toy:B"], 1) == [1.0, None, None, None, 1.0, 1.0]
    metrics = step_metrics(step.record, balanced=False)
    assert metrics["verifier_failures"] == 3.0
    assert metrics["reward"] == metrics["dense_reward"] == metrics["full_pass"] == 1.0
    assert metrics["zero_variance_share"] == 1.0
    warnings = step_warnings({**DENSE, **metrics}, 0.1)
    assert warnings["verifier_failed"].startswith("the verifier failed on 3 completions")
    clean = make_step(["R.", "B."])
    clean(["toy:R"], 1)
    metrics = step_metrics(clean.record, balanced=False)
    assert "verifier_failed" not in step_warnings({**DENSE, **metrics}, 0.1)


def test_where_the_trainer_draws_no_time_of_drawing_is_claimed(make_step) -> None:
    step = make_step(["R.", "B."])
    step(["toy:R"], 1)
    assert "generate_s" in step_metrics(step.record, balanced=False)
    step.record.generate_s = StepRecord().generate_s
    assert "generate_s" not in step_metrics(step.record, balanced=False)


def test_a_truncated_completion_is_no_success_and_is_not_stored(make_step) -> None:
    store = ReplayStore(4)
    step = make_step(["R", "B."], replay=store)
    assert step(["toy:R"], 1) == [0.0, 0.5]
    assert len(store) == 0
    metrics = step_metrics(step.record, balanced=False)
    assert (metrics["full_pass"], metrics["truncated_share"]) == (0.0, 0.5)
