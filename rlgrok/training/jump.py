"""Is the climb under way? Then evaluations come closer together, and checkpoints around the jump are kept.

A pure function of what is logged anyway, so that nothing of it has to be in a checkpoint for a resumed run to look at
the same steps. It looks at training too: that accuracy is a mean over hundreds of completions a step and leaves 0
before ten held-out problems do.
"""

from __future__ import annotations

from dataclasses import dataclass

BEGUN = 0.02
"""Above this running training full-pass, or held-out accuracy, the plateau is over."""
DONE = 0.97
"""Once both have reached it there is nothing left to see."""


@dataclass(frozen=True)
class JumpWatch:
    """When to look closer.

    Attributes:
        every: steps between evaluations during the climb; None: as ever.
        keep: checkpoints kept of those evaluations, the newest ones, beside the regular ones; 0: none is made.
    """

    every: int | None = None
    keep: int = 0

    def is_due(self, step: int, *, training: float, heldout: float) -> bool:
        """Whether a step of the climb is one to look at.

        Args:
            step: just done.
            training: running full-pass, in [0, 1].
            heldout: newest accuracy, by the stricter verdict there is.
        """
        if self.every is None or step % self.every:
            return False
        return max(training, heldout) > BEGUN and min(training, heldout) < DONE
