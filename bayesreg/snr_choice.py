"""Choosing the latent signal-to-noise ratio from a grid and fixing it: offered for comparison, not advised.

Sampling the ratio with everything else lost the least in every comparison (docs/methods/bayes.md, section 2); a ratio
that is chosen is then treated as known, so the intervals are too narrow by what the choice hides.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bayesreg.gibbs import latents
from bayesreg.inference import advance_chains, fit_gibbs, start_chains
from bayesreg.posterior import log_predictive_density
from bayesreg.prepare import Prepared, prepare
from bayesreg.sources import Loaded, prepare_source
from bayesreg.types import ModelSettings
from runtime.errors import ConfigError, InputError
from runtime.seeding import Stream

NUM_CHAINS, NUM_WARMUP = 4, 300
_NUM_POINTS, _GAP = (
    200,
    5,
)  # points of the chain at which the likelihood is taken, and sweeps between them
_NUM_FOLDS, _FOLD_DRAWS = 5, 300
_QUADRATURE = (
    121  # points of the integral over log beta, on the prior's mean +- six standard deviations
)


def choose_by_evidence(
    loaded: Loaded,
    settings: ModelSettings,
    groups: np.ndarray | None,
    *,
    grid: tuple[float, ...],
    seed: int,
) -> np.ndarray:
    """log p(Y | beta) for each value of the grid, up to a constant, (G,).

    The chains are run with beta sampled. Its conditional density given the other parameters, Psi and Omega integrated
    out, is averaged over the chains: the marginal posterior of beta, which divided by the prior is the likelihood.

    Raises:
        ConfigError: target cells are missing.
    """
    prepared = prepare_source(loaded, settings, groups)
    if prepared.by_rows:
        raise ConfigError(
            "the evidence of a ratio needs complete targets",
            got=f"{len(prepared.missing.cells)} missing cell(s)",
            expected="sampled",
            where="model.latent_snr_choice",
        )
    half = 6.0 * settings.latent_snr_scale
    nodes = np.linspace(-half, half, _QUADRATURE) + settings.latent_snr_location
    points = np.concatenate([nodes, np.log(grid)])
    log_prior = -0.5 * ((points - settings.latent_snr_location) / settings.latent_snr_scale) ** 2
    chains = start_chains(
        prepared, seed=Stream(seed, "bayes", "evidence").seed32, num_chains=NUM_CHAINS
    )
    chains = advance_chains(prepared, chains, NUM_WARMUP)
    rows = []
    for _ in range(_NUM_POINTS):
        chains = advance_chains(prepared, chains, _GAP)
        joint = np.asarray(
            _likelihoods(chains.parameters, prepared.problem, jnp.asarray(points), prepared.layout)
        )
        joint = joint.astype(np.float64) + log_prior
        rows.append(joint - np.logaddexp.reduce(joint[:, :_QUADRATURE], axis=1, keepdims=True))
    density = np.logaddexp.reduce(np.concatenate(rows)[:, _QUADRATURE:], axis=0)
    return density - log_prior[_QUADRATURE:]


@partial(jax.jit, static_argnames=("layout",))
def _likelihoods(parameters, problem, log_snr, layout):  # noqa: ANN001, ANN202 - traced
    """log p(Y | parameters, log beta) of every chain at every point, (chain, point)."""

    def one(chain, point):  # noqa: ANN001, ANN202
        return latents.log_likelihood(problem, chain._replace(log_snr=point), layout)

    return jax.vmap(lambda chain: jax.lax.map(lambda point: one(chain, point), log_snr))(parameters)


def choose_by_cross_validation(
    loaded: Loaded,
    settings: ModelSettings,
    groups: np.ndarray | None,
    *,
    grid: tuple[float, ...],
    seed: int,
) -> np.ndarray:
    """Mean log predictive density of held-out rows for each value of the grid, (G,), nats a row.

    Raises:
        ConfigError: target cells are missing.
        InputError: the tables were streamed, or there are too few rows.
    """
    data = loaded.data
    if data is None:
        raise InputError(
            "cross-validation needs the tables in memory",
            expected="tables.stream=false, or model.latent_snr_choice=sampled",
        )
    if np.isnan(data.y).any():
        raise ConfigError(
            "cross-validation of a ratio needs complete targets",
            got=f"{int(np.isnan(data.y).sum())} missing cell(s)",
            expected="sampled",
            where="model.latent_snr_choice",
        )
    rng = np.random.default_rng(Stream(seed, "bayes", "folds").seed)
    folds = np.array_split(rng.permutation(data.x.shape[0]), _NUM_FOLDS)
    return np.array(
        [
            np.mean(
                np.concatenate(
                    [
                        _held_out(
                            data.x,
                            data.y,
                            data.z,
                            fold,
                            settings.with_(latent_snr=value),
                            groups,
                            seed,
                        )
                        for fold in folds
                    ]
                )
            )
            for value in grid
        ]
    )


def _held_out(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    fold: np.ndarray,
    settings: ModelSettings,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    """Log predictive density of the rows of a fold, fitted without them; in the units of the training rows' scaling."""
    kept = np.setdiff1d(np.arange(x.shape[0]), fold)
    confounders = z if z.shape[1] else None
    prepared: Prepared = prepare(
        x[kept],
        y[kept],
        None if confounders is None else confounders[kept],
        settings=settings,
        groups=groups,
    )
    fit = fit_gibbs(
        prepared,
        seed=Stream(seed, "bayes", "cross-validation").seed32,
        num_chains=NUM_CHAINS,
        num_warmup=NUM_WARMUP,
        num_draws=_FOLD_DRAWS,
        block=_FOLD_DRAWS,
    )
    density = log_predictive_density(
        fit.draws,
        prepared.y_scaling.apply(y[fold]),
        prepared.x_scaling.apply(x[fold]),
        None if confounders is None else prepared.z_scaling.apply(confounders[fold]),
    )
    return density - np.log(prepared.y_scaling.scale).sum()
