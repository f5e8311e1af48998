"""Where chains start: principal components of the targets, spread out so that R-hat can see a chain that is stuck."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import random

from bayesreg.gibbs.state import Array, Layout, Parameters, Problem, State, draw_prior, in_rows

SPREAD = 0.3
"""Standard deviation of the log factors by which chains differ in scale."""
_FLOOR = 1e-3  # of a standardised target's variance: a start at zero noise would take long to leave


def initial_state(key: Array, problem: Problem, layout: Layout, num_chains: int) -> State:
    """Starting states of all chains, leaves (chain, *event).

    Loadings start at the leading principal components of Y (of its part in the span of X without latent noise), noise
    variances at what these leave, scales of the shrinkage prior at what fits the loadings; the ratio, the concentration
    and everything else at a draw from the prior.

    Args:
        key: one key; chains get keys of their own.
        problem: data.
        layout: static.
        num_chains: number of chains.
    """
    keys = random.split(key, num_chains)
    return jax.jit(jax.vmap(lambda k: chain_state(k, problem, layout)))(keys)


def chain_state(key: Array, problem: Problem, layout: Layout) -> State:
    """The start of one chain; `initial_state` says where that is."""
    chain_key, jitter_key, prior_key = random.split(key, 3)
    return State(chain_key, _start(jitter_key, prior_key, problem, layout))


def _start(key: Array, prior_key: Array, problem: Problem, layout: Layout) -> Parameters:
    s, r = layout.rank, layout.noise_rank
    p = draw_prior(prior_key, problem, layout)
    reached = (problem.energy > 0).astype(problem.y.dtype)[:, None]
    source = problem.y if layout.latent_noise else in_rows(problem, problem.y) * reached
    jitter = jnp.exp(SPREAD * random.normal(key, (s + r + layout.num_targets,)))
    components = principal_components(problem.y, s + r, problem.total_rows)
    loadings = (
        components[:s]
        if layout.latent_noise
        else principal_components(source, s, problem.total_rows)
    )
    loadings = loadings * jitter[:s, None]
    others = components[s:] if layout.latent_noise else components[:r]
    noise_loadings = others * jitter[s : s + r, None]
    total = jnp.sum(problem.y**2, axis=0) / problem.total_rows
    explained = jnp.sum(loadings**2, axis=0) + jnp.sum(noise_loadings**2, axis=0)
    variance = jnp.maximum(total - explained, jnp.maximum(_FLOOR, 0.05 * total)) * jitter[s + r :]
    tau = jnp.sqrt(layout.num_targets / jnp.sum(loadings**2, axis=1))
    noise_tau = layout.num_targets / jnp.sum(noise_loadings**2, axis=1)
    return p._replace(
        loadings=loadings,
        noise_loadings=noise_loadings,
        noise_variance=variance,
        local_scale=jnp.ones_like(p.local_scale),
        noise_local_scale=jnp.ones_like(p.noise_local_scale),
        shrinkage=_ratios(tau),
        noise_shrinkage=_ratios(noise_tau),
        confounder_coef=jnp.zeros_like(p.confounder_coef),
    )


def principal_components(rows: Array, count: int, total_rows: Array) -> Array:
    """Leading eigenvectors of rows'rows / total_rows scaled by the root of their eigenvalues, (count, K).

    With fewer than `count` targets the rest is small and not zero, so that its scales are defined.
    """
    values, vectors = jnp.linalg.eigh(rows.T @ rows / total_rows)
    size = vectors.shape[0]
    scaled = jnp.sqrt(jnp.maximum(values, _FLOOR**2))[::-1][:, None] * vectors.T[::-1]
    if count <= size:
        return scaled[:count]
    return jnp.concatenate([scaled, jnp.full((count - size, size), _FLOOR)])


def _ratios(tau: Array) -> Array:
    """delta with cumulative product near tau, each within the bulk of its prior."""
    if tau.shape[0] == 0:
        return tau
    previous = jnp.concatenate([jnp.ones(1), tau[:-1]])
    return jnp.clip(tau / previous, 0.2, 20.0)
