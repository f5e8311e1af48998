"""What a model is made of and what a fit returns: plain records, imported by everything else here.

Nothing in this file computes. Arrays are NumPy on the outside; shapes use N observations, P covariates, K targets,
S components (`rank`), R noise factors (`noise_rank`), C confounders. All parameters are on the standardised scale.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

import numpy as np

from runtime.errors import ConfigError


class SignalCovariance(Enum):
    """How the signal's covariance over components is tied to the latent noise's."""

    COMMON = "common"
    """One latent signal-to-noise ratio for all components."""
    FREE = "free"
    """A full matrix around that ratio, with its own concentration (docs/methods/bayes.md, eq. 6)."""


SIGNAL_DOF = (2.0, 8.0, 32.0, 128.0, 512.0, 2048.0)
"""Support of the concentration of a free signal covariance; the largest is all but the common model."""


@dataclass(frozen=True)
class ModelSettings:
    """Switches and hyperparameters: the whole prior, hashable. Equations: docs/methods/bayes.md.

    Confounders need no switch: they are in the model when a Z is given.

    Raises:
        ConfigError: a value out of range or two switches that exclude each other.
    """

    latent_noise: bool = True
    """Omega: noise that reaches the targets through the loadings of the signal."""
    independent_noise: bool = False
    """H Lambda: structured noise with loadings of its own."""
    group_sparsity: bool = False
    """Local scales are shared by the targets of a cluster; the fit is then given the clusters."""
    signal_covariance: SignalCovariance = SignalCovariance.COMMON
    signal_common_probability: float = 0.8
    """With a free signal covariance: prior probability of its largest concentration, at which one ratio serves all
    components; the smaller ones share the rest evenly."""
    rank: int = 6
    """S, the truncation of the ordered shrinkage prior."""
    noise_rank: int = 6
    """R, used only with `independent_noise`."""
    normalise_latent: bool = True
    """Unit average variance of the latent rows, whatever the ratio (eq. 4). False: unit prior variance of Psi."""
    latent_snr: float | None = None
    """The latent signal-to-noise ratio beta, fixed. None: sampled."""
    latent_snr_location: float = -3.0
    """Prior mean of log beta; about 5 % of the latent variance is signal. docs/methods/bayes.md, section 2."""
    latent_snr_scale: float = 1.0
    """Prior standard deviation of log beta."""
    local_dof: float = 3.0
    """nu of the local scales phi ~ Gamma(nu/2, nu/2), for both kinds of loadings."""
    shrinkage_first: float = 3.0
    """a1 of delta_1 ~ Gamma(a1, 1); the start value when `sample_shrinkage`."""
    shrinkage_later: float = 4.1
    """a2 of delta_h ~ Gamma(a2, 1), h > 1; the start value when `sample_shrinkage`."""
    sample_shrinkage: bool = False
    """Truncated-gamma hyperpriors on a1 and a2 (eq. 5)."""
    noise_shrinkage_first: float = 3.0
    noise_shrinkage_later: float = 4.1
    sample_noise_shrinkage: bool = True
    noise_precision_shape: float = 2.2
    """Shape of the gamma prior of 1/sigma_k^2, targets in units of their standard deviation."""
    noise_precision_rate: float = 0.5
    confounder_scale: float = 10.0
    """Prior standard deviation of A, in target per confounder standard deviations: all but flat."""

    def __post_init__(self) -> None:
        """Check ranges and the combinations that have no meaning."""
        for name in ("rank", "noise_rank"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(
                    "value out of range", got=value, expected="at least 1", where=name
                )
        for name in _POSITIVE:
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ConfigError("value out of range", got=value, expected="above 0", where=name)
        for name, low in (
            ("local_dof", 1.0),
            ("noise_shrinkage_first", 0.5),
            ("noise_shrinkage_later", 0.5),
        ):
            if (
                getattr(self, name) < low
            ):  # below, a gamma conditional of the sampler has a shape below 1
                got = getattr(self, name)
                raise ConfigError(
                    "value out of range", got=got, expected=f"at least {low}", where=name
                )
        if not 0.0 < self.signal_common_probability < 1.0:
            raise ConfigError(
                "value out of range",
                got=self.signal_common_probability,
                expected="between 0 and 1, both excluded",
                where="signal_common_probability",
            )
        if self.latent_snr is not None and not (
            np.isfinite(self.latent_snr) and self.latent_snr > 0
        ):
            raise ConfigError(
                "value out of range",
                got=self.latent_snr,
                expected="above 0, or null to sample it",
                where="latent_snr",
            )
        if self.signal_covariance is SignalCovariance.FREE and not self.latent_noise:
            raise ConfigError(
                "a free signal covariance is relative to the latent noise, which is off",
                expected="signal_covariance=common or latent_noise=true",
                where="signal_covariance",
            )

    @property
    def signal_dof_weights(self) -> tuple[float, ...]:
        """Prior probabilities of `SIGNAL_DOF`."""
        common, others = self.signal_common_probability, len(SIGNAL_DOF) - 1
        return (*((1.0 - common) / others,) * others, common)

    @property
    def samples_snr(self) -> bool:
        """Whether the latent signal-to-noise ratio is a parameter."""
        return self.latent_noise and self.latent_snr is None

    def with_(self, **changes: Any) -> ModelSettings:  # noqa: ANN401 - fields of this class
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)


_POSITIVE = (
    "latent_snr_scale", "local_dof", "shrinkage_first", "shrinkage_later", "noise_shrinkage_first",
    "noise_shrinkage_later", "noise_precision_shape", "noise_precision_rate", "confounder_scale",
)  # fmt: skip

CONFIGURATIONS: dict[str, ModelSettings] = {
    "latent_noise": ModelSettings(signal_covariance=SignalCovariance.FREE),
    "information_sharing": ModelSettings(independent_noise=True, group_sparsity=True),
    "independent_noise": ModelSettings(latent_noise=False, independent_noise=True),
    "brrr": ModelSettings(latent_noise=False),
}
"""Named models: JMLR 17(122) 2016; arXiv 1310.4362; the a priori independent baseline of both; no structured noise."""


@dataclass(frozen=True)
class Draws:
    """Posterior draws on the standardised scale; every array is (chain, draw, *event), float64.

    `coef = psi @ loadings`; use `posterior.py` for invariant summaries. Loadings, psi and the scales of the shrinkage
    prior are identified only up to rotation and sign: never report or diagnose them.
    """

    psi: np.ndarray
    """(.., P, S): a draw of Psi."""
    psi_mean: np.ndarray
    """(.., P, S): E[Psi | the other parameters]; its product with `loadings` is the Rao-Blackwellised B."""
    loadings: np.ndarray
    """(.., S, K): Gamma."""
    noise_loadings: np.ndarray
    """(.., R, K): Lambda; R = 0 without independent noise."""
    confounder_coef: np.ndarray
    """(.., C, K): A."""
    noise_scale: np.ndarray
    """(.., K): standard deviation of E."""
    latent_snr: np.ndarray
    """(..): beta; infinite without latent noise."""
    latent_variance: np.ndarray
    """(..): prior variance s^2 of an entry of Omega."""
    signal_shape: np.ndarray
    """(.., S, S): T, the shape of the signal covariance; the identity when it is common."""
    log_likelihood: np.ndarray
    """(..): log density of the training targets with Psi, Omega and H integrated out, nats."""
    local_scale: np.ndarray
    """(.., S, G): phi."""
    shrinkage: np.ndarray
    """(.., S): delta."""
    imputed: np.ndarray
    """(.., M): missing target cells, in the order of `MissingData.cells`; M = 0 when nothing is missing."""
    intercept: np.ndarray
    """(.., K): mean of a target at the covariates' mean, standardised; drawn, so it carries its own uncertainty."""

    @property
    def num_chains(self) -> int:
        """Length of the first axis."""
        return self.loadings.shape[0]

    @property
    def num_draws(self) -> int:
        """Draws per chain."""
        return self.loadings.shape[1]

    @staticmethod
    def concatenate(parts: list[Draws]) -> Draws:
        """Join along the draw axis: what a resumed run appends."""
        names = [item.name for item in fields(Draws)]
        return Draws(**{n: np.concatenate([getattr(p, n) for p in parts], axis=1) for n in names})
