"""A step's completions while they are made: texts of the verifier, further attempts, replaced groups."""

from __future__ import annotations

from rlgrok.training.batch import StepBatch


def batch(first: int = 10) -> StepBatch:
    return StepBatch(
        group_size=2,
        problem_ids=["a", "a", "b", "b"],
        prompt_ids=[[1]] * 4,
        completion_ids=[[first, 9], [first + 1, 9], [first + 2, 9], [first + 3, 9]],
        logprobs=[[-0.1, -0.2]] * 4,
    )


def test_without_a_text_there_is_no_mask() -> None:
    found = batch().outputs()
    assert "env_mask" not in found and "earlier" not in found
    assert found["source_step"] == [None] * 4 and found["attempt_start"] == [0] * 4


def test_a_text_takes_the_place_of_the_end_and_is_nobodys_token() -> None:
    made = batch()
    made.append_text(1, [50, 51])
    assert made.attempt(1) == []
    made.append_attempt(1, [12, 9], [-0.3, -0.4])
    assert made.completion_ids[1] == [11, 50, 51, 12, 9]
    assert made.logprobs[1] == [-0.1, 0.0, 0.0, -0.3, -0.4]
    assert made.attempt(1) == [12, 9]
    found = made.outputs()
    assert found["env_mask"] == [[1, 1], [1, 0, 0, 1, 1], [1, 1], [1, 1]]
    assert found["earlier"] == [[], [[11, 9]], [], []]  # with its end
    made.append_text(1, [52])
    made.append_attempt(1, [13, 9], [-0.5, -0.6])
    assert made.earlier[1] == [[11, 9], [12, 9]]
    made.replay(1, [7, 9], step=3)  # a replayed completion is one attempt again
    assert made.outputs()["source_step"] == [None, 3, None, None]
    assert "env_mask" not in made.outputs()


def test_a_group_is_replaced_as_a_whole() -> None:
    made, other = batch(), batch(first=20)
    other.problem_ids = ["c", "c", "d", "d"]
    other.append_text(2, [50])
    other.append_attempt(2, [9], [-1.0])
    made.replace_group(0, other, 1)
    assert made.problem_ids == ["d", "d", "b", "b"]
    assert made.completion_ids == [[22, 50, 9], [23, 9], [12, 9], [13, 9]]
    assert made.attempt_start == [2, 0, 0, 0]
    assert made.earlier == [[[22, 9]], [], [], []]
    assert made.num_groups == 2
