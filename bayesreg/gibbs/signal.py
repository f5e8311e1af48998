"""The latent signal-to-noise ratio and the free signal covariance (docs/methods/bayes.md, section 7).

All moves use the likelihood with Psi, Omega and H integrated out, so they mix whatever the latent rows are.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from bayesreg.gibbs.latents import Spectrum, collapsed_log_likelihood, spectrum
from bayesreg.gibbs.state import Array, Layout, Parameters, Problem, latent_variances

SNR_STEPS = (2.0, 0.7, 0.25)
"""Random-walk scales for log beta, one step each: its posterior is 0.2 to 1.4 wide at the sizes that were studied."""
FACTOR_STEPS = (1.0, 0.5, 0.2)
"""Random-walk scales for T's factor, relative to its prior spread at the current concentration."""
CONCENTRATION_STEPS = 2
"""Joint moves of the concentration with T: alone, it hardly leaves the value that T was drawn under."""


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


def draw_signal_dof(uniform: Array, factor: Array, support: Array, log_weights: Array) -> Array:
    """An index into `support`, whose log prior probabilities are given, given T, by inversion: eq. 26."""
    weights = jax.nn.softmax(signal_dof_log_weights(factor, support) + log_weights)
    below = jnp.cumsum(weights)
    index = jnp.sum(below / below[-1] < uniform)
    return jnp.minimum(index, support.shape[0] - 1).astype(int)


def rescaled(factor: Array, ratio: Array) -> Array:
    """T's factor with all coordinates of `_move` multiplied by `ratio`; the identity is their origin."""
    diagonal = jnp.diag(factor)
    unit = jnp.tril(factor / diagonal[:, None], -1)
    return (diagonal**ratio)[:, None] * (ratio * unit + jnp.eye(factor.shape[0]))


def draw_concentration(
    uniforms: Array,
    index: Array,
    factor: Array,
    noise: tuple[Array, Array, Array],
    log_snr: Array,
    problem: Problem,
    layout: Layout,
) -> tuple[Array, Array]:
    """Joint Metropolis steps: another concentration, T's coordinates scaled to the spread that it gives them (eq. 33).

    Args:
        uniforms: (2, steps): which concentration, and whether it is accepted.
        index: of the current concentration.
        factor: (S, S), current factor.
        noise: from `latents.decompose`.
        log_snr: log beta.
        problem: data.
        layout: static.

    Returns:
        The index and the factor.
    """
    support, log_weights = problem.hyper.signal_dof, problem.hyper.signal_dof_log_weights
    kappa, omega_variance = latent_variances(problem, layout, log_snr)
    count, size = support.shape[0], layout.rank
    log_spread = -0.5 * jnp.log(support + 0.5 * size)

    def density(index: Array, factor: Array) -> Array:
        found: Spectrum = spectrum(noise, omega_variance, factor, layout)
        likelihood = collapsed_log_likelihood(found, problem, kappa, omega_variance)
        return likelihood + factor_log_prior(factor, support[index]) + log_weights[index]

    def step(
        carry: tuple[Array, Array, Array], drawn: Array
    ) -> tuple[tuple[Array, Array, Array], None]:
        index, factor, current = carry
        # any other concentration with the same probability
        new_index = (index + 1 + jnp.floor(drawn[0] * (count - 1)).astype(index.dtype)) % count
        log_ratio = log_spread[new_index] - log_spread[index]
        new = rescaled(factor, jnp.exp(log_ratio))
        new_density = density(new_index, new)
        jacobian = 0.5 * size * (size + 1.0) * log_ratio
        accept = jnp.log(drawn[1]) < new_density - current + jacobian
        chosen = (new_index, new, new_density)
        return jax.tree.map(lambda a, b: jnp.where(accept, a, b), chosen, carry), None

    start = (index, factor, density(index, factor))
    index, factor, _ = lax.scan(step, start, uniforms.T)[0]
    return index, factor


def draw_signal_covariance(
    p: Parameters,
    normals: dict[str, Array],
    uniforms: dict[str, Array],
    noise: tuple[Array, Array, Array],
    problem: Problem,
    layout: Layout,
) -> Parameters:
    """nu given T, T given nu, then both together, with the latent rows integrated out."""
    support, log_weights = problem.hyper.signal_dof, problem.hyper.signal_dof_log_weights
    index = draw_signal_dof(uniforms["dof"][0], p.signal_factor, support, log_weights)
    factor = draw_signal_factor(
        normals["factor"], uniforms["factor"], p.signal_factor, noise, p.log_snr, support[index],
        problem, layout,
    )  # fmt: skip
    index, factor = draw_concentration(
        uniforms["concentration"], index, factor, noise, p.log_snr, problem, layout
    )
    return p._replace(signal_dof=index, signal_factor=factor)
