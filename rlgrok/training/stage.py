"""Where a run is, in one word, while it goes on: on a plateau, climbing, or solved.

For the people who watch, and for them alone: nothing is decided by it and nothing of it is stored. The transition of
the report is found afterwards, from the whole curve, with an interval (`rlgrok/transition.py`).
"""

from __future__ import annotations

from collections import deque

PLATEAU, CLIMBING, SOLVED = "plateau", "climbing", "solved"

RISE = 0.1
"""A rise of more than this within the window is a climb: more than one of ten held-out problems, ten times the noise
of a running mean over some thousands of completions."""
WINDOW_SHARE = 15
"""The window is this fraction of the run, a fifteenth..."""
MIN_WINDOW = 20
"""...but at least so many steps: four evaluations of the default experiment."""
NEAR_PERFECT = 0.9
"""As in the transition's criterion."""


class Stage:
    """The word for every step, from held-out accuracy and the running full-pass of training.

    Args:
        max_steps: of the whole run.
    """

    def __init__(self, max_steps: int) -> None:
        self._window = max(MIN_WINDOW, max_steps // WINDOW_SHARE)
        self._seen: deque[tuple[int, float, float]] = deque()

    def update(self, step: int, heldout: float, training: float) -> str:
        """Take a step in, and say where the run is.

        Args:
            step: increasing; the first may be any, as after resuming.
            heldout: newest held-out accuracy, in [0, 1].
            training: running full-pass of training, in [0, 1].

        Returns:
            `solved` when both are near-perfect, `climbing` when either rose by more than `RISE` within the window,
            `plateau` otherwise: a run that stays at a third is on a plateau too. What lies before the first step
            counts as 0, so a run that is resumed half-way up is climbing.
        """
        if not self._seen:
            self._seen.append((step, 0.0, 0.0))
        self._seen.append((step, heldout, training))
        while self._seen[0][0] < step - self._window:
            self._seen.popleft()
        if min(heldout, training) >= NEAR_PERFECT:
            return SOLVED
        _, lowest_heldout, lowest_training = (
            min(column) for column in zip(*self._seen, strict=True)
        )
        rise = max(heldout - lowest_heldout, training - lowest_training)
        return CLIMBING if rise > RISE else PLATEAU
