"""The row-by-row sampler: for missing target cells, which break the rotation, and as the reference for the rotated one.

Psi, the latent rows and the missing cells are in the chain here; the data are as many rows as were observed. Steps are
separate functions in the table `STEPS`, in the one order that is valid. Parameters, prior and the scalar conditionals
are those of the rotated sampler.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random

from bayesreg.gibbs import latents, loadings, rescale, sampler, signal
from bayesreg.gibbs.randomness import Randomness, draw_randomness
from bayesreg.gibbs.start import initial_state
from bayesreg.gibbs.state import (
    Array,
    Hyper,
    Layout,
    Parameters,
    Problem,
    cut,
    latent_variances,
)


class RowProblem(NamedTuple):
    """Standardised data, X and Z with column means 0."""

    x: Array
    """(N, P)."""
    z: Array
    """(N, C)."""
    y: Array
    """(N, K); any number at missing cells."""
    missing_rows: Array
    """(M,)."""
    missing_columns: Array
    """(M,)."""
    left: Array
    """(N, r): X = left diag(singular) rotation'."""
    singular: Array
    """(r,); 0 where X has no rank."""
    rotation: Array
    """(P, r)."""
    covariate_variance: Array
    """Mean squared length of a row of X; the divisor is that of the rotated sampler, N - 1 with an intercept."""
    intercept: Array
    """Boolean: a free mean for every target. Without it Y has mean 0 by assumption."""
    groups: Array
    hyper: Hyper


class RowState(NamedTuple):
    """A chain between two sweeps."""

    key: Array
    parameters: Parameters
    psi: Array
    """(P, S)."""
    factors: Array
    """(N, S + R): [Omega, H]."""
    imputed: Array
    """(M,)."""
    intercept: Array
    """(K,)."""


class Context(NamedTuple):
    """What the steps of one sweep share."""

    problem: RowProblem
    layout: Layout
    drawn: Randomness
    normals: dict[str, Array]


def completed(problem: RowProblem, imputed: Array) -> Array:
    """Y with the missing cells filled, (N, K)."""
    return problem.y.at[problem.missing_rows, problem.missing_columns].set(imputed)


def shared_problem(problem: RowProblem, y: Array) -> Problem:
    """The same data as the functions of the rotated sampler take them: N rows, none left out."""
    return Problem(
        y=y,
        z=problem.z,
        energy=problem.singular**2,
        covariate_variance=problem.covariate_variance,
        total_rows=jnp.asarray(float(y.shape[0])),
        remainder_dof=jnp.zeros(()),
        groups=problem.groups,
        hyper=problem.hyper,
    )


def draw_regression(state: RowState, context: Context) -> RowState:
    """Intercept, ratio, signal covariance and Psi, with Omega and H integrated out of all: eq. 24 to 28."""
    problem, layout, drawn, normals = context
    p, n = state.parameters, problem.y.shape[0]
    y = completed(problem, state.imputed)
    _, omega_variance = latent_variances(problem, layout, p.log_snr)
    # X and Z have mean 0, so the mean row of Y is the intercept plus the mean of N noise rows, whatever Psi is
    mean = jnp.mean(y, axis=0) + sampler.row_noise(
        normals["intercept"], p, omega_variance
    ) / jnp.sqrt(n)
    intercept = jnp.where(problem.intercept, mean, 0.0)
    shared = shared_problem(problem, y - intercept[None, :])
    vectors, values, linear = latents.decompose(latents.project(shared, p))
    reached = problem.left.T @ linear
    # the likelihood needs sums over rows only: rows in the span of X, then what is left of every row
    stacked = jnp.concatenate([reached, linear - problem.left @ reached])
    energy = jnp.concatenate([shared.energy, jnp.zeros(n)])
    noise, split = (vectors, values, stacked), shared._replace(energy=energy)
    if layout.sample_snr:
        p, noise = signal.draw_snr(
            p, drawn.normals["snr"], drawn.uniforms["snr"], noise, split, layout
        )
    if layout.free_signal:
        p = signal.draw_signal_covariance(p, drawn.normals, drawn.uniforms, noise, split, layout)
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    vectors, values, stacked = noise
    reached = stacked[: reached.shape[0]]
    found = latents.spectrum((vectors, values, reached), omega_variance, p.signal_factor, layout)
    psi = _draw_psi(normals["psi"], found, kappa, problem, p.signal_factor)
    if layout.free_signal:
        scatter = psi.T @ psi / kappa
        p = signal.draw_signal_factor(p, scatter, drawn.normals, drawn.gammas, problem.hyper)
    return state._replace(parameters=p, psi=psi, intercept=intercept)


def _draw_psi(
    normals: Array, found: latents.Spectrum, kappa: Array, problem: RowProblem, factor: Array
) -> Array:
    """Psi with Omega and H integrated out, (P, S): eq. 28; directions that X does not reach from the prior."""
    size = problem.singular.shape[0]
    energy, root = problem.singular[:, None] ** 2, problem.singular[:, None]
    precision = 1.0 + kappa * energy * found.signal_values[None, :]
    mean = kappa * root * found.signal_linear / precision
    coordinates = mean + jnp.sqrt(kappa / precision) * normals[:size]
    inside = coordinates @ found.signal_vectors.T
    free = jnp.sqrt(kappa) * normals[size:] @ factor.T
    # where the singular value is 0 the coordinate is a prior draw already: rotation covers it, the rest is outside
    return problem.rotation @ (inside - problem.rotation.T @ free) + free


def draw_factors(state: RowState, context: Context) -> RowState:
    """[Omega, H] given everything else, row by row: eq. 29."""
    problem, layout, drawn, _ = context
    p = state.parameters
    _, omega_variance = latent_variances(problem, layout, p.log_snr)
    residual = _residual(state, problem) - (problem.x @ state.psi) @ p.loadings
    both = jnp.concatenate([p.loadings, p.noise_loadings])
    prior = jnp.concatenate(
        [jnp.broadcast_to(omega_variance, (layout.rank,)), jnp.ones(layout.noise_rank)]
    )
    scaled = both * jnp.sqrt(prior)[:, None]
    n = problem.y.shape[0]
    normals = jnp.concatenate([drawn.normals["eta"][:n], drawn.normals["noise_factors"]], axis=1)
    unit = latents.draw_noise_factors(normals, residual, scaled, p.noise_variance)
    return state._replace(factors=unit * jnp.sqrt(prior)[None, :])


def draw_loadings(state: RowState, context: Context) -> RowState:
    """[Gamma; Lambda; A] and the noise variances given Psi and the factors: eq. 18 and 19."""
    problem, layout, drawn, _ = context
    p, s, r = state.parameters, layout.rank, layout.noise_rank
    y = completed(problem, state.imputed) - state.intercept[None, :]
    design = _design(state, problem, layout)
    gram, linear = loadings.cross_products(design, y, None)
    prior = sampler.prior_precision(p, shared_problem(problem, y), layout)
    coef = loadings.draw_loadings(drawn.normals["loadings"], gram, linear, prior, p.noise_variance)
    rate = loadings.noise_rate(y, gram, linear, coef, problem.hyper.noise_precision_rate)
    return state._replace(
        parameters=p._replace(
            loadings=coef[:s],
            noise_loadings=coef[s : s + r],
            confounder_coef=coef[s + r :],
            noise_variance=rate / drawn.gammas["noise"],
        )
    )


def draw_scales(state: RowState, context: Context) -> RowState:
    """The scales of Psi and Omega, and of H, against those of their loadings: eq. 32."""
    problem, layout, drawn, _ = context
    p, s, k = state.parameters, layout.rank, layout.num_targets
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    rows, covariates = problem.x.shape
    squares = jnp.sum(state.factors * state.factors, axis=0)
    count = jnp.asarray(float(covariates + rows if layout.latent_noise else covariates))
    omega = squares[:s] / omega_variance if layout.latent_noise else jnp.zeros(s)
    if layout.free_signal:
        precision = jax.scipy.linalg.cho_solve((p.signal_factor, True), jnp.eye(s)) / kappa
        quadratic = state.psi.T @ state.psi * precision + jnp.diag(omega)
    else:
        quadratic = jnp.sum(state.psi * state.psi, axis=0) / kappa + omega
    prior = sampler.prior_precision(p, shared_problem(problem, problem.y), layout)
    both = jnp.concatenate([p.loadings, p.noise_loadings])
    inverse = jnp.sum(prior[: both.shape[0]] * both * both, axis=1)
    first, second = sampler.split_standard(drawn, layout)
    scales = rescale.draw_scales(first, count - k, quadratic, inverse[:s])
    noise_scales = rescale.draw_scales(
        second, jnp.asarray(float(rows - k)), squares[s:], inverse[s:]
    )
    return state._replace(
        parameters=p._replace(
            loadings=p.loadings / scales[:, None],
            noise_loadings=p.noise_loadings / noise_scales[:, None],
        ),
        psi=state.psi * scales[None, :],
        factors=state.factors * jnp.concatenate([scales, noise_scales])[None, :],
    )


def draw_shrinkage(state: RowState, context: Context) -> RowState:
    """delta, phi and their shapes: eq. 20 to 23."""
    shared = shared_problem(context.problem, context.problem.y)
    p = sampler.update_shrinkage(state.parameters, context.drawn, shared, context.layout)
    return state._replace(parameters=p)


def impute(state: RowState, context: Context) -> RowState:
    """Missing cells given Psi, the factors and the loadings: eq. 30."""
    problem, layout, _, normals = context
    p, rows, columns = state.parameters, problem.missing_rows, problem.missing_columns
    both = jnp.concatenate([p.loadings, p.noise_loadings, p.confounder_coef])
    design = _design(state, problem, layout)
    mean = jnp.sum(design[rows] * both[:, columns].T, axis=1) + state.intercept[columns]
    noise = jnp.sqrt(p.noise_variance[columns]) * normals["imputed"]
    return state._replace(imputed=mean + noise)


def _residual(state: RowState, problem: RowProblem) -> Array:
    y = completed(problem, state.imputed) - state.intercept[None, :]
    return y - problem.z @ state.parameters.confounder_coef


def _design(state: RowState, problem: RowProblem, layout: Layout) -> Array:
    """[X Psi + Omega, H, Z], (N, S + R + C)."""
    s = layout.rank
    eta = problem.x @ state.psi + state.factors[:, :s]
    return jnp.concatenate([eta, state.factors[:, s:], problem.z], axis=1)


STEPS = {
    "regression": draw_regression,
    "factors": draw_factors,
    "loadings": draw_loadings,
    "scales": draw_scales,
    "shrinkage": draw_shrinkage,
    "missing": impute,
}
"""In the valid order: the factors directly after Psi, which was drawn with them integrated out."""

ORDER = tuple(STEPS)
WRONG_ORDER = ("regression", "loadings", "scales", "shrinkage", "factors", "missing")
"""Psi with the factors integrated out, then loadings given the old factors: not a Gibbs sweep. A negative control."""


def sweep(
    state: RowState, problem: RowProblem, layout: Layout, order: tuple[str, ...] = ORDER
) -> RowState:
    """One pass over Psi, factors, parameters and missing cells."""
    key, own, row_key = random.split(state.key, 3)
    shared = shared_problem(problem, problem.y)
    # T is drawn from the rows of Psi, which are all in the chain here
    drawn = draw_randomness(own, shared, state.parameters, layout, signal_rows=problem.x.shape[1])
    shapes = {
        "psi": (problem.singular.shape[0] + problem.x.shape[1], layout.rank),
        "intercept": (layout.rank + layout.noise_rank + layout.num_targets,),
        "imputed": problem.missing_rows.shape,
    }
    total = sum(math.prod(shape) for shape in shapes.values())
    normals = cut(random.normal(row_key, (total,)), shapes)
    context = Context(problem, layout, drawn, normals)
    state = state._replace(key=key)
    for name in order:
        state = STEPS[name](state, context)
    return state


def complete(state: RowState, problem: RowProblem, layout: Layout) -> sampler.Kept:
    """What is kept of a sweep. The log likelihood is that of the completed targets."""
    p = state.parameters
    kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
    shared = shared_problem(problem, completed(problem, state.imputed) - state.intercept[None, :])
    projection = latents.project(shared, p)
    vectors, values, linear = latents.decompose(projection)
    reached = problem.left.T @ linear
    found = latents.spectrum((vectors, values, reached), omega_variance, p.signal_factor, layout)
    mean = latents.posterior_mean_signal(found, kappa, shared)
    energy = jnp.concatenate([shared.energy, jnp.zeros(problem.y.shape[0])])
    rotated = jnp.concatenate(
        [problem.left.T @ shared.y, shared.y - problem.left @ (problem.left.T @ shared.y)]
    )
    z = jnp.concatenate(
        [problem.left.T @ shared.z, shared.z - problem.left @ (problem.left.T @ shared.z)]
    )
    split = shared._replace(y=rotated, z=z, energy=energy)
    return sampler.Kept(
        psi=state.psi,
        psi_mean=problem.rotation @ mean,
        parameters=p,
        log_likelihood=latents.log_likelihood(split, p, layout),
        intercept=state.intercept,
    )


@partial(jax.jit, static_argnames=("layout", "num_draws", "thin"))
def run(
    state: RowState, problem: RowProblem, *, layout: Layout, num_draws: int, thin: int
) -> tuple[RowState, tuple[sampler.Kept, Array]]:
    """As `sampler.run`; the kept draws come with the imputed cells, (chain, draw, M)."""

    def one(state: RowState) -> tuple[RowState, tuple[sampler.Kept, Array]]:
        def step(state: RowState, _: None) -> tuple[RowState, tuple[sampler.Kept, Array]]:
            state = lax.fori_loop(0, thin, lambda _, s: sweep(s, problem, layout), state)
            return state, (complete(state, problem, layout), state.imputed)

        return lax.scan(step, state, None, length=num_draws)

    return jax.vmap(one)(state)


@partial(jax.jit, static_argnames=("layout",))
def advance(state: RowState, problem: RowProblem, num_sweeps: Array, *, layout: Layout) -> RowState:
    """`num_sweeps` sweeps of every chain, nothing kept."""

    def one(state: RowState) -> RowState:
        return lax.fori_loop(0, num_sweeps, lambda _, s: sweep(s, problem, layout), state)

    return jax.vmap(one)(state)


def initial_rows(key: Array, problem: RowProblem, layout: Layout, num_chains: int) -> RowState:
    """Starting states: as for the rotated sampler, missing cells at the target's mean and a unit normal around it."""
    start_key, own = random.split(key)
    n, m = problem.y.shape[0], problem.missing_rows.shape[0]
    rotated = problem.left.T @ problem.y
    split = shared_problem(problem, jnp.concatenate([rotated, problem.y - problem.left @ rotated]))
    energy = jnp.concatenate([split.energy, jnp.zeros(n)])
    start = initial_state(start_key, split._replace(energy=energy), layout, num_chains)
    return RowState(
        key=start.key,
        parameters=start.parameters,
        psi=jnp.zeros((num_chains, problem.x.shape[1], layout.rank)),
        factors=jnp.zeros((num_chains, n, layout.rank + layout.noise_rank)),
        imputed=random.normal(own, (num_chains, m)),
        intercept=jnp.zeros((num_chains, layout.num_targets)),
    )
