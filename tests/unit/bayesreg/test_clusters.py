"""Clusters of targets: planted blocks are found, signs do not matter, missing cells are left out pairwise."""

from __future__ import annotations

import numpy as np
import pytest

from bayesreg.clusters import cluster_targets, mean_silhouette, target_correlation
from runtime.errors import ConfigError, InputError

BLOCKS = np.array([0, 1, 0, 2, 1, 2, 0, 1, 2, 0])


def planted(noise: float = 0.3) -> np.ndarray:
    """Three latent causes, one a block, with signs mixed."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(400, 3))
    signs = np.where(np.arange(BLOCKS.size) % 3 == 0, -1.0, 1.0)
    return causes[:, BLOCKS] * signs + noise * rng.normal(size=(400, BLOCKS.size))


@pytest.mark.parametrize("count", [None, 3])
def test_planted_blocks_are_found_whatever_the_signs(count: int | None) -> None:
    assert cluster_targets(target_correlation(planted()), count).tolist() == BLOCKS.tolist()


def test_given_numbers_are_kept() -> None:
    correlation = target_correlation(planted())
    assert cluster_targets(correlation, 1).tolist() == [0] * 10
    assert cluster_targets(correlation, 10).tolist() == list(range(10))
    assert np.unique(cluster_targets(correlation, 5)).tolist() == list(range(5))


def test_few_targets_are_one_cluster() -> None:
    assert cluster_targets(np.eye(1)).tolist() == [0]
    assert cluster_targets(np.eye(2)).tolist() == [0, 0]


def test_correlation_is_numpys_on_complete_rows_and_pairwise_on_others() -> None:
    y = planted() * 1e-3 + 1e3
    assert target_correlation(y) == pytest.approx(np.corrcoef(y.T), abs=1e-9)
    y[::3, 0] = np.nan
    kept = ~np.isnan(y[:, 0])
    assert target_correlation(y)[0, 2] == pytest.approx(np.corrcoef(y[kept].T)[0, 2], abs=1e-9)


def test_constant_and_unseen_targets_correlate_with_nothing() -> None:
    y = planted()
    y[:, 1], y[:, 2], y[2:, 3] = 7.0, np.nan, np.nan
    found = target_correlation(y)
    assert found[:4, :4] == pytest.approx(np.eye(4))


def test_silhouette_by_hand() -> None:
    distance = np.array([[0.0, 0.2, 0.8], [0.2, 0.0, 0.6], [0.8, 0.6, 0.0]])
    # 1 - 0.2/0.8, 1 - 0.2/0.6, and 0 for the singleton
    assert mean_silhouette(distance, np.array([0, 0, 1])) == pytest.approx((0.75 + 2 / 3) / 3)
    assert mean_silhouette(distance, np.array([0, 0, 0])) == -1.0


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match="impossible number of clusters"):
        cluster_targets(np.eye(3), 4)
    with pytest.raises(InputError, match="not a correlation matrix"):
        cluster_targets(np.ones((2, 3)))
    with pytest.raises(InputError, match="not a correlation matrix"):
        cluster_targets(np.array([[1.0, np.nan], [np.nan, 1.0]]))
