"""The typed configuration of what may be added to the plain recipe: curriculum, sampling and feedback.

Part of `config.py`'s tree, in a file of its own because each of these is off in the default experiment. Values live in
YAML under `conf/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from runtime.errors import ConfigError
from runtime.settings import MANDATORY, setting


class CurriculumKind(Enum):
    """In which order problems are put to the policy."""

    NONE = "none"
    """All of them, an endlessly re-shuffled pass."""
    STAGES = "stages"
    """One part after the other, each until it is learned."""
    ADAPTIVE = "adaptive"
    """Those whose running success lies in a band; the solved now and then, so that forgetting shows."""


class StageBy(Enum):
    """What a stage is made of."""

    SIZE = "size"
    """The problems of one size (the length of a sequence), the small ones first."""
    FAMILY = "family"
    """One family, in the order of `data.families`, or of the data when that is empty."""
    SET = "set"
    """One data set, in the order of `data.sets`: the paper's step-wise training."""


class Progress(Enum):
    """What a curriculum goes by."""

    FULL_PASS = "full_pass"
    """Share of a problem's completions that pass every test."""
    PASS_RATE = "pass_rate"
    """Mean share of tests passed."""


class ShownTests(Enum):
    """Which tests a feedback turn may show."""

    SCORED = "scored"
    """Those that the reward is made of. A leak, chosen."""
    FRESH = "fresh"
    """Short inputs that no scored test uses."""


class FeedbackDetail(Enum):
    """How much a feedback turn says."""

    COUNTS = "counts"
    """Whether it parsed, and how many tests failed."""
    CASES = "cases"
    """Failing cases too: input, what was expected, what came."""


class PaidAttempts(Enum):
    """Which of a completion's attempts its reward is made of."""

    LAST = "last"
    """The last alone, as the verdict is."""
    MEAN = "mean"
    """The mean over all: a first attempt that nearly passes is worth something, whatever is made of it afterwards."""


@dataclass
class CurriculumConfig:
    """Which problems a step is made of. Only with `training.rollout=cached`, unless `kind=none`."""

    kind: CurriculumKind = MANDATORY  # type: ignore[assignment]
    """See `CurriculumKind`."""
    progress: Progress = MANDATORY  # type: ignore[assignment]
    """What counts as success below."""
    by: StageBy = MANDATORY  # type: ignore[assignment]
    """For `stages`: what a stage is made of."""
    stages: list[Any] | None = MANDATORY  # type: ignore[assignment]
    """For `stages`: the sizes, families or data sets of each stage; they may overlap. None: each of them a stage."""
    advance_at: float = setting(low=0, high=1)
    """For `stages`: mean success over the window that opens the next stage."""
    window: int = setting(low=1)
    """For `stages`: steps in that mean."""
    stage_steps: int | None = setting(low=1)
    """For `stages`: open the next stage after this many steps whatever was learned. None: never."""
    review_share: float = setting(low=0, below=1)
    """Share of a step's problems taken from earlier stages, or (`adaptive`) from the solved ones."""
    low: float = setting(low=0, high=1)
    """For `adaptive`: below this running success a problem counts as too hard yet."""
    high: float = setting(low=0, high=1)
    """For `adaptive`: above this running success a problem counts as solved."""
    hard_share: float = setting(low=0, below=1)
    """For `adaptive`: share of a step's problems taken from those too hard yet."""
    memory: float = setting(low=0, below=1)
    """For `adaptive`: weight of the past in a problem's running success at a new visit."""


@dataclass
class SamplingConfig:
    """How many completions a problem gets, and what becomes of groups without variance. Only with `rollout=cached`."""

    resample_rounds: int = setting(low=0, high=20)
    """A group of equal rewards makes room for another problem's, up to so many times a step. 0: never."""
    group_steps: list[int] = setting(low=1)
    """First steps at which the sizes of `group_sizes` hold, increasing. Empty: `training.group_size` throughout."""
    group_sizes: list[int] = setting(low=2)
    """Completions per problem from those steps on, divisors of a step's completions; fewer problems as they grow."""


@dataclass
class FeedbackConfig:
    """Verification in the loop: a failed attempt is told why, and tries again. Only with `training.rollout=cached`."""

    attempts: int = setting(low=1, high=8)
    """Attempts a completion has. 1: no feedback."""
    detail: FeedbackDetail = MANDATORY  # type: ignore[assignment]
    """How much is said."""
    shown: ShownTests = MANDATORY  # type: ignore[assignment]
    """Which tests it is said of."""
    max_cases: int = setting(low=1, high=20)
    """Failing cases shown at most."""
    paid: PaidAttempts = MANDATORY  # type: ignore[assignment]
    """Which attempts the reward is made of. What passed, is stored and is replayed is the last attempt in any case."""


def check_curriculum(curriculum: CurriculumConfig) -> None:
    """Check what spans several keys.

    Raises:
        ConfigError: names the keys and their values.
    """
    for place, stage in enumerate(curriculum.stages or ()):
        if not isinstance(stage, list):
            raise ConfigError(
                f"a stage is a list of what is in it, by {curriculum.by.value}",
                got=str(stage),
                expected=f"[{stage}], or more than one of them",
                where=f"curriculum.stages[{place}]",
            )
    if curriculum.kind is not CurriculumKind.ADAPTIVE:
        return
    if curriculum.low > curriculum.high:
        raise ConfigError(
            "the band of the curriculum is empty",
            got=f"low={curriculum.low}, high={curriculum.high}",
            expected="curriculum.low at most curriculum.high",
            where="curriculum.low",
        )
    if curriculum.review_share + curriculum.hard_share >= 1:
        raise ConfigError(
            "the curriculum leaves no room for problems in the band",
            got=f"review_share={curriculum.review_share}, hard_share={curriculum.hard_share}",
            expected="a sum below 1",
            where="curriculum.review_share",
        )


def check_sampling(sampling: SamplingConfig, *, completions: int) -> None:
    """Check that the sizes of groups fit a step.

    Args:
        sampling: to check.
        completions: of a step.

    Raises:
        ConfigError: names the keys and their values.
    """
    steps, sizes = sampling.group_steps, sampling.group_sizes
    if len(steps) != len(sizes) or any(a >= b for a, b in pairwise(steps)):
        raise ConfigError(
            "sampling.group_steps and sampling.group_sizes do not go together",
            got=f"{steps} and {sizes}",
            expected="two lists of one length, the steps increasing",
            where="sampling.group_steps",
        )
    for size in sizes:
        if completions % size:
            raise ConfigError(
                "a size of sampling.group_sizes does not divide the completions of a step",
                got=f"{size} with {completions}",
                expected=f"divisors of {completions}",
                where="sampling.group_sizes",
            )


def needs_own_sampler(
    curriculum: CurriculumConfig, sampling: SamplingConfig, feedback: FeedbackConfig
) -> str | None:
    """The first key that asks for what only our own sampler does; None when nothing does."""
    if curriculum.kind is not CurriculumKind.NONE:
        return "curriculum.kind"
    if sampling.resample_rounds:
        return "sampling.resample_rounds"
    if sampling.group_sizes:
        return "sampling.group_sizes"
    if feedback.attempts > 1:
        return "feedback.attempts"
    return None
