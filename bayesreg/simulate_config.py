"""The typed configurations of `toolkit bayes simulate` and `toolkit bayes check`; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bayesreg.config import ModelConfig
from runtime.errors import ConfigError
from runtime.settings import MANDATORY, setting


class TableFormat(Enum):
    """What tables are written as."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass
class SimulateConfig:
    """One simulated data set: `simulate.SimulationSettings`, a seed and a file format."""

    name: str = field(default=MANDATORY)
    """A part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of all randomness."""
    num_rows: int = setting(low=2)
    """Training rows."""
    num_test_rows: int = setting(low=0)
    """Further rows of the same population, in tables of their own."""
    num_covariates: int = setting(low=1)
    """P."""
    num_targets: int = setting(low=1)
    """K."""
    rank: int = setting(low=1)
    """Components of the signal, and of the latent noise that shares its loadings."""
    noise_rank: int = setting(low=1)
    """Components of the structured noise with loadings of its own."""
    signal_share: float = setting(low=0.0, high=1.0)
    """Share of the total target variance that the covariates explain."""
    residual_share: float = setting(low=0.0, high=1.0)
    """Share of unstructured noise; structured noise has the rest."""
    noise_mixture: float = setting(low=0.0, high=1.0)
    """lambda: share of the structured noise that has loadings of its own instead of the signal's."""
    covariates: str = setting(choices=("snp", "gaussian"))
    """`snp`: counts 0, 1, 2 with minor allele frequencies uniform in 0.05 to 0.5. `gaussian`: standard normal."""
    format: TableFormat = field(default=MANDATORY)  # type: ignore[assignment]
    """`csv` or `parquet`."""

    def check(self) -> None:
        """Rules across fields.

        Raises:
            ConfigError: shares that add up to more than 1.
        """
        total = self.signal_share + self.residual_share
        if total > 1.0:
            raise ConfigError(
                "shares add up to more than 1",
                got=total,
                expected="signal_share + residual_share at most 1",
                where="signal_share",
            )


@dataclass
class CheckConfig:
    """A check of the sampler: a model, tiny sizes, and how many replicates."""

    model: ModelConfig = MANDATORY  # type: ignore[assignment]
    """The configuration that is checked."""
    name: str = field(default=MANDATORY)
    """A part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of all randomness."""
    joint_replicates: int = setting(low=100)
    """Independent chains of the joint-distribution test."""
    joint_sweeps: int = setting(low=1)
    """Alternations of data and sweep in each."""
    bound: float = setting(above=0.0)
    """Largest |z| that passes; a negative control must exceed it."""
    controls: bool = field(default=MANDATORY)
    """Also run samplers with known mistakes, which the test must catch."""
    missing_cells: int = setting(low=0)
    """Missing target cells in the test of the row-by-row sampler. 0: that sampler is not tested."""
    calibration_replicates: int = setting(low=0)
    """Data sets of the simulation-based calibration. 0: none."""
    calibration_warmup: int = setting(low=0)
    """Sweeps before the first draw of a calibration chain, which starts at another draw from the prior."""
    calibration_thin: int = setting(low=1)
    """Sweeps between draws: ranks are uniform only for nearly independent draws."""
    least_p: float = setting(above=0.0, below=1.0)
    """Smallest p-value of uniform ranks that passes."""

    def check(self) -> None:
        """Rules across fields.

        Raises:
            ConfigError: a model that has no prior to draw from.
        """
        if self.model.latent_snr_choice.value != "sampled" and self.model.latent_snr is None:
            raise ConfigError(
                "a ratio chosen from the data has no prior to draw from",
                got=self.model.latent_snr_choice.value,
                expected="sampled, or a value for model.latent_snr",
                where="model.latent_snr_choice",
            )
