"""All random numbers of one sweep, drawn in one call: a call costs more than the numbers of a small problem.

Gammas whose shape is known to be whole come from uniforms: rejection redoes all entries for the sake of the last.
Which entry goes where is fixed by `Layout` alone, so that a sweep is a deterministic function of its key and state.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp

from bayesreg.gibbs.bits import random_words, split, uniform, words_per_uniform
from bayesreg.gibbs.gammas import (
    chi_square_5,
    num_proposal_words,
    proposals,
    standard_gamma,
    whole_gamma,
)
from bayesreg.gibbs.normals import normal, num_words
from bayesreg.gibbs.signal import FACTOR_STEPS, SNR_STEPS
from bayesreg.gibbs.state import Array, Layout, Parameters, Problem, component_shapes, cut, join


class Randomness(NamedTuple):
    """Standard draws of one sweep, by use."""

    normals: dict[str, Array]
    uniforms: dict[str, Array]
    gammas: dict[str, Array]


def draw_randomness(
    key: Array,
    problem: Problem,
    parameters: Parameters,
    layout: Layout,
    signal_rows: Array | float | None = None,
) -> Randomness:
    """Everything random in one sweep. All gamma shapes are known before it starts; only their rates are not.

    Args:
        key: of the sweep.
        problem: data.
        parameters: before the sweep.
        layout: static.
        signal_rows: how many rows T is drawn from; None: those that X reaches.
    """
    if signal_rows is None:
        signal_rows = jnp.sum(problem.energy > 0)
    word_key, gamma_key = split(key, 2)
    normal_shapes, uniform_shapes = _normal_shapes(layout), _uniform_shapes(layout)
    shapes = _gamma_shapes(problem, parameters, layout, signal_rows)
    joined = join(shapes)
    num_normals, num_uniforms = _total(normal_shapes), _total(uniform_shapes)
    words = cut(
        random_words(
            word_key,
            num_words(num_normals)
            + num_proposal_words(joined.size)
            + words_per_uniform() * num_uniforms,
        ),
        {
            "normals": (num_words(num_normals),),
            "proposals": (num_proposal_words(joined.size),),
            "uniforms": (words_per_uniform(), num_uniforms),
        },
    )
    normals = cut(normal(words["normals"]), normal_shapes)
    uniforms = cut(uniform(words["uniforms"]), uniform_shapes)
    first = proposals(words["proposals"], joined.size)
    gammas = cut(
        standard_gamma(gamma_key, joined, first), {name: x.shape for name, x in shapes.items()}
    )
    for name in ("local", "noise_local"):
        if name in uniforms:
            gammas[name] = whole_gamma(uniforms.pop(name))
    for name in ("student", "scale_student"):
        gammas[name] = chi_square_5(uniforms.pop(name), normals.pop(name))
    return Randomness(normals, uniforms, gammas)


def _normal_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    s, r, n = layout.rank, layout.noise_rank, layout.num_rows
    shapes = {
        "eta": (n + (layout.num_signal_rows if layout.free_signal else 0), s),
        "noise_factors": (layout.num_directions + s if layout.num_directions else n, r),
        "loadings": (s + r + layout.num_confounders, layout.num_targets),
        "shrinkage": (s,),
        "scale": (s + r,),
        "student": (s,),
        "scale_student": (s + r,),
    }
    if layout.has_remainder:
        shapes["remainder"] = (s, s)
    if layout.num_directions and r:
        shapes["zero_rows"] = (r, r)
    if layout.sample_snr:
        shapes["snr"] = (len(SNR_STEPS),)
    if layout.free_signal:
        shapes |= {"factor": (len(FACTOR_STEPS), s, s), "signal": (s, s)}
    if layout.sample_shrinkage:
        shapes["shapes"] = (2,)
    if layout.sample_noise_shrinkage:
        shapes["noise_shapes"] = (2,)
    return shapes


def _uniform_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    s, r, k, whole = layout.rank, layout.noise_rank, layout.num_targets, layout.local_whole
    shapes: dict[str, tuple[int, ...]] = {
        "shrinkage": (s,),
        "scale": (s + r,),
        "student": (2, s),
        "scale_student": (2, s + r),
    }
    if whole and layout.num_groups == k:
        shapes["local"] = (whole, s, k)
    if whole and r:
        shapes["noise_local"] = (whole, r, k)
    if layout.sample_snr:
        shapes["snr"] = (len(SNR_STEPS),)
    if layout.free_signal:
        shapes |= {"factor": (len(FACTOR_STEPS),), "dof": (2,)}
    if layout.sample_shrinkage:
        shapes["shapes"] = (2,)
    if layout.sample_noise_shrinkage:
        shapes["noise_shapes"] = (2,)
    return shapes


def _gamma_shapes(
    problem: Problem, parameters: Parameters, layout: Layout, signal_rows: Array | float
) -> dict[str, Array]:
    hyper, s, r, k = problem.hyper, layout.rank, layout.noise_rank, layout.num_targets
    shared = layout.num_groups != k
    shapes = {
        "noise": jnp.broadcast_to(hyper.noise_precision_shape + 0.5 * problem.total_rows, (k,))
    }
    if shared or not layout.local_whole:
        sharing = jnp.ones(k)
        if shared:
            sharing = jnp.zeros(layout.num_groups).at[problem.groups].add(1.0)
        shape = 0.5 * (hyper.local_dof + sharing)[None, :]
        shapes["local"] = jnp.broadcast_to(shape, (s, layout.num_groups))
    if layout.free_signal:
        # the concentration is drawn within the sweep, so one set for each that it may have
        dof = s + 1.0 + hyper.signal_dof[:, None] + signal_rows
        shapes["signal"] = 0.5 * (dof - jnp.arange(s)[None, :])
    if layout.has_remainder:
        shapes["remainder"] = 0.5 * (problem.remainder_dof - jnp.arange(s))
    if layout.num_directions and r:
        zero_rows = problem.remainder_dof + layout.num_rows - layout.num_directions - s
        shapes["zero_rows"] = 0.5 * (zero_rows - jnp.arange(r))
    if r:
        a = component_shapes(parameters.noise_shrinkage_shape, r)
        shapes["noise_shrinkage"] = a + 0.5 * k * (r - jnp.arange(r))
        if not layout.local_whole:
            shapes["noise_local"] = jnp.broadcast_to(0.5 * (hyper.local_dof + 1.0), (r, k))
    return shapes


def _total(shapes: dict[str, tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())
