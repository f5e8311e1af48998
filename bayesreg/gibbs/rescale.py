"""Joint moves of the latent rows and their loadings along the scale that the likelihood does not see.

eta_h -> c eta_h with Gamma_h -> Gamma_h / c leaves eta Gamma as it is, so the targets say nothing about c; given the
other, each of the two hardly moves, and without this step the size of the structured noise is the slowest quantity of
the chain. The same for H and Lambda (docs/methods/bayes.md, section 5).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

PROPOSAL_DOF = 5.0
"""Of the Student-t proposal for log c: the target falls off doubly exponentially on both sides."""
_NEWTON_STEPS = 3
"""From the mode without cross terms towards the mode with them; any number is exact, few suffice."""


class Standard(NamedTuple):
    """Standard draws of one step, each (S,)."""

    normals: Array
    chi_squares: Array
    """With `PROPOSAL_DOF` degrees of freedom."""
    uniforms: Array


def log_density(u: Array, power: Array, square: Array, cross: Array, inverse: Array) -> Array:
    """Log density of u = log c given everything but the scale, up to a constant: eq. 32.

    Args:
        u: log c.
        power: number of latent rows minus number of targets: the Jacobian of the move.
        square: quadratic form of the component's latent rows under their prior precision.
        cross: the same form between this component and the others; 0 when components are independent.
        inverse: sum over targets of prior precision times squared loading.
    """
    x = jnp.exp(u)
    return power * u - 0.5 * square * x * x - cross * x - 0.5 * inverse / (x * x)


def draw_scale(drawn: Standard, power: Array, square: Array, cross: Array, inverse: Array) -> Array:
    """c, by one independence-Metropolis step from c = 1; elementwise, arguments as in `log_density`.

    Centre and width of the proposal depend on the point only through its orbit: they move along with the scale. That is
    what makes the step from c = 1 exact for a group of moves (Liu and Sabatti, Biometrika 87, 2000).
    """
    root = jnp.sqrt(power * power + 4.0 * square * inverse)
    # the positive root of square x^2 - power x - inverse, x = c^2, without cancellation
    x = jnp.where(power > 0, (root + power) / (2.0 * square), 2.0 * inverse / (root - power))
    centre = 0.5 * jnp.log(x)

    def curvature(c: Array) -> Array:
        return 2.0 * square * c * c + jnp.abs(cross) * c + 2.0 * inverse / (c * c)

    for _ in range(_NEWTON_STEPS):
        c = jnp.exp(centre)
        slope = power - square * c * c - cross * c + inverse / (c * c)
        centre = centre + slope / curvature(c)
    width = lax.rsqrt(curvature(jnp.exp(centre)))
    student = drawn.normals * jnp.sqrt(PROPOSAL_DOF / drawn.chi_squares)
    new, back = centre + width * student, -centre / width
    terms = (power, square, cross, inverse)
    log_ratio = log_density(new, *terms) - log_density(jnp.zeros_like(new), *terms)
    log_ratio = log_ratio + _log_student(back) - _log_student(student)
    return jnp.where(jnp.log(drawn.uniforms) < log_ratio, jnp.exp(new), 1.0)


def draw_scales(drawn: Standard, power: Array, quadratic: Array, inverse: Array) -> Array:
    """One step for each component in turn, (S,).

    Args:
        drawn: leaves (S,).
        power: scalar.
        quadratic: (S, S): entry (a, b) is the sum over latent rows of eta_a eta_b times entry (a, b) of their prior
            precision; or (S,), its diagonal, when components are independent a priori.
        inverse: (S,).
    """
    if quadratic.ndim == 1:
        power = jnp.broadcast_to(power, inverse.shape)
        return draw_scale(drawn, power, quadratic, jnp.zeros_like(inverse), inverse)
    size = inverse.shape[0]

    def step(h: int, scales: Array) -> Array:
        row = quadratic[h]
        cross = jnp.sum(jnp.where(jnp.arange(size) == h, 0.0, row * scales))
        own = jax.tree.map(lambda leaf: leaf[h], drawn)
        return scales.at[h].set(draw_scale(own, power, row[h], cross, inverse[h]))

    return lax.fori_loop(0, size, step, jnp.ones(size))


def _log_student(t: Array) -> Array:
    return -0.5 * (PROPOSAL_DOF + 1.0) * jnp.log1p(t * t / PROPOSAL_DOF)
