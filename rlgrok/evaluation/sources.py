"""What `policy.source` names: a training run, whose policy is meant, or a model folder or hub id."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from rlgrok.config import DataConfig
from rlgrok.problems import build_problems
from rlgrok.training.checkpoints import newest_usable
from rlgrok.types import UNTRAINED, TestSource
from runtime.errors import ConfigError, InputError
from runtime.run import Run
from runtime.settings import from_plain

REFERENCE = "reference"
POLICY_FOLDER = "policy"
"""In the folder of a training run: the policy after the last step, in the ordinary formats."""
BASE_FOLDER = "base"
"""The reference policy before the first step; absent when training started from a folder or hub id."""
DRAWS_FOLDER = "draws"
"""Beside the runs: completions drawn from any policy, kept for later evaluations."""


@dataclass(frozen=True)
class Source:
    """Where a policy comes from, and what training started from."""

    policy: str
    base: str | None = None
    """None: not the policy of a training run."""


def resolve(source: str) -> Source:
    """Find the policy that a source names.

    A run that was interrupted has no final policy; its newest usable checkpoint stands in.

    Raises:
        ConfigError: `reference`, which only a training run can build.
        CheckpointError: a run with neither a final policy nor a usable checkpoint, or one that cannot be read.
        InputError: a run of another command.
    """
    if source == REFERENCE:
        raise ConfigError(
            "the reference policy is built by a training run",
            got=REFERENCE,
            expected="a run, a model folder or a hub id",
            where="policy.source",
            hint="`toolkit rl eval RUN` evaluates a run's policy; RUN/base is its reference policy",
        )
    folder = Path(source).expanduser()
    if source == UNTRAINED or not (folder / "manifest.json").is_file():
        return Source(source)
    run = Run.open(folder)
    if run.manifest["command"] != "rl train":
        raise InputError(
            "this run has no policy",
            got=f"a run of `toolkit {run.manifest['command']}`",
            expected="a run of `toolkit rl train`",
            where=folder,
        )
    policy, base = folder / POLICY_FOLDER, folder / BASE_FOLDER
    if not (policy / "config.json").is_file():
        policy = newest_usable(folder / "checkpoints")[0].path
    started_from = run.config["policy"]["source"]
    return Source(str(policy), str(base) if started_from == REFERENCE else started_from)


def trained_on(source: str) -> frozenset[str] | None:
    """Ids of the problems that a training run trained on; empty for a policy of any other origin.

    An evaluation with another seed or other data than the run's splits the problems anew, and some of what it holds
    out may be these. None: the records that the run trained on cannot be read any more.
    """
    folder = Path(source).expanduser()
    if source == UNTRAINED or not (folder / "manifest.json").is_file():
        return frozenset()
    config = Run.open(folder).config
    if "data" not in config:
        return frozenset()
    # Ids do not depend on the tests, and these are made fastest.
    data = replace(from_plain(DataConfig, config["data"]), tests=TestSource.DELTA)
    try:
        _, built = build_problems(data, seed=config["seed"])
    except InputError:
        return None
    return frozenset(problem.id for problem in built.train)


def runs_root(run: Path) -> Path:
    """The folder of all runs: above the date when the run, or its sweep, lies in a dated folder; else its parent."""
    for folder in list(run.parents)[:2]:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", folder.name):
            return folder.parent
    return run.parent
