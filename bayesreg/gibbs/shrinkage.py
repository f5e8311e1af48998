"""The multiplicative gamma process: delta, phi and their shapes (docs/methods/bayes.md, section 6).

Two forms are in use: Gamma has prior precision phi tau_h^2 (both shrinkages of the product Psi Gamma moved onto it),
Lambda has phi tau_r.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

Array = jax.Array

PROPOSAL_DOF = 5.0
"""Of the Student-t proposal for log delta: heavier than the target on both sides, so the step is uniformly ergodic."""
SHAPE_STEP = 0.5
"""Standard deviation of the random walk on log a: near the posterior's own for a dozen components."""


def local_rate(weighted_squares: Array, dof: Array) -> Array:
    """Rate of phi: eq. 20; the shape is (nu + number of targets that share it) / 2.

    Args:
        weighted_squares: (S, G), tau_h^2 times the sum of squared loadings over the targets that share a scale.
        dof: nu.
    """
    return 0.5 * (dof + weighted_squares)


def sum_groups(values: Array, groups: Array, num_groups: int) -> Array:
    """(S, K) summed over the targets of each cluster, (S, G)."""
    if num_groups == values.shape[1]:
        return values
    return jax.ops.segment_sum(values.T, groups, num_segments=num_groups).T


def squared_log_density(u: Array, shape: Array, c: Array) -> Array:
    """Log density of u = log delta_h for the squared process, up to a constant: eq. 21. Strictly concave."""
    x = jnp.exp(u)
    return shape * u - x - 0.5 * c * x * x


def draw_squared(
    normals: Array,
    chi_squares: Array,
    uniforms: Array,
    delta: Array,
    shapes: Array,
    squares: Array,
    num_targets: int,
) -> Array:
    """One exact independence-Metropolis step for each delta_h in turn: eq. 21.

    The proposal is a Student-t in log delta at the mode, which is known in closed form; the Jacobian of the logarithm
    is in `squared_log_density`.

    Args:
        normals: (S,).
        chi_squares: (S,), chi-squares with `PROPOSAL_DOF` degrees of freedom.
        uniforms: (S,).
        delta: (S,), current values.
        shapes: (S,), a1, a2, a2, ...
        squares: (S,), sum over targets of phi times squared loadings.
        num_targets: K.

    Returns:
        (S,).
    """  # fmt: skip
    size = delta.shape[0]
    student = normals * jnp.sqrt(PROPOSAL_DOF / chi_squares)

    def log_student(t: Array) -> Array:
        return -0.5 * (PROPOSAL_DOF + 1.0) * jnp.log1p(t * t / PROPOSAL_DOF)

    def step(h: int, delta: Array) -> Array:
        tau = jnp.cumprod(delta)
        later = jnp.arange(size) >= h
        c = jnp.sum(jnp.where(later, tau * tau * squares, 0.0)) / delta[h] ** 2
        shape = num_targets * (size - h) + shapes[h]
        mode = 2.0 * shape / (1.0 + jnp.sqrt(1.0 + 4.0 * c * shape))
        width = lax.rsqrt(mode + 2.0 * c * mode * mode)
        old, new = jnp.log(delta[h]), jnp.log(mode) + width * student[h]
        back = (old - jnp.log(mode)) / width
        log_ratio = squared_log_density(new, shape, c) - squared_log_density(old, shape, c)
        log_ratio = log_ratio + log_student(back) - log_student(student[h])
        value = jnp.where(jnp.log(uniforms[h]) < log_ratio, jnp.exp(new), delta[h])
        return delta.at[h].set(value)

    return lax.fori_loop(0, size, step, delta, unroll=size <= 4)


def draw_unsquared(gammas: Array, delta: Array, squares: Array) -> Array:
    """Each delta_r of the unsquared process in turn: eq. 22, a gamma.

    Args:
        gammas: (R,), Gamma(a_r + K (R - r) / 2, 1) draws.
        delta: (R,), current values.
        squares: (R,), sum over targets of phi times squared loadings.
    """
    size = delta.shape[0]

    def step(r: int, delta: Array) -> Array:
        tau = jnp.cumprod(delta)
        later = jnp.arange(size) >= r
        c = jnp.sum(jnp.where(later, tau * squares, 0.0)) / delta[r]
        return delta.at[r].set(gammas[r] / (1.0 + 0.5 * c))

    return lax.fori_loop(0, size, step, delta, unroll=size <= 4)


def shape_log_density(log_shape: Array, log_deltas: Array, count: Array, prior: Array) -> Array:
    """Log density of log a given the deltas that it governs, up to a constant: eq. 23, Jacobian included.

    Args:
        log_shape: log a, scalar.
        log_deltas: sum of log delta over those deltas.
        count: their number.
        prior: (3,): shape, rate and lower bound of the truncated gamma prior.
    """
    a = jnp.exp(log_shape)
    value = a * log_deltas - count * gammaln(a) + prior[0] * log_shape - prior[1] * a
    return jnp.where(a > prior[2], value, -jnp.inf)


def draw_shapes(
    normals: Array, uniforms: Array, shapes: Array, delta: Array, prior: Array
) -> Array:
    """Random-walk Metropolis for log a1 and log a2: eq. 23.

    Args:
        normals: (2,).
        uniforms: (2,).
        shapes: (2,), current a1 and a2.
        delta: (S,); a2 governs all but the first and follows its prior when S = 1.
        prior: (2, 3).
    """
    log_delta = jnp.log(delta)
    sums = jnp.stack([log_delta[0], jnp.sum(log_delta[1:])])
    counts = jnp.asarray([1.0, delta.shape[0] - 1.0])
    density = jax.vmap(shape_log_density)
    old = jnp.log(shapes)
    new = old + SHAPE_STEP * normals
    log_ratio = density(new, sums, counts, prior) - density(old, sums, counts, prior)
    return jnp.where(jnp.log(uniforms) < log_ratio, jnp.exp(new), shapes)
