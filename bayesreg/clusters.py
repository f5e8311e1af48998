"""Clusters of targets for group sparsity: hierarchical clustering of their correlation matrix.

What surprises: targets that mirror each other belong together, because a local scale does not see the sign of a
loading; the distance is one minus the absolute correlation. The clusters are computed from the training targets once
and then taken as given, so their uncertainty is not in the posterior.
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from runtime.errors import ConfigError, InputError

_FEWEST_SHARED_ROWS = 3
"""Below, a correlation of two targets is +-1 or undefined; it then counts as 0."""


def cluster_targets(correlation: np.ndarray, num_clusters: int | None = None) -> np.ndarray:
    """The cluster of every target by average linkage on 1 - |correlation|.

    Args:
        correlation: (K, K), symmetric, finite.
        num_clusters: how many, 1 to K. None: the number from 2 to the root of 2 K, rounded up, with the largest mean
            silhouette width; a single cluster below three targets.

    Returns:
        (K,), labels 0, 1, ... in the order of their first target, as `prepare(groups=...)` takes them. Ties in distance
        can leave fewer clusters than asked for.

    Raises:
        InputError: not a correlation matrix.
        ConfigError: a number of clusters that K targets cannot have.

    Source:
        Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987.
    """
    distance = _distance(correlation)
    size = distance.shape[0]
    if num_clusters is not None and not 1 <= num_clusters <= size:
        raise ConfigError(
            "impossible number of clusters",
            got=num_clusters,
            expected=f"1 to {size}, the number of targets",
            where="num_clusters",
        )
    if size == 1 or num_clusters == 1 or (num_clusters is None and size < 3):
        return np.zeros(size, dtype=int)
    tree = linkage(squareform(distance, checks=False), method="average")
    if num_clusters is not None:
        return _in_order(fcluster(tree, num_clusters, criterion="maxclust"))
    most = min(size - 1, int(np.ceil(np.sqrt(2.0 * size))))
    cuts = [_in_order(fcluster(tree, count, criterion="maxclust")) for count in range(2, most + 1)]
    return max(cuts, key=lambda labels: mean_silhouette(distance, labels))


def target_correlation(y: np.ndarray) -> np.ndarray:
    """Correlations of targets over the rows that both have, (K, K); 0 where these are too few or one is constant.

    Args:
        y: (N, K); NaN marks a missing cell.
    """
    seen = ~np.isnan(y)
    # the offset is harmless in exact arithmetic and keeps large means from cancelling
    filled = np.where(seen, y - np.nanmean(np.where(seen.any(axis=0), y, 0.0), axis=0), 0.0)
    shared = seen.T.astype(float) @ seen
    count = np.maximum(shared, 1.0)
    sums = filled.T @ seen  # (a, b): sum of target a over the rows that a and b share
    covariance = filled.T @ filled - sums * sums.T / count
    squares = (filled**2).T @ seen
    variance = squares - sums**2 / count
    usable = (shared >= _FEWEST_SHARED_ROWS) & (variance > 1e-12 * squares)
    usable &= usable.T
    safe = np.where(usable, variance, 1.0)
    correlation = np.where(usable, covariance / np.sqrt(safe * safe.T), 0.0)
    np.fill_diagonal(correlation, 1.0)
    return np.clip(correlation, -1.0, 1.0)


def mean_silhouette(distance: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette width of a clustering; -1 with fewer than two clusters, singletons count 0.

    Args:
        distance: (K, K), zero diagonal.
        labels: (K,), 0, 1, ...
    """
    member = np.eye(labels.max() + 1)[labels]
    sizes = member.sum(axis=0)
    if sizes.size < 2:
        return -1.0
    sums = distance @ member
    rows = np.arange(labels.size)
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1.0, 1.0)
    means = sums / sizes
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    width = np.where(larger > 0, (other - own) / np.where(larger > 0, larger, 1.0), 0.0)
    return float(np.mean(np.where(sizes[labels] > 1, width, 0.0)))


def _distance(correlation: np.ndarray) -> np.ndarray:
    values = np.asarray(correlation, dtype=float)
    square = values.ndim == 2 and values.shape[0] == values.shape[1] > 0
    if not square or not np.isfinite(values).all() or np.abs(values - values.T).max() > 1e-8:
        raise InputError(
            "not a correlation matrix of targets",
            got=f"shape {values.shape}",
            expected="square, symmetric, finite",
        )
    distance = 1.0 - np.minimum(np.abs(0.5 * (values + values.T)), 1.0)
    np.fill_diagonal(distance, 0.0)
    return distance


def _in_order(labels: np.ndarray) -> np.ndarray:
    """Relabelled 0, 1, ... by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty_like(first)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse.ravel()]
