"""One step's rollouts: what is drawn, what is replayed and where, what is paid, what is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import Sampled
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rollouts import (
    RewardFunction,
    RolloutFunction,
    Sampling,
    StepRecord,
    decisive_mean,
    step_metrics,
)
from rlgrok.training.schedule import Phase, Schedule
from rlgrok.types import Completion, Rollout, Status, Verdict
from runtime.seeding import Stream

EOS = 1
WORDS = {"one": "starts_with two R _ _ _ _ _ :", "two": "starts_with two B _ _ _ _ _ :"}
"""Prompt by problem id."""
PASSED = Verdict(Status.PASSED, 4, 4, 2, 2)
HALF = Verdict(Status.FAILED, 2, 4, 2, 2)
NOTHING = Verdict(Status.FAILED, 0, 4, 2, 0)
UNPARSED = Verdict(Status.PARSE_ERROR, 0, 4, 2, 0)
OURS = Verdict(Status.INFRASTRUCTURE_ERROR, 0, 4, 2, 0, message="broke")


@dataclass
class Judge:
    """Stands in for the verifier; remembers what it was asked."""

    verdict: Callable[[str, Completion], Verdict]
    asked: list[str] = field(default_factory=list)

    def decide(self, problem_id: str, completion: Completion) -> Verdict:
        self.asked.append(problem_id)
        return self.verdict(problem_id, completion)


@pytest.fixture(scope="module")
def policy() -> Policy:
    made = build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=0)
    made.model.generation_config.eos_token_id = None
    return made


def roll(policy: Policy, judge: Judge, **changes: Any) -> tuple[RolloutFunction, StepRecord]:
    record = StepRecord(group_size=4)
    settings: dict[str, Any] = {
        "problem_ids": {text: name for name, text in WORDS.items()},
        "encode": policy.encode_prompt,
        "tokenizer": policy.tokenizer,
        # Half of all tokens end a completion: it has two or three of them.
        "end_ids": list(range(1, len(policy.tokenizer), 2)),
        "sampling": Sampling(4, max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=100),
        "stream": Stream(0, "rollouts"),
        "verifier": judge,
        "record": record,
        "replay": None,
        "per_group": 1,
        "decisive_ids": None,
    }
    return RolloutFunction(**(settings | changes)), record


def batch() -> list[str]:
    return [text for text in WORDS.values() for _ in range(4)]


def test_a_step_is_a_function_of_its_number(policy: Policy) -> None:
    first, _ = roll(policy, Judge(lambda *_: NOTHING))
    again, _ = roll(policy, Judge(lambda *_: NOTHING))
    third = first(policy.model, batch(), 3)
    assert again(policy.model, batch(), 3) == third  # whatever came before
    assert first(policy.model, batch(), 4) != third
    assert third["source_step"] == [None] * 8
    assert third["prompt_ids"] == [policy.encode_prompt(text) for text in batch()]
    assert [len(row) for row in third["logprobs"]] == [len(row) for row in third["completion_ids"]]


def test_without_a_store_nobody_is_judged(policy: Policy) -> None:
    judge = Judge(lambda *_: PASSED)
    function, record = roll(policy, judge)
    function(policy.model, batch(), 1)
    assert judge.asked == []
    assert record.entropy is not None and 0.0 < record.entropy < 4.2  # nats; ln 59 is 4.08


def test_a_success_is_stored_and_replayed_where_none_is_drawn(policy: Policy) -> None:
    """Step 1 succeeds on `one` only; in step 2 nobody does, so the last of `one`'s places is replayed."""
    step = 0
    judge = Judge(lambda name, _: PASSED if step == 1 and name == "one" else NOTHING)
    store = ReplayStore(capacity=8)
    function, _ = roll(policy, judge, replay=store)
    step = 1
    first = function(policy.model, batch(), 1)
    assert first["source_step"] == [None] * 8
    whole = {tuple(row) for row in first["completion_ids"][:4] if len(row) <= 12}
    assert {entry.token_ids for entry in store.stored["one"]} <= whole
    assert "two" not in store.stored
    before = len(store)
    step = 2
    plain, _ = roll(policy, Judge(lambda *_: NOTHING))
    drawn = plain(policy.model, batch(), 2)
    second = function(policy.model, batch(), 2)
    assert second["source_step"] == [None, None, None, 1, None, None, None, None]
    assert tuple(second["completion_ids"][3]) in {e.token_ids for e in store.stored["one"]}
    assert second["logprobs"][3] == [0.0] * len(second["completion_ids"][3])
    for place in (0, 1, 2, 4, 5, 6, 7):  # nothing else is touched
        assert second["completion_ids"][place] == drawn["completion_ids"][place]
        assert second["logprobs"][place] == drawn["logprobs"][place]
    assert len(store) == before  # a replayed success is not stored again


def test_a_group_with_a_success_of_its_own_is_left_alone(policy: Policy) -> None:
    store = ReplayStore(capacity=8)
    store.add("one", [5, EOS], step=1)
    seen: list[str] = []

    def first_of_each_group(name: str, completion: Completion) -> Verdict:
        seen.append(name)
        return PASSED if seen.count(name) == 1 else NOTHING

    function, _ = roll(policy, Judge(first_of_each_group), replay=store)
    assert function(policy.model, batch(), 2)["source_step"] == [None] * 8


def test_a_truncated_success_is_neither_stored_nor_counted(policy: Policy) -> None:
    store = ReplayStore(capacity=8)
    function, _ = roll(policy, Judge(lambda *_: PASSED), replay=store, end_ids=[])
    function(policy.model, batch(), 1)
    assert len(store) == 0


def test_no_more_are_replayed_than_are_stored_or_asked_for(policy: Policy) -> None:
    store = ReplayStore(capacity=8)
    for token in (5, 6, 7):
        store.add("one", [token, EOS], step=token)
    store.add("two", [5, EOS], step=1)
    function, _ = roll(policy, Judge(lambda *_: NOTHING), replay=store, per_group=2)
    found = function(policy.model, batch(), 9)
    assert [found["source_step"][place] for place in (0, 1, 4, 5, 6)] == [None] * 5
    assert len(set(map(tuple, found["completion_ids"][2:4]))) == 2  # different ones
    assert set(found["source_step"][2:4]) < {5, 6, 7}
    assert found["completion_ids"][7] == [5, EOS] and found["source_step"][7] == 1


def pay(
    policy: Policy, verdicts: Sequence[Verdict], phase: Phase, *, balanced: bool = False
) -> tuple[list[float | None], StepRecord]:
    config = ScheduleConfig(
        ScheduleKind.STAGED, DenseReward.PASS_RATE, SwitchOn.STEP, 5, 0.8, 1, 3, 0.01, None
    )
    schedule = Schedule(config)
    schedule.phase = phase
    record = StepRecord()
    remaining = iter(verdicts)
    function = RewardFunction(
        tokenizer=policy.tokenizer,
        end_ids=[EOS],
        schedule=schedule,
        verifier=Judge(lambda *_: next(remaining)),  # type: ignore[arg-type]
        record=record,
        group_size=2,
        balanced=balanced,
    )
    completions = [[5, EOS]] * (len(verdicts) - 1) + [[5, 6]]  # the last one is truncated
    source: list[int | None] = [None] * len(verdicts)
    source[0] = 2
    names = ["one"] * len(verdicts)
    return function(completions, names, source, 3), record


@pytest.mark.parametrize(
    ("phase", "balanced", "expected"),
    [
        (Phase.DENSE, False, [1.0, 0.5, 0.0, None, 0.0]),
        (Phase.DENSE, True, [1.0, 0.5, 0.0, None, 0.0]),
        (Phase.BINARY, False, [1.0, 0.0, 0.0, None, 0.0]),
    ],
)
def test_what_is_paid(
    phase: Phase, balanced: bool, expected: list[float | None], policy: Policy
) -> None:
    """Our own failure is left out of the group; the last one is right but truncated."""
    verdicts = [PASSED, HALF, UNPARSED, OURS, PASSED]
    rewards, record = pay(policy, verdicts, phase, balanced=balanced)
    assert rewards == expected
    assert [rollout.is_replayed for rollout in record.rollouts] == [True] + [False] * 4
    assert [rollout.policy_step for rollout in record.rollouts] == [2, 3, 3, 3, 3]
    assert record.rollouts[-1].completion.is_truncated
    assert record.rollouts[0].completion.token_ids == (5, EOS)


def test_the_balanced_reward_weighs_accepting_and_rejecting_tests_alike(policy: Policy) -> None:
    lopsided = Verdict(Status.FAILED, num_passed=3, num_tests=4, num_accepting=1)
    plain, _ = pay(policy, [lopsided] * 2, Phase.DENSE)
    balanced, _ = pay(policy, [lopsided] * 2, Phase.DENSE, balanced=True)
    assert (plain[0], balanced[0]) == (0.75, 0.5)


def rollout(
    verdict: Verdict, reward: float, *, replayed: bool = False, truncated: bool = False
) -> Rollout:
    completion = Completion((5, 6, EOS), "x", is_truncated=truncated)
    return Rollout(7, "one", completion, verdict, reward, policy_step=7, is_replayed=replayed)


def test_the_numbers_of_a_step() -> None:
    record = StepRecord(
        step=7,
        rollouts=[
            # A success of its own; a truncated right program; a parse error; a failed one.
            rollout(PASSED, 1.0),
            rollout(PASSED, 0.0, truncated=True),
            rollout(UNPARSED, 0.0),
            rollout(HALF, 0.0),
            # Nothing of its own: the replayed success is not the policy's.
            rollout(HALF, 0.0),
            rollout(NOTHING, 0.0),
            rollout(OURS, 0.0),
            rollout(PASSED, 1.0, replayed=True),
            # Equal rewards.
            *[rollout(NOTHING, 0.0)] * 4,
        ],
        group_size=4,
        entropy=0.5,
        generate_s=2.0,
        judge_s=1.0,
    )
    found = step_metrics(record, balanced=False)
    # Our own failure is in none of the shares; eleven completions are judged, ten of them the policy's own.
    assert found == {
        "reward": 2 / 11,
        "dense_reward": (1 + 0 + 0 + 1 / 2 + 1 / 2 + 0 + 4 * 0) / 10,
        "full_pass": 1 / 11,
        "pass_at_group": 1 / 3,
        "zero_variance_share": 1 / 3,
        "informative_share": 1 - 1 / 3,
        "replayed": 1.0,
        "verifier_failures": 1.0,
        "parse_error_share": 1 / 10,
        "truncated_share": 1 / 10,
        "completion_length": 3.0,
        "num_completions": 12.0,
        "num_tokens": 36.0,
        "generate_s": 2.0,
        "judge_s": 1.0,
        "entropy": 0.5,
    }


SAMPLED = Sampled(
    token_ids=[[9, 5, 6, 7, 1], [5, 5, 8]],
    logprobs=[],
    entropies=[[0.1, 0.2, 0.9, 0.3, 0.4], [0.5, 0.6, 0.7]],
    truncated=[],
)


def test_a_decisive_token_follows_a_route() -> None:
    # After each 5: 6 (0.9) in the first row; 5 (0.6) and 8 (0.7) in the second.
    assert decisive_mean(SAMPLED, [5]) == pytest.approx((0.9 + 0.6 + 0.7) / 3)
    assert decisive_mean(SAMPLED, [42]) is None


def test_of_an_unknown_vocabulary_the_most_uncertain_fifth_decides() -> None:
    assert decisive_mean(SAMPLED, None) == 0.9  # one of eight
    assert decisive_mean(Sampled([], [], [], []), None) is None
