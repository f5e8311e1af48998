"""The typed configuration of `toolkit bayes compare`. Imports nothing heavy: checking a config must not load JAX."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bayesreg.config import TablesConfig
from runtime.errors import ConfigError
from runtime.settings import MANDATORY, setting

METHODS = (
    "latent_noise", "common_ratio", "mixed_noise", "independent_noise", "brrr", "ridge",
    "ridge_per_target", "ridge_reduced_rank", "reduced_rank", "multitask_lasso", "elastic_net", "pls", "least_squares",
)  # fmt: skip
"""Everything that can be compared; `baselines.py` has a fit for each."""


class Split(Enum):
    """How rows are held out."""

    RANDOM = "random"
    """Folds of a random order."""
    TIME = "time"
    """Blocks in the order of the rows, each predicted from all rows before it."""


@dataclass
class CompareConfig:
    """A comparison: tables, methods, folds, and how long the sampled methods sample."""

    tables: TablesConfig = MANDATORY  # type: ignore[assignment]
    name: str = field(default=MANDATORY)
    """A part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of all randomness: folds, inner folds, chains."""
    methods: list[str] = setting(choices=METHODS)
    """What is compared, each once; differences are the first minus the others."""
    cv: int = setting(low=2)
    """Number of folds."""
    split: Split = field(default=MANDATORY)  # type: ignore[assignment]
    """`random`, or `time`: blocks in the order of the rows, each predicted from the rows before it."""
    rank: int = setting(low=1)
    """Largest number of components of the sampled methods."""
    num_chains: int = setting(low=1, high=64)
    """Chains of the sampled methods."""
    num_warmup: int = setting(low=0)
    """Sweeps before the first draw, rounded up to whole hundreds."""
    num_draws: int = setting(low=100)
    """Draws a chain, rounded up to whole hundreds."""

    def check(self) -> None:
        """Rules across fields.

        Raises:
            ConfigError: values that do not go together.
        """
        if not self.tables.x:
            raise ConfigError("there are no covariates", expected="--x FILE", where="tables.x")
        if not self.tables.has_targets:
            raise ConfigError(
                "there are no targets",
                expected="--y FILE, or tables.targets=[...] with the columns of the one table",
                where="tables.y",
            )
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ConfigError(
                "methods are named once each",
                got=", ".join(self.methods) or "none",
                expected=f"some of {', '.join(METHODS)}",
                where="methods",
            )
