"""Exact gamma draws: of many shapes in one static-shape rejection loop, and of whole shapes without one.

`jax.random.gamma` loops element by element, which is slow on a CPU and slower under vmap. Use threefry keys only: other
generators were seen to hang or to repeat values in vmapped rejection loops.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax, random

Array = jax.Array


def standard_gamma(key: Array, shapes: Array) -> Array:
    """Gamma(shape, 1) for every entry.

    Args:
        key: consumed.
        shapes: (M,), each at least 1 (not checked: compiled code cannot raise).

    Returns:
        (M,), positive.

    Source:
        Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", ACM TOMS 26(3), 2000. Entries that were
        accepted keep their value while the rest is tried again, so the result is exact.
    """
    d = shapes - 1.0 / 3.0
    c = 1.0 / jnp.sqrt(9.0 * d)
    size = shapes.shape[0]

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return ~jnp.all(carry[2])

    def attempt(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, value, done = carry
        key, normal_key, uniform_key = random.split(key, 3)
        x = random.normal(normal_key, (size,), dtype=shapes.dtype)
        u = random.uniform(uniform_key, (size,), dtype=shapes.dtype)
        root = 1.0 + c * x
        v = root * root * root
        log_v = jnp.log(jnp.where(v > 0, v, 1.0))
        accept = (v > 0) & (jnp.log(u) < 0.5 * x * x + d - d * v + d * log_v)
        return key, jnp.where(accept & ~done, d * v, value), done | accept

    start = (key, jnp.ones_like(shapes), jnp.zeros(shapes.shape, dtype=bool))
    return lax.while_loop(unfinished, attempt, start)[1]


def whole_gamma(uniforms: Array) -> Array:
    """Gamma(m, 1): minus the logarithm of a product of m uniforms.

    Args:
        uniforms: (m, *shape) in [0, 1); few, or the product leaves the range of floats.

    Returns:
        (*shape).
    """
    return -jnp.log(jnp.prod(1.0 - uniforms, axis=0))


def chi_square_5(uniforms: Array, normals: Array) -> Array:
    """Chi-square with 5 degrees of freedom: two exponentials and the square of a normal.

    Args:
        uniforms: (2, M) in [0, 1).
        normals: (M,).
    """
    return 2.0 * whole_gamma(uniforms) + normals * normals
