"""The normals of a sweep: sine and cosine to the last digits, and a sample that SciPy cannot tell from normal."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from bayesreg.gibbs.normals import sine_and_cosine, standard_normal


def test_sine_and_cosine_agree_with_the_c_library_all_around() -> None:
    turns = np.concatenate([np.linspace(0.0, 1.0, 4001), np.random.default_rng(0).random(4000)])
    sine, cosine = jax.jit(sine_and_cosine)(jnp.asarray(turns))
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * turns), atol=4e-16 * 2)
    np.testing.assert_allclose(cosine, np.cos(2 * np.pi * turns), atol=4e-16 * 2)


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return np.asarray(jax.jit(standard_normal, static_argnums=1)(jax.random.key(0), 1_000_001))


def test_the_sample_is_normal_and_independent(sample: np.ndarray) -> None:
    assert sample.shape == (1_000_001,)
    assert stats.kstest(sample, "norm").pvalue > 1e-3
    # tails, where a transform goes wrong first: counts against their expectation
    for level in (2.0, 3.0, 4.0):
        expected = 2 * stats.norm.sf(level) * sample.size
        assert abs(np.sum(np.abs(sample) > level) - expected) < 5 * np.sqrt(expected)
    # neighbours, and the two of a pair, which lie half the sample apart
    half = (sample.size + 1) // 2
    first, second = sample[: half - 1], sample[half:][: half - 1]
    for a, b in ((sample[:-1], sample[1:]), (first, second), (first**2, second**2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_count_and_the_same_numbers_from_the_same_key(count: int) -> None:
    first = standard_normal(jax.random.key(3), count)
    assert first.shape == (count,)
    np.testing.assert_array_equal(first, standard_normal(jax.random.key(3), count))
    assert np.isfinite(first).all()
