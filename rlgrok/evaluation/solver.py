"""The oracle in the place of a policy: every prompt is answered with the problem's own solution.

What an evaluation reports of it is what the tests and the verdicts say of right answers: near 1.0 where a solution
exists, and where it does not, how far off the tests put it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlgrok.types import Problem, PromptStyle, Scope
from runtime.errors import ConfigError
from runtime.storage import content_hash

ORACLE = "oracle"
"""As `policy.source`."""


@dataclass(frozen=True)
class SolverPolicy:
    """Solutions by prompt."""

    answers: Mapping[str, str]
    prompt_style: PromptStyle = PromptStyle.FULL
    source: str = ORACLE

    def identity(self) -> str:
        """`sha256:<hex>` over the answers."""
        return content_hash(*(part for pair in self.answers.items() for part in pair))


def solver_policy(problems: Sequence[Problem], scope: Scope) -> SolverPolicy:
    """The oracle for some problems.

    Raises:
        ConfigError: a problem without parameters, and so without a solution.
    """
    missing = [problem.id for problem in problems if not problem.has_oracle]
    if missing:
        raise ConfigError(
            "the oracle has no solution of these problems",
            got=f"{len(missing)} of {len(problems)} problems that name no parameters, such as {missing[0]}",
            where="policy.source",
        )
    return SolverPolicy(
        {scope.render_prompt(one, PromptStyle.FULL): scope.oracle(one) for one in problems}
    )
