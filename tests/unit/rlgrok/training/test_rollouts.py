"""One step's rollouts: what is drawn, what is replayed and where, what is paid, what is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import Sampled
from rlgrok.training.curriculum import AdaptiveCurriculum
from rlgrok.training.payment import Payment
from rlgrok.training.record import (
    Outcome,
    StepRecord,
    decisive_mean,
    expected_informative,
    outcomes,
    step_metrics,
)
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rollouts import (
    Extras,
    RewardFunction,
    RolloutFunction,
    Sampling,
    TrainingProblems,
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


SCHEDULE = ScheduleConfig(
    ScheduleKind.STAGED, DenseReward.PASS_RATE, SwitchOn.STEP, 5, 0.8, 1, 3, 0.01, None
)


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
        "problems": TrainingProblems(list(WORDS), list(WORDS.values())),
        "encode": policy.encode_prompt,
        "tokenizer": policy.tokenizer,
        # Half of all tokens end a completion: it has two or three of them.
        "end_ids": list(range(1, len(policy.tokenizer), 2)),
        "sampling": Sampling(4, max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=100),
        "stream": Stream(0, "rollouts"),
        "verifier": judge,
        "payment": Payment(Schedule(SCHEDULE), False, dict.fromkeys(WORDS, "starts_with")),
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
    schedule = Schedule(SCHEDULE)
    schedule.phase = phase
    record = StepRecord()
    remaining = iter(verdicts)
    function = RewardFunction(
        tokenizer=policy.tokenizer,
        end_ids=[EOS],
        payment=Payment(schedule, balanced, {"one": "starts_with"}),
        verifier=Judge(lambda *_: next(remaining)),  # type: ignore[arg-type]
        record=record,
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


def test_the_extras_at_their_defaults_change_nothing(policy: Policy) -> None:
    judge = Judge(lambda *_: NOTHING)
    plain, _ = roll(policy, judge)
    same, record = roll(policy, judge, extras=Extras(attempts=1, group_sizes=[(1, 4)]))
    assert same(policy.model, batch(), 3) == plain(policy.model, batch(), 3)
    assert record.first_full_pass is None


def test_groups_grow_and_there_are_fewer_of_them(policy: Policy) -> None:
    function, record = roll(
        policy, Judge(lambda *_: NOTHING), extras=Extras(group_sizes=[(1, 2), (5, 8)])
    )
    assert [function.group_size(step) for step in (1, 4, 5, 9)] == [2, 2, 8, 8]
    small = function(policy.model, batch(), 4)
    assert len(small["completion_ids"]) == 8 and record.group_size == 2
    assert [len(set(small["problem_id"][at : at + 2])) for at in (0, 2, 4, 6)] == [1] * 4
    large = function(policy.model, batch(), 5)
    assert len(set(large["problem_id"])) == 1 and record.group_size == 8


def test_a_curriculum_chooses_the_problems_and_the_prompts_go_with_them(policy: Policy) -> None:
    curriculum = AdaptiveCurriculum(2, 0.1, 0.8, 0.0, 0.0, 0.5)
    curriculum.update(0, {0: 1.0})  # `one` is solved, so `two` comes first
    function, _ = roll(
        policy,
        Judge(lambda *_: NOTHING),
        extras=Extras(curriculum=curriculum, group_sizes=[(1, 8)]),
    )
    found = function(policy.model, batch(), 1)
    assert found["problem_id"] == ["two"] * 8
    assert found["prompt_ids"] == [policy.encode_prompt(WORDS["two"])] * 8


def test_a_group_of_equal_rewards_makes_room_for_one_that_is_informative(policy: Policy) -> None:
    """`one` never passes; a completion of `two` passes by the parity of its length."""

    def verdict(name: str, completion: Completion) -> Verdict:
        return PASSED if name == "two" and len(completion.token_ids) % 2 else NOTHING

    curriculum = AdaptiveCurriculum(2, 0.0, 1.0, 0.0, 0.0, 0.5)
    curriculum.visits.counts = [0, 1]  # `one` first, `two` next
    function, record = roll(
        policy,
        Judge(verdict),
        sampling=Sampling(8, max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=100),
        extras=Extras(curriculum=curriculum, resample_rounds=2),
    )
    found = function(policy.model, batch(), 1)
    assert found["problem_id"] == ["two"] * 8
    assert record.resampled == 8
    assert record.dropped == [Outcome("one", 0.0, 0.0)]
    lengths = {len(row) % 2 for row in found["completion_ids"]}
    assert lengths == {0, 1}


def test_where_no_other_problem_is_informative_the_group_stays(policy: Policy) -> None:
    curriculum = AdaptiveCurriculum(2, 0.0, 1.0, 0.0, 0.0, 0.5)
    curriculum.visits.counts = [0, 1]
    function, record = roll(
        policy,
        Judge(lambda *_: NOTHING),
        sampling=Sampling(8, max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=100),
        extras=Extras(curriculum=curriculum, resample_rounds=1),
    )
    assert function(policy.model, batch(), 1)["problem_id"] == ["one"] * 8
    assert record.dropped == [Outcome("two", 0.0, 0.0)]


def test_feedback_is_masked_and_the_last_attempt_is_judged(policy: Policy) -> None:
    judged: list[tuple[int, ...]] = []

    def verdict(_: str, completion: Completion) -> Verdict:
        judged.append(completion.token_ids)
        return NOTHING

    function, record = roll(
        policy,
        Judge(verdict),
        sampling=Sampling(4, max_new_tokens=30, temperature=1.0, top_p=1.0, batch_size=100),
        extras=Extras(attempts=2, write_feedback=lambda *_: " R B"),
    )
    found = function(policy.model, batch(), 1)
    text = policy.tokenizer.encode(" R B", add_special_tokens=False)
    assert record.further_attempts > 0 and record.first_full_pass == 0.0
    for tokens, mask, start in zip(
        found["completion_ids"], found["env_mask"], found["attempt_start"], strict=True
    ):
        assert len(tokens) == len(mask) <= 30
        assert [t for t, own in zip(tokens, mask, strict=True) if not own] == (text if start else [])
        assert not start or tokens[start - 2 : start] == text
    payment = Payment(Schedule(SCHEDULE), False, dict.fromkeys(WORDS, "starts_with"))
    reward = RewardFunction(
        tokenizer=policy.tokenizer, end_ids=[EOS], payment=payment,
        verifier=Judge(verdict), record=record,
    )  # fmt: skip
    judged.clear()
    reward(found["completion_ids"], found["problem_id"], None, 1, found["attempt_start"])
    assert judged == [
        tuple(tokens[start:])
        for tokens, start in zip(found["completion_ids"], found["attempt_start"], strict=True)
    ]
    assert [r.completion.token_ids for r in record.rollouts] == list(
        map(tuple, found["completion_ids"])
    )


@pytest.mark.parametrize(
    ("every_attempt", "expected"), [(False, [1.0, 1.0, 0.0]), (True, [0.75, 1.0, 0.25])]
)
def test_the_last_attempt_is_paid_or_every_one(
    policy: Policy, every_attempt: bool, expected: list[float]
) -> None:
    verdicts = {20: HALF, 21: PASSED, 22: NOTHING}
    payment = Payment(
        Schedule(SCHEDULE), False, dict.fromkeys(WORDS, "starts_with"), every_attempt=every_attempt
    )
    reward = RewardFunction(
        tokenizer=policy.tokenizer, end_ids=[EOS], payment=payment, record=StepRecord(group_size=3),
        verifier=Judge(lambda _, completion: verdicts[completion.token_ids[0]]),
    )  # fmt: skip
    paid = reward(
        [[20, 5, 21, EOS], [21, EOS], [20, 5, 22, EOS]], ["one"] * 3, None, 1,
        attempt_starts=[2, 0, 2], earlier=[[[20, EOS]], [], [[20, EOS]]],
    )  # fmt: skip
    assert paid == pytest.approx(expected)


def test_an_attempt_that_our_own_failure_hit_pays_nothing_only_where_it_counts() -> None:
    for every_attempt, expected in ((False, 1.0), (True, None)):
        payment = Payment(
            Schedule(SCHEDULE), False, {"one": "starts_with"}, every_attempt=every_attempt
        )
        text = Completion((1,), "x", is_truncated=False)
        assert payment.of_attempts("one", [(OURS, text), (PASSED, text)], 1) == expected


def test_outcomes_are_of_own_completions_a_problem() -> None:
    record = StepRecord(
        rollouts=[rollout(PASSED, 1.0), rollout(HALF, 0.5), rollout(PASSED, 1.0, replayed=True), rollout(OURS, 0.0)],
        group_size=4,
        dropped=[Outcome("two", 0.0, 0.1)],
    )  # fmt: skip
    assert outcomes(record) == [Outcome("two", 0.0, 0.1), Outcome("one", 0.5, 0.75)]


def test_the_expected_share_of_informative_groups() -> None:
    # One in two of four: 1 - 2 / 16; never, always: nothing to learn from.
    assert expected_informative([0.5], 4) == pytest.approx(0.875)
    assert expected_informative([0.0, 1.0], 4) == 0.0
    assert expected_informative([], 4) == 0.0
