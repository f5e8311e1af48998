"""What the sampler carries: the data in rotated rows, the parameters, the chain; draws from the prior.

Everything is a pytree of arrays except `Layout`, which holds what compilation needs and is hashable. Shapes: n rows
kept after rotation, P covariates, K targets, S components, R noise factors, C confounders, G clusters of targets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random

from bayesreg.gibbs.gammas import standard_gamma
from bayesreg.types import SIGNAL_DOF, ModelSettings, SignalCovariance

Array = jax.Array


class Layout(NamedTuple):
    """The static part of a problem: sizes and switches."""

    num_rows: int
    num_signal_rows: int
    """r: X reaches these rows, the first ones, and no others."""
    num_directions: int
    """q: so many rows hold Y and Z when rows are turned once more, as soon as eta is known; 0 when they stay."""
    num_targets: int
    rank: int
    noise_rank: int
    num_confounders: int
    num_groups: int
    """G; equal to K means that every target has its own local scale."""
    has_remainder: bool
    """Some rotated rows are exactly zero and were left out; their latent rows enter as a Wishart matrix."""
    latent_noise: bool
    free_signal: bool
    normalise_latent: bool
    sample_snr: bool
    sample_shrinkage: bool
    sample_noise_shrinkage: bool
    local_whole: int
    """The shape of the full conditional of a target's own local scale when that is a small whole number, else 0."""


class Hyper(NamedTuple):
    """Numbers of the prior; scalars."""

    snr_location: Array
    snr_scale: Array
    local_dof: Array
    shrinkage: Array
    """(2,): a1 and a2, the values used when they are not sampled."""
    shrinkage_prior: Array
    """(2, 3): shape, rate and lower bound of the truncated-gamma priors of a1 and a2."""
    noise_shrinkage: Array
    noise_shrinkage_prior: Array
    noise_precision_shape: Array
    noise_precision_rate: Array
    confounder_precision: Array
    signal_dof: Array
    """(D,): support of the concentration of a free signal covariance."""
    signal_dof_log_weights: Array
    """(D,): log prior probabilities of these, up to a constant."""


class Problem(NamedTuple):
    """Data in rotated rows (docs/methods/bayes.md, eq. 8) with the prior's numbers."""

    y: Array
    """(q, K): the rows are `basis @ y`; (n, K), the rows themselves, when there is no basis."""
    z: Array
    """(q, C), likewise."""
    energy: Array
    """(n,): squared singular value of X that belongs to the row, 0 for rows that X does not reach, which come last."""
    covariate_variance: Array
    """Mean squared length of a row of X, over all N rows."""
    total_rows: Array
    """N: rows of the centred data, zero rows included."""
    remainder_dof: Array
    """N - n."""
    groups: Array
    """(K,): the cluster of each target, in [0, G)."""
    hyper: Hyper
    basis: Array | None = None
    """(n, q), orthonormal columns that span those of Y and Z; None when rows stay as they are."""
    y_columns: Array | None = None
    """(K, q), Y once more where it is the same in all sweeps: a product with its transpose takes six times as long."""


class Parameters(NamedTuple):
    """One point of the parameter space, latent rows integrated out."""

    loadings: Array
    """(S, K): Gamma."""
    local_scale: Array
    """(S, G): phi."""
    shrinkage: Array
    """(S,): delta."""
    shrinkage_shape: Array
    """(2,): a1, a2."""
    noise_loadings: Array
    """(R, K): Lambda."""
    noise_local_scale: Array
    """(R, K)."""
    noise_shrinkage: Array
    """(R,)."""
    noise_shrinkage_shape: Array
    """(2,)."""
    confounder_coef: Array
    """(C, K): A."""
    noise_variance: Array
    """(K,): sigma_k^2."""
    log_snr: Array
    """log beta."""
    signal_factor: Array
    """(S, S): lower Cholesky factor of T; the identity when the signal covariance is common."""
    signal_dof: Array
    """Index into `Hyper.signal_dof`, integer."""


class State(NamedTuple):
    """A chain between two sweeps: all that is needed to continue bit for bit."""

    key: Array
    parameters: Parameters


class Latents(NamedTuple):
    """The latent rows behind the latest sweep."""

    eta: Array
    """(n, S): X Psi + Omega in rotated rows."""
    key: Array
    """For what is drawn beside the chain when the sweep is kept."""


def make_layout(
    settings: ModelSettings,
    *,
    num_rows: int,
    num_signal_rows: int,
    num_targets: int,
    num_confounders: int,
    num_groups: int | None = None,
    has_remainder: bool,
    num_directions: int = 0,
) -> Layout:
    """The static description of a problem; `num_groups` None means one local scale a target."""
    return Layout(
        num_rows=num_rows,
        num_signal_rows=num_signal_rows,
        num_directions=num_directions,
        num_targets=num_targets,
        rank=settings.rank,
        noise_rank=settings.noise_rank if settings.independent_noise else 0,
        num_confounders=num_confounders,
        num_groups=num_targets if num_groups is None else num_groups,
        has_remainder=has_remainder,
        latent_noise=settings.latent_noise,
        free_signal=settings.signal_covariance is SignalCovariance.FREE,
        normalise_latent=settings.normalise_latent,
        sample_snr=settings.samples_snr,
        sample_shrinkage=settings.sample_shrinkage,
        sample_noise_shrinkage=settings.independent_noise and settings.sample_noise_shrinkage,
        local_whole=_whole(0.5 * (settings.local_dof + 1.0)),
    )


def _whole(shape: float) -> int:
    return int(shape) if shape == int(shape) and shape <= _WHOLE_UP_TO else 0


_WHOLE_UP_TO = 4  # the product of that many uniforms stays far within the range of float32


def make_hyper(settings: ModelSettings) -> Hyper:
    """The prior's numbers as arrays of the default float type."""
    location = settings.latent_snr_location
    if settings.latent_snr is not None:
        location = float(jnp.log(settings.latent_snr))
    floats = jnp.asarray
    return Hyper(
        snr_location=floats(location, dtype=float),
        snr_scale=floats(settings.latent_snr_scale, dtype=float),
        local_dof=floats(settings.local_dof, dtype=float),
        shrinkage=floats([settings.shrinkage_first, settings.shrinkage_later], dtype=float),
        # shapes, rates and bounds as in the authors' scripts; the squared and the unsquared process differ
        shrinkage_prior=floats([[3.0, 0.28, 2.1], [4.1, 0.31, 3.1]], dtype=float),
        noise_shrinkage=floats(
            [settings.noise_shrinkage_first, settings.noise_shrinkage_later], dtype=float
        ),
        noise_shrinkage_prior=floats([[3.0, 1.0, 2.1], [3.1, 1.0, 3.1]], dtype=float),
        noise_precision_shape=floats(settings.noise_precision_shape, dtype=float),
        noise_precision_rate=floats(settings.noise_precision_rate, dtype=float),
        confounder_precision=floats(settings.confounder_scale**-2.0, dtype=float),
        signal_dof=floats(SIGNAL_DOF, dtype=float),
        signal_dof_log_weights=jnp.log(floats(settings.signal_dof_weights, dtype=float)),
    )


def with_rows(problem: Problem, y: Array, z: Array, layout: Layout) -> Problem:
    """The problem with Y and Z in the kept rows, (n, K) and (n, C), in the coordinates that the layout wants."""
    if not layout.num_directions:
        return problem._replace(y=y, z=z, basis=None, y_columns=y.T)
    basis, both = jnp.linalg.qr(jnp.concatenate([y, z], axis=1))
    k = layout.num_targets
    y = both[:, :k]
    return problem._replace(y=y, z=both[:, k:], basis=basis, y_columns=y.T)


def in_rows(problem: Problem, table: Array) -> Array:
    """From the coordinates of `Problem.y` to the kept rows, (q, ...) to (n, ...)."""
    return table if problem.basis is None else problem.basis @ table


def latent_variances(problem: Problem, layout: Layout, log_snr: Array) -> tuple[Array, Array]:
    """Prior variances of an entry of Psi (kappa) and of Omega (s^2): eq. 3 and 4.

    Returns:
        Two scalars. Without latent noise s^2 is 0 and kappa does not depend on the ratio.
    """
    variance = problem.covariate_variance
    zero, one = jnp.zeros_like(variance), jnp.ones_like(variance)
    if not layout.latent_noise:
        return (1.0 / variance if layout.normalise_latent else one), zero
    if not layout.normalise_latent:
        return one, variance * jnp.exp(-log_snr)
    signal_share = jax.nn.sigmoid(log_snr)
    return signal_share / variance, jax.nn.sigmoid(-log_snr)


def global_precision(shrinkage: Array) -> Array:
    """tau_h = delta_1 ... delta_h, (S,) from (S,)."""
    return jnp.cumprod(shrinkage)


def local_scales(local_scale: Array, groups: Array, layout: Layout) -> Array:
    """phi spread from clusters to targets: (S, K) from (S, G)."""
    if layout.num_groups == layout.num_targets:
        return local_scale
    return local_scale[:, groups]


def loadings_precision(p: Parameters, groups: Array, layout: Layout) -> Array:
    """Prior precisions of Gamma, (S, K): eq. 2."""
    tau = global_precision(p.shrinkage)
    return local_scales(p.local_scale, groups, layout) * (tau * tau)[:, None]


def draw_prior(key: Array, problem: Problem, layout: Layout) -> Parameters:
    """One draw of all parameters from the prior (eq. 2 to 6); the data of the problem are not used."""
    hyper = problem.hyper
    s, r, k, c = layout.rank, layout.noise_rank, layout.num_targets, layout.num_confounders
    shape_key, gamma_key, normal_key, index_key = random.split(key, 4)
    a, noise_a = _draw_shapes(shape_key, problem, layout)
    index = jnp.zeros((), dtype=int)
    if layout.free_signal:
        index = random.categorical(index_key, hyper.signal_dof_log_weights).astype(int)
    half_dof = hyper.local_dof / 2.0
    shapes = {
        "delta": component_shapes(a, s),
        "noise_delta": component_shapes(noise_a, r),
        "phi": jnp.broadcast_to(half_dof, (s, layout.num_groups)),
        "noise_phi": jnp.broadcast_to(half_dof, (r, k)),
        "precision": jnp.broadcast_to(hyper.noise_precision_shape, (k,)),
        "signal": 0.5 * (s + 1.0 + hyper.signal_dof[index] - jnp.arange(s)),
    }
    gammas = cut(_gamma(gamma_key, join(shapes)), {name: x.shape for name, x in shapes.items()})
    normal_shapes = {
        "loadings": (s, k), "noise_loadings": (r, k), "coef": (c, k), "snr": (), "signal": (s, s),
    }  # fmt: skip
    total = sum(math.prod(shape) for shape in normal_shapes.values())
    normals = cut(random.normal(normal_key, (total,)), normal_shapes)
    phi, noise_phi = gammas["phi"] / half_dof, gammas["noise_phi"] / half_dof
    tau, noise_tau = global_precision(gammas["delta"]), global_precision(gammas["noise_delta"])
    wide_phi = local_scales(phi, problem.groups, layout)
    log_snr = hyper.snr_location
    if layout.sample_snr:
        log_snr = log_snr + hyper.snr_scale * normals["snr"]
    factor = jnp.eye(s)
    if layout.free_signal:
        root = jnp.sqrt(hyper.signal_dof[index]) * jnp.eye(s)
        factor = inverse_wishart_factor(normals["signal"], gammas["signal"], root)
    return Parameters(
        loadings=normals["loadings"] / (jnp.sqrt(wide_phi) * tau[:, None]),
        local_scale=phi,
        shrinkage=gammas["delta"],
        shrinkage_shape=a,
        noise_loadings=normals["noise_loadings"] / jnp.sqrt(noise_phi * noise_tau[:, None]),
        noise_local_scale=noise_phi,
        noise_shrinkage=gammas["noise_delta"],
        noise_shrinkage_shape=noise_a,
        confounder_coef=normals["coef"] / jnp.sqrt(hyper.confounder_precision),
        noise_variance=hyper.noise_precision_rate / gammas["precision"],
        log_snr=log_snr,
        signal_factor=factor,
        signal_dof=index,
    )


def component_shapes(shapes: Array, count: int) -> Array:
    """(a1, a2, a2, ...) of length `count`."""
    return jnp.where(jnp.arange(count) == 0, shapes[0], shapes[1])


def join(pieces: dict[str, Array]) -> Array:
    """All entries in one vector."""
    return jnp.concatenate([piece.ravel() for piece in pieces.values()])


def cut(flat: Array, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Consecutive pieces of `flat`, reshaped: the inverse of `join`."""
    pieces, start = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        pieces[name] = flat[start : start + size].reshape(shape)
        start += size
    return pieces


def _gamma(key: Array, shapes: Array) -> Array:
    """Gamma(shape, 1) for shapes above 0: below 1, a draw at shape + 1 times U^(1 / shape)."""
    gamma_key, uniform_key = random.split(key)
    small = shapes < 1.0
    value = standard_gamma(gamma_key, jnp.where(small, shapes + 1.0, shapes))
    power = jnp.where(small, 1.0 / shapes, 0.0)
    return value * random.uniform(uniform_key, shapes.shape) ** power


_SHAPE_TRIES = 64  # the smallest acceptance is 0.4, so all fail once in 1e14


def _draw_shapes(key: Array, problem: Problem, layout: Layout) -> tuple[Array, Array]:
    """(a1, a2) of both kinds of loadings: fixed, or from their truncated gammas by rejection."""
    hyper = problem.hyper
    if not (layout.sample_shrinkage or layout.sample_noise_shrinkage):
        return hyper.shrinkage, hyper.noise_shrinkage
    prior = jnp.concatenate([hyper.shrinkage_prior, hyper.noise_shrinkage_prior])
    tries = jnp.broadcast_to(prior[:, :1], (4, _SHAPE_TRIES))
    candidates = _gamma(key, tries.ravel()).reshape(tries.shape) / prior[:, 1:2]
    first = jnp.argmax(candidates > prior[:, 2:], axis=1)
    drawn = jnp.take_along_axis(candidates, first[:, None], axis=1)[:, 0]
    return (
        drawn[:2] if layout.sample_shrinkage else hyper.shrinkage,
        drawn[2:] if layout.sample_noise_shrinkage else hyper.noise_shrinkage,
    )


def inverse_wishart_factor(normals: Array, gammas: Array, root: Array) -> Array:
    """Cholesky factor of a draw from inverse-Wishart(d, root root'), by Bartlett.

    Args:
        normals: (S, S) standard normals, the strict lower triangle is used.
        gammas: (S,), entry i of shape (d - i) / 2.
        root: (S, S), any root of the scale.
    """
    bartlett = jnp.tril(normals, -1) + jnp.diag(jnp.sqrt(2.0 * gammas))
    half = jax.scipy.linalg.solve_triangular(bartlett, root.T, lower=True)
    return jnp.linalg.cholesky(half.T @ half)
