"""Replay as the rollouts do it, over many steps of completions drawn at random: what comes back is what was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.sampling import Sampled
from rlgrok.training import rollouts
from rlgrok.training.payment import Payment
from rlgrok.training.record import StepRecord
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rollouts import RolloutFunction, Sampling, TrainingProblems
from rlgrok.training.schedule import Schedule
from rlgrok.types import Completion, Status, Verdict
from runtime.seeding import Stream

END, SIZE, STEPS = 1, 4, 7
WORDS = {f"p{letter}": f"starts_with two {letter} _ _ _ _ _ :" for letter in "RBY"}
PASSED, FAILED = Verdict(Status.PASSED, 2, 2, 1, 1), Verdict(Status.FAILED, 0, 2, 1, 0)
SCHEDULE = ScheduleConfig(
    ScheduleKind.DENSE, DenseReward.PASS_RATE, SwitchOn.STEP, None, 0.8, 1, 3, 0.01, None
)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_tiny_policy(hidden_size=8, num_layers=1, num_heads=2, max_positions=40, seed=0)


@dataclass
class Rules:
    """Of a store, and which completions pass: those whose first token is in the problem's set."""

    capacity: int
    per_group: int
    max_age: int | None
    rate: float
    passing: dict[str, set[int]]

    def decide(self, problem_id: str, completion: Completion) -> Verdict:
        return PASSED if completion.token_ids[0] in self.passing[problem_id] else FAILED


RULES = st.builds(
    Rules,
    capacity=st.integers(2, 4),
    per_group=st.integers(1, 2),
    max_age=st.none() | st.integers(1, 4),
    rate=st.sampled_from([0.5, 1.0]),
    passing=st.fixed_dictionaries(
        {name: st.sets(st.integers(10, 15), max_size=2) for name in WORDS}
    ),
)


def draws(model: object, prompts: list, *, num_per_prompt: int, seed: int, **_: object) -> Sampled:
    """Two tokens and the end, of six and two kinds; a tenth is cut off before its end."""
    stream = Stream(seed, "draws")
    rows = []
    for index in range(len(prompts) * num_per_prompt):
        own = stream.child(index)
        row = [own.integer(10, 15), own.integer(20, 21), END]
        rows.append(row[:2] if own.bernoulli(0.1) else row)
    values = [[-1.0] * len(row) for row in rows]
    return Sampled(rows, values, values, [row[-1] != END for row in rows])


def function(policy: Policy, rules: Rules, store: ReplayStore) -> RolloutFunction:
    return RolloutFunction(
        problems=TrainingProblems(list(WORDS), list(WORDS.values())),
        encode=policy.encode_prompt,
        tokenizer=policy.tokenizer,
        end_ids=[END],
        sampling=Sampling(SIZE, max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=100),
        stream=Stream(0, "rollouts"),
        verifier=rules,  # type: ignore[arg-type]
        payment=Payment(Schedule(SCHEDULE), False, dict.fromkeys(WORDS, "starts_with")),
        record=StepRecord(group_size=SIZE),
        replay=store,
        per_group=rules.per_group,
        decisive_ids=None,
    )


def new_store(rules: Rules) -> ReplayStore:
    return ReplayStore(rules.capacity, rules.max_age, rules.rate)


def step(made: RolloutFunction, policy: Policy, number: int) -> dict[str, list[Any]]:
    prompts = [text for text in WORDS.values() for _ in range(SIZE)]
    return made(policy.model, prompts, number)


@settings(max_examples=40, deadline=None)
@given(rules=RULES, cut=st.integers(1, STEPS - 1))
def test_what_comes_back_was_stored_for_the_problem_and_survives_a_resume(
    policy: Policy, rules: Rules, cut: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollouts, "sample_tokens", draws)
        store = new_store(rules)
        made = function(policy, rules, store)
        whole, drawn = [], {}
        for number in range(1, STEPS + 1):
            found = step(made, policy, number)
            whole.append(found)
            for place, name in enumerate(found["problem_id"]):
                tokens, source = tuple(found["completion_ids"][place]), found["source_step"][place]
                if source is None:
                    drawn.setdefault(name, {}).setdefault(tokens, set()).add(number)
                    continue
                # What this problem itself drew, at the step it says, and passed; not stale.
                assert source in drawn[name][tokens] and source < number
                assert rules.decide(name, Completion(tokens, "")) is PASSED and tokens[-1] == END
                assert rules.max_age is None or number - source <= rules.max_age
            for group in range(len(WORDS)):
                places = range(group * SIZE, (group + 1) * SIZE)
                replayed = [p for p in places if found["source_step"][p] is not None]
                # In the last places, each once, never beyond the cap, and only where nothing passed by itself.
                assert replayed == list(places)[SIZE - len(replayed) :]
                assert len({tuple(found["completion_ids"][p]) for p in replayed}) == len(replayed)
                assert len(replayed) <= min(rules.per_group, rules.capacity)
                own = [Completion(tuple(found["completion_ids"][p]), "") for p in places if p not in replayed]
                passed = [c for c in own if rules.decide(found["problem_id"][places[0]], c) is PASSED]
                assert not replayed or all(c.token_ids[-1] != END for c in passed)
            assert set(store.stored) <= set(WORDS)  # nothing but training problems
            for entries in store.stored.values():
                tokens = [entry.token_ids for entry in entries]
                assert len(tokens) == len(set(tokens)) <= rules.capacity
            if number == cut:
                saved = json.dumps(store.state_dict())
        resumed = new_store(rules)
        resumed.load_state_dict(json.loads(saved))
        again = function(policy, rules, resumed)
        assert [step(again, policy, n) for n in range(cut + 1, STEPS + 1)] == whole[cut:]
        assert resumed == store
