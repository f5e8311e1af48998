"""From prepared data to draws: Gibbs in resumable blocks, Gibbs as a NumPyro kernel, NUTS and variational inference.

All of them return `Draws` on the standardised scale. Missing target cells need Gibbs. Nothing here prints or saves; a
caller that shows progress or stops early does so between blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax import random
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from numpyro.infer.mcmc import MCMCKernel
from numpyro.infer.reparam import LocScaleReparam

from bayesreg.gibbs import latents, rowwise, sampler, start
from bayesreg.gibbs.rowwise import RowState
from bayesreg.gibbs.state import Array, Latents, Layout, Parameters, State, latent_variances
from bayesreg.model import collapsed_model
from bayesreg.prepare import Prepared, prepare
from bayesreg.types import Draws, ModelSettings
from runtime.errors import CheckpointError, ConfigError
from runtime.seeding import Stream

Chains = State | RowState
"""All chains of a run between two sweeps; leaves are (chain, *event)."""

_NON_CENTRED = {
    name: LocScaleReparam(0) for name in ("loadings", "noise_loadings", "confounder_coef")
}
"""The funnels of the shrinkage priors, turned into standard normals."""


@dataclass(frozen=True)
class Fit:
    """Draws with what is needed to append more."""

    draws: Draws
    chains: Chains | None
    """None after NUTS or variational inference, which cannot be continued."""


def start_chains(prepared: Prepared, *, seed: int, num_chains: int) -> Chains:
    """Starting states, spread out; the same for the same seed."""
    key = random.key(Stream(seed, "bayes", "chains").seed32)
    if prepared.by_rows:
        return rowwise.initial_rows(key, prepared.problem, prepared.layout, num_chains)
    return start.initial_state(key, prepared.problem, prepared.layout, num_chains)


def advance_chains(prepared: Prepared, chains: Chains, num_sweeps: int) -> Chains:
    """Sweeps of which nothing is kept: warmup."""
    count = jnp.asarray(num_sweeps)
    advance = rowwise.advance if prepared.by_rows else sampler.advance
    return advance(chains, prepared.problem, count, layout=prepared.layout)


def draw_chains(
    prepared: Prepared, chains: Chains, num_draws: int, *, thin: int = 1
) -> tuple[Chains, Draws]:
    """`num_draws` draws per chain, `thin` sweeps each. Two calls give bit for bit what one of both lengths gives."""
    if prepared.by_rows:
        chains, (kept, imputed) = rowwise.run(
            chains, prepared.problem, layout=prepared.layout, num_draws=num_draws, thin=thin
        )
        return chains, to_draws(kept, prepared, np.asarray(imputed))
    chains, kept = sampler.run(
        chains, prepared.problem, prepared.rotation,
        layout=prepared.layout, num_draws=num_draws, thin=thin,
    )  # fmt: skip
    return chains, to_draws(kept, prepared)


def fit_gibbs(
    prepared: Prepared,
    *,
    seed: int,
    num_chains: int = 4,
    num_warmup: int = 500,
    num_draws: int = 1000,
    thin: int = 1,
    block: int = 100,
    on_block: Callable[[Draws, Chains], bool] | None = None,
    chains: Chains | None = None,
) -> Fit:
    """Warm up, then draw in blocks.

    Args:
        prepared: from `prepare`.
        seed: root of all randomness.
        num_chains: chains, vectorised.
        num_warmup: sweeps before the first draw; ignored when `chains` is given.
        num_draws: draws per chain, rounded up to whole blocks.
        thin: sweeps per draw.
        block: draws per chain between two calls of `on_block`; one program is compiled for it.
        on_block: sees the block's draws and the chains after it; returning False ends the run.
        chains: where to continue, from an earlier fit of the same data.

    Returns:
        The draws of this call, and the chains to continue from.
    """
    if chains is None:
        chains = start_chains(prepared, seed=seed, num_chains=num_chains)
        chains = advance_chains(prepared, chains, num_warmup)
    parts: list[Draws] = []
    for _ in range(-(-num_draws // block)):
        chains, draws = draw_chains(prepared, chains, block, thin=thin)
        parts.append(draws)
        if on_block is not None and not on_block(draws, chains):
            break
    return Fit(Draws.concatenate(parts), chains)


def fit_nuts(
    prepared: Prepared,
    *,
    seed: int,
    num_chains: int = 4,
    num_warmup: int = 500,
    num_draws: int = 500,
) -> Fit:
    """NUTS on the collapsed model; Psi is drawn afterwards. For small problems and for checking Gibbs.

    Raises:
        ConfigError: target cells are missing.
    """
    _refuse_missing(prepared, "nuts")
    model = numpyro.handlers.reparam(collapsed_model, config=_NON_CENTRED)
    run = MCMC(
        NUTS(model, target_accept_prob=0.9), num_warmup=num_warmup, num_samples=num_draws,
        num_chains=num_chains, chain_method="vectorized", progress_bar=False,
    )  # fmt: skip
    stream = Stream(seed, "bayes", "nuts")
    run.run(random.key(stream.seed32), prepared.problem, prepared.layout)
    sites = run.get_samples(group_by_chain=True)
    parameters = parameters_of(sites, prepared)
    return Fit(complete_draws(parameters, prepared, stream.child("psi").seed32), None)


def fit_svi(
    prepared: Prepared,
    *,
    seed: int,
    num_steps: int = 3000,
    step_size: float = 0.02,
    num_draws: int = 1000,
) -> Fit:
    """A mean-field normal approximation of the collapsed posterior: a quick look whose intervals are too narrow.

    Raises:
        ConfigError: target cells are missing.
    """
    _refuse_missing(prepared, "svi")
    model = numpyro.handlers.reparam(collapsed_model, config=_NON_CENTRED)
    guide = AutoNormal(model)
    svi = SVI(model, guide, numpyro.optim.Adam(step_size), Trace_ELBO())
    stream = Stream(seed, "bayes", "svi")
    arguments = (prepared.problem, prepared.layout)
    found = svi.run(random.key(stream.seed32), num_steps, *arguments, progress_bar=False)
    key = random.key(stream.child("guide").seed32)
    sites = guide.sample_posterior(key, found.params, *arguments, sample_shape=(num_draws,))
    sites = {name: value[None] for name, value in sites.items()}
    # the guide returns the standard normals; the loadings are deterministic functions of them and of the scales
    traced = numpyro.infer.Predictive(model, _flattened(sites), return_sites=list(_NON_CENTRED))
    for name, value in traced(key, *arguments).items():
        sites[name] = value[None]
    return Fit(
        complete_draws(parameters_of(sites, prepared), prepared, stream.child("psi").seed32), None
    )


def _flattened(sites: dict[str, Array]) -> dict[str, Array]:
    return {name: value[0] for name, value in sites.items()}


def parameters_of(sites: dict[str, Array], prepared: Prepared) -> Parameters:
    """Sites of `model.sample_parameters`, each (chain, draw, *event), as parameters with the same axes."""
    layout, hyper = prepared.layout, prepared.problem.hyper
    lead = sites["loadings"].shape[:2]
    k = layout.num_targets

    def site(name: str, default: Array) -> Array:
        if name in sites:
            return sites[name]
        return jnp.broadcast_to(default, lead + default.shape)

    empty = jnp.zeros((0, k))
    return Parameters(
        loadings=sites["loadings"],
        local_scale=sites["local_scale"],
        shrinkage=sites["shrinkage"],
        shrinkage_shape=site("shrinkage_shape", hyper.shrinkage),
        noise_loadings=site("noise_loadings", empty),
        noise_local_scale=site("noise_local_scale", empty),
        noise_shrinkage=site("noise_shrinkage", jnp.zeros(0)),
        noise_shrinkage_shape=site("noise_shrinkage_shape", hyper.noise_shrinkage),
        confounder_coef=site("confounder_coef", empty),
        noise_variance=1.0 / sites["noise_precision"],
        log_snr=site("log_snr", hyper.snr_location),
        signal_factor=site("signal_factor", jnp.eye(layout.rank)),
        signal_dof=site("signal_dof", jnp.zeros((), dtype=int)),
    )


def complete_draws(parameters: Parameters, prepared: Prepared, seed: int) -> Draws:
    """Draw eta and Psi given parameters that another method sampled; leaves are (chain, draw, *event)."""
    problem, layout = prepared.problem, prepared.layout
    lead = parameters.loadings.shape[:2]

    def one(pair: tuple[Array, Parameters]) -> sampler.Kept:
        key, p = pair
        eta_key, kept_key = random.split(key)
        kappa, omega_variance = latent_variances(problem, layout, p.log_snr)
        noise = latents.decompose(latents.project(problem, p))
        found = latents.spectrum(noise, omega_variance, p.signal_factor, layout)
        rows = layout.num_rows + (layout.num_signal_rows if layout.free_signal else 0)
        normals = random.normal(eta_key, (rows, layout.rank))
        eta, _ = latents.draw_eta(normals, found, problem, kappa, omega_variance, layout)
        return sampler.complete(p, Latents(eta, kept_key), problem, prepared.rotation, layout)

    count = (
        lead[0] * lead[1]
    )  # written out: -1 is undefined for the empty arrays of parts that are off
    flat = jax.tree.map(lambda leaf: leaf.reshape((count, *leaf.shape[2:])), parameters)
    keys = random.split(random.key(seed), count)
    kept = jax.jit(lambda pair: jax.lax.map(one, pair))((keys, flat))
    return to_draws(jax.tree.map(lambda leaf: leaf.reshape(lead + leaf.shape[1:]), kept), prepared)


def to_draws(kept: sampler.Kept, prepared: Prepared, imputed: np.ndarray | None = None) -> Draws:
    """Kept sweeps with leaves (chain, draw, *event) as the public record."""
    p = kept.parameters
    lead = p.loadings.shape[:2]
    variance = prepared.problem.covariate_variance
    if prepared.layout.latent_noise:
        snr = np.exp(np.asarray(p.log_snr))
        latent = 1.0 / (1.0 + snr) if prepared.layout.normalise_latent else float(variance) / snr
    else:
        snr, latent = np.full(lead, np.inf), np.zeros(lead)
    factor = np.asarray(p.signal_factor)
    return Draws(
        psi=np.asarray(kept.psi),
        psi_mean=np.asarray(kept.psi_mean),
        loadings=np.asarray(p.loadings),
        noise_loadings=np.asarray(p.noise_loadings),
        confounder_coef=np.asarray(p.confounder_coef),
        noise_scale=np.sqrt(np.asarray(p.noise_variance)),
        latent_snr=snr,
        latent_variance=latent,
        signal_shape=factor @ np.swapaxes(factor, -1, -2),
        log_likelihood=np.asarray(kept.log_likelihood),
        local_scale=np.asarray(p.local_scale),
        shrinkage=np.asarray(p.shrinkage),
        imputed=np.zeros((*lead, 0)) if imputed is None else imputed,
        intercept=np.asarray(kept.intercept),
    )


def chains_to_arrays(chains: Chains) -> dict[str, np.ndarray]:
    """Everything a chain is, as named arrays to save; the inverse is `chains_from_arrays`."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in chains._asdict().items():
        if name == "key":
            arrays[name] = np.asarray(random.key_data(value))
        elif name == "parameters":
            inner = value._asdict().items()
            arrays |= {f"parameters.{field}": np.asarray(leaf) for field, leaf in inner}
        else:
            arrays[name] = np.asarray(value)
    return arrays


def chains_from_arrays(arrays: dict[str, np.ndarray]) -> Chains:
    """The chains that `chains_to_arrays` took apart; they continue bit for bit.

    Raises:
        CheckpointError: an array is missing.
    """
    kind = RowState if "psi" in arrays else State
    try:
        parameters = Parameters(
            **{field: jnp.asarray(arrays[f"parameters.{field}"]) for field in Parameters._fields}
        )
        rest = {
            name: jnp.asarray(arrays[name])
            for name in kind._fields
            if name not in {"key", "parameters"}
        }
        key = random.wrap_key_data(jnp.asarray(arrays["key"]))
    except KeyError as error:
        raise CheckpointError("a saved chain lacks an array", got=str(error.args[0])) from error
    return kind(key=key, parameters=parameters, **rest)


class KernelState(NamedTuple):
    """State of `LatentNoiseGibbs` as NumPyro sees it."""

    z: dict[str, Array]
    """The draw, on the standardised scale: psi, psi_mean, loadings, coef, ..."""
    chain: State
    rng_key: Array


class LatentNoiseGibbs(MCMCKernel):
    """The rotated Gibbs sampler as a NumPyro kernel: `MCMC(LatentNoiseGibbs(settings), ...).run(key, x, y, z)`.

    x, y and z are NumPy tables in original units without missing cells; draws are on the standardised scale. Chains may
    run sequentially, in parallel or vectorised.

    Args:
        settings: the model.
        groups: (K,), clusters of targets, with group sparsity.
    """

    def __init__(self, settings: ModelSettings, groups: np.ndarray | None = None) -> None:
        self._settings = settings
        self._groups = groups
        self._prepared: Prepared | None = None

    @property
    def sample_field(self) -> str:
        """The attribute of the state that holds the draw."""
        return "z"

    def init(
        self,
        rng_key: Array,
        num_warmup: int,
        init_params: object,
        model_args: tuple,
        model_kwargs: dict,
    ) -> KernelState:
        """Prepare the data and start one chain, or as many as there are keys.

        Raises:
            ConfigError: start values are given; chains start at principal components.
        """
        if init_params is not None:
            raise ConfigError("this kernel chooses its own start", where="init_params")
        self._prepared = prepare(
            *model_args, **model_kwargs, settings=self._settings, groups=self._groups
        )
        _refuse_missing(self._prepared, "this kernel")
        batched = rng_key.ndim > (0 if jnp.issubdtype(rng_key.dtype, jax.dtypes.prng_key) else 1)
        return jax.vmap(self._start)(rng_key) if batched else self._start(rng_key)

    def _start(self, key: Array) -> KernelState:
        own, rest = random.split(key)
        # a sweep has a generator of its own, whichever the caller's key belongs to
        own = random.wrap_key_data(random.bits(own, (2,), jnp.uint32), impl="threefry2x32")
        chain = start.chain_state(own, self._prepared.problem, self._prepared.layout)
        shapes = jax.eval_shape(lambda state: self._step(state)[1], chain)
        blank = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return KernelState(blank, chain, rest)

    def _step(self, chain: State) -> tuple[State, dict[str, Array]]:
        prepared = self._prepared
        chain, found = sampler.sweep(chain, prepared.problem, prepared.layout)
        kept = sampler.complete(
            chain.parameters, found, prepared.problem, prepared.rotation, prepared.layout
        )
        return chain, _kernel_draw(kept, prepared.layout)

    def sample(self, state: KernelState, model_args: tuple, model_kwargs: dict) -> KernelState:
        """One sweep of one chain, or of all when the state is vectorised."""
        del model_args, model_kwargs  # prepared once, by init
        step = self._step if state.z["loadings"].ndim == 2 else jax.vmap(self._step)
        chain, z = step(state.chain)
        return KernelState(z, chain, state.rng_key)


def _kernel_draw(kept: sampler.Kept, layout: Layout) -> dict[str, Array]:
    p = kept.parameters
    draw = {
        "psi": kept.psi,
        "psi_mean": kept.psi_mean,
        "loadings": p.loadings,
        "coef": kept.psi @ p.loadings,
        "noise_scale": jnp.sqrt(p.noise_variance),
        "intercept": kept.intercept,
        "log_likelihood": kept.log_likelihood,
    }
    if layout.latent_noise:
        draw["latent_snr"] = jnp.exp(p.log_snr)
    if layout.noise_rank:
        draw["noise_loadings"] = p.noise_loadings
    if layout.num_confounders:
        draw["confounder_coef"] = p.confounder_coef
    return draw


def _refuse_missing(prepared: Prepared, method: str) -> None:
    if prepared.by_rows:
        raise ConfigError(
            f"{method} needs complete targets",
            got=f"{len(prepared.missing.cells)} missing cell(s)",
            expected="inference=gibbs, which imputes them",
            where="inference",
        )


INFERENCE: dict[str, Callable[..., Fit]] = {"gibbs": fit_gibbs, "nuts": fit_nuts, "svi": fit_svi}
"""Every method by its name in a config; each takes the prepared data, `seed` and its own sizes."""
