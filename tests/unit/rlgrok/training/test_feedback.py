"""Verification in the loop: who tries again, within which budget, and what is masked."""

from __future__ import annotations

from collections.abc import Sequence

from rlgrok.training.batch import StepBatch
from rlgrok.training.feedback import FeedbackLoop

END = 9
RIGHT = 7
TEXT = [50, 51]


def loop(attempts: int = 2, *, budget: int = 12, then: Sequence[int] = (RIGHT, END)) -> FeedbackLoop:
    told: list[tuple[str, str]] = []

    def write(problem_id: str, text: str) -> str:
        told.append((problem_id, text))
        return "told"

    def draw(prompts, limit, name):
        draws.append((len(prompts), limit, name))
        return [list(then) for _ in prompts], [[-0.5] * len(then) for _ in prompts]

    draws: list[tuple[int, int, str]] = []
    made = FeedbackLoop(
        attempts=attempts,
        max_new_tokens=budget,
        min_left=2,
        write=write,
        encode=lambda _: TEXT,
        is_success=lambda _, tokens: RIGHT in tokens,
        decode=lambda tokens: " ".join(map(str, tokens)),
        draw=draw,
        end_ids=frozenset([END]),
    )
    object.__setattr__(made, "told", told)
    object.__setattr__(made, "draws", draws)
    return made


def batch(*rows: list[int]) -> StepBatch:
    return StepBatch(
        group_size=len(rows),
        problem_ids=["a"] * len(rows),
        prompt_ids=[[1, 2]] * len(rows),
        completion_ids=[list(row) for row in rows],
        logprobs=[[-0.1] * len(row) for row in rows],
    )


def test_only_a_failed_attempt_that_ended_tries_again() -> None:
    made, found = loop(), batch([RIGHT, END], [3, END], [3, 3, 3])
    assert made(found) == 1
    assert found.completion_ids == [[RIGHT, END], [3, *TEXT, RIGHT, END], [3, 3, 3]]
    assert made.told == [("a", "3 9")]
    assert made.draws == [(1, 9, "attempt 2")]  # twelve less what is written
    assert found.attempt(1) == [RIGHT, END]


def test_attempts_end_with_success_or_the_limit() -> None:
    found = batch([3, END])
    assert loop(5)(found) == 1
    found = batch([3, END])
    assert loop(3, budget=40, then=(4, END))(found) == 2
    assert found.completion_ids[0] == [3, *TEXT, 4, *TEXT, 4, END]
    assert found.outputs()["env_mask"] == [[1, 0, 0, 1, 0, 0, 1, 1]]


def test_the_budget_is_of_the_whole_completion() -> None:
    found = batch([3, 3, 3, END])
    assert loop(budget=6)(found) == 0  # three and two leave one, and an attempt needs two
    assert found.completion_ids == [[3, 3, 3, END]]
    found = batch([3, END])
    assert loop(budget=6, then=(4, 4, 4, 4, END))(found) == 1
    assert found.completion_ids == [[3, *TEXT, 4, 4, 4]]  # cut, so truncated


def test_one_attempt_changes_nothing() -> None:
    found = batch([3, END])
    assert loop(1)(found) == 0
    assert found.completion_ids == [[3, END]] and "env_mask" not in found.outputs()
