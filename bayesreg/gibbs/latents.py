"""The latent rows: their collapsed likelihood, their draws, and Psi given them (docs/methods/bayes.md, section 4).

Everything works in rotated rows, where the prior of a latent row is N(0, s^2 I + kappa d_i^2 T): with one S x S
eigendecomposition all rows are independent scalars. n rows, K targets, S components, R noise factors.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bayesreg.gibbs.state import Array, Layout, Parameters, Problem, latent_variances

_FACTORS = 8  # a product of so many overflows where each is above 1e38


class Projection(NamedTuple):
    """What the targets say about the latent rows: eq. 10."""

    precision: Array
    """(S, S): W = Gamma Sigma_0^-1 Gamma', Sigma_0 = Lambda' Lambda + diag(sigma^2)."""
    linear: Array
    """(n, S): rows b_i = Gamma Sigma_0^-1 y_i."""


class Spectrum(NamedTuple):
    """The projection in the basis in which latent rows are independent scalars: eq. 11 and 12."""

    noise_vectors: Array
    """(S, S): Q, eigenvectors of W in columns."""
    noise_values: Array
    """(S,): w."""
    noise_linear: Array
    """(n, S): b_i in that basis."""
    signal_vectors: Array
    """(S, S): maps a row of coordinates to the signal row, g_i = signal_vectors zeta_i."""
    signal_values: Array
    """(S,): m, the precision that the targets give to zeta when Omega is integrated out."""
    signal_linear: Array
    """(r, S): c_i, of the rows that X reaches."""


class Turned(NamedTuple):
    """Rows turned once more, now that eta is known: m of them hold all that H and the loadings depend on."""

    eta: Array
    """(m, S)."""
    y: Array
    """(m, K)."""
    z: Array
    """(m, C)."""


def residual_targets(problem: Problem, coef: Array) -> Array:
    """Y - Z A in the coordinates of `Problem.y`, (q, K)."""
    return problem.y - problem.z @ coef if problem.z.shape[1] else problem.y


def noise_precision_times(matrix: Array, noise_loadings: Array, noise_variance: Array) -> Array:
    """Rows of `matrix` times Sigma_0^-1, by Woodbury: eq. 9.

    Args:
        matrix: (M, K).
        noise_loadings: (R, K).
        noise_variance: (K,).

    Returns:
        (M, K). No K x K matrix is formed.
    """
    scaled = matrix / noise_variance[None, :]
    size = noise_loadings.shape[0]
    if size == 0:
        return scaled
    weighted = noise_loadings / noise_variance[None, :]
    inner = jnp.eye(size) + weighted @ noise_loadings.T
    solved = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(inner), True), weighted)
    return scaled - (scaled @ noise_loadings.T) @ solved


def project(problem: Problem, parameters: Parameters) -> Projection:
    """W and all b_i: eq. 10."""
    weighted = noise_precision_times(
        parameters.loadings, parameters.noise_loadings, parameters.noise_variance
    )
    columns = problem.y.T if problem.y_columns is None else problem.y_columns
    linear = weighted @ columns
    if problem.z.shape[1]:
        linear = linear - (weighted @ parameters.confounder_coef.T) @ problem.z.T
    if problem.basis is not None:
        linear = linear @ problem.basis.T
    linear = linear.T
    return Projection(weighted @ parameters.loadings.T, linear)


def decompose(projection: Projection) -> tuple[Array, Array, Array]:
    """Q, w and b_i in Q's basis, (S, S), (S,), (n, S)."""
    values, vectors = jnp.linalg.eigh(projection.precision, symmetrize_input=True)
    return vectors, jnp.maximum(values, 0.0), projection.linear @ vectors


def spectrum(
    noise: tuple[Array, Array, Array], omega_variance: Array, factor: Array, layout: Layout
) -> Spectrum:
    """Bases in which signal rows, then noise rows, are independent scalars: eq. 11 and 12.

    Args:
        noise: what `decompose` returned.
        omega_variance: s^2.
        factor: (S, S), Cholesky factor of T; ignored when the signal covariance is common.
        layout: static.
    """
    vectors, values, linear = noise
    shrink = 1.0 / (1.0 + omega_variance * values)
    reached = linear[: layout.num_signal_rows] * shrink[None, :]
    if not layout.free_signal:
        return Spectrum(*noise, vectors, values * shrink, reached)
    rotated = vectors.T @ factor
    inner = rotated.T @ ((values * shrink)[:, None] * rotated)
    signal_values, basis = jnp.linalg.eigh(inner, symmetrize_input=True)
    signal_linear = reached @ (rotated @ basis)
    return Spectrum(*noise, factor @ basis, jnp.maximum(signal_values, 0.0), signal_linear)


def collapsed_log_likelihood(
    spectrum: Spectrum, problem: Problem, kappa: Array, omega_variance: Array
) -> Array:
    """The part of log p(Y | parameters) that depends on kappa, s^2 and T: eq. 13; Psi and Omega integrated out."""
    w, b = spectrum.noise_values, spectrum.noise_linear
    omega = omega_variance * w
    noise_part = -0.5 * problem.total_rows * jnp.sum(jnp.log1p(omega)) + 0.5 * jnp.sum(
        (omega_variance / (1.0 + omega)) * jnp.sum(b * b, axis=0)
    )
    rho = kappa * problem.energy[: spectrum.signal_linear.shape[0], None]
    scale = rho * spectrum.signal_values[None, :]
    explained = rho * spectrum.signal_linear**2 / (1.0 + scale)
    return noise_part + 0.5 * (jnp.sum(explained) - _sum_log1p(scale))


def _sum_log1p(values: Array) -> Array:
    """Sum of log(1 + value): the logarithm of products of a few, since logarithms are what is slow."""
    together = _FACTORS if values.dtype == jnp.float64 else 2
    flat = values.ravel()
    padded = 1.0 + jnp.pad(flat, (0, -flat.shape[0] % together)).reshape(together, -1)
    # written out, so that it becomes part of the loop that the logarithms are in
    return jnp.sum(jnp.log(reduce(jnp.multiply, [padded[i] for i in range(together)])))


def log_likelihood(problem: Problem, parameters: Parameters, layout: Layout) -> Array:
    """log p(Y | parameters), Psi, Omega and H integrated out, in nats: eq. 13 with the terms free of the ratio."""
    kappa, omega_variance = latent_variances(problem, layout, parameters.log_snr)
    found = spectrum(
        decompose(project(problem, parameters)), omega_variance, parameters.signal_factor, layout
    )
    residual = residual_targets(problem, parameters.confounder_coef)
    variance, noise_loadings = parameters.noise_variance, parameters.noise_loadings
    weighted = noise_precision_times(residual, noise_loadings, variance)
    log_det = jnp.sum(jnp.log(variance))
    if layout.noise_rank:
        inner = jnp.eye(layout.noise_rank) + (noise_loadings / variance[None, :]) @ noise_loadings.T
        log_det = log_det + 2.0 * jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(inner))))
    constant = layout.num_targets * jnp.log(2.0 * jnp.pi)
    base = -0.5 * problem.total_rows * (log_det + constant) - 0.5 * jnp.sum(residual * weighted)
    return base + collapsed_log_likelihood(found, problem, kappa, omega_variance)


def draw_eta(
    normals: Array,
    found: Spectrum,
    problem: Problem,
    kappa: Array,
    omega_variance: Array,
    layout: Layout,
) -> tuple[Array, Array | None]:
    """eta = X Psi + Omega given the parameters, H integrated out: eq. 11 (common) or 12 (free).

    Args:
        normals: (n, S) standard normals; (r + n, S) with a free signal covariance.
        found: from `spectrum`.
        problem: data.
        kappa: prior variance of an entry of Psi.
        omega_variance: s^2.
        layout: static.

    Returns:
        (n, S), rows that neither X nor Omega reaches are exactly zero; and, with a free signal covariance, what T is
        drawn from given the signal rows: the sum of g_i g_i' / rho_i over the rows that X reaches, (S, S).
    """
    values = found.noise_values[None, :]
    if not layout.free_signal:
        variance = kappa * problem.energy[:, None] + omega_variance
        spread = variance / (1.0 + variance * values)
        rotated = spread * found.noise_linear + jnp.sqrt(spread) * normals
        return rotated @ found.noise_vectors.T, None
    r = layout.num_signal_rows
    rho = kappa * problem.energy[:r, None]
    root = jnp.sqrt(rho)
    spread = 1.0 / (1.0 + rho * found.signal_values[None, :])
    unit = root * spread * found.signal_linear + jnp.sqrt(spread) * normals[:r]  # zeta / sqrt(rho)
    reached = jnp.where(rho > 0, unit, 0.0)
    scatter = found.signal_vectors @ (reached.T @ reached) @ found.signal_vectors.T
    signal = (root * unit) @ found.signal_vectors.T
    spread = omega_variance / (1.0 + omega_variance * values)
    linear = found.noise_linear.at[:r].add(-values * (signal @ found.noise_vectors))
    omega = spread * linear + jnp.sqrt(spread) * normals[r:]
    return (omega @ found.noise_vectors.T).at[:r].add(signal), scatter


def prior_quadratic(
    eta: Array, kappa: Array, omega_variance: Array, factor: Array, problem: Problem, layout: Layout
) -> tuple[Array, Array]:
    """Quadratic forms of eta under its prior precisions, and how many rows have one.

    Returns:
        (S,) when components are independent a priori, else (S, S), whose entry (a, b) is the sum over rows of
        eta_a eta_b times entry (a, b) of the row's precision; and the number of rows that eta reaches, zero rows that
        were left out included. Their quadratic form is the caller's to add.
    """
    rho = kappa * problem.energy
    if not layout.free_signal:
        variance = rho + omega_variance
        reached = variance > 0
        weight = jnp.where(reached, 1.0 / jnp.where(reached, variance, 1.0), 0.0)
        count = problem.total_rows if layout.latent_noise else jnp.sum(reached.astype(eta.dtype))
        return weight @ (eta * eta), count
    values, basis = jnp.linalg.eigh(factor @ factor.T)
    weight = 1.0 / (omega_variance + rho[:, None] * values[None, :])
    pairs = (eta[:, :, None] * eta[:, None, :]).reshape(eta.shape[0], -1)
    outer = (basis[:, None, :] * basis[None, :, :]).reshape(-1, layout.rank)
    return jnp.sum((pairs.T @ weight) * outer, axis=1).reshape(factor.shape), problem.total_rows


def draw_noise_factors(normals: Array, residual: Array, loadings: Array, variance: Array) -> Array:
    """H given everything else: eq. 14.

    Args:
        normals: (n, R).
        residual: (n, K), Y - Z A - eta Gamma.
        loadings: (R, K), Lambda.
        variance: (K,).

    Returns:
        (n, R).
    """
    weighted = loadings / variance[None, :]
    root = jnp.linalg.cholesky(jnp.eye(loadings.shape[0]) + weighted @ loadings.T)
    half = jax.scipy.linalg.solve_triangular(root, weighted @ residual.T, lower=True)
    return jax.scipy.linalg.solve_triangular(root, half + normals.T, lower=True, trans=1).T


def left_out_scatter(
    diagonal: Array, normals: Array, found: Spectrum, omega_variance: Array
) -> Array:
    """eta'eta of the rows that were left out because they are zero: a Wishart matrix, eq. 15, by Bartlett's factor.

    Args:
        diagonal: (S,), square roots of chi-squares with N - n, N - n - 1, ... degrees of freedom.
        normals: (S, S), the strict lower triangle is used.
        found: from `spectrum`.
        omega_variance: s^2.

    Returns:
        (S, S).
    """
    spread = omega_variance / (1.0 + omega_variance * found.noise_values)
    factor = found.noise_vectors @ (jnp.sqrt(spread)[:, None] * bartlett(diagonal, normals))
    return factor @ factor.T


def bartlett(diagonal: Array, normals: Array) -> Array:
    """Lower triangular L with L L' ~ Wishart(I): `diagonal` as for `left_out_scatter`, normals below it."""
    return jnp.tril(normals, -1) + jnp.diag(diagonal)


def turn(eta: Array, left_out: Array | None, problem: Problem, layout: Layout) -> Turned:
    """Turn the rows so that few hold Y, Z and eta: eq. 34. All rows but those are zero.

    Args:
        eta: (n, S), in the kept rows.
        left_out: (S, S), eta'eta of the zero rows that were not kept, or None.
        problem: data.
        layout: static.

    Returns:
        q + S rows, and R rows of zeros that stand for all others; the kept rows when the layout has no directions.
    """
    if not layout.num_directions:
        return Turned(eta, problem.y, problem.z)
    inside = (eta.T @ problem.basis).T
    outside = eta.T @ eta - inside.T @ inside
    if left_out is not None:
        outside = outside + left_out
    # any root will do, and this one lets eta have fewer directions than components
    values, vectors = jnp.linalg.eigh(outside, symmetrize_input=True)
    root = jnp.sqrt(jnp.maximum(values, 0.0))[:, None] * vectors.T
    zeros = ((0, layout.rank + layout.noise_rank), (0, 0))
    eta = jnp.concatenate([inside, root, jnp.zeros((layout.noise_rank, layout.rank))])
    return Turned(eta, jnp.pad(problem.y, zeros), jnp.pad(problem.z, zeros))


def psi_coordinates(
    eta: Array, kappa: Array, omega_variance: Array, factor: Array, problem: Problem, layout: Layout
) -> tuple[Array, Array, Array]:
    """Psi in the rotated covariates given eta: eq. 16.

    Returns:
        mean (r, S), standard deviations (r, S) in the basis T's eigenvectors, and that basis (S, S). Row i belongs to
        the right singular vector v_i of X; where the singular value is 0 so are mean and deviation.
    """
    eta, energy = eta[: layout.num_signal_rows], problem.energy[: layout.num_signal_rows, None]
    if layout.free_signal:
        values, basis = jnp.linalg.eigh(factor @ factor.T)
    else:
        values, basis = jnp.ones(layout.rank), jnp.eye(layout.rank)
    prior = kappa * values[None, :]
    reached = energy > 0
    total = jnp.where(reached, energy * prior + omega_variance, 1.0)
    gain = jnp.where(reached, jnp.sqrt(energy) * prior / total, 0.0)
    spread = jnp.where(reached, prior * omega_variance / total, 0.0)
    return (gain * (eta @ basis)) @ basis.T, jnp.sqrt(spread), basis


def posterior_mean_signal(found: Spectrum, kappa: Array, problem: Problem) -> Array:
    """E[Psi | the parameters, Y] in the rotated covariates, (r, S): eq. 17; eta integrated out as well."""
    energy = problem.energy[: found.signal_linear.shape[0], None]
    rho = kappa * energy
    spread = rho / (1.0 + rho * found.signal_values[None, :])
    mean = (spread * found.signal_linear) @ found.signal_vectors.T
    root = jnp.sqrt(energy)
    return jnp.where(root > 0, mean / jnp.where(root > 0, root, 1.0), 0.0)
