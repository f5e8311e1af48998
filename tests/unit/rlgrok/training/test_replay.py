"""The replay store: bounded, without duplicates, exact after a resume."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rlgrok.training.replay import ReplayStore, StoredSuccess
from runtime.seeding import Stream

OFFERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 3), min_size=1, max_size=3)),
    max_size=40,
)


@given(offers=OFFERS, capacity=st.integers(1, 4))
def test_what_is_stored_was_offered_for_that_problem_and_is_bounded(offers, capacity):
    store = ReplayStore(capacity)
    for step, (problem, tokens) in enumerate(offers):
        store.add(problem, tokens, step)
    for problem, entries in store.stored.items():
        offered = [tuple(tokens) for name, tokens in offers if name == problem]
        kept = [entry.token_ids for entry in entries]
        assert len(kept) == len(set(kept)) <= capacity
        assert set(kept) <= set(offered)
        for entry in entries:
            assert offers[entry.step] == (problem, list(entry.token_ids))


@given(offers=OFFERS, capacity=st.integers(1, 4), count=st.integers(1, 5))
def test_a_draw_is_without_replacement_and_of_the_problem(offers, capacity, count):
    store = ReplayStore(capacity)
    for step, (problem, tokens) in enumerate(offers):
        store.add(problem, tokens, step)
    for problem in "abcd":
        drawn = store.draw(problem, count, Stream(1, problem))
        stored = store.stored.get(problem, [])
        assert len(drawn) == len(set(drawn)) == min(count, len(stored))
        assert set(drawn) <= set(stored)


@given(offers=OFFERS)
def test_state_survives_a_checkpoint(offers):
    store = ReplayStore(3)
    for step, (problem, tokens) in enumerate(offers):
        store.add(problem, tokens, step)
    store.draw("a", 2, Stream(0))
    restored = ReplayStore(3)
    restored.load_state_dict(json.loads(json.dumps(store.state_dict())))
    assert restored == store


def test_the_oldest_leaves_first_and_a_duplicate_is_refused():
    store = ReplayStore(2)
    assert store.add("a", [1], 1)
    assert store.add("a", [2], 2)
    assert not store.add("a", [2], 3)
    assert store.add("a", [3], 4)
    assert store.stored["a"] == [StoredSuccess((2,), 2), StoredSuccess((3,), 4)]
    assert len(store) == 2


def test_what_is_stale_leaves_and_is_counted():
    store = ReplayStore(4, max_age=5)
    store.add("a", [1], 1)
    store.add("b", [2], 4)
    store.expire(6)
    assert len(store) == 2
    store.expire(7)
    assert set(store.stored) == {"b"}
    assert store.metrics(9) == {
        "replay_stored": 1.0,
        "replay_problems": 1.0,
        "replay_age": 5.0,
        "replay_duplicate_share": 0.0,
        "replay_expired": 1.0,
    }


def test_a_success_that_is_drawn_again_is_young_again():
    store = ReplayStore(4, max_age=5)
    store.add("a", [1], 1)
    assert not store.add("a", [1], 6)
    store.expire(10)
    assert store.stored["a"] == [StoredSuccess((1,), 6)]
    assert store.metrics(10)["replay_duplicate_share"] == 0.5


def test_the_rate_is_the_share_of_failed_groups_that_get_a_success():
    store = ReplayStore(4, rate=0.25)
    store.add("a", [1], 1)
    given_any = [bool(store.draw("a", 1, Stream(0, step))) for step in range(2000)]
    # Standard error sqrt(.25 * .75 / 2000) = .0097; four of them.
    assert abs(sum(given_any) / 2000 - 0.25) < 0.039
