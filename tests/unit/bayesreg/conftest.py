"""A stored fit of any size, made without sampling: draws scattered around a known truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bayesreg.columns import NUMERIC, RawColumn
from bayesreg.data import make_meta
from bayesreg.drawsfile import StoredFit
from bayesreg.transforms import Standardisation
from bayesreg.types import Draws, ModelSettings


def make_fit(
    *,
    covariates: int = 6,
    targets: int = 5,
    rank: int = 2,
    noise_rank: int = 0,
    confounders: int = 0,
    chains: int = 2,
    draws: int = 60,
    spread: float = 0.05,
    kind: str = "gibbs",
    settings: ModelSettings | None = None,
    seed: int = 0,
) -> StoredFit:
    """Draws are normal around one value of every parameter; X has unit variances and is correlated."""
    rng = np.random.default_rng(seed)
    lead = (chains, draws)

    def around(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) + spread * rng.normal(size=(*lead, *shape))

    settings = settings or ModelSettings(rank=rank, independent_noise=noise_rank > 0)
    psi, loadings = 0.2 * around(covariates, rank), around(rank, targets)
    basis, _ = np.linalg.qr(rng.normal(size=(covariates, covariates)))
    scalings = [
        Standardisation(rng.normal(size=n), rng.gamma(2.0, size=n) + 0.1)
        for n in (covariates, confounders, targets)
    ]
    latent = settings.latent_noise
    return StoredFit(
        draws=Draws(
            psi=psi,
            psi_mean=psi + 0.001,
            loadings=loadings,
            noise_loadings=around(noise_rank, targets),
            confounder_coef=around(confounders, targets),
            noise_scale=0.5 * np.exp(spread * rng.normal(size=(*lead, targets))),
            latent_snr=rng.gamma(9.0, 0.01, size=lead) if latent else np.full(lead, np.inf),
            latent_variance=np.full(lead, 0.4 if latent else 0.0),
            signal_shape=np.broadcast_to(np.eye(rank), (*lead, rank, rank)),
            log_likelihood=rng.normal(size=lead),
            local_scale=np.ones((*lead, rank, targets)),
            shrinkage=np.ones((*lead, rank)),
            imputed=np.zeros((*lead, 0)),
            intercept=0.1 * spread * rng.normal(size=(*lead, targets)),
        ),
        settings=settings,
        x_scaling=scalings[0],
        z_scaling=scalings[1],
        y_scaling=scalings[2],
        meta=make_meta(
            None,
            tuple(f"target {k}" for k in range(targets)),
            tuple(RawColumn(f"x{p}", NUMERIC) for p in range(covariates)),
            tuple(RawColumn(f"z{c}", NUMERIC) for c in range(confounders)),
        ),
        rotation=basis,
        covariate_gram=np.linspace(2.0, 0.5, covariates),
        num_rows=100,
        inference={"kind": kind, "seed": 0},
    )


@pytest.fixture(name="make_fit")
def make_fit_fixture() -> Callable[..., StoredFit]:
    """The builder, for tests to call with what they care about."""
    return make_fit
