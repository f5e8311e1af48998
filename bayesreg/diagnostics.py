"""R-hat and effective sample size of invariant quantities: rank-normalised, split chains.

Loadings and Psi are not identified and are never diagnosed. A chain that does not move has R-hat infinite and ESS 0 and
never passes; a quantity that is constant by construction (a fixed ratio) is left out by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from bayesreg.types import Draws
from runtime.seeding import Stream

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100.0


@dataclass(frozen=True)
class Diagnosis:
    """Convergence of a set of scalars; all arrays (Q,)."""

    names: tuple[str, ...]
    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    num_chains: int

    @property
    def passed(self) -> bool:
        """R-hat at most 1.01 and both ESS at least 100 a chain, for every quantity."""
        least = ESS_PER_CHAIN * self.num_chains
        return bool(
            np.all(self.rhat <= RHAT_LIMIT)
            and np.all(self.ess_bulk >= least)
            and np.all(self.ess_tail >= least)
        )


def invariants(
    draws: Draws, *, num_entries: int = 200, seed: int = 0
) -> tuple[tuple[str, ...], np.ndarray]:
    """Scalars that are identified, for traces and gates: names and values (chain, draw, Q).

    The log likelihood, the size of B, the ratio when it varies, the mean log noise scale, total structured noise, and
    `num_entries` entries of B chosen at random (all when there are fewer).
    """
    structured = draws.latent_variance * np.sum(draws.loadings**2, axis=(-2, -1)) + np.sum(
        draws.noise_loadings**2, axis=(-2, -1)
    )
    gram = np.swapaxes(draws.psi, -1, -2) @ draws.psi
    outer = draws.loadings @ np.swapaxes(draws.loadings, -1, -2)
    size = np.sum(gram * outer, axis=(-2, -1))  # the squared Frobenius norm of Psi Gamma
    columns = {
        "log likelihood": draws.log_likelihood,
        "log size of B": np.log(np.maximum(size, np.finfo(float).tiny)),
        "log noise scale": np.log(draws.noise_scale).mean(axis=-1),
        "structured noise": structured,
    }
    if np.isfinite(draws.latent_snr).all() and np.ptp(draws.latent_snr) > 0:
        columns["log latent_snr"] = np.log(draws.latent_snr)
    p, k = draws.psi.shape[-2], draws.loadings.shape[-1]
    rng = np.random.default_rng(Stream(seed, "bayes", "monitored entries").seed)
    chosen = np.sort(rng.choice(p * k, size=min(num_entries, p * k), replace=False))
    rows, targets = chosen // k, chosen % k
    entries = np.einsum("cdqs,cdsq->cdq", draws.psi[..., rows, :], draws.loadings[..., targets])
    names = (*columns, *(f"B[{i},{j}]" for i, j in zip(rows, targets, strict=True)))
    values = np.concatenate([np.stack(list(columns.values()), axis=-1), entries], axis=-1)
    return names, values


def diagnose(names: tuple[str, ...], values: np.ndarray) -> Diagnosis:
    """Diagnose every column of (chain, draw, Q) values."""
    num = values.shape[-1]
    return Diagnosis(
        names=names,
        rhat=np.array([rhat(values[..., q]) for q in range(num)]),
        ess_bulk=np.array([ess_bulk(values[..., q]) for q in range(num)]),
        ess_tail=np.array([ess_tail(values[..., q]) for q in range(num)]),
        num_chains=values.shape[0],
    )


def rhat(values: np.ndarray) -> float:
    """The larger of the rank-normalised split R-hat and its folded form, for (chain, draw).

    Source:
        Vehtari et al., "Rank-Normalization, Folding, and Localization: An Improved R-hat", Bayesian Analysis 2021.
    """
    split = _split(values)
    folded = np.abs(split - np.median(split))
    return max(_split_rhat(_normal_scores(split)), _split_rhat(_normal_scores(folded)))


def ess_bulk(values: np.ndarray) -> float:
    """Effective number of draws for the centre of the distribution, over all chains."""
    return effective_size(_normal_scores(_split(values)))


def ess_tail(values: np.ndarray) -> float:
    """The smaller effective number of draws of the indicators of the 5 % and 95 % quantiles."""
    split = _split(values)
    return min(effective_size((split <= np.quantile(split, q)).astype(float)) for q in (0.05, 0.95))


def effective_size(values: np.ndarray) -> float:
    """Effective number of draws for the mean of (chain, draw), Geyer's initial monotone sequence; 0 when constant."""
    chains, draws = values.shape
    centred = values - values.mean(axis=1, keepdims=True)
    size = 2 ** int(np.ceil(np.log2(2 * draws)))
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :draws].mean(axis=0) / draws
    within = covariance[0] * draws / (draws - 1.0)
    between = values.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    total = within * (draws - 1.0) / draws + between
    if not total > 0:
        return 0.0
    correlation = 1.0 - (within - covariance) / total
    correlation[0] = 1.0
    pairs = correlation[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0]] if negative.size else pairs)
    time = max(-1.0 + 2.0 * pairs.sum(), 1.0 / np.log10(chains * draws))
    return float(chains * draws / time)


def _split(values: np.ndarray) -> np.ndarray:
    """Each chain cut in two halves, (2 chains, draws // 2)."""
    half = values.shape[1] // 2
    return np.concatenate([values[:, :half], values[:, -half:]])


def _normal_scores(values: np.ndarray) -> np.ndarray:
    ranks = rankdata(values, method="average").reshape(values.shape)
    return ndtri((ranks - 0.375) / (values.size + 0.25))


def _split_rhat(values: np.ndarray) -> float:
    draws = values.shape[1]
    within = values.var(axis=1, ddof=1).mean()
    between = values.mean(axis=1).var(ddof=1)
    if not within > 0:
        return float("inf")
    return float(np.sqrt((draws - 1.0) / draws + between / within))
