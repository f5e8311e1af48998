"""Loadings and noise variances, all K targets at once (docs/methods/bayes.md, section 5).

K is the contiguous axis throughout: a small dense system per target, factored for all targets in one loop over its D
rows. n rows, D = S + R + C columns of the design [eta, H, Z].
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

_UNROLL_UP_TO = 4  # above, unrolled loops made compilation take most of a minute


def cross_products(design: Array, targets: Array, left_out: Array | None) -> tuple[Array, Array]:
    """M'M and M'Y: (D, D) and (D, K).

    Args:
        design: (n, D), M.
        targets: (n, K).
        left_out: (S, S), scatter of the first S columns over rows that are not among the n, or None.
    """
    gram = design.T @ design
    if left_out is not None:
        size = left_out.shape[0]
        gram = gram.at[:size, :size].add(left_out)
    return gram, design.T @ targets


def draw_loadings(
    normals: Array, gram: Array, linear: Array, prior_precision: Array, variance: Array
) -> Array:
    """[Gamma; Lambda; A] given the latent rows: eq. 18, by a Jacobi-scaled Cholesky factorisation.

    Args:
        normals: (D, K).
        gram: (D, D), M'M.
        linear: (D, K), M'Y.
        prior_precision: (D, K).
        variance: (K,), sigma_k^2.

    Returns:
        (D, K).
    """
    size = gram.shape[0]
    weight = 1.0 / variance[None, :]
    diagonal = prior_precision + jnp.diag(gram)[:, None] * weight
    scale = lax.rsqrt(diagonal)
    system = gram[:, :, None] * weight[None] * scale[:, None, :] * scale[None, :, :]
    # the scaled diagonal is 1 by construction, prior included: written in, so that rounding cannot spoil it
    eye = jnp.eye(size, dtype=bool)[:, :, None]
    system = jnp.where(eye, 1.0, system)
    factor, half = _factor(system, linear * weight * scale)
    return scale * _back_substitute(factor, half + normals)


def _factor(system: Array, right: Array) -> tuple[Array, Array]:
    """Cholesky factors (D, D, K), columns stored as rows, and L^-1 right (D, K)."""
    size = system.shape[0]

    def eliminate(j: int, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        system, right, factor, half = carry
        row = lax.dynamic_index_in_dim(system, j, keepdims=False)
        root = lax.rsqrt(lax.dynamic_index_in_dim(row, j, keepdims=False))
        below = (jnp.arange(size) >= j)[:, None]
        column = jnp.where(below, row * root[None, :], 0.0)
        value = lax.dynamic_index_in_dim(right, j, keepdims=False) * root
        factor = lax.dynamic_update_index_in_dim(factor, column, j, 0)
        half = lax.dynamic_update_index_in_dim(half, value, j, 0)
        system = system - column[:, None, :] * column[None, :, :]
        right = right - column * value[None, :]
        return system, right, factor, half

    start = (system, right, jnp.zeros_like(system), jnp.zeros_like(right))
    done = lax.fori_loop(0, size, eliminate, start, unroll=size <= _UNROLL_UP_TO)
    return done[2], done[3]


def _back_substitute(factor: Array, right: Array) -> Array:
    """L'^-1 right; `factor[j]` is column j of L, that is row j of L'."""
    size = factor.shape[0]

    def solve(step: int, solution: Array) -> Array:
        j = size - 1 - step
        row = lax.dynamic_index_in_dim(factor, j, keepdims=False)
        pivot = lax.dynamic_index_in_dim(row, j, keepdims=False)
        known = lax.dynamic_index_in_dim(right, j, keepdims=False) - jnp.sum(row * solution, axis=0)
        return lax.dynamic_update_index_in_dim(solution, known / pivot, j, 0)

    return lax.fori_loop(0, size, solve, jnp.zeros_like(right), unroll=size <= _UNROLL_UP_TO)


def noise_rate(y: Array, gram: Array, linear: Array, coef: Array, prior_rate: Array) -> Array:
    """Rate of 1/sigma_k^2 given the loadings, (K,): eq. 19, the squares expanded so that no residual is formed.

    Its shape is the prior's plus N/2, with N the rows of the data and not the rows kept. What cancels leaves a
    rounding error of y'y, which is N for standardised targets: nothing beside the prior's rate.

    Args:
        y: (n, K), the targets.
        gram: (D, D), M'M.
        linear: (D, K), M'Y.
        coef: (D, K).
        prior_rate: of the prior.
    """
    squares = jnp.sum(y * y, axis=0) + jnp.sum(coef * (gram @ coef - 2.0 * linear), axis=0)
    return prior_rate + 0.5 * jnp.maximum(squares, 0.0)
