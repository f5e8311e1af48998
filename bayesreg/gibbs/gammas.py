"""Exact gamma draws: of many shapes in one static-shape rejection loop, and of whole shapes without one.

`jax.random.gamma` loops element by element, which is slow on a CPU and slower under vmap. Use threefry keys only: other
generators were seen to hang or to repeat values in vmapped rejection loops.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from bayesreg.gibbs.bits import random_words, split, uniform, words_per_uniform
from bayesreg.gibbs.normals import normal, num_words

Array = jax.Array


def standard_gamma(
    key: Array, shapes: Array, first: tuple[Array, Array] | None = None
) -> Array:
    """Gamma(shape, 1) for every entry.

    Args:
        key: consumed.
        shapes: (M,), each at least 1 (not checked: compiled code cannot raise).
        first: normals and uniforms of the first try, (M,) each, where they are at hand: see `proposals`.

    Returns:
        (M,), positive.

    Source:
        Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", ACM TOMS 26(3), 2000. Entries that were
        accepted keep their value while the rest is tried again, so the result is exact.
    """
    d = shapes - 1.0 / 3.0
    c = 1.0 / jnp.sqrt(9.0 * d)
    size = shapes.shape[0]

    def attempt(x: Array, u: Array) -> tuple[Array, Array]:
        root = 1.0 + c * x
        v = root * root * root
        log_v = jnp.log(jnp.where(v > 0, v, 1.0))
        return d * v, (v > 0) & (jnp.log(u) < 0.5 * x * x + d - d * v + d * log_v)

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return ~jnp.all(carry[2])

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, value, done = carry
        key, own = split(key, 2)
        new, accept = attempt(*proposals(random_words(own, num_proposal_words(size)), size))
        return key, jnp.where(accept & ~done, new, value), done | accept

    if first is None:
        key, own = split(key, 2)
        first = proposals(random_words(own, num_proposal_words(size)), size)
    # the first try outside of the loop: often it is the only one
    start = attempt(*first)
    return lax.while_loop(unfinished, again, (key, *start))[1]


def num_proposal_words(size: int) -> int:
    """Words that one try of `size` entries takes."""
    return num_words(size) + words_per_uniform() * size


def proposals(words: Array, size: int) -> tuple[Array, Array]:
    """Normals and uniforms of one try, (M,) each, from `num_proposal_words(M)` words."""
    cut = num_words(size)
    return normal(words[:cut])[:size], uniform(words[cut:].reshape(-1, size))


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
