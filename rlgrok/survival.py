"""How long until a run has learned: survival curves over seeds, with the runs that never did as censored.

A seed that does not reach the level within its budget is not a seed that takes that many steps: it is one of which only
a lower bound is known. Kaplan-Meier curves and the log-rank test treat it as that; a mean over the solved seeds alone
would call the worse recipe faster. The statistics are SciPy's; equation numbers are those of docs/methods/survival.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import stats


@dataclass(frozen=True)
class Times:
    """When each seed got there."""

    reached: tuple[float, ...]
    """Steps of the seeds that did."""
    censored: tuple[float, ...]
    """Steps at which the others stopped."""

    @property
    def total(self) -> int:
        """Number of seeds."""
        return len(self.reached) + len(self.censored)

    def data(self) -> stats.CensoredData:
        """For SciPy."""
        from scipy import stats

        return stats.CensoredData(uncensored=list(self.reached), right=list(self.censored))


@dataclass(frozen=True)
class SurvivalCurve:
    """Share of seeds that have not got there yet (eq. 1), a step function, with a pointwise interval (eq. 2)."""

    steps: tuple[float, ...]
    """Increasing; the share holds from here on."""
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def first_reach(
    steps: Sequence[float], values: Sequence[float], level: float, *, hold: int = 1
) -> float | None:
    """The first step at which a curve is at or above a level and stays there for `hold` points; None: never.

    Args:
        steps: increasing.
        values: of the same length.
        level: to reach.
        hold: points in a row; those after the last count as the last, so a run that stops when solved has reached it.
    """
    for index in range(len(values)):
        if all(value >= level for value in values[index : index + hold]):
            return float(steps[index])
    return None


def survival_curve(times: Times, *, level: float = 0.95) -> SurvivalCurve:
    """Kaplan-Meier's estimate with Greenwood's variance on the log-log scale.

    Where every seed still at risk gets there at once the interval's formula has no width left; SciPy then gives no
    number, and the interval here is [0, 1]: nothing is claimed.

    Raises:
        ValueError: no seed.
    """
    if not times.total:
        raise ValueError("no seed to make a survival curve of")
    from scipy import stats  # half a second to import; most figures do without

    estimate = stats.ecdf(times.data()).sf
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where the interval has no width: see above
        interval = estimate.confidence_interval(level, method="log-log")
    low = np.nan_to_num(np.asarray(interval.low.probabilities, float), nan=0.0)
    high = np.asarray(interval.high.probabilities, float)
    # Before the first event nothing is known to be below one; after the last, nothing above the estimate's own end.
    high = np.where(np.isnan(high), 1.0, high)
    return SurvivalCurve(
        tuple(map(float, estimate.quantiles)),
        tuple(map(float, estimate.probabilities)),
        tuple(map(float, np.clip(low, 0.0, 1.0))),
        tuple(map(float, np.clip(high, 0.0, 1.0))),
    )


ROUNDING = 1e-9
"""A share that is one half but for the rounding of a product of ratios is one half."""


def median_time(times: Times) -> float | None:
    """The step by which half of the seeds have got there; None when fewer do."""
    curve = survival_curve(times)
    return next(
        (
            step
            for step, share in zip(curve.steps, curve.share, strict=True)
            if share <= 0.5 + ROUNDING and step in times.reached
        ),
        None,
    )


def logrank_p(one: Times, other: Times) -> float | None:
    """Two-sided p-value that two groups of seeds have the same times (eq. 3); None where nothing can be compared.

    That is where no seed of either got there, or all that were left did at one and the same step: (3) is then 0 / 0.

    The normal approximation: with five seeds a group it is rough, and hardly below .002 whatever the difference
    (docs/methods/survival.md).
    """
    if not one.reached and not other.reached:
        return None
    from scipy import stats

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 / 0: see above
        value = float(stats.logrank(one.data(), other.data()).pvalue)
    return None if np.isnan(value) else value
