"""Each conditional against dense linear algebra or the log density of the NumPyro model: exact, no sampling.

Draws are affine in their standard normals, so a mean is the value at zero and a covariance is the product of the
Jacobian with itself.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random
from numpyro.infer.util import log_density
from scipy import stats

from bayesreg import checks
from bayesreg.gibbs import latents, loadings, rowwise, sampler, shrinkage, signal
from bayesreg.gibbs.state import (
    Layout,
    Parameters,
    component_shapes,
    draw_prior,
    in_rows,
    latent_variances,
    loadings_precision,
    with_rows,
)
from bayesreg.model import latent_noise_model, sample_parameters
from bayesreg.types import CONFIGURATIONS, ModelSettings, SignalCovariance

pytestmark = pytest.mark.timeout(900)  # compilation, on a machine that may be busy

EVERYTHING = CONFIGURATIONS["information_sharing"].with_(
    rank=2,
    noise_rank=2,
    signal_covariance=SignalCovariance.FREE,
    sample_shrinkage=True,
    latent_snr_location=0.0,
    confounder_scale=1.0,
)
COMMON = EVERYTHING.with_(signal_covariance=SignalCovariance.COMMON)


@partial(jax.jit, static_argnames="layout")
def draw_case(design: checks.Design, layout: Layout):
    p = draw_prior(random.key(3), design.problem, layout)
    _, y = checks.simulate_targets(random.key(4), p, design, layout)
    return p, y, checks.rotate_targets(y, design, layout)


def make_case(settings: ModelSettings):
    """A tiny design, parameters from the prior and targets drawn with them."""
    sizes = checks.CheckSizes(16, 2, 3, 1, 2 if settings.group_sparsity else None)
    design, layout = checks.make_design(settings, sizes, 5)
    p, y, rotated = draw_case(design, layout)
    problem = with_rows(design.problem, rotated, design.problem.z, layout)
    return design, problem, layout, p, np.asarray(y)


@partial(jax.jit, static_argnames="layout")
def find_spectrum(problem, p: Parameters, omega, layout: Layout) -> latents.Spectrum:
    noise = latents.decompose(latents.project(problem, p))
    return latents.spectrum(noise, omega, p.signal_factor, layout)


def dense_noise(p: Parameters) -> np.ndarray:
    """Sigma_0 = Lambda' Lambda + diag(sigma^2)."""
    other = np.asarray(p.noise_loadings)
    return other.T @ other + np.diag(np.asarray(p.noise_variance))


def affine(function, *sizes: tuple[int, ...]):
    """Value at zero and covariance of a function of standard normals, flattened."""
    zeros = tuple(jnp.zeros(size) for size in sizes)
    jacobians = jax.jit(jax.jacfwd(function, argnums=tuple(range(len(sizes)))))(*zeros)
    mean = np.asarray(jax.jit(function)(*zeros))
    flat = np.concatenate([np.asarray(j).reshape(mean.size, -1) for j in jacobians], axis=1)
    return mean, flat @ flat.T


@pytest.mark.parametrize("settings", [EVERYTHING, COMMON, CONFIGURATIONS["brrr"].with_(rank=2)])
def test_collapsed_likelihood_is_the_dense_gaussian(settings: ModelSettings) -> None:
    design, problem, layout, p, y = make_case(settings)
    kappa, omega = (float(v) for v in latent_variances(problem, layout, p.log_snr))
    x, gamma, factor = (np.asarray(v) for v in (design.x, p.loadings, p.signal_factor))
    mean = np.asarray(design.z @ p.confounder_coef)
    row = omega * gamma.T @ gamma + dense_noise(p)
    signal_part = kappa * gamma.T @ factor @ factor.T @ gamma
    covariance = np.kron(x @ x.T, signal_part) + np.kron(np.eye(len(x)), row)
    dense = stats.multivariate_normal(mean.ravel(), covariance).logpdf(y.ravel())
    found = jax.jit(latents.log_likelihood, static_argnames="layout")(problem, p, layout)
    assert float(found) == pytest.approx(dense, abs=1e-8)


@pytest.mark.parametrize("settings", [EVERYTHING, COMMON])
def test_eta_and_psi_are_the_dense_posterior(settings: ModelSettings) -> None:
    _, problem, layout, p, _ = make_case(settings)
    kappa, omega = latent_variances(problem, layout, p.log_snr)
    found = find_spectrum(problem, p, omega, layout)
    r = layout.num_signal_rows
    rows = layout.num_rows + (r if layout.free_signal else 0)

    def draw(normals):
        return latents.draw_eta(normals, found, problem, kappa, omega, layout)[0]

    mean, covariance = affine(draw, (rows, layout.rank))
    shape, gamma = np.asarray(p.signal_factor @ p.signal_factor.T), np.asarray(p.loadings)
    residual = np.asarray(in_rows(problem, latents.residual_targets(problem, p.confounder_coef)))
    signal_mean = np.asarray(jax.jit(latents.posterior_mean_signal)(found, kappa, problem))
    s = layout.rank
    eta = np.tile(np.arange(1.0, s + 1), (layout.num_rows, 1))
    coordinates = jax.jit(latents.psi_coordinates, static_argnames="layout")
    found_mean, deviation, basis = (
        np.asarray(v)
        for v in coordinates(eta, kappa, omega, p.signal_factor, problem, layout=layout)
    )
    assert len(signal_mean) == len(found_mean) == r
    assert not np.asarray(problem.energy)[r:].any()
    for i, energy in enumerate(np.asarray(problem.energy)):
        prior_signal = float(kappa) * energy * shape
        prior = prior_signal + float(omega) * np.eye(s)
        marginal = np.linalg.inv(gamma.T @ prior @ gamma + dense_noise(p))
        gain = prior @ gamma @ marginal
        np.testing.assert_allclose(mean[i], gain @ residual[i], atol=1e-9)
        block = covariance[i * s : (i + 1) * s, i * s : (i + 1) * s]
        np.testing.assert_allclose(block, prior - gain @ gamma.T @ prior, atol=1e-9)
        if i >= r:
            continue
        expected = prior_signal @ gamma @ marginal @ residual[i]
        np.testing.assert_allclose(np.sqrt(energy) * signal_mean[i], expected, atol=1e-9)
        # given eta, Psi is the regression of the signal on eta
        inner = prior_signal @ np.linalg.inv(prior)
        np.testing.assert_allclose(np.sqrt(energy) * found_mean[i], inner @ eta[i], atol=1e-9)
        spread = np.asarray(basis) @ np.diag(np.asarray(deviation[i]) ** 2) @ np.asarray(basis).T
        np.testing.assert_allclose(energy * spread, prior_signal - inner @ prior_signal, atol=1e-9)


@pytest.mark.parametrize("settings", [EVERYTHING, COMMON])
def test_beta_with_the_loadings_has_the_posterior_of_both(settings: ModelSettings) -> None:
    _, problem, layout, p, _ = make_case(settings)
    noise = latents.decompose(latents.project(problem, p))
    precision = np.asarray(loadings_precision(p, problem.groups, layout))
    hyper = problem.hyper

    def direct(log_snr: float, scale: float) -> float:
        moved = p._replace(log_snr=jnp.asarray(log_snr), loadings=scale * p.loadings)
        gamma = np.asarray(moved.loadings)
        prior = stats.norm(0, precision**-0.5).logpdf(gamma).sum()
        prior += stats.norm(hyper.snr_location, hyper.snr_scale).logpdf(log_snr)
        return float(latents.log_likelihood(problem, moved, layout)) + prior

    def stepwise(log_snr: float, scale: float) -> float:
        density = signal.snr_log_density(
            jnp.asarray(log_snr), jnp.log(scale), noise, p.signal_factor, problem, layout
        )
        return float(density) - 0.5 * scale**2 * float(np.sum(precision * p.loadings**2))

    at, there = (0.3, 1.0), (-0.9, 1.7)
    assert stepwise(*there) - stepwise(*at) == pytest.approx(direct(*there) - direct(*at), abs=1e-8)
    found = latents.decompose(latents.project(problem, p._replace(loadings=1.7 * p.loadings)))
    _, values, linear = signal.scaled(noise, jnp.asarray(1.7))
    np.testing.assert_allclose(values, found[1], rtol=1e-10)
    np.testing.assert_allclose(np.abs(linear), np.abs(found[2]), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("settings", [EVERYTHING, COMMON])
def test_a_step_of_beta_leaves_the_size_of_structured_noise_or_the_loadings(
    settings: ModelSettings,
) -> None:
    _, problem, layout, p, _ = make_case(settings)
    noise = latents.decompose(latents.project(problem, p))
    before = latent_variances(problem, layout, p.log_snr)[1]
    always = jnp.zeros(3)  # log 0 accepts
    for moving in range(3):
        normals = jnp.zeros(3).at[moving].set(0.4)
        drawn, _ = signal.draw_snr(p, normals, always, noise, problem, layout)
        step, with_loadings = signal.SNR_STEPS[moving]
        assert float(drawn.log_snr) == pytest.approx(float(p.log_snr) + 0.4 * step)
        after = latent_variances(problem, layout, drawn.log_snr)[1]
        size = (before / after) ** 0.5 if with_loadings else 1.0
        np.testing.assert_allclose(drawn.loadings, size * p.loadings, rtol=1e-10)


def test_the_signal_covariance_is_drawn_from_the_signal_rows() -> None:
    _, problem, layout, p, _ = make_case(EVERYTHING)
    # next to no latent noise: eta is the signal
    kappa, omega, r = jnp.asarray(0.4), jnp.asarray(1e-16), layout.num_signal_rows
    found = find_spectrum(problem, p, omega, layout)
    normals = random.normal(random.key(0), (layout.num_rows + r, layout.rank))
    draw = jax.jit(latents.draw_eta, static_argnames="layout")
    eta, scatter = draw(normals, found, problem, kappa, omega, layout=layout)
    rows = np.asarray(eta)[:r] / np.sqrt(0.4 * np.asarray(problem.energy)[:r, None])
    np.testing.assert_allclose(scatter, rows.T @ rows, rtol=1e-6)
    dof, count = float(problem.hyper.signal_dof[1]), 4000
    p = p._replace(signal_dof=jnp.asarray(1))
    lost = jnp.arange(layout.rank)[None, :]
    shapes = 0.5 * (layout.rank + 1 + problem.hyper.signal_dof[:, None] + r - lost)
    keys = random.split(random.key(1), count)

    def one(key):
        normal_key, gamma_key = random.split(key)
        normals = {"signal": random.normal(normal_key, scatter.shape)}
        gammas = {"signal": random.gamma(gamma_key, shapes)}
        return signal.draw_signal_factor(p, scatter, normals, gammas, problem.hyper).signal_factor

    factors = np.asarray(jax.jit(jax.vmap(one))(keys))
    assert not np.triu(factors, 1).any()
    exact = stats.invwishart(layout.rank + 1 + dof + r, np.asarray(scatter) + dof * np.eye(layout.rank))
    drawn = factors @ factors.transpose(0, 2, 1)
    errors = np.sqrt(exact.var() / count)
    assert np.abs((drawn.mean(axis=0) - exact.mean()) / errors).max() < 4


def test_row_sampler_draws_psi_and_factors_from_the_dense_posterior() -> None:
    design, _, layout, p, y = make_case(EVERYTHING)
    n, s, r = 16, layout.rank, layout.noise_rank
    layout = layout._replace(num_rows=n, num_directions=0, has_remainder=False)
    left, singular, right = np.linalg.svd(np.asarray(design.x), full_matrices=False)
    problem = rowwise.RowProblem(
        design.x, design.z, jnp.asarray(y), jnp.zeros(0, int), jnp.zeros(0, int), jnp.asarray(left),
        jnp.asarray(singular), jnp.asarray(right.T), design.problem.covariate_variance,
        jnp.asarray(False), design.problem.groups, design.problem.hyper,
    )  # fmt: skip
    kappa, omega = latent_variances(design.problem, layout, p.log_snr)
    shared = rowwise.shared_problem(problem, problem.y)
    vectors, values, linear = latents.decompose(latents.project(shared, p))
    found = latents.spectrum((vectors, values, left.T @ linear), omega, p.signal_factor, layout)
    draw = partial(
        rowwise._draw_psi, found=found, kappa=kappa, problem=problem, factor=p.signal_factor
    )
    mean, covariance = affine(draw, (singular.size + 2, s))
    x, gamma, shape = (
        np.asarray(design.x),
        np.asarray(p.loadings),
        np.asarray(p.signal_factor @ p.signal_factor.T),
    )
    # vec(Psi) by rows has prior I kron kappa T; vec(Y) by rows is (X kron Gamma') vec(Psi) plus row noise
    forward = np.kron(x, gamma.T)
    row = np.linalg.inv(float(omega) * gamma.T @ gamma + dense_noise(p))
    weight = np.kron(np.eye(n), row)
    prior = np.linalg.inv(np.kron(np.eye(2), float(kappa) * shape))
    posterior = np.linalg.inv(prior + forward.T @ weight @ forward)
    residual = y - np.asarray(design.z @ p.confounder_coef)
    np.testing.assert_allclose(
        mean.ravel(), posterior @ forward.T @ weight @ residual.ravel(), atol=1e-9
    )
    np.testing.assert_allclose(covariance, posterior, atol=1e-9)
    both = np.concatenate([gamma, np.asarray(p.noise_loadings)])
    inverse = np.diag(np.concatenate([np.full(s, 1 / float(omega)), np.ones(r)]))
    factors = np.linalg.inv(inverse + both / np.asarray(p.noise_variance) @ both.T)
    scaled = (
        jnp.asarray(both) * jnp.sqrt(jnp.concatenate([jnp.full(s, omega), jnp.ones(r)]))[:, None]
    )
    unit, spread = affine(
        lambda normals: latents.draw_noise_factors(normals, jnp.asarray(residual[:1]), scaled, p.noise_variance),
        (1, s + r),
    )  # fmt: skip
    root = np.sqrt(np.concatenate([np.full(s, float(omega)), np.ones(r)]))
    expected = factors @ both / np.asarray(p.noise_variance) @ residual[0]
    np.testing.assert_allclose(unit[0] * root, expected, atol=1e-9)
    np.testing.assert_allclose(spread * np.outer(root, root), factors, atol=1e-9)


def test_rows_that_were_left_out_have_the_posterior_covariance_as_scale() -> None:
    _, problem, layout, p, _ = make_case(EVERYTHING)
    omega = latent_variances(problem, layout, p.log_snr)[1]
    found = find_spectrum(problem, p, omega, layout)
    scatter = latents.left_out_scatter(jnp.ones(2), jnp.zeros((2, 2)), found, omega)
    gamma = np.asarray(p.loadings)
    precision = np.eye(2) / float(omega) + gamma @ np.linalg.inv(dense_noise(p)) @ gamma.T
    np.testing.assert_allclose(scatter, np.linalg.inv(precision), atol=1e-10)


def test_turning_the_rows_changes_no_product_and_no_covariance() -> None:
    """Given eta, products of H, Z and Y over all N rows: the same mean and covariance from few rows and from all."""
    design, problem, layout, p, y = make_case(EVERYTHING)
    s, r, n = layout.rank, layout.noise_rank, design.x.shape[0]
    rng = np.random.default_rng(0)
    eta = rng.normal(size=(n, s))
    basis, z = np.asarray(design.basis), np.asarray(design.z)
    kept = basis.T @ eta
    # below the kept rows Y and Z are zero only after the rotation that `rotate_targets` does to the rows beyond X and Z
    beyond = np.linalg.qr((basis.T @ y)[layout.num_rows - layout.num_targets :], mode="complete")[0]
    kept[layout.num_rows - layout.num_targets :] = beyond.T @ kept[layout.num_rows - layout.num_targets :]
    scatter = kept[layout.num_rows :].T @ kept[layout.num_rows :]
    turned = latents.turn(jnp.asarray(kept[: layout.num_rows]), jnp.asarray(scatter), problem, layout)
    for first, second in (("eta", "eta"), ("eta", "y"), ("eta", "z"), ("y", "y"), ("z", "y")):
        whole = {"eta": eta, "y": y, "z": z}
        found = getattr(turned, first).T @ getattr(turned, second)
        np.testing.assert_allclose(found, whole[first].T @ whole[second], atol=1e-9)
    count = turned.y.shape[0] - r

    def products(normals, rows: latents.Turned):
        residual = rows.y - rows.z @ p.confounder_coef - rows.eta @ p.loadings
        factors = latents.draw_noise_factors(normals, residual, p.noise_loadings, p.noise_variance)
        return factors.T @ jnp.concatenate([rows.y, rows.z, rows.eta], axis=1)

    def few(normals):
        return products(jnp.concatenate([normals, jnp.zeros((r, r))]), turned)

    def every(normals):
        return products(normals, latents.Turned(jnp.asarray(eta), jnp.asarray(y), jnp.asarray(z)))

    mean, covariance = affine(few, (count, r))
    wanted_mean, wanted_covariance = affine(every, (n, r))
    np.testing.assert_allclose(mean, wanted_mean, atol=1e-9)
    np.testing.assert_allclose(covariance, wanted_covariance, atol=1e-9)
    assert turned.y.shape[0] == layout.num_targets + layout.num_confounders + s + r


@pytest.mark.parametrize("size", [3, 6])
def test_loadings_are_the_conjugate_regression(size: int) -> None:
    rng = np.random.default_rng(size)
    extra = np.eye(2) * 0.7
    design, y = rng.normal(size=(12, size)), rng.normal(size=(12, 4))
    precision, variance = rng.gamma(2.0, size=(size, 4)) * 1e3, rng.gamma(2.0, size=4)
    gram, linear = loadings.cross_products(jnp.asarray(design), jnp.asarray(y), jnp.asarray(extra))
    draw = partial(
        loadings.draw_loadings, gram=gram, linear=linear, prior_precision=jnp.asarray(precision),
        variance=jnp.asarray(variance),
    )  # fmt: skip
    mean, covariance = affine(draw, (size, 4))
    full = design.T @ design
    full[:2, :2] += extra
    for k in range(4):
        inverse = np.linalg.inv(np.diag(precision[:, k]) + full / variance[k])
        np.testing.assert_allclose(
            mean[:, k], inverse @ design.T @ y[:, k] / variance[k], atol=1e-10
        )
        np.testing.assert_allclose(covariance[k::4, k::4], inverse, atol=1e-10)
    rate = loadings.noise_rate(jnp.asarray(y), gram, linear, jnp.asarray(mean), 0.5)
    error = y - design @ mean
    expected = 0.5 + 0.5 * ((error**2).sum(0) + 0.7 * (mean[:2] ** 2).sum(0))
    np.testing.assert_allclose(rate, expected)


def prior_density(layout, problem, p: Parameters, **changes) -> float:
    """Log prior of the NumPyro model at parameters with some of them changed."""
    p = p._replace(**changes)
    sites = {
        name: getattr(p, name)
        for name in ("shrinkage_shape", "shrinkage", "local_scale", "loadings", "noise_shrinkage_shape",
                     "noise_shrinkage", "noise_local_scale", "noise_loadings", "confounder_coef", "log_snr")
    } | {"noise_precision": 1.0 / p.noise_variance}  # fmt: skip
    return float(evaluate_prior(problem, sites, layout))


@partial(jax.jit, static_argnames="layout")
def evaluate_prior(problem, sites, layout: Layout):
    return log_density(sample_parameters, (problem.hyper, problem.groups, layout), {}, sites)[0]


def test_scalar_conditionals_are_proportional_to_the_model() -> None:
    # a change of one block changes the model's log density by as much as the claimed conditional's
    _, problem, layout, p, _ = make_case(COMMON)
    change = partial(prior_density, layout, problem, p)
    base, hyper = change(), problem.hyper
    squares, noise_squares = np.asarray(p.loadings) ** 2, np.asarray(p.noise_loadings) ** 2
    tau, noise_tau = np.cumprod(p.shrinkage), np.cumprod(p.noise_shrinkage)

    shared = shrinkage.sum_groups(p.loadings**2, problem.groups, layout.num_groups)
    rate = np.asarray(shrinkage.local_rate((tau**2)[:, None] * shared, hyper.local_dof))
    counts = np.bincount(np.asarray(problem.groups))
    claimed = stats.gamma((3.0 + counts) / 2, scale=1 / rate)
    new = p.local_scale * 1.7
    expected = (claimed.logpdf(new) - claimed.logpdf(p.local_scale)).sum()
    assert change(local_scale=new) - base == pytest.approx(expected, abs=1e-8)

    wide = np.asarray(p.local_scale)[:, np.asarray(problem.groups)]
    a = np.asarray(component_shapes(p.shrinkage_shape, 2))
    for h in range(2):
        c = (tau[h:] ** 2 * (wide * squares).sum(1)[h:]).sum() / float(p.shrinkage[h]) ** 2
        density = partial(shrinkage.squared_log_density, shape=3 * (2 - h) + a[h], c=c)
        old = np.log(float(p.shrinkage[h]))
        found = change(shrinkage=p.shrinkage.at[h].set(np.exp(old + 0.4))) - base
        # the model's density is in delta, the conditional's in log delta: 0.4 is the Jacobian
        assert found + 0.4 == pytest.approx(float(density(old + 0.4) - density(old)), abs=1e-8)

    sums = (np.asarray(p.noise_local_scale) * noise_squares).sum(1)
    a = np.asarray(component_shapes(p.noise_shrinkage_shape, 2))
    for h in range(2):
        c = (noise_tau[h:] * sums[h:]).sum() / float(p.noise_shrinkage[h])
        unit = shrinkage.draw_unsquared(jnp.ones(2), p.noise_shrinkage, jnp.asarray(sums))
        if h == 0:  # the first is drawn given the others as they are
            assert float(unit[0]) == pytest.approx(1 / (1 + c / 2))
        claimed = stats.gamma(a[h] + 1.5 * (2 - h), scale=1 / (1 + c / 2))
        value = float(p.noise_shrinkage[h])
        found = change(noise_shrinkage=p.noise_shrinkage.at[h].set(1.3 * value)) - base
        expected = claimed.logpdf(1.3 * value) - claimed.logpdf(value)
        assert found == pytest.approx(expected, abs=1e-8)

    for index, deltas in ((0, p.shrinkage[:1]), (1, p.shrinkage[1:])):
        density = partial(
            shrinkage.shape_log_density, log_deltas=jnp.sum(jnp.log(deltas)), count=float(deltas.size),
            prior=hyper.shrinkage_prior[index],
        )  # fmt: skip
        old = float(jnp.log(p.shrinkage_shape[index]))
        found = change(shrinkage_shape=p.shrinkage_shape.at[index].mul(np.exp(0.2))) - base
        assert found + 0.2 == pytest.approx(float(density(old + 0.2) - density(old)), abs=1e-8)
        assert float(density(0.0)) == -np.inf  # a = 1 is below both lower bounds


def test_signal_factor_prior_is_the_inverse_wishart() -> None:
    rng, dof = np.random.default_rng(0), 8.0

    def factor_of(coordinates: np.ndarray) -> np.ndarray:
        unit = np.array(
            [[1.0, 0, 0], [coordinates[3], 1.0, 0], [coordinates[4], coordinates[5], 1.0]]
        )
        return np.exp(coordinates[:3])[:, None] * unit

    def vech(coordinates: np.ndarray) -> np.ndarray:
        factor = factor_of(coordinates)
        return (factor @ factor.T)[np.tril_indices(3)]

    values = []
    for _ in range(3):
        point = rng.normal(size=6) * 0.3
        jacobian = np.stack([(vech(point + e) - vech(point - e)) / 2e-6 for e in 1e-6 * np.eye(6)])
        factor = factor_of(point)
        density = stats.invwishart(3 + 1 + dof, dof * np.eye(3)).logpdf(factor @ factor.T)
        expected = density + np.linalg.slogdet(jacobian)[1]
        values.append(float(signal.factor_log_prior(jnp.asarray(factor), dof)) - expected)
    np.testing.assert_allclose(values, values[0], atol=1e-7)
    weights = signal.signal_dof_log_weights(jnp.asarray(factor), jnp.asarray([2.0, 8.0]))
    covariance = factor @ factor.T
    two, eight = (stats.invwishart(4 + nu, nu * np.eye(3)).logpdf(covariance) for nu in (2.0, 8.0))
    assert float(weights[1] - weights[0]) == pytest.approx(eight - two)


def test_a_joint_move_scales_the_coordinates_of_the_factor() -> None:
    rng = np.random.default_rng(1)
    logs, below = rng.normal(size=3), np.tril(rng.normal(size=(3, 3)), -1)
    moved = np.asarray(
        signal.rescaled(jnp.asarray(np.exp(logs)[:, None] * (below + np.eye(3))), jnp.asarray(0.4))
    )
    np.testing.assert_allclose(np.log(np.diag(moved)), 0.4 * logs, atol=1e-12)
    np.testing.assert_allclose(
        np.tril(moved / np.diag(moved)[:, None], -1), 0.4 * below, atol=1e-12
    )


def test_a_joint_move_draws_the_concentration_apart_from_the_scaled_coordinates() -> None:
    """Coordinates are normal with just the spread that each concentration gives: it is then drawn from its prior."""
    _, problem, _, p, _ = make_case(EVERYTHING)
    hyper, size = problem.hyper, p.signal_factor.shape[0]

    def density(factor, dof):
        diagonal = jnp.diag(factor)
        coordinates = jnp.append(jnp.log(diagonal), factor[1, 0] / diagonal[1])
        spread = (dof + 0.5 * size) ** -0.5
        return jnp.sum(jax.scipy.stats.norm.logpdf(coordinates, scale=spread))

    def move(uniform, index):
        return signal.move_along_orbit(uniform, index, p.signal_factor, density, hyper)

    uniforms = jnp.asarray((np.arange(4000) + 0.5) / 4000)
    many = jax.jit(jax.vmap(move, (0, None)))
    for start in (0, 5):
        index, factor, found = many(uniforms, jnp.asarray(start))
        share = np.bincount(np.asarray(index), minlength=6) / 4000
        np.testing.assert_allclose(share, np.exp(hyper.signal_dof_log_weights), atol=5e-4)
        np.testing.assert_allclose(found[7], density(factor[7], hyper.signal_dof[index[7]]))


def test_prior_probabilities_of_the_concentration_are_in_the_conditional() -> None:
    factor, support = jnp.eye(2), jnp.asarray([2.0, 8.0])
    uniforms = jnp.asarray((np.arange(2000) + 0.5) / 2000)
    weights = jnp.log(jnp.asarray([0.9, 0.1]))
    drawn = jax.vmap(lambda u: signal.draw_signal_dof(u, factor, support, weights))(uniforms)
    prior = [stats.invwishart(3 + nu, nu * np.eye(2)).pdf(np.eye(2)) for nu in (2.0, 8.0)]
    expected = 0.1 * prior[1] / (0.9 * prior[0] + 0.1 * prior[1])
    assert float(jnp.mean(drawn)) == pytest.approx(expected, abs=1e-3)


def test_the_model_of_record_is_equation_1() -> None:
    # latent_noise_model's joint density, piece by piece with scipy
    design, problem, layout, p, _ = make_case(COMMON)
    rng = np.random.default_rng(2)
    unit, omega, factors = (
        rng.normal(size=(2, 2)),
        rng.normal(size=(16, 2)),
        rng.normal(size=(16, 2)),
    )
    y = rng.normal(size=(16, 3))
    sites = {
        name: getattr(p, name)
        for name in ("shrinkage_shape", "shrinkage", "local_scale", "loadings", "noise_shrinkage_shape",
                     "noise_shrinkage", "noise_local_scale", "noise_loadings", "confounder_coef", "log_snr")
    } | {"noise_precision": 1.0 / p.noise_variance}  # fmt: skip
    sites |= {"psi_unit": unit, "omega": omega, "noise_factors": factors}
    arguments = {"settings": COMMON, "groups": np.asarray(problem.groups), "intercept": False}
    found = jax.jit(
        lambda sites: log_density(
            latent_noise_model, (design.x, jnp.asarray(y), design.z), arguments, sites
        )[0]
    )(sites)
    beta = np.exp(float(p.log_snr))
    x = np.asarray(design.x)
    mean_square = (x**2).sum() / 16
    s2 = 1 / (1 + beta)
    psi = np.sqrt(beta / (1 + beta) / mean_square) * unit
    mean = (
        (x @ psi + omega) @ p.loadings + design.z @ p.confounder_coef + factors @ p.noise_loadings
    )
    expected = prior_density(layout, problem, p)
    expected += stats.norm.logpdf(unit).sum() + stats.norm(0, np.sqrt(s2)).logpdf(omega).sum()
    expected += stats.norm.logpdf(factors).sum()
    expected += stats.norm(mean, np.sqrt(np.asarray(p.noise_variance))).logpdf(y).sum()
    assert float(found) == pytest.approx(expected, abs=1e-8)


def test_row_noise_has_the_noise_covariance() -> None:
    _, _, layout, p, _ = make_case(EVERYTHING)
    size = layout.rank + layout.noise_rank + layout.num_targets
    mean, covariance = affine(lambda v: sampler.row_noise(v, p, jnp.asarray(0.4)), (size,))
    gamma = np.asarray(p.loadings)
    np.testing.assert_array_equal(mean, 0.0)
    np.testing.assert_allclose(covariance, 0.4 * gamma.T @ gamma + dense_noise(p), atol=1e-12)
