"""The order in which training problems are put to the policy. Pure, from a named stream."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.seeding import Stream


def prompt_order(num_problems: int, *, per_step: int, num_steps: int, stream: Stream) -> list[int]:
    """Indices of the problems of every step: an endlessly re-shuffled pass, distinct within a step.

    Args:
        num_problems: problems to go round.
        per_step: problems a step; repeats within a step occur only when there are fewer problems than that.
        num_steps: steps to fill.
        stream: pass number p is shuffled by its child p.

    Returns:
        `per_step * num_steps` indices into the problems; steps stand one after the other.

    Source:
        DELTA's released training scripts: distinct prompts a step from a shuffled, endlessly re-shuffled pass.
    """
    queue: list[int] = []
    order: list[int] = []
    passes = 0
    for _ in range(num_steps):
        step: list[int] = []
        while len(step) < per_step:
            place = _first_new(queue, step) if len(set(step)) < num_problems else 0
            if place is None or not queue:
                queue.extend(stream.child(passes).shuffled(range(num_problems)))
                passes += 1
                continue
            step.append(queue.pop(place))
        order.extend(step)
    return order


def _first_new(queue: Sequence[int], taken: Sequence[int]) -> int | None:
    """Place of the first index in the queue that the step does not hold yet."""
    return next((place for place, index in enumerate(queue) if index not in taken), None)
