"""What `policy.source` names: a run, whose trained policy is meant, or a model folder or hub id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlgrok.training.checkpoints import newest_usable
from runtime.errors import ConfigError

POLICY_FOLDER = "policy"
"""In the folder of a training run: the policy after the last step, in the ordinary formats."""
BASE_FOLDER = "base"
"""The policy before the first step; absent when training started from a folder or hub id."""
DRAWS_FOLDER = "draws"
"""Completions drawn from either, kept for later evaluations."""


@dataclass(frozen=True)
class Source:
    """Where a policy comes from, and what belongs to it."""

    policy: str
    base: str | None = None
    draws: Path | None = None
    """None: it has no folder of its own for draws."""


def resolve(source: str) -> Source:
    """Find the policy that a source names.

    A run that was interrupted has no final policy; its newest usable checkpoint stands in.

    Raises:
        ConfigError: `reference`, which only a training run can build.
        CheckpointError: a run with neither a final policy nor a usable checkpoint.
    """
    if source == "reference":
        raise ConfigError(
            "the reference policy is built by a training run",
            got="reference",
            expected="a run, a model folder or a hub id",
            where="policy.source",
            hint="`toolkit rl eval RUN` evaluates a run's policy; RUN/base is its reference policy",
        )
    folder = Path(source).expanduser()
    if not (folder / "manifest.json").is_file():
        return Source(source)
    policy, base = folder / POLICY_FOLDER, folder / BASE_FOLDER
    if not (policy / "config.json").is_file():
        policy = newest_usable(folder / "checkpoints")[0].path
    has_base = (base / "config.json").is_file()
    return Source(str(policy), str(base) if has_base else None, folder / DRAWS_FOLDER)
