"""The latent signal-to-noise ratio and the free signal covariance (docs/methods/bayes.md, section 7).

All but the last use the likelihood with Psi, Omega and H integrated out, so they mix whatever the latent rows are.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from bayesreg.gibbs.latents import Spectrum, collapsed_log_likelihood, spectrum
from bayesreg.gibbs.state import (
    Array,
    Hyper,
    Layout,
    Parameters,
    Problem,
    inverse_wishart_factor,
    latent_variances,
    loadings_precision,
)

SNR_STEPS = ((2.0, False), (0.7, True), (0.25, True))
"""Random-walk scales for log beta, one step each, and whether the loadings go along. Its posterior is 0.15 to 1.4 wide
at the sizes that were studied."""
FACTOR_STEPS = (0.7,)
"""Random-walk scales for T's factor, relative to its prior spread at the current concentration."""


def snr_log_density(
    log_snr: Array,
    log_scale: Array,
    noise: tuple[Array, Array, Array],
    factor: Array,
    problem: Problem,
    layout: Layout,
) -> Array:
    """Log density of log beta given everything but the latent rows, Gamma multiplied by exp(log_scale): eq. 24 and 37.

    Up to a constant, and without the prior of Gamma.
    """
    # a multiple of Gamma is to the targets what a multiple of the latent rows is
    square = jnp.exp(2.0 * log_scale)
    kappa, omega_variance = (
        square * variance for variance in latent_variances(problem, layout, log_snr)
    )
    found = spectrum(noise, omega_variance, factor, layout)
    standard = (log_snr - problem.hyper.snr_location) / problem.hyper.snr_scale
    likelihood = collapsed_log_likelihood(found, problem, kappa, omega_variance)
    return likelihood - 0.5 * standard * standard


def scaled(noise: tuple[Array, Array, Array], scale: Array) -> tuple[Array, Array, Array]:
    """What `latents.decompose` returns when all loadings Gamma are multiplied by `scale`."""
    vectors, values, linear = noise
    return vectors, scale * scale * values, scale * linear


def draw_snr(
    p: Parameters,
    normals: Array,
    uniforms: Array,
    noise: tuple[Array, Array, Array],
    problem: Problem,
    layout: Layout,
) -> tuple[Parameters, tuple[Array, Array, Array]]:
    """Random-walk Metropolis steps for log beta, one for each of `SNR_STEPS`: eq. 24, and eq. 37 with the loadings.

    With many rows the size of the structured noise is known far better than beta is, and beta alone cannot move; it can
    together with the loadings, which leave that size as it is.

    Args:
        p: parameters.
        normals: one a step.
        uniforms: one a step.
        noise: from `latents.decompose`.
        problem: data.
        layout: static.

    Returns:
        Parameters with beta and Gamma, and `noise` with these loadings.
    """
    half_square = 0.5 * jnp.sum(loadings_precision(p, problem.groups, layout) * p.loadings**2)

    def log_density(log_snr: Array, log_scale: Array) -> Array:
        density = snr_log_density(log_snr, log_scale, noise, p.signal_factor, problem, layout)
        return density - half_square * jnp.exp(2.0 * log_scale) + p.loadings.size * log_scale

    value, log_scale = p.log_snr, jnp.zeros(())
    density = log_density(value, log_scale)
    for index, (step, with_loadings) in enumerate(SNR_STEPS):
        new, new_scale = value + step * normals[index], log_scale
        if with_loadings:
            before, after = (latent_variances(problem, layout, at)[1] for at in (value, new))
            new_scale = log_scale + 0.5 * (jnp.log(before) - jnp.log(after))
        new_density = log_density(new, new_scale)
        accept = jnp.log(uniforms[index]) < new_density - density
        value = jnp.where(accept, new, value)
        log_scale = jnp.where(accept, new_scale, log_scale)
        density = jnp.where(accept, new_density, density)
    scale = jnp.exp(log_scale)
    return p._replace(log_snr=value, loadings=scale * p.loadings), scaled(noise, scale)


def factor_log_prior(factor: Array, dof: Array) -> Array:
    """Log density of T's factor in the coordinates of `_move`: eq. 25, Jacobian included.

    T ~ inverse-Wishart(S + 1 + nu, nu I); the coordinates are the logarithms of the diagonal of its Cholesky factor and
    the sub-diagonal divided by its row's diagonal, whose Jacobian is |T|^((S + 1) / 2).
    """
    size = factor.shape[0]
    degrees = size + 1.0 + dof
    log_det = 2.0 * jnp.sum(jnp.log(jnp.diag(factor)))
    inverse = jax.scipy.linalg.solve_triangular(factor, jnp.eye(size), lower=True)
    return (
        factor_log_normaliser(degrees, dof, size)
        - 0.5 * degrees * log_det
        - 0.5 * dof * jnp.sum(inverse * inverse)
    )


def factor_log_normaliser(degrees: Array, dof: Array, size: int) -> Array:
    """The part of the inverse-Wishart's log density that depends on nu alone."""
    multigamma = jnp.sum(gammaln(0.5 * (degrees - jnp.arange(size))))
    return 0.5 * degrees * size * (jnp.log(dof) - jnp.log(2.0)) - multigamma


def _move(normals: Array, factor: Array, scale: Array) -> Array:
    """A random-walk step in log diagonal and row-scaled sub-diagonal; (S, S) `normals`, lower triangle used."""
    diagonal = jnp.diag(factor)
    unit = jnp.tril(factor / diagonal[:, None] + scale * normals, -1)
    moved = diagonal * jnp.exp(scale * jnp.diag(normals) / jnp.sqrt(2.0))
    return moved[:, None] * (unit + jnp.eye(factor.shape[0]))


def signal_dof_log_weights(factor: Array, support: Array) -> Array:
    """Log probabilities of each concentration given T, up to a constant, (D,): eq. 26."""
    return jax.vmap(lambda dof: factor_log_prior(factor, dof))(support)


def draw_signal_dof(uniform: Array, factor: Array, support: Array, log_weights: Array) -> Array:
    """An index into `support`, whose log prior probabilities are given, given T, by inversion: eq. 26."""
    return _invert(uniform, signal_dof_log_weights(factor, support) + log_weights)


def _invert(uniform: Array, log_weights: Array) -> Array:
    """An index with probabilities proportional to the weights."""
    below = jnp.cumsum(jax.nn.softmax(log_weights))
    index = jnp.sum(below / below[-1] < uniform)
    return jnp.minimum(index, log_weights.shape[0] - 1).astype(int)


def rescaled(factor: Array, ratio: Array) -> Array:
    """T's factor with all coordinates of `_move` multiplied by `ratio`; the identity is their origin."""
    diagonal = jnp.diag(factor)
    unit = jnp.tril(factor / diagonal[:, None], -1)
    return (diagonal**ratio)[:, None] * (ratio * unit + jnp.eye(factor.shape[0]))


def move_along_orbit(
    uniform: Array,
    index: Array,
    factor: Array,
    density: Callable[[Array, Array], Array],
    hyper: Hyper,
) -> tuple[Array, Array, Array]:
    """The concentration given T's coordinates over the spread that it gives them, by inversion: eq. 33.

    T follows it: alone, the concentration hardly leaves the value that T was drawn under.

    Args:
        uniform: scalar.
        index: of the current concentration.
        factor: (S, S), current factor.
        density: log density of (factor, nu), up to a constant.
        hyper: for the prior.

    Returns:
        The index, the factor, and their log density.
    """
    support, log_weights = hyper.signal_dof, hyper.signal_dof_log_weights
    size = factor.shape[0]
    log_spread = -0.5 * jnp.log(support + 0.5 * size)
    log_ratios = log_spread - log_spread[index]
    factors = jax.vmap(lambda log_ratio: rescaled(factor, jnp.exp(log_ratio)))(log_ratios)
    densities = jax.vmap(density)(factors, support)
    jacobian = 0.5 * size * (size + 1.0) * log_ratios
    new = _invert(uniform, densities + log_weights + jacobian)
    return new, factors[new], densities[new]


def draw_signal_covariance(
    p: Parameters,
    normals: dict[str, Array],
    uniforms: dict[str, Array],
    noise: tuple[Array, Array, Array],
    problem: Problem,
    layout: Layout,
) -> Parameters:
    """nu given T, both together, then T by random walk, with the latent rows integrated out: eq. 25, 26, 33."""
    support, log_weights = problem.hyper.signal_dof, problem.hyper.signal_dof_log_weights
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)

    def density(factor: Array, dof: Array) -> Array:
        found: Spectrum = spectrum(noise, omega_variance, factor, layout)
        likelihood = collapsed_log_likelihood(found, problem, kappa, omega_variance)
        return likelihood + factor_log_prior(factor, dof)

    index = draw_signal_dof(uniforms["dof"][0], p.signal_factor, support, log_weights)
    index, factor, current = move_along_orbit(
        uniforms["dof"][1], index, p.signal_factor, density, problem.hyper
    )
    # 2.4 / sqrt(dimension) of the prior's spread is the usual scale
    spread = 2.4 / jnp.sqrt(0.5 * layout.rank * (layout.rank + 1.0) * (1.0 + support[index]))
    for step, scale in enumerate(FACTOR_STEPS):
        new = _move(normals["factor"][step], factor, scale * spread)
        new_density = density(new, support[index])
        accept = jnp.log(uniforms["factor"][step]) < new_density - current
        factor = jnp.where(accept, new, factor)
        current = jnp.where(accept, new_density, current)
    return p._replace(signal_dof=index, signal_factor=factor)


def draw_signal_factor(
    p: Parameters,
    scatter: Array,
    normals: dict[str, Array],
    gammas: dict[str, Array],
    hyper: Hyper,
) -> Parameters:
    """T given the signal rows: eq. 36. It takes all of T along, where the random walk is stopped by 21 coordinates."""
    dof = hyper.signal_dof[p.signal_dof]
    root = jnp.linalg.cholesky(scatter + dof * jnp.eye(scatter.shape[0]))
    factor = inverse_wishart_factor(normals["signal"], gammas["signal"][p.signal_dof], root)
    return p._replace(signal_factor=factor)
