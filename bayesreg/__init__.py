"""Bayesian reduced-rank regression with latent noise: many targets, weak covariates, structured noise.

Imports nothing by itself: JAX and NumPyro are loaded by the modules that compute. The model and every equation number
in a docstring refer to docs/methods/bayes.md.
`bayesreg.LatentNoiseRegressor` is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesreg.estimator import LatentNoiseRegressor

__all__ = ["LatentNoiseRegressor"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported
    """The estimator on first use: scikit-learn and JAX take seconds to import."""
    if name == "LatentNoiseRegressor":
        from bayesreg.estimator import LatentNoiseRegressor

        return LatentNoiseRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
