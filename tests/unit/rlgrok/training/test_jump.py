"""When a run is looked at more closely."""

from __future__ import annotations

import pytest

from rlgrok.training.jump import JumpWatch


@pytest.mark.parametrize(
    ("training", "heldout", "is_due"),
    [
        (0.0, 0.0, False),  # a plateau at nothing
        (0.03, 0.0, True),  # training leaves it first
        (0.0, 0.1, True),
        (1.0, 0.5, True),  # held-out problems lag behind
        (0.5, 1.0, True),
        (0.98, 1.0, False),  # nothing left to see
    ],
)
def test_the_climb_begins_with_the_first_successes_and_ends_when_all_is_learned(
    training: float, heldout: float, is_due: bool
) -> None:
    watch = JumpWatch(every=1)
    assert watch.is_due(7, training=training, heldout=heldout) is is_due


def test_it_keeps_its_own_pace_and_without_one_does_nothing() -> None:
    assert [step for step in range(1, 10) if JumpWatch(3).is_due(step, training=0.5, heldout=0)] == [3, 6, 9]
    assert not JumpWatch().is_due(4, training=0.5, heldout=0.5)
