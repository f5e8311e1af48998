"""pass@k from counts: the unbiased estimate, exact binomial intervals, and what zero successes still allow.

Pure functions of counts; numpy and scipy.special only. `num_draws` is n, `num_successes` is c, p is a problem's
unknown success probability. Equation numbers are those of docs/methods/passk.md.

The thing that surprises: with zero successes the estimate is 0 and the bootstrap says [0, 0]; only the exact bound
says how much zero is worth, and `mean_pass_at_k` falls back to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv


class Interval(NamedTuple):
    """A closed interval of probabilities."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A point estimate with its interval; `method` says how the interval was made."""

    value: float
    low: float
    high: float
    method: str


def pass_at_k(num_draws: int, num_successes: int, k: int) -> float:
    """Unbiased estimate of P(at least one of k completions is correct), for one problem.

    1 - C(n-c, k) / C(n, k) (eq. 1), as -expm1(sum of log1p) over min(c, k) factors, so that it keeps its relative
    precision for n up to a million: neither a factorial nor a difference of log-gammas appears.

    Args:
        num_draws: n >= k, independent completions.
        num_successes: c in [0, n].
        k: at least 1.

    Returns:
        In [0, 1]; exactly 0 for c = 0 and exactly 1 for c > n - k.

    Raises:
        ValueError: counts out of range; the message gives them.

    Source:
        "Evaluating Large Language Models Trained on Code", arXiv:2107.03374, eq. 1; there as a product of k
        factors, here over min(c, k) because C(n-c, k) / C(n, k) is symmetric in c and k.
    """
    _check_counts(num_draws, num_successes)
    if not 1 <= k <= num_draws:
        raise ValueError(f"k must be in [1, num_draws]; got k={k}, num_draws={num_draws}")
    if num_successes > num_draws - k:
        return 1.0
    few, many = sorted((num_successes, k))
    remaining = num_draws - np.arange(few, dtype=np.float64)
    return float(-np.expm1(np.sum(np.log1p(-many / remaining))))


def success_to_pass_at_k(probability: float, k: int) -> float:
    """1 - (1 - p)^k (eq. 2), without cancellation for small p. Increasing in p, so it maps interval ends to ends."""
    if probability >= 1.0:
        return 1.0
    return float(-np.expm1(k * np.log1p(-probability)))


def clopper_pearson(num_successes: int, num_draws: int, level: float = 0.95) -> Interval:
    """Exact two-sided interval for a success probability (eq. 3): coverage is at least `level` for every p.

    Each side misses with probability at most (1 - level) / 2. With c = 0 the lower end is 0, with c = n the upper
    end is 1.

    Raises:
        ValueError: counts or level out of range.

    Source:
        Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26 (1934).
    """
    tail = (1.0 - level) / 2.0
    return Interval(
        _lower_limit(num_successes, num_draws, tail), _upper_limit(num_successes, num_draws, tail)
    )


def success_upper(num_successes: int, num_draws: int, level: float = 0.95) -> float:
    """Exact one-sided upper bound for a success probability (eq. 4); 1 - (1 - level)^(1/n) for zero successes."""
    return _upper_limit(num_successes, num_draws, 1.0 - level)


def pass_at_k_interval(num_draws: int, num_successes: int, k: int, level: float = 0.95) -> Interval:
    """Exact interval for one problem's pass@k: Clopper-Pearson ends through 1 - (1 - p)^k (eq. 5).

    The map is increasing, so the coverage is that of the Clopper-Pearson interval: at least `level`.
    """
    low, high = clopper_pearson(num_successes, num_draws, level)
    return Interval(success_to_pass_at_k(low, k), success_to_pass_at_k(high, k))


def pooled_upper(
    num_successes: Sequence[int], num_draws: Sequence[int], k: int, level: float = 0.95
) -> float:
    """Exact one-sided upper bound for the *mean* pass@k over these problems, from the pooled count (eq. 6).

    Valid for unequal problems, and conservative. Hoeffding: the tail of the pooled count is largest when all
    problems share one p, so the binomial bound on the total bounds the mean success probability; Jensen:
    p -> 1 - (1 - p)^k is concave, so the mean pass@k is at most the pass@k of the mean. With unequal numbers of
    draws every problem counts with the fewest, and all successes count: the successes among the first `fewest`
    draws of each problem are no more than those among all draws, so the bound only grows.

    Args:
        num_successes: one count per problem.
        num_draws: one count per problem, same length.
        k: at least 1; may exceed the number of draws, as this is a bound and not the estimate.
        level: confidence.

    Raises:
        ValueError: no problem, lengths that differ, or counts out of range.

    Source:
        Hoeffding, "On the distribution of the number of successes in independent trials", Ann. Math. Stat. 27
        (1956), theorem 4.
    """
    successes, draws = _check_many(num_successes, num_draws)
    pooled_draws = int(draws.min()) * len(draws)
    pooled_successes = min(int(successes.sum()), pooled_draws)
    return success_to_pass_at_k(success_upper(pooled_successes, pooled_draws, level), k)


def pooled_lower(
    num_successes: Sequence[int], num_draws: Sequence[int], level: float = 0.95
) -> float:
    """Exact one-sided lower bound for the mean success probability, hence for the mean pass@k of any k (eq. 6).

    The mirror image of `pooled_upper` at k = 1: one minus the upper bound of the failures.

    Raises:
        ValueError: as `pooled_upper`.
    """
    successes, draws = _check_many(num_successes, num_draws)
    return 1.0 - pooled_upper((draws - successes).tolist(), draws.tolist(), 1, level)


def worst_problem_upper(
    num_successes: Sequence[int], num_draws: Sequence[int], k: int, level: float = 0.95
) -> float:
    """Exact upper bound for the pass@k of *every* problem at once (eq. 7): the largest of the Bonferroni bounds.

    Far wider than `pooled_upper`: the pooled bound allows one easy problem among many, this one does not.

    Raises:
        ValueError: as `pooled_upper`.
    """
    successes, draws = _check_many(num_successes, num_draws)
    each = 1.0 - (1.0 - level) / len(draws)
    return max(
        success_to_pass_at_k(success_upper(int(c), int(n), each), k)
        for c, n in zip(successes, draws, strict=True)
    )


def mean_lower(
    num_successes: Sequence[int], num_draws: Sequence[int], k: int, level: float = 0.95
) -> float:
    """Exact one-sided lower bound for the mean pass@k over these problems (eq. 9).

    For k = 1 it is `pooled_lower`. For larger k every problem gets its own Bonferroni lower bound, mapped through
    1 - (1 - p)^k, and the mean of those: the pooled bound cannot see that each problem is solved within k draws.

    Raises:
        ValueError: as `pooled_upper`.
    """
    if k == 1:
        return pooled_lower(num_successes, num_draws, level)
    successes, draws = _check_many(num_successes, num_draws)
    tail = (1.0 - level) / len(draws)
    bounds = [
        success_to_pass_at_k(_lower_limit(int(c), int(n), tail), k)
        for c, n in zip(successes, draws, strict=True)
    ]
    return float(np.mean(bounds))


def mean_pass_at_k(
    num_successes: Sequence[int],
    num_draws: Sequence[int],
    k: int,
    *,
    seed: int,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> Estimate:
    """Mean over problems of the unbiased pass@k, with an interval over problems (eq. 8).

    The interval is a percentile bootstrap that resamples problems, so it speaks of new problems of the same kind;
    the noise of the draws is inside the per-problem values. When all per-problem values are equal the bootstrap
    has no width and would claim certainty: then the interval is exact, from eq. 9 to eq. 6.

    Args:
        num_successes: one count per problem.
        num_draws: one count per problem, each at least k.
        k: at least 1.
        seed: of the resampling.
        level: confidence of the interval.
        num_resamples: bootstrap resamples; at 2000 the ends move by about 2 % of the interval's width from seed
            to seed.

    Returns:
        `method` is "bootstrap over problems" or "exact".

    Raises:
        ValueError: counts out of range, lengths that differ, or k above a number of draws.
    """
    successes, draws = _check_many(num_successes, num_draws)
    values = np.array([pass_at_k(int(n), int(c), k) for c, n in zip(successes, draws, strict=True)])
    mean = float(values.mean())
    tail = (1.0 - level) / 2.0
    if np.ptp(values) == 0.0:
        low = mean_lower(num_successes, num_draws, k, 1.0 - tail)
        high = pooled_upper(num_successes, num_draws, k, 1.0 - tail)
        return Estimate(mean, min(low, mean), max(high, mean), "exact")
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(values), size=(num_resamples, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1.0 - tail])
    return Estimate(mean, float(low), float(high), "bootstrap over problems")


def _lower_limit(num_successes: int, num_draws: int, tail: float) -> float:
    _check_counts(num_draws, num_successes)
    _check_tail(tail)
    if num_successes == 0:
        return 0.0
    return float(betaincinv(num_successes, num_draws - num_successes + 1, tail))


def _upper_limit(num_successes: int, num_draws: int, tail: float) -> float:
    _check_counts(num_draws, num_successes)
    _check_tail(tail)
    if num_successes == num_draws:
        return 1.0
    if num_successes == 0:
        return float(-np.expm1(np.log(tail) / num_draws))
    return float(betaincinv(num_successes + 1, num_draws - num_successes, 1.0 - tail))


def _check_counts(num_draws: int, num_successes: int) -> None:
    if num_draws < 1 or not 0 <= num_successes <= num_draws:
        raise ValueError(
            "counts must satisfy 1 <= num_draws and 0 <= num_successes <= num_draws; "
            f"got num_successes={num_successes}, num_draws={num_draws}"
        )


def _check_tail(tail: float) -> None:
    if not 0.0 < tail < 1.0:
        raise ValueError(f"level must be inside (0, 1); the tail probability came to {tail}")


def _check_many(
    num_successes: Sequence[int], num_draws: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    successes, draws = np.asarray(num_successes), np.asarray(num_draws)
    if successes.shape != draws.shape or successes.ndim != 1 or not len(successes):
        raise ValueError(
            "need one success count and one draw count per problem; "
            f"got shapes {successes.shape} and {draws.shape}"
        )
    for c, n in zip(successes, draws, strict=True):
        _check_counts(int(n), int(c))
    return successes, draws
