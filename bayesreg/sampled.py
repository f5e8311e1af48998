"""A Gibbs fit in memory that predicts in original units: what the estimator, the comparison and the studies share.

Warm-up runs the program that draws and drops its draws: a small problem costs its compilation, and this compiles one
program a shape instead of two. Everything is done in float64, whatever JAX is set to outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np
from jax import random

from bayesreg import posterior
from bayesreg.gibbs import rowwise, start
from bayesreg.inference import Chains, draw_chains
from bayesreg.prepare import prepare
from bayesreg.scoring import Mixture
from bayesreg.transforms import Standardisation, coefficients_in_units
from bayesreg.types import Draws, ModelSettings
from runtime.seeding import Stream

MIXTURE_DRAWS = 100
"""Evenly spaced draws that a predictive distribution is mixed over; mean and deviation use them all."""
_SLICE_CELLS = 4_000_000  # 32 MB of float64 at a time

_STARTS = {
    by_rows: jax.jit(function, static_argnames=("layout", "num_chains"))
    for by_rows, function in ((False, start.initial_state), (True, rowwise.initial_rows))
}


@dataclass(frozen=True)
class Effort:
    """How long to sample."""

    num_chains: int = 4
    num_warmup: int = 300
    """Sweeps dropped at the start of each chain, rounded up to whole blocks."""
    num_draws: int = 500
    """Draws kept per chain, rounded up to whole blocks."""
    block: int = 100
    """Sweeps per call of the compiled program; another number is another program."""


@dataclass(frozen=True)
class SampledFit:
    """Draws with the scalings that bring them back to original units; new tables are given in original units."""

    draws: Draws
    x_scaling: Standardisation
    y_scaling: Standardisation
    z_scaling: Standardisation

    @cached_property
    def coef(self) -> np.ndarray:
        """Rao-Blackwellised posterior mean of B in units, (P, K)."""
        return self._in_units(posterior.coef_mean(self.draws))

    def _in_units(self, coef: np.ndarray) -> np.ndarray:
        return coefficients_in_units(coef, self.x_scaling, self.y_scaling)

    def coef_covered(self, truth: np.ndarray, *, level: float = 0.9, max_draws: int = 500) -> float:
        """Share of the coefficients whose equal-tailed interval holds the truth.

        Args:
            truth: (P, K) in units.
            level: of the intervals.
            max_draws: evenly spaced draws that the intervals are taken from.
        """
        thinned = thin_draws(self.draws, max_draws)
        inside = 0
        tail = (1.0 - level) / 2.0
        scale = self._in_units(np.ones_like(truth))
        for rows, coef in posterior.coef_slices(thinned):
            low, high = np.quantile(coef, [tail, 1.0 - tail], axis=0) * scale[rows]
            inside += int(np.sum((low <= truth[rows]) & (truth[rows] <= high)))
        return inside / truth.size

    def mean(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Predictive mean of new rows, (M, K).

        Args:
            x: (M, P).
            z: (M, C) when the model has confounders.
        """
        scaled, confounders = self._scaled(x, z)
        centre = scaled @ posterior.coef_mean(self.draws)
        if confounders is not None:
            centre = centre + confounders @ self.draws.confounder_coef.mean(axis=(0, 1))
        return self.y_scaling.undo(centre)

    def sd(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Predictive standard deviation of new rows, all noise included, (M, K); rows in slices."""
        scaled, confounders = self._scaled(x, z)
        noise = posterior.noise_variance(self.draws).mean(axis=(0, 1))
        count = self.draws.num_chains * self.draws.num_draws
        step = max(1, _SLICE_CELLS // (count * noise.size))
        parts = [np.empty((0, noise.size))]
        for first in range(0, len(scaled), step):
            rows = slice(first, first + step)
            given = None if confounders is None else confounders[rows]
            means = posterior.predictive_means(self.draws, scaled[rows], given)
            parts.append(means.var(axis=0, ddof=1))
        return np.sqrt(np.concatenate(parts) + noise) * self.y_scaling.scale

    def mixture(self, x: np.ndarray, z: np.ndarray | None = None) -> Mixture:
        """Predictive distribution of each target of each new row: a mixture of normals over draws."""
        thinned = thin_draws(self.draws, MIXTURE_DRAWS)
        scaled, confounders = self._scaled(x, z)
        means = posterior.predictive_means(thinned, scaled, confounders)
        noise = np.sqrt(posterior.noise_variance(thinned))
        spread = noise.reshape(-1, 1, noise.shape[-1]) * self.y_scaling.scale
        return Mixture(self.y_scaling.undo(means), spread)

    def _scaled(self, x: np.ndarray, z: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        return self.x_scaling.apply(x), (None if z is None else self.z_scaling.apply(z))


def thin_draws(draws: Draws, count: int) -> Draws:
    """At most `count` evenly spaced draws, over all chains."""
    step = max(1, -(-draws.num_chains * draws.num_draws // count))
    return Draws(**{name: value[:, ::step] for name, value in vars(draws).items()})


def fit_sampled(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray | None = None,
    *,
    settings: ModelSettings,
    seed: int,
    effort: Effort,
    groups: np.ndarray | None = None,
) -> SampledFit:
    """Prepare, warm up and draw.

    Args:
        x: (N, P), finite, in original units.
        y: (N, K), NaN where missing.
        z: (N, C) or None.
        settings: the model.
        seed: root of all randomness.
        effort: how long.
        groups: (K,), clusters of targets, with group sparsity.

    Raises:
        InputError: tables that cannot be used.
        ConfigError: groups and settings do not match.
    """
    with jax.enable_x64(True):
        prepared = prepare(x, y, z, settings=settings, groups=groups)
        key = random.key(Stream(seed, "bayes", "chains").seed32)
        chains: Chains = _STARTS[prepared.by_rows](
            key, prepared.problem, layout=prepared.layout, num_chains=effort.num_chains
        )
        for _ in range(-(-effort.num_warmup // effort.block)):
            chains, _dropped = draw_chains(prepared, chains, effort.block)
        parts = []
        for _ in range(-(-effort.num_draws // effort.block)):
            chains, draws = draw_chains(prepared, chains, effort.block)
            parts.append(draws)
    return SampledFit(
        Draws.concatenate(parts), prepared.x_scaling, prepared.y_scaling, prepared.z_scaling
    )
