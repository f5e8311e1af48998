"""Random words: the counter-based generator Threefry-2x32 with its twenty rounds written out.

On a CPU JAX runs the rounds as a loop, which took half of a sweep, and of the words that it makes it throws half away.
Keys are JAX's and `split` returns what `jax.random.split` does. Salmon and others, "Parallel random numbers: as easy as
1, 2, 3", SC 2011.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax, random

Array = jax.Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ROW = 256
_SCALE_52 = 2.0**-52
_SCALE_23 = 2.0**-23


def threefry(key: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """The pair of words that a pair of counters is turned into; elementwise.

    Args:
        key: (2,), uint32.
        first: any shape, uint32.
        second: the same.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    first, second = first + schedule[0], second + schedule[1]
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            first = first + second
            second = first ^ ((second << distance) | (second >> (32 - distance)))
        first = first + schedule[(group + 1) % 3]
        second = second + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return first, second


def random_words(key: Array, count: int) -> Array:
    """`count` independent words of 32 bits, (count,) uint32, from a typed key: both of each pair."""
    half = (count + 1) // 2
    # in whole rows, because a single long one is cut among threads in a way that leaves vector instructions unused
    shape = (-(-half // _ROW), _ROW) if half > _ROW else (half,)
    counters = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    pairs = threefry(random.key_data(key), jnp.zeros_like(counters), counters)
    # made here and once: the compiler would go through the rounds again for each use
    return lax.optimization_barrier(jnp.concatenate(pairs).ravel()[:count])


def split(key: Array, count: int) -> Array:
    """`count` new keys: those of `jax.random.split`."""
    counters = jnp.arange(count, dtype=jnp.uint32)
    pairs = threefry(random.key_data(key), jnp.zeros_like(counters), counters)
    return random.wrap_key_data(jnp.stack(pairs, axis=1), impl="threefry2x32")


def words_per_uniform() -> int:
    """Words that a uniform takes."""
    return 2 if jnp.result_type(float) == jnp.float64 else 1


def uniform(words: Array) -> Array:
    """Uniforms in [0, 1) on a lattice that the default float type holds: 52 bits, or 23.

    Args:
        words: (words_per_uniform(), ...).
    """
    dtype = jnp.result_type(float)
    if dtype != jnp.float64:
        return (words[0] >> 9).astype(dtype) * _SCALE_23
    high, low = (words[0] >> 6).astype(dtype), (words[1] >> 6).astype(dtype)
    return (high * 2.0**26 + low) * _SCALE_52
