"""Which problems a step is made of: stages, the band, and that a resumed run chooses the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.ingredients import CurriculumConfig, CurriculumKind, Progress, StageBy, check_curriculum
from rlgrok.training.curriculum import AdaptiveCurriculum, StagedCurriculum
from runtime.errors import ConfigError
from runtime.seeding import Stream


def staged(**changes: object) -> StagedCurriculum:
    settings = {
        "stages": [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]],
        "advance_at": 0.7,
        "window": 2,
        "stage_steps": None,
        "review_share": 0.25,
    }
    return StagedCurriculum(**(settings | changes))


def adaptive(**changes: object) -> AdaptiveCurriculum:
    settings = {
        "num_problems": 10,
        "low": 0.1,
        "high": 0.8,
        "review_share": 0.25,
        "hard_share": 0.25,
        "memory": 0.5,
    }
    return AdaptiveCurriculum(**(settings | changes))


def test_a_stage_holds_until_its_window_is_learned() -> None:
    made = staged()
    assert set(made.choose(4, Stream(0, 1))) == {0, 1, 2, 3}
    assert made.update(1, {0: 1.0, 1: 1.0}) is None  # the window is not full
    assert made.update(2, {2: 0.2, 3: 0.4}) is None  # (1.0 + 0.3) / 2 is below the gate
    assert made.update(3, {0: 1.0, 1: 1.0}) is None  # (0.3 + 1.0) / 2
    assert made.stage == 0


def test_the_gate_is_the_mean_over_the_window() -> None:
    made = staged()
    assert made.update(1, {0: 0.6}) is None
    assert made.update(2, {0: 0.8}) == "stage 2 of 3 from step 3 (mean success 0.70 over 2 steps)"
    assert made.update(3, {0: 1.0}) is None  # an earlier stage's problem decides nothing
    assert made.mean_success == 0.0


def test_stages_may_overlap_and_only_what_is_no_longer_trained_on_is_reviewed() -> None:
    made = staged(stages=[[0, 1, 2, 3], [2, 3, 4, 5]], review_share=0.5)
    for step in (1, 2):
        made.update(step, {0: 1.0, 3: 1.0})
    assert made.stage == 1
    chosen = made.choose(6, Stream(0, 3))
    assert sorted(chosen[-2:]) == [0, 1]  # all that there is to review
    assert set(chosen[:-2]) == {2, 3, 4, 5}


def test_earlier_stages_are_reviewed_in_their_share() -> None:
    made = staged()
    for step in (1, 2):
        made.update(step, {0: 1.0})
    chosen = made.choose(4, Stream(0, 3))
    assert len([index for index in chosen if index >= 4]) == 3
    assert len([index for index in chosen if index < 4]) == 1


def test_a_limit_on_steps_opens_the_next_stage_and_the_last_one_stays() -> None:
    made = staged(stage_steps=3)
    told = [made.update(step, {}) for step in range(1, 12)]
    assert [text for text in told if text] == [
        "stage 2 of 3 from step 4 (3 steps)",
        "stage 3 of 3 from step 7 (3 steps)",
    ]
    assert made.stage == 2


def test_every_problem_of_a_stage_is_visited_before_any_twice() -> None:
    made = staged(stages=[list(range(7))])
    seen = [index for step in range(7) for index in made.choose(3, Stream(1, step))]
    for start in range(0, 21, 7):
        assert sorted(seen[start : start + 7]) == list(range(7))


def test_pools_follow_the_running_success() -> None:
    made = adaptive()
    made.update(1, {0: 0.0, 1: 0.05, 2: 0.5, 3: 1.0, 4: 0.9})
    assert made.pools() == ([2, 5, 6, 7, 8, 9], [0, 1], [3, 4])
    chosen = made.choose(8, Stream(0, 1))
    assert len(set(chosen)) == 8
    assert {0, 1} <= set(chosen) and {3, 4} <= set(chosen)
    made.update(2, {3: 0.0})  # half the past, half nothing
    assert made.success[3] == 0.5
    assert made.forgotten == 1
    assert made.metrics() == {
        "curriculum_band": 0.7,
        "curriculum_hard": 0.2,
        "curriculum_solved": 0.1,
        "curriculum_forgotten": 1.0,
    }


def test_when_all_is_solved_or_hard_a_step_is_still_full() -> None:
    made = adaptive()
    made.update(1, dict.fromkeys(range(10), 1.0))
    assert sorted(made.choose(10, Stream(0))) == list(range(10))
    made.update(2, dict.fromkeys(range(10), -1.0))
    assert len(made.choose(25, Stream(1))) == 25  # more than there are: again from the start


@pytest.mark.parametrize("kind", [staged, adaptive])
@settings(deadline=None)  # a busy machine is no wrong answer
@given(cut=st.integers(0, 9), success=st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_a_resumed_curriculum_chooses_as_one_that_was_not_stopped(kind, cut, success) -> None:
    def go(curriculum, steps):
        chosen = []
        for step in steps:
            problems = curriculum.choose(3, Stream(5, step))
            chosen.append(problems)
            curriculum.update(step, {index: success[step] for index in problems})
        return chosen

    whole = kind()
    expected = go(whole, range(10))
    first = kind()
    begun = go(first, range(cut))
    second = kind()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert begun + go(second, range(cut, 10)) == expected
    assert second.state_dict() == whole.state_dict()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [1, 2]}, r"a stage is a list .* by size; got 1; expected \[1\].*curriculum.stages\[0\]"),
        ({"kind": CurriculumKind.ADAPTIVE, "low": 0.9}, r"the band of the curriculum is empty; got low=0.9, high=0.8"),
        ({"kind": CurriculumKind.ADAPTIVE, "hard_share": 0.75}, r"no room .* got review_share=0.25, hard_share=0.75"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(changes: dict, message: str) -> None:
    plain = CurriculumConfig(
        kind=CurriculumKind.STAGES, progress=Progress.FULL_PASS, by=StageBy.SIZE, stages=None, advance_at=0.7,
        window=5, stage_steps=None, review_share=0.25, low=0.1, high=0.8, hard_share=0.25, memory=0.5,
    )  # fmt: skip
    check_curriculum(plain)
    with pytest.raises(ConfigError, match=message):
        check_curriculum(replace(plain, **changes))
