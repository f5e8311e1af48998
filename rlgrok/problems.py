"""The problems that a `data` config names: the one call that turns it into a data set."""

from __future__ import annotations

from rlgrok.config import DataConfig
from rlgrok.delta import SCOPES
from rlgrok.types import DataSet, Scope


def build_problems(data: DataConfig, *, seed: int) -> tuple[Scope, DataSet]:
    """The scope, and its training and held-out problems.

    Args:
        data: checked.
        seed: root of the draws of problems, tests and the split.

    Raises:
        ConfigError: a family that the scope lacks, or nothing left to train on.
    """
    scope = SCOPES[data.scope]
    return scope, scope.build(
        families=data.families,
        colors=data.colors.value,
        lengths=data.lengths,
        heldout_share=data.heldout_share,
        max_problems=data.max_problems,
        tests=data.tests,
        seed=seed,
    )
