"""The generator of the papers' simulations: weak effects in structured noise, with the truth.

Every variance share is exact in expectation over rows: covariates explain `signal_share` of the total target variance,
idiosyncratic noise `residual_share`, structured noise the rest; `noise_mixture` is the share of structured noise that
has loadings of its own instead of the signal's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from runtime.errors import ConfigError
from runtime.seeding import Stream


class Covariates(Enum):
    """What X looks like."""

    SNP = "snp"
    """Counts 0, 1, 2: binomial with a minor allele frequency uniform in 0.05 to 0.5."""
    GAUSSIAN = "gaussian"


@dataclass(frozen=True)
class SimulationSettings:
    """Sizes and shares of one simulated data set; defaults are the demonstration of the 2016 paper's scripts.

    Raises:
        ConfigError: a value out of range.
    """

    num_rows: int = 500
    num_test_rows: int = 5000
    num_covariates: int = 30
    num_targets: int = 60
    rank: int = 3
    noise_rank: int = 3
    """Rank of the structured noise with loadings of its own; unused when `noise_mixture` is 0."""
    signal_share: float = 0.03
    residual_share: float = 0.20
    noise_mixture: float = 0.0
    """lambda: 0 is all latent noise, 1 is all independent structured noise."""
    covariates: Covariates = Covariates.SNP

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("num_rows", "num_covariates", "num_targets", "rank", "noise_rank"):
            if getattr(self, name) < (2 if name == "num_rows" else 1):
                got = getattr(self, name)
                raise ConfigError(
                    "value out of range", got=got, expected="a positive size", where=name
                )
        if self.num_test_rows < 0:
            raise ConfigError(
                "value out of range",
                got=self.num_test_rows,
                expected="at least 0",
                where="num_test_rows",
            )
        for name in ("signal_share", "residual_share", "noise_mixture"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                got = getattr(self, name)
                raise ConfigError("value out of range", got=got, expected="in [0, 1]", where=name)
        if self.signal_share + self.residual_share > 1.0:
            raise ConfigError(
                "shares add up to more than 1",
                got=self.signal_share + self.residual_share,
                expected="signal_share + residual_share at most 1",
                where="signal_share",
            )


@dataclass(frozen=True)
class Simulated:
    """A data set and what made it; N training rows, M test rows."""

    x: np.ndarray
    """(N, P)."""
    y: np.ndarray
    """(N, K)."""
    x_test: np.ndarray
    y_test: np.ndarray
    coef: np.ndarray
    """(P, K): B, target units per covariate unit."""
    noise_covariance: np.ndarray
    """(K, K): of a row of Y given X."""
    covariate_covariance: np.ndarray
    """(P, P): population covariance of a row of X."""
    latent_snr: float
    """tr Var(X Psi) / tr Var(Omega); infinite when there is no latent noise."""

    def population_ptve(self, coef: np.ndarray) -> float:
        """Proportion of total variance in new rows that (P, K) coefficients explain, over the whole population."""
        error = self.coef - coef
        covariance = self.covariate_covariance
        total = np.trace(self.noise_covariance) + np.sum(self.coef * (covariance @ self.coef))
        missed = np.trace(self.noise_covariance) + np.sum(error * (covariance @ error))
        return float(1.0 - missed / total)


def simulate(settings: SimulationSettings, seed: int) -> Simulated:
    """One data set from eq. 1 with the shares of the settings.

    Psi and both loadings have standard normal entries before their block is scaled to its share, so components differ
    in size as they do in the authors' scripts.
    """
    rng = np.random.default_rng(Stream(seed, "simulate").seed)
    p, k, s = settings.num_covariates, settings.num_targets, settings.rank
    draw_rows, variances = _covariates(settings, rng)
    psi, loadings = rng.normal(size=(p, s)), rng.normal(size=(s, k))
    noise_loadings = rng.normal(size=(settings.noise_rank, k))
    structured = max(0.0, 1.0 - settings.signal_share - settings.residual_share)
    latent_share = structured * (1.0 - settings.noise_mixture)
    signal = np.sum((psi @ loadings) ** 2 * variances[:, None])
    psi *= np.sqrt(k * settings.signal_share / signal)
    omega_variance = k * latent_share / np.sum(loadings**2)
    noise_loadings *= np.sqrt(k * structured * settings.noise_mixture / np.sum(noise_loadings**2))
    coef = psi @ loadings

    def targets(x: np.ndarray) -> np.ndarray:
        n = x.shape[0]
        eta = x @ psi + np.sqrt(omega_variance) * rng.normal(size=(n, s))
        noise = np.sqrt(settings.residual_share) * rng.normal(size=(n, k))
        return (
            eta @ loadings + rng.normal(size=(n, noise_loadings.shape[0])) @ noise_loadings + noise
        )

    x, x_test = draw_rows(settings.num_rows), draw_rows(settings.num_test_rows)
    return Simulated(
        x=x,
        y=targets(x),
        x_test=x_test,
        y_test=targets(x_test),
        coef=coef,
        noise_covariance=omega_variance * loadings.T @ loadings
        + noise_loadings.T @ noise_loadings
        + settings.residual_share * np.eye(k),
        covariate_covariance=np.diag(variances),
        latent_snr=float(np.sum(psi**2 * variances[:, None]) / (s * omega_variance))
        if omega_variance > 0
        else float("inf"),
    )


def _covariates(settings: SimulationSettings, rng: np.random.Generator):  # noqa: ANN202
    """A function from a number of rows to X, and the population variances (P,)."""
    p = settings.num_covariates
    if settings.covariates is Covariates.GAUSSIAN:
        return (lambda n: rng.normal(size=(n, p))), np.ones(p)
    frequency = rng.uniform(0.05, 0.5, size=p)
    return (
        lambda n: rng.binomial(2, frequency, size=(n, p)).astype(float),
        2.0 * frequency * (1.0 - frequency),
    )
