"""The generator of a sweep, against its published vectors and against JAX's own rounds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats

from bayesreg.gibbs.bits import random_words, split, threefry, uniform, words_per_uniform


@pytest.mark.parametrize(
    ("key", "counters", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_vectors_that_came_with_the_generator(
    key: tuple[int, int], counters: tuple[int, int], words: tuple[int, int]
) -> None:
    made = threefry(jnp.asarray(key, jnp.uint32), *jnp.asarray(counters, jnp.uint32))
    assert tuple(int(word) for word in made) == words


@pytest.mark.parametrize("count", [1, 2, 7, 512, 513, 5001])
def test_words_are_those_of_jax_in_counter_order(count: int) -> None:
    key = jax.random.key(3)
    words = np.asarray(jax.jit(random_words, static_argnums=1)(key, count))
    assert words.shape == (count,)
    half = (count + 1) // 2
    made = half if half <= 256 else -(-half // 256) * 256
    counters = jnp.concatenate([jnp.zeros(made, jnp.uint32), jnp.arange(made, dtype=jnp.uint32)])
    expected = threefry_2x32(jax.random.key_data(key), counters)
    np.testing.assert_array_equal(words, np.asarray(expected)[:count])
    assert len(np.unique(words)) > 0.999 * count - 1


def test_split_is_that_of_jax_and_its_keys_give_other_words() -> None:
    key = jax.random.key(11)
    ours, theirs = split(key, 5), jax.random.split(key, 5)
    np.testing.assert_array_equal(jax.random.key_data(ours), jax.random.key_data(theirs))
    both = np.concatenate([np.asarray(random_words(own, 1000)) for own in ours])
    assert len(np.unique(both)) > 4990


def test_under_vmap_every_chain_has_the_words_of_its_own_key() -> None:
    keys = jax.random.split(jax.random.key(5), 3)
    together = jax.jit(jax.vmap(lambda key: random_words(key, 1500)))(keys)
    for key, row in zip(keys, together, strict=True):
        np.testing.assert_array_equal(row, random_words(key, 1500))


def test_uniforms_fill_the_unit_interval_and_stay_below_one() -> None:
    per = words_per_uniform()
    words = random_words(jax.random.key(0), per * 200_000).reshape(per, -1)
    sample = np.asarray(uniform(words))
    assert stats.kstest(sample, "uniform").pvalue > 1e-3
    assert len(np.unique(sample)) > (199_900 if per == 2 else 190_000)
    ends = np.asarray(uniform(jnp.asarray([[0, 0xFFFFFFFF]] * per, jnp.uint32)))
    assert ends[0] == 0.0
    assert 1.0 - 1e-6 < ends[1] < 1.0
