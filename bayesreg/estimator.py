"""Latent-noise regression as a scikit-learn estimator.

What surprises: `predict(return_std=True)` gives the deviation of a new *observation*, noise included; columns that do
not vary get the coefficient 0 instead of an error; every new shape of data compiles a program once a process, which
takes some ten seconds, so a search over rows or columns of many sizes is slow where many fits of one size are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from bayesreg.sampled import Effort, fit_sampled
from bayesreg.transforms import CONSTANT_BELOW
from bayesreg.types import CONFIGURATIONS, SignalCovariance
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LARGEST_SEED = np.iinfo(np.int32).max


class LatentNoiseRegressor(RegressorMixin, MultiOutputMixin, BaseEstimator):
    """Bayesian reduced-rank regression of many targets on many weak covariates, with latent noise.

    Args:
        configuration: `latent_noise`, `information_sharing` (needs `groups`), `independent_noise` or `brrr`.
        rank: number of components; more than needed costs time and little accuracy.
        signal_covariance: `free` lets components carry signal in different proportion to their noise, `common` gives
            all of them one ratio; None: as in the configuration.
        latent_snr: the latent signal-to-noise ratio; None: sampled.
        groups: cluster of each target as 0, 1, ..., for group sparsity.
        num_chains: chains, run together.
        num_warmup: sweeps dropped at the start of each chain.
        num_draws: draws kept per chain.
        random_state: seed, `RandomState` or None. Two fits with the same integer are equal.

    Attributes:
        coef_: (K, P), or (P,) when y was 1-D: posterior mean in target units per covariate unit.
        intercept_: (K,), or a number.
        fit_: the draws with their scalings, None when no column of X or of y varies.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.

    Missing target cells (NaN in y) are imputed in the chain; rows without any observed target are dropped. `score` and
    most scorers of scikit-learn refuse NaN themselves. Missing covariates are refused.

    Source:
        docs/methods/bayes.md.
    """

    def __init__(
        self,
        *,
        configuration: str = "latent_noise",
        rank: int = 6,
        signal_covariance: str | None = None,
        latent_snr: float | None = None,
        groups: ArrayLike | None = None,
        num_chains: int = 4,
        num_warmup: int = 300,
        num_draws: int = 500,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.configuration = configuration
        self.rank = rank
        self.signal_covariance = signal_covariance
        self.latent_snr = latent_snr
        self.groups = groups
        self.num_chains = num_chains
        self.num_warmup = num_warmup
        self.num_draws = num_draws
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> LatentNoiseRegressor:
        """Sample the posterior.

        Args:
            X: (N, P), finite.
            y: (N,) or (N, K), NaN where missing.

        Raises:
            ValueError: tables that cannot be used.
            ConfigError: a constructor argument out of range.
        """
        x, y = validate_data(
            self,
            X,
            y,
            validate_separately=(
                {"dtype": np.float64, "ensure_min_samples": 2},
                {"dtype": np.float64, "ensure_2d": False, "ensure_all_finite": "allow-nan"},
            ),
        )
        check_consistent_length(x, y)
        if y.ndim > 2:
            raise ValueError(f"y must have one or two axes, got {y.ndim}")
        targets = y.reshape(len(y), -1)
        x_active, y_active = _varying(x), _varying(targets)
        seed = check_random_state(self.random_state).randint(_LARGEST_SEED)
        coef = np.zeros((targets.shape[1], x.shape[1]))
        mean = np.array([column[~np.isnan(column)].mean() for column in targets.T])
        self.fit_ = None
        if x_active.any() and y_active.any():
            self.fit_ = self._sample(x[:, x_active], targets[:, y_active], y_active, seed)
            coef[np.ix_(y_active, x_active)] = self.fit_.coef.T
            mean[y_active] = self.fit_.mean(np.zeros((1, int(x_active.sum()))))[0]
        self._x_active, self._y_active, self._one_target = x_active, y_active, y.ndim == 1
        self.coef_ = coef[0] if self._one_target else coef
        self.intercept_ = mean[0] if self._one_target else mean
        return self

    def _sample(self, x: np.ndarray, y: np.ndarray, y_active: np.ndarray, seed: int) -> Any:  # noqa: ANN401 - a SampledFit
        if self.configuration not in CONFIGURATIONS:
            raise ConfigError(
                "no such configuration",
                got=self.configuration,
                expected=", ".join(CONFIGURATIONS),
                where="configuration",
            )
        choices = [item.value for item in SignalCovariance]
        if self.signal_covariance not in (None, *choices):
            raise ConfigError(
                "no such signal covariance",
                got=self.signal_covariance,
                expected=", ".join(choices),
                where="signal_covariance",
            )
        settings = CONFIGURATIONS[self.configuration].with_(
            rank=self.rank, latent_snr=self.latent_snr
        )
        if self.signal_covariance is not None:
            settings = settings.with_(signal_covariance=SignalCovariance(self.signal_covariance))
        groups = None
        if self.groups is not None:
            groups = np.unique(np.asarray(self.groups)[y_active], return_inverse=True)[1]
        effort = Effort(
            self.num_chains, self.num_warmup, self.num_draws, block=min(100, self.num_draws)
        )
        return fit_sampled(x, y, settings=settings, seed=seed, effort=effort, groups=groups)

    def predict(
        self,
        X: ArrayLike,
        return_std: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predictive mean, and standard deviation of a new observation when asked for.

        Args:
            X: (M, P).
            return_std: return the deviation too; it holds what is not known about the coefficients and all noise.

        Returns:
            (M,) or (M, K) like the y of the fit; a pair of them with `return_std`. A target that did not vary has
            deviation 0.
        """
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        mean = x @ np.atleast_2d(self.coef_).T + self.intercept_
        if not return_std:
            return mean[:, 0] if self._one_target else mean
        sd = np.zeros_like(mean)
        if self.fit_ is not None:
            sd[:, self._y_active] = self.fit_.sd(x[:, self._x_active])
        return (mean[:, 0], sd[:, 0]) if self._one_target else (mean, sd)


def _varying(table: np.ndarray) -> np.ndarray:
    """Which columns have two different observed values, (W,) booleans."""
    found = []
    for column in table.T:
        seen = column[~np.isnan(column)]
        if not seen.size:
            raise ValueError("a target has no observed value")
        found.append(
            seen.size > 1 and seen.std(ddof=1) > CONSTANT_BELOW * max(abs(seen.mean()), 1e-280)
        )
    return np.array(found)
