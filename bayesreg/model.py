"""The generative model as a NumPyro program: the definition of record (docs/methods/bayes.md, eq. 1 to 6).

`latent_noise_model` has every latent variable of the paper and no algebra; the samplers are tested against it.
`collapsed_model` has the same prior, sampled by the same function, and the likelihood with Psi, Omega and H integrated
out: what NUTS and variational inference run on.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

from bayesreg.gibbs import latents
from bayesreg.gibbs.signal import factor_log_prior
from bayesreg.gibbs.state import (
    Array,
    Hyper,
    Layout,
    Parameters,
    Problem,
    component_shapes,
    global_precision,
    latent_variances,
    local_scales,
    make_hyper,
    make_layout,
)
from bayesreg.types import ModelSettings


def latent_noise_model(
    x: Array,
    y: Array | None = None,
    z: Array | None = None,
    *,
    settings: ModelSettings,
    num_targets: int | None = None,
    groups: np.ndarray | None = None,
    intercept: bool = True,
) -> None:
    """Y = 1 mu' + (X Psi + Omega) Gamma + Z A + H Lambda + E, eq. 1, with the prior of eq. 2 to 6.

    Args:
        x: (N, P), standardised.
        y: (N, K), standardised, or None to draw it.
        z: (N, C), standardised, or None.
        settings: switches and hyperparameters.
        num_targets: K, needed when y is None.
        groups: (K,), cluster of each target as 0, 1, ...; with group sparsity.
        intercept: a flat mean for every target. Without it the rows are taken as they are, as after a rotation.

    Raises:
        ValueError: neither y nor the number of targets is given.
    """
    n = x.shape[0]
    if y is None and num_targets is None:
        raise ValueError("num_targets is needed when y is None")
    k = num_targets if y is None else y.shape[1]
    z = jnp.zeros((n, 0)) if z is None else z
    num_groups = None if groups is None else int(np.max(groups)) + 1
    layout = make_layout(
        settings, num_rows=n, num_signal_rows=min(x.shape), num_targets=k, num_confounders=z.shape[1],
        num_groups=num_groups, has_remainder=False,
    )  # fmt: skip
    groups = jnp.arange(k) if groups is None else jnp.asarray(groups)
    p = sample_parameters(make_hyper(settings), groups, layout)
    kappa, omega_variance = latent_variances(
        _with_variance(x, n - 1 if intercept else n), layout, p.log_snr
    )
    unit = numpyro.sample("psi_unit", _standard((x.shape[1], layout.rank)))
    psi = numpyro.deterministic("psi", jnp.sqrt(kappa) * unit @ p.signal_factor.T)
    eta = x @ psi
    if layout.latent_noise:
        scale = jnp.sqrt(omega_variance)
        eta = eta + numpyro.sample("omega", _normal(scale, (n, layout.rank)))
    mean = eta @ p.loadings + z @ p.confounder_coef
    if layout.noise_rank:
        mean = mean + numpyro.sample("noise_factors", _standard((n, layout.noise_rank))) @ (
            p.noise_loadings
        )
    if intercept:
        flat = dist.ImproperUniform(constraints.real_vector, (), event_shape=(k,))
        mean = mean + numpyro.sample("intercept", flat)[None, :]
    numpyro.deterministic("coef", psi @ p.loadings)
    scale = jnp.broadcast_to(jnp.sqrt(p.noise_variance)[None, :], mean.shape)
    numpyro.sample("y", dist.Normal(mean, scale).to_event(2), obs=y)


def collapsed_model(problem: Problem, layout: Layout) -> None:
    """The same model for rotated rows with Psi, Omega and H integrated out: eq. 13."""
    p = sample_parameters(problem.hyper, problem.groups, layout, marginal_dof=True)
    numpyro.factor("targets", latents.log_likelihood(problem, p, layout))


def sample_parameters(
    hyper: Hyper, groups: Array, layout: Layout, *, marginal_dof: bool = False
) -> Parameters:
    """The sites of all parameters: eq. 2 to 6.

    Args:
        hyper: numbers of the prior.
        groups: (K,).
        layout: static.
        marginal_dof: sum the concentration of a free signal covariance out, for methods that cannot draw integers.
    """
    s, r, k = layout.rank, layout.noise_rank, layout.num_targets
    a = _shapes("shrinkage_shape", hyper.shrinkage, hyper.shrinkage_prior, layout.sample_shrinkage)
    delta = numpyro.sample("shrinkage", _gamma(component_shapes(a, s), 1.0))
    half = hyper.local_dof / 2.0
    phi = numpyro.sample("local_scale", _gamma(jnp.full((s, layout.num_groups), half), half))
    precision = local_scales(phi, groups, layout) * global_precision(delta)[:, None] ** 2
    loadings = numpyro.sample("loadings", _normal(1.0 / jnp.sqrt(precision), (s, k)))
    noise_a, empty = hyper.noise_shrinkage, jnp.zeros((0, k))
    noise_delta, noise_phi, noise_loadings = jnp.zeros(0), empty, empty
    if r:
        noise_a = _shapes(
            "noise_shrinkage_shape",
            noise_a,
            hyper.noise_shrinkage_prior,
            layout.sample_noise_shrinkage,
        )
        noise_delta = numpyro.sample("noise_shrinkage", _gamma(component_shapes(noise_a, r), 1.0))
        noise_phi = numpyro.sample("noise_local_scale", _gamma(jnp.full((r, k), half), half))
        precision = noise_phi * global_precision(noise_delta)[:, None]
        noise_loadings = numpyro.sample(
            "noise_loadings", _normal(1.0 / jnp.sqrt(precision), (r, k))
        )
    coef = jnp.zeros((0, k))
    if layout.num_confounders:
        scale = 1.0 / jnp.sqrt(hyper.confounder_precision)
        coef = numpyro.sample("confounder_coef", _normal(scale, (layout.num_confounders, k)))
    shape, rate = hyper.noise_precision_shape, hyper.noise_precision_rate
    noise_precision = numpyro.sample("noise_precision", _gamma(jnp.broadcast_to(shape, (k,)), rate))
    log_snr = hyper.snr_location
    if layout.sample_snr:
        log_snr = numpyro.sample("log_snr", dist.Normal(hyper.snr_location, hyper.snr_scale))
    index, factor = jnp.zeros((), dtype=int), jnp.eye(s)
    if layout.free_signal and marginal_dof:
        factor = _marginal_factor(hyper, s)
    elif layout.free_signal:
        index = numpyro.sample("signal_dof", dist.Categorical(logits=hyper.signal_dof_log_weights))
        dof = hyper.signal_dof[index]
        # T = nu W^-1 with W ~ Wishart(S + 1 + nu, I), so that E[T] = I
        root = numpyro.sample(
            "signal_root", dist.WishartCholesky(s + 1.0 + dof, scale_tril=jnp.eye(s))
        )
        inverse = jax.scipy.linalg.solve_triangular(root, jnp.eye(s), lower=True)
        factor = jnp.linalg.cholesky(dof * inverse.T @ inverse)
    return Parameters(
        loadings, phi, delta, a, noise_loadings, noise_phi, noise_delta, noise_a, coef,
        1.0 / noise_precision, log_snr, factor, index,
    )  # fmt: skip


def _marginal_factor(hyper: Hyper, size: int) -> Array:
    """Cholesky factor of T with the concentration summed out, as a density on the factor's entries."""
    flat = dist.ImproperUniform(constraints.lower_cholesky, (), event_shape=(size, size))
    factor = numpyro.sample("signal_factor", flat)
    log_prior = jax.vmap(lambda dof: factor_log_prior(factor, dof))(hyper.signal_dof)
    # from (log diagonal, row-scaled sub-diagonal) to the entries: row j contributes its diagonal to the power -j
    jacobian = -jnp.sum(jnp.arange(1, size + 1) * jnp.log(jnp.diag(factor)))
    mixed = jax.scipy.special.logsumexp(
        log_prior + jax.nn.log_softmax(hyper.signal_dof_log_weights)
    )
    numpyro.factor("signal_factor_prior", mixed + jacobian)
    return factor


def _shapes(name: str, fixed: Array, prior: Array, sampled: bool) -> Array:
    """a1 and a2, fixed or with truncated gamma priors."""
    if not sampled:
        return fixed
    return numpyro.sample(
        name,
        dist.LeftTruncatedGamma(dist.Gamma(prior[:, 0], prior[:, 1]), low=prior[:, 2]).to_event(1),
    )


def _with_variance(x: Array, divisor: int) -> Problem:
    """Only the field that `latent_variances` reads."""
    empty = jnp.zeros(0)
    variance = jnp.sum(x * x) / divisor
    return Problem(empty, empty, empty, variance, empty, empty, empty, None)


def _gamma(shape: Array, rate: Array | float) -> dist.Distribution:
    rate = jnp.broadcast_to(jnp.asarray(rate), shape.shape)
    return dist.Gamma(shape, rate).to_event(shape.ndim)


def _normal(scale: Array, shape: tuple[int, ...]) -> dist.Distribution:
    return dist.Normal(jnp.zeros(shape), jnp.broadcast_to(scale, shape)).to_event(len(shape))


def _standard(shape: tuple[int, ...]) -> dist.Distribution:
    return _normal(jnp.ones(()), shape)
