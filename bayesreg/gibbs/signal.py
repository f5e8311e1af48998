"""The latent signal-to-noise ratio and the free signal covariance (docs/methods/bayes.md, section 7).

All moves use the likelihood with Psi, Omega and H integrated out, so they mix whatever the latent rows are.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from bayesreg.gibbs.latents import Spectrum, collapsed_log_likelihood, spectrum
from bayesreg.gibbs.state import Array, Layout, Problem, latent_variances

SNR_STEPS = (2.0, 0.7, 0.25)
"""Random-walk scales for log beta, one step each: its posterior is 0.2 to 1.4 wide at the sizes that were studied."""
FACTOR_STEPS = (1.0, 0.5, 0.2)
"""Random-walk scales for T's factor, relative to its prior spread at the current concentration."""


def snr_log_density(
    log_snr: Array,
    noise: tuple[Array, Array, Array],
    factor: Array,
    problem: Problem,
    layout: Layout,
) -> Array:
    """Log density of log beta given everything but the latent rows, up to a constant: eq. 24."""
    kappa, omega_variance = latent_variances(problem, layout, log_snr)
    found = spectrum(noise, omega_variance, factor, layout)
    standard = (log_snr - problem.hyper.snr_location) / problem.hyper.snr_scale
    likelihood = collapsed_log_likelihood(found, problem, kappa, omega_variance)
    return likelihood - 0.5 * standard * standard


def draw_log_snr(
    normals: Array,
    uniforms: Array,
    log_snr: Array,
    noise: tuple[Array, Array, Array],
    factor: Array,
    problem: Problem,
    layout: Layout,
) -> Array:
    """Random-walk Metropolis steps for log beta, one for each entry of `normals`: eq. 24."""  # fmt: skip
    value = log_snr
    density = snr_log_density(value, noise, factor, problem, layout)
    for index, scale in enumerate(SNR_STEPS):
        new = value + scale * normals[index]
        new_density = snr_log_density(new, noise, factor, problem, layout)
        accept = jnp.log(uniforms[index]) < new_density - density
        value = jnp.where(accept, new, value)
        density = jnp.where(accept, new_density, density)
    return value


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


def draw_signal_factor(
    normals: Array,
    uniforms: Array,
    factor: Array,
    noise: tuple[Array, Array, Array],
    log_snr: Array,
    dof: Array,
    problem: Problem,
    layout: Layout,
) -> Array:
    """Random-walk Metropolis steps for T's Cholesky factor: eq. 25.

    Args:
        normals: (len(FACTOR_STEPS), S, S).
        uniforms: (len(FACTOR_STEPS),).
        factor: (S, S), current factor.
        noise: from `latents.decompose`.
        log_snr: log beta.
        dof: nu.
        problem: data.
        layout: static.
    """  # fmt: skip
    kappa, omega_variance = latent_variances(problem, layout, log_snr)

    def density(factor: Array) -> Array:
        found: Spectrum = spectrum(noise, omega_variance, factor, layout)
        likelihood = collapsed_log_likelihood(found, problem, kappa, omega_variance)
        return likelihood + factor_log_prior(factor, dof)

    current = density(factor)
    # 2.4 / sqrt(dimension) of the prior's spread is the usual scale; the shorter steps serve sharper posteriors
    spread = 2.4 / jnp.sqrt(0.5 * layout.rank * (layout.rank + 1.0)) / jnp.sqrt(1.0 + dof)

    def step(
        carry: tuple[Array, Array], drawn: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        factor, current = carry
        normal, uniform, scale = drawn
        new = _move(normal, factor, scale * spread)
        new_density = density(new)
        accept = jnp.log(uniform) < new_density - current
        return (jnp.where(accept, new, factor), jnp.where(accept, new_density, current)), None

    steps = (normals, uniforms, jnp.asarray(FACTOR_STEPS))
    return lax.scan(step, (factor, current), steps)[0][0]


def signal_dof_log_weights(factor: Array, support: Array) -> Array:
    """Log probabilities of each concentration given T, up to a constant, (D,): eq. 26."""
    return jax.vmap(lambda dof: factor_log_prior(factor, dof))(support)


def draw_signal_dof(uniform: Array, factor: Array, support: Array) -> Array:
    """An index into `support` given T, by inversion: eq. 26."""
    weights = jax.nn.softmax(signal_dof_log_weights(factor, support))
    below = jnp.cumsum(weights)
    index = jnp.sum(below / below[-1] < uniform)
    return jnp.minimum(index, support.shape[0] - 1).astype(int)
