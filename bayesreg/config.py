"""The typed configuration of `toolkit bayes fit`: types, ranges and cross-field rules.

Values live in YAML under `conf/`; a field here has no default. Imports nothing heavy: composing and checking a config
must not load NumPy or JAX. Only `fit.py` sees a whole config; everything else takes values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from runtime.errors import ConfigError
from runtime.settings import MANDATORY, as_plain, setting

if TYPE_CHECKING:
    from bayesreg.data import TableSource
    from bayesreg.types import ModelSettings


class SnrChoice(Enum):
    """Where the latent signal-to-noise ratio comes from when `latent_snr` does not fix it."""

    SAMPLED = "sampled"
    EVIDENCE = "evidence"
    CROSS_VALIDATION = "cross_validation"


class InferenceKind(Enum):
    """How the posterior is computed."""

    GIBBS = "gibbs"
    NUTS = "nuts"
    SVI = "svi"


@dataclass
class TablesConfig:
    """The tables and which of their columns mean what (docs/tables.md); `--x`, `--y` and the like set the paths."""

    x: list[str] | None = field(default=MANDATORY)  # type: ignore[assignment]
    """Table of the covariates: a file, a folder of parts, or several parts."""
    y: list[str] | None = field(default=MANDATORY)  # type: ignore[assignment]
    """Table of the targets. None: they are in `x`, and `targets` names them."""
    confounders: list[str] | None = field(default=MANDATORY)  # type: ignore[assignment]
    """Table of the confounders. None: there are none, or `confounder_columns` names columns of `x`."""
    id_column: str | None = field(default=MANDATORY)
    """Column that joins the tables. None: `id` or `row` where every table has it; `-`: pair the rows by position."""
    covariates: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Columns by name or pattern. Empty: all that mean nothing else."""
    targets: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Columns by name or pattern."""
    confounder_columns: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Columns by name or pattern."""
    categorical: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Covariates and confounders to code by levels although they hold numbers, or many levels."""
    stream: bool | None = field(default=MANDATORY)  # type: ignore[assignment]
    """Read in chunks, in memory that does not depend on the number of rows. None: where the files are large."""

    @property
    def has_targets(self) -> bool:
        """Whether the targets are named, or may be the array `y` of an NPZ file."""
        of_arrays = all(path.lower().endswith(".npz") for path in self.x or [""])
        return bool(self.y or self.targets or of_arrays)

    def source(self) -> TableSource:
        """What the reader takes."""
        from bayesreg.data import TableSource

        return TableSource(
            x=_files(self.x),
            y=_files(self.y),
            z=_files(self.confounders),
            id_column=self.id_column,
            covariates=tuple(self.covariates),
            targets=tuple(self.targets),
            confounders=tuple(self.confounder_columns),
            categorical=tuple(self.categorical),
        )


def _files(paths: list[str] | None) -> str | list[str] | None:
    return paths[0] if paths is not None and len(paths) == 1 else paths


@dataclass
class ModelConfig:
    """Switches and hyperparameters (docs/methods/bayes.md); the fields that `types.ModelSettings` has mean the same."""

    latent_noise: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """Noise that reaches the targets through the loadings of the signal."""
    independent_noise: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """Structured noise with loadings of its own."""
    group_sparsity: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """Components switch on and off for whole clusters of targets."""
    clusters: str | None = field(default=MANDATORY)
    """With group sparsity: a table with the columns `target` and `cluster`. None: computed from the targets."""
    num_clusters: int | None = setting(low=1)
    """With group sparsity and without a table: how many. None: chosen from the correlations."""
    signal_covariance: str = setting(choices=("common", "free"))
    """`common`: one ratio for all components, as in the paper; `free`: a full matrix around it."""
    signal_common_probability: float = setting(above=0.0, below=1.0)
    """With `free`: prior probability that one ratio serves all components nevertheless."""
    rank: int = setting(low=1)
    """Truncation of the ordered shrinkage prior: the largest number of components."""
    noise_rank: int = setting(low=1)
    """The same for structured noise of its own."""
    normalise_latent: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """Unit average variance of the latent rows, whatever the ratio."""
    latent_snr: float | None = setting(above=0.0)
    """The latent signal-to-noise ratio, fixed. None: as `latent_snr_choice` says."""
    latent_snr_choice: SnrChoice = field(default=MANDATORY)  # type: ignore[assignment]
    """`sampled` with everything else. `evidence` and `cross_validation` take the best of the grid and fix it, which
    was worse in every comparison (docs/methods/bayes.md): for those who must compare."""
    latent_snr_grid: list[float] = setting(above=0.0)
    """Values to choose from."""
    latent_snr_location: float = setting()
    """Prior mean of the log of the ratio."""
    latent_snr_scale: float = setting(above=0.0)
    """Prior standard deviation of the log of the ratio."""
    local_dof: float = setting(low=1.0)
    """Degrees of freedom of the local scales of loadings."""
    shrinkage_first: float = setting(above=0.0)
    """Shape of the first shrinkage factor."""
    shrinkage_later: float = setting(above=0.0)
    """Shape of the later ones; larger shrinks later components more."""
    sample_shrinkage: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """Sample both shapes."""
    noise_shrinkage_first: float = setting(low=0.5)
    """The same for structured noise of its own."""
    noise_shrinkage_later: float = setting(low=0.5)
    """The same for structured noise of its own."""
    sample_noise_shrinkage: bool = field(default=MANDATORY)  # type: ignore[assignment]
    """The same for structured noise of its own."""
    noise_precision_shape: float = setting(above=0.0)
    """Of the gamma prior of a target's noise precision, targets in units of their standard deviation."""
    noise_precision_rate: float = setting(above=0.0)
    """Of the same prior."""
    confounder_scale: float = setting(above=0.0)
    """Prior standard deviation of the confounders' coefficients, standardised."""

    def settings(self) -> ModelSettings:
        """What the samplers take."""
        from bayesreg.types import ModelSettings, SignalCovariance

        plain = as_plain(self)
        known = {
            item.name: plain[item.name] for item in fields(ModelSettings) if item.name in plain
        }
        return ModelSettings(
            **{**known, "signal_covariance": SignalCovariance(self.signal_covariance)}
        )


@dataclass
class InferenceConfig:
    """How the posterior is computed, for how long, and when it is enough."""

    kind: InferenceKind = field(default=MANDATORY)  # type: ignore[assignment]
    """`gibbs`, the default; `nuts`, for small problems and for checking; `svi`, a quick look."""
    num_chains: int = setting(low=1, high=64)
    """Chains, computed together. `svi` has one."""
    num_warmup: int = setting(low=0)
    """Sweeps (`nuts`: steps of adaptation) before the first draw."""
    num_draws: int = setting(low=4)
    """Draws a chain; Gibbs rounds up to whole blocks."""
    thin: int = setting(low=1)
    """Gibbs: sweeps a draw."""
    block: int = setting(low=4)
    """Gibbs: draws a chain between two looks at R-hat and effective sample size."""
    target_ess: float | None = setting(above=0.0)
    """Gibbs: stop when every monitored quantity has this effective sample size and R-hat is in order. None: never."""
    time_limit_s: float | None = setting(above=0.0)
    """Gibbs: stop after this many seconds of sampling, compiling and warmup not counted; a resumed run starts anew.
    None: never."""
    checkpoint_s: float = setting(low=0.0)
    """Gibbs: seconds between two checkpoints; what a kill can cost."""
    num_steps: int = setting(low=1)
    """`svi`: optimiser steps."""
    step_size: float = setting(above=0.0, high=1.0)
    """`svi`: Adam's step size."""


@dataclass
class FitConfig:
    """A fit: tables, model, inference."""

    EXTENDABLE: ClassVar[tuple[str, ...]] = (
        "inference.num_draws",
        "inference.target_ess",
        "inference.time_limit_s",
    )
    """Keys that change how long the chains run and nothing of what they draw: a resumed run may be given others."""

    tables: TablesConfig = MANDATORY  # type: ignore[assignment]
    model: ModelConfig = MANDATORY  # type: ignore[assignment]
    inference: InferenceConfig = MANDATORY  # type: ignore[assignment]
    name: str = field(default=MANDATORY)
    """A part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of all randomness."""
    precision: str = setting(choices=("float64", "float32"))
    """Of the sampler. float32 saves memory on a GPU and loses digits; the data are always read in float64."""

    def check(self) -> None:
        """Rules across fields.

        Raises:
            ConfigError: values that do not go together.
        """
        tables, model, inference = self.tables, self.model, self.inference
        if not tables.x:
            raise ConfigError(
                "there are no covariates", expected="--x FILE, or --data FILE", where="tables.x"
            )
        if not tables.has_targets:
            raise ConfigError(
                "there are no targets",
                expected="--y FILE, or tables.targets=[...] with the columns of the one table",
                where="tables.y",
            )
        if model.latent_snr_choice is not SnrChoice.SAMPLED:
            self._check_choice()
        if model.clusters is not None and not model.group_sparsity:
            raise ConfigError(
                "clusters are given and group sparsity is off",
                expected="model.group_sparsity=true",
                where="model.clusters",
            )
        if model.signal_covariance == "free" and not model.latent_noise:
            raise ConfigError(
                "a free signal covariance is relative to the latent noise, which is off",
                expected="model.signal_covariance=common or model.latent_noise=true",
                where="model.signal_covariance",
            )
        if inference.kind is not InferenceKind.GIBBS:
            for name in ("target_ess", "time_limit_s"):
                if getattr(inference, name) is not None:
                    raise ConfigError(
                        f"{inference.kind.value} runs to its end",
                        got=getattr(inference, name),
                        expected="null, or inference=gibbs",
                        where=f"inference.{name}",
                    )

    def _check_choice(self) -> None:
        model = self.model
        problem = None
        if model.latent_snr is not None:
            problem = ("the ratio is fixed and to be chosen", "model.latent_snr=null")
        elif not model.latent_noise:
            problem = ("there is no ratio to choose without latent noise", "sampled")
        elif len(model.latent_snr_grid) < 2:
            problem = (
                "there is nothing to choose from",
                "model.latent_snr_grid with two values or more",
            )
        if problem is not None:
            raise ConfigError(
                problem[0],
                got=model.latent_snr_choice.value,
                expected=problem[1],
                where="model.latent_snr_choice",
            )
