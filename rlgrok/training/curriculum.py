"""Which problems a step is made of: stages that open one after the other, or a band of running success.

State machines, pure but for their own state: `choose` names a step's problems from a named stream, `update` takes in
what became of them. The state is part of a checkpoint, so a resumed run chooses as an uninterrupted one. Problems are
indices into the training problems throughout.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rlgrok.ingredients import CurriculumConfig, CurriculumKind
from runtime.seeding import Stream


class Curriculum(Protocol):
    """What the rollouts and the session ask of a curriculum."""

    def choose(self, count: int, stream: Stream) -> list[int]:
        """Problems of a step, distinct as long as there are enough."""
        ...

    def update(self, step: int, success: Mapping[int, float]) -> str | None:
        """Take in each visited problem's success, in [0, 1]; returns what changed, in words, if something did."""
        ...

    def metrics(self) -> dict[str, float]:
        """Numbers of the state, for the step's line."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state for a checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote."""
        ...


@dataclass
class Visits:
    """How often each problem was chosen; the least visited come first, ties at random."""

    counts: list[int]

    def take(self, pool: Sequence[int], count: int, stream: Stream) -> list[int]:
        """`count` problems of the pool, counted as visited; each once before any twice."""
        taken: list[int] = []
        while pool and len(taken) < count:
            order = sorted(stream.shuffled(pool), key=lambda index: self.counts[index])
            part = order[: count - len(taken)]
            for index in part:
                self.counts[index] += 1
            taken.extend(part)
        return taken


@dataclass
class StagedCurriculum:
    """Parts of the problems in a fixed order; the next one opens when the present one is learned.

    Args:
        stages: the problems of each stage; a problem may be in several.
        advance_at: mean success over the window that opens the next stage.
        window: steps in that mean.
        stage_steps: a stage lasts so many steps at most; None: no limit.
        review_share: share of a step's problems from earlier stages, of those that are not in the present one.
    """

    stages: Sequence[Sequence[int]]
    advance_at: float
    window: int
    stage_steps: int | None
    review_share: float
    stage: int = 0
    steps_in_stage: int = 0
    recent: deque[float] = field(default_factory=deque)
    visits: Visits = field(default_factory=lambda: Visits([]))

    def __post_init__(self) -> None:
        """Nothing is visited yet."""
        self.recent = deque(self.recent, maxlen=self.window)
        self.visits = Visits([0] * (1 + max(index for part in self.stages for index in part)))
        self._current = set(self.stages[self.stage])

    def choose(self, count: int, stream: Stream) -> list[int]:
        """See `Curriculum`."""
        past = dict.fromkeys(index for part in self.stages[: self.stage] for index in part)
        earlier = [index for index in past if index not in self._current]
        num_review = min(round(self.review_share * count), len(earlier))
        chosen = self.visits.take(self.stages[self.stage], count - num_review, stream)
        return chosen + self.visits.take(earlier, num_review, stream)

    def update(self, step: int, success: Mapping[int, float]) -> str | None:
        """See `Curriculum`. Only the present stage's problems decide."""
        own = [value for index, value in success.items() if index in self._current]
        if own:
            self.recent.append(sum(own) / len(own))
        self.steps_in_stage += 1
        if self.stage + 1 == len(self.stages):
            return None
        is_learned = len(self.recent) == self.window and self.mean_success >= self.advance_at
        is_over = self.stage_steps is not None and self.steps_in_stage >= self.stage_steps
        if not (is_learned or is_over):
            return None
        reason = (
            f"mean success {self.mean_success:.2f} over {self.window} steps"
            if is_learned
            else f"{self.steps_in_stage} steps"
        )
        self.stage += 1
        self.steps_in_stage = 0
        self.recent.clear()
        self._current = set(self.stages[self.stage])
        return f"stage {self.stage + 1} of {len(self.stages)} from step {step + 1} ({reason})"

    @property
    def mean_success(self) -> float:
        """Over the window; 0 before the first step of a stage."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    def metrics(self) -> dict[str, float]:
        """See `Curriculum`."""
        return {
            "curriculum_stage": float(self.stage + 1),
            "curriculum_success": self.mean_success,
        }

    def state_dict(self) -> dict[str, Any]:
        """See `Curriculum`."""
        return {
            "stage": self.stage,
            "steps_in_stage": self.steps_in_stage,
            "recent": list(self.recent),
            "visits": list(self.visits.counts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Curriculum`."""
        self.stage = state["stage"]
        self.steps_in_stage = state["steps_in_stage"]
        self.recent = deque(state["recent"], maxlen=self.window)
        self.visits = Visits(list(state["visits"]))
        self._current = set(self.stages[self.stage])


@dataclass
class AdaptiveCurriculum:
    """Problems whose running success lies in [low, high]; some too hard yet; some solved, to see what is forgotten.

    A problem that was never visited counts as in the band. A share that cannot be filled from its own pool is filled
    from the band, then from the hard, then from the solved.

    Args:
        num_problems: to choose among.
        low: below it a problem is too hard yet.
        high: above it a problem is solved.
        review_share: share of a step's problems from the solved ones.
        hard_share: share from those too hard yet.
        memory: weight of the past at a new visit.
    """

    num_problems: int
    low: float
    high: float
    review_share: float
    hard_share: float
    memory: float
    success: list[float | None] = field(default_factory=list)
    """Running success of each problem; None before its first visit."""
    forgotten: int = 0
    """Times that a solved problem fell out of the solved ones."""
    visits: Visits = field(default_factory=lambda: Visits([]))

    def __post_init__(self) -> None:
        """Nothing is visited yet."""
        self.success = [None] * self.num_problems
        self.visits = Visits([0] * self.num_problems)

    def pools(self) -> tuple[list[int], list[int], list[int]]:
        """Problems in the band, too hard yet, and solved."""
        band: list[int] = []
        hard: list[int] = []
        solved: list[int] = []
        for index, value in enumerate(self.success):
            if value is None or self.low <= value <= self.high:
                band.append(index)
            elif value < self.low:
                hard.append(index)
            else:
                solved.append(index)
        return band, hard, solved

    def choose(self, count: int, stream: Stream) -> list[int]:
        """See `Curriculum`."""
        band, hard, solved = self.pools()
        num_solved = min(round(self.review_share * count), len(solved))
        num_hard = min(round(self.hard_share * count), len(hard))
        chosen = self.visits.take(solved, num_solved, stream)
        chosen += self.visits.take(hard, num_hard, stream)
        for pool in (band, hard, solved):
            left = [index for index in pool if index not in chosen]
            chosen += self.visits.take(left, min(count - len(chosen), len(left)), stream)
        everything = range(self.num_problems)
        return chosen + self.visits.take(everything, count - len(chosen), stream)

    def update(self, step: int, success: Mapping[int, float]) -> str | None:
        """See `Curriculum`."""
        for index, value in success.items():
            known = self.success[index]
            running = value if known is None else self.memory * known + (1 - self.memory) * value
            self.forgotten += known is not None and known > self.high >= running
            self.success[index] = running
        return None

    def metrics(self) -> dict[str, float]:
        """See `Curriculum`."""
        band, hard, solved = self.pools()
        return {
            "curriculum_band": len(band) / self.num_problems,
            "curriculum_hard": len(hard) / self.num_problems,
            "curriculum_solved": len(solved) / self.num_problems,
            "curriculum_forgotten": float(self.forgotten),
        }

    def state_dict(self) -> dict[str, Any]:
        """See `Curriculum`."""
        return {
            "success": list(self.success),
            "forgotten": self.forgotten,
            "visits": list(self.visits.counts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Curriculum`."""
        self.success = list(state["success"])
        self.forgotten = state["forgotten"]
        self.visits = Visits(list(state["visits"]))


def build_curriculum(
    config: CurriculumConfig, *, stages: Sequence[Sequence[int]], num_problems: int
) -> Curriculum | None:
    """The curriculum that a config names; None when problems simply go round.

    Args:
        config: checked.
        stages: the parts of the problems, for `kind=stages`.
        num_problems: to choose among.
    """
    if config.kind is CurriculumKind.NONE:
        return None
    if config.kind is CurriculumKind.STAGES:
        return StagedCurriculum(
            stages=stages,
            advance_at=config.advance_at,
            window=config.window,
            stage_steps=config.stage_steps,
            review_share=config.review_share,
        )
    return AdaptiveCurriculum(
        num_problems=num_problems,
        low=config.low,
        high=config.high,
        review_share=config.review_share,
        hard_share=config.hard_share,
        memory=config.memory,
    )
