"""One sweep of the rotated sampler and a run of many: jit, scan over sweeps, vmap over chains.

The sweep's order is part of its validity (docs/methods/bayes.md, section 8): the ratio, the signal covariance, eta and
H are drawn in this order with the later ones integrated out, so none may be moved behind the loadings. Psi is not in
the chain at all; `complete` draws it for the sweeps that are kept.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bayesreg.gibbs import latents, loadings, rescale, shrinkage, signal
from bayesreg.gibbs.bits import split
from bayesreg.gibbs.normals import standard_normal
from bayesreg.gibbs.randomness import Randomness, draw_randomness
from bayesreg.gibbs.state import (
    Array,
    Latents,
    Layout,
    Parameters,
    Problem,
    State,
    component_shapes,
    cut,
    global_precision,
    latent_variances,
    loadings_precision,
    local_scales,
)


class Kept(NamedTuple):
    """What is kept of a sweep; shapes as in `types.Draws`, one draw."""

    psi: Array
    psi_mean: Array
    parameters: Parameters
    log_likelihood: Array
    intercept: Array


def sweep(state: State, problem: Problem, layout: Layout) -> tuple[State, Latents]:
    """One pass over all parameters: leaves the posterior given `problem` invariant."""
    key, own, kept_key = split(state.key, 3)
    p = state.parameters
    drawn = draw_randomness(own, problem, p, layout)
    p, eta, left_out = _draw_signal(p, drawn, problem, layout)
    p, eta = _draw_loadings(p, eta, left_out, drawn, problem, layout)
    p = update_shrinkage(p, drawn, problem, layout)
    return State(key, p), Latents(eta, kept_key)


def _draw_signal(
    p: Parameters, drawn: Randomness, problem: Problem, layout: Layout
) -> tuple[Parameters, Array, Array | None]:
    """beta, nu, T and Gamma's size with the latent rows integrated out, then eta: kept rows, a scatter of the rest."""
    noise = latents.decompose(latents.project(problem, p))
    if layout.sample_snr:
        p, noise = signal.draw_snr(
            p, drawn.normals["snr"], drawn.uniforms["snr"], noise, problem, layout
        )
    if layout.free_signal:
        p = signal.draw_signal_covariance(p, drawn.normals, drawn.uniforms, noise, problem, layout)
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    found = latents.spectrum(noise, omega_variance, p.signal_factor, layout)
    eta, scatter = latents.draw_eta(
        drawn.normals["eta"], found, problem, kappa, omega_variance, layout
    )
    if scatter is not None:
        p = signal.draw_signal_factor(p, scatter, drawn.normals, drawn.gammas, problem.hyper)
    left_out = None
    if layout.has_remainder:
        left_out = latents.left_out_scatter(
            jnp.sqrt(2.0 * drawn.gammas["remainder"]), drawn.normals["remainder"], found,
            omega_variance,
        )  # fmt: skip
    return p, eta, left_out


def _draw_loadings(
    p: Parameters,
    eta: Array,
    left_out: Array | None,
    drawn: Randomness,
    problem: Problem,
    layout: Layout,
) -> tuple[Parameters, Array]:
    """H given eta, then [Gamma; Lambda; A], the scales of both, and the noise variances."""
    s, r = layout.rank, layout.noise_rank
    rows = latents.turn(eta, left_out, problem, layout)
    design = [rows.eta]
    if r:
        residual = rows.y - rows.z @ p.confounder_coef - rows.eta @ p.loadings
        design.append(
            latents.draw_noise_factors(
                _row_normals(drawn, layout), residual, p.noise_loadings, p.noise_variance
            )
        )
    if layout.num_confounders:
        design.append(rows.z)
    # turned rows hold all of eta
    gram, linear = loadings.cross_products(
        jnp.concatenate(design, axis=1), rows.y, None if layout.num_directions else left_out
    )
    prior = prior_precision(p, problem, layout)
    coef = loadings.draw_loadings(drawn.normals["loadings"], gram, linear, prior, p.noise_variance)
    rate = loadings.noise_rate(problem.y, gram, linear, coef, problem.hyper.noise_precision_rate)
    scales, noise_scales = _draw_scales(p, eta, left_out, gram, coef, prior, drawn, problem, layout)
    p = p._replace(
        loadings=coef[:s] / scales[:, None],
        noise_loadings=coef[s : s + r] / noise_scales[:, None],
        confounder_coef=coef[s + r :],
        noise_variance=rate / drawn.gammas["noise"],
    )
    return p, eta * scales[None, :]


def _row_normals(drawn: Randomness, layout: Layout) -> Array:
    """Standard normals of H's rows; the last R stand for all the rows where Y, Z and eta are zero: eq. 35."""
    if not layout.num_directions:
        return drawn.normals["noise_factors"]
    zero_rows = latents.bartlett(
        jnp.sqrt(2.0 * drawn.gammas["zero_rows"]), drawn.normals["zero_rows"]
    )
    return jnp.concatenate([drawn.normals["noise_factors"], zero_rows.T])


def _draw_scales(
    p: Parameters,
    eta: Array,
    left_out: Array | None,
    gram: Array,
    coef: Array,
    prior: Array,
    drawn: Randomness,
    problem: Problem,
    layout: Layout,
) -> tuple[Array, Array]:
    """By what eta and H are multiplied and their loadings divided, (S,) and (R,)."""
    s, r = layout.rank, layout.noise_rank
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    quadratic, count = latents.prior_quadratic(
        eta, kappa, omega_variance, p.signal_factor, problem, layout
    )
    if left_out is not None and layout.latent_noise:
        diagonal = jnp.diag(left_out) / omega_variance
        quadratic = quadratic + (jnp.diag(diagonal) if quadratic.ndim == 2 else diagonal)
    inverse = jnp.sum(prior * coef * coef, axis=1)
    first, second = split_standard(drawn, layout)
    scales = rescale.draw_scales(first, count - layout.num_targets, quadratic, inverse[:s])
    if not r:
        return scales, jnp.ones(0)
    power = problem.total_rows - layout.num_targets
    quadratic = jnp.diag(gram)[s : s + r]  # H'H over all N rows
    return scales, rescale.draw_scales(second, power, quadratic, inverse[s : s + r])


def split_standard(drawn: Randomness, layout: Layout) -> tuple[rescale.Standard, rescale.Standard]:
    """Standard draws of the scale moves, of components and of noise factors."""
    both = rescale.Standard(
        drawn.normals["scale"], drawn.gammas["scale_student"], drawn.uniforms["scale"]
    )
    s = layout.rank
    return jax.tree.map(lambda leaf: leaf[:s], both), jax.tree.map(lambda leaf: leaf[s:], both)


def prior_precision(p: Parameters, problem: Problem, layout: Layout) -> Array:
    """Prior precisions of [Gamma; Lambda; A], (D, K)."""
    parts = [loadings_precision(p, problem.groups, layout)]
    if layout.noise_rank:
        parts.append(p.noise_local_scale * global_precision(p.noise_shrinkage)[:, None])
    if layout.num_confounders:
        shape = (layout.num_confounders, layout.num_targets)
        parts.append(jnp.broadcast_to(problem.hyper.confounder_precision, shape))
    return jnp.concatenate(parts)


def update_shrinkage(
    p: Parameters, drawn: Randomness, problem: Problem, layout: Layout
) -> Parameters:
    """delta, phi, a1 and a2 of Gamma, then of Lambda."""
    hyper, k = problem.hyper, layout.num_targets
    squares = p.loadings * p.loadings
    wide = local_scales(p.local_scale, problem.groups, layout)
    a = component_shapes(p.shrinkage_shape, layout.rank)
    delta = shrinkage.draw_squared(
        drawn.normals["shrinkage"], drawn.gammas["student"], drawn.uniforms["shrinkage"],
        p.shrinkage, a, jnp.sum(wide * squares, axis=1), k,
    )  # fmt: skip
    tau = global_precision(delta)
    shared = shrinkage.sum_groups(squares, problem.groups, layout.num_groups)
    rate = shrinkage.local_rate((tau * tau)[:, None] * shared, hyper.local_dof)
    p = p._replace(shrinkage=delta, local_scale=drawn.gammas["local"] / rate)
    if layout.sample_shrinkage:
        shapes = shrinkage.draw_shapes(
            drawn.normals["shapes"], drawn.uniforms["shapes"], p.shrinkage_shape, delta,
            hyper.shrinkage_prior,
        )  # fmt: skip
        p = p._replace(shrinkage_shape=shapes)
    if not layout.noise_rank:
        return p
    squares = p.noise_loadings * p.noise_loadings
    delta = shrinkage.draw_unsquared(
        drawn.gammas["noise_shrinkage"], p.noise_shrinkage,
        jnp.sum(p.noise_local_scale * squares, axis=1),
    )  # fmt: skip
    tau = global_precision(delta)
    rate = shrinkage.local_rate(tau[:, None] * squares, hyper.local_dof)
    p = p._replace(noise_shrinkage=delta, noise_local_scale=drawn.gammas["noise_local"] / rate)
    if layout.sample_noise_shrinkage:
        shapes = shrinkage.draw_shapes(
            drawn.normals["noise_shapes"], drawn.uniforms["noise_shapes"], p.noise_shrinkage_shape,
            delta, hyper.noise_shrinkage_prior,
        )  # fmt: skip
        p = p._replace(noise_shrinkage_shape=shapes)
    return p


def draw_psi(
    normals: Array, eta: Array, p: Parameters, problem: Problem, rotation: Array, layout: Layout
) -> Array:
    """Psi given eta, (P, S): eq. 16, the directions that X does not reach drawn from the prior.

    Args:
        normals: (r + P, S).
        eta: (n, S).
        p: parameters of the same sweep.
        problem: data.
        rotation: (P, r) with r <= n, right singular vectors of X in the order of the rows.
        layout: static.
    """
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    r = layout.num_signal_rows
    mean, deviation, basis = latents.psi_coordinates(
        eta, kappa, omega_variance, p.signal_factor, problem, layout
    )
    psi = rotation @ (mean + (deviation * normals[:r]) @ basis.T)
    reached = (problem.energy[:r] > 0).astype(psi.dtype)[None, :]
    free = normals[r:] @ p.signal_factor.T * jnp.sqrt(kappa)
    return psi + free - (rotation * reached) @ (rotation.T @ free)


def complete(
    p: Parameters, found: Latents, problem: Problem, rotation: Array, layout: Layout
) -> Kept:
    """What is kept of a sweep: Psi drawn given eta, its mean given the parameters alone, the intercept."""
    shapes = {
        "psi": (layout.num_signal_rows + rotation.shape[0], layout.rank),
        "intercept": (layout.rank + layout.noise_rank + layout.num_targets,),
    }
    total = sum(math.prod(shape) for shape in shapes.values())
    normals = cut(standard_normal(found.key, total), shapes)
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    noise = latents.decompose(latents.project(problem, p))
    mean = latents.posterior_mean_signal(
        latents.spectrum(noise, omega_variance, p.signal_factor, layout), kappa, problem
    )
    rows = problem.total_rows + 1.0  # centring took one
    return Kept(
        psi=draw_psi(normals["psi"], found.eta, p, problem, rotation, layout),
        psi_mean=rotation @ mean,
        parameters=p,
        log_likelihood=latents.log_likelihood(problem, p, layout),
        intercept=row_noise(normals["intercept"], p, omega_variance) / jnp.sqrt(rows),
    )


def row_noise(normals: Array, p: Parameters, omega_variance: Array) -> Array:
    """N(0, s^2 Gamma'Gamma + Lambda'Lambda + Sigma), the noise of a row, (K,) from (S + R + K,): eq. 27."""
    s, r = p.loadings.shape[0], p.noise_loadings.shape[0]
    noise = jnp.sqrt(omega_variance) * normals[:s] @ p.loadings
    noise = noise + normals[s : s + r] @ p.noise_loadings
    return noise + jnp.sqrt(p.noise_variance) * normals[s + r :]


@partial(jax.jit, static_argnames=("layout", "num_draws", "thin"))
def run(
    state: State, problem: Problem, rotation: Array, *, layout: Layout, num_draws: int, thin: int
) -> tuple[State, Kept]:
    """`num_draws * thin` sweeps of every chain, the last of each `thin` kept.

    What a kept draw needs at random has a key of its own in every sweep, so keeping more or fewer leaves the chain as
    it is, and run(a) then run(b) is run(a + b) bit for bit.

    Args:
        state: leaves are (chain, *event).
        problem: shared by the chains.
        rotation: (P, r).
        layout: static.
        num_draws: draws kept per chain.
        thin: sweeps per kept draw.

    Returns:
        The state after the last sweep and the kept draws, leaves (chain, draw, *event).
    """

    def one(state: State) -> tuple[State, Kept]:
        def step(state: State, _: None) -> tuple[State, Kept]:
            if thin > 1:
                state = lax.fori_loop(0, thin - 1, lambda _, s: sweep(s, problem, layout)[0], state)
            state, found = sweep(state, problem, layout)
            return state, complete(state.parameters, found, problem, rotation, layout)

        return lax.scan(step, state, None, length=num_draws)

    return jax.vmap(one)(state)


@partial(jax.jit, static_argnames=("layout",))
def advance(state: State, problem: Problem, num_sweeps: Array, *, layout: Layout) -> State:
    """`num_sweeps` sweeps of every chain, nothing kept: warmup. One compilation for any number of sweeps."""

    def one(state: State) -> State:
        return lax.fori_loop(0, num_sweeps, lambda _, s: sweep(s, problem, layout)[0], state)

    return jax.vmap(one)(state)
