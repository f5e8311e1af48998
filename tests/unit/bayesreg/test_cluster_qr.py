"""The reduction on a cluster gives the factor of the pass on one machine; one test has two workers."""

from __future__ import annotations

import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from bayesreg.cluster_qr import compress_collection
from bayesreg.compression import Compressed, compress
from runtime.errors import InputError

SIZES = {"num_covariates": 4, "num_confounders": 1, "num_targets": 4}


def make_table(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 9)) @ rng.normal(size=(9, 9)) + 50.0


def on_one_machine(table: np.ndarray) -> Compressed:
    return compress([(table[:, :4], table[:, 4:5], table[:, 5:])])


def assert_same(found: Compressed, expected: Compressed) -> None:
    # the diagonal of a factor is made positive, so it is unique: equal up to rounding, which grows with the offset
    assert found.num_rows == expected.num_rows
    scale = np.abs(expected.rows).max()
    np.testing.assert_allclose(found.rows, expected.rows, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)


@pytest.mark.parametrize("chunks", [(700, 9), (700, 4), (5000, 9), (11, 9)])
def test_arrays_in_parts_give_the_factor_of_one_machine(chunks: tuple[int, int]) -> None:
    table = make_table(3000)
    with dask.config.set(scheduler="synchronous"):
        found = compress_collection(dask.array.from_array(table, chunks=chunks), **SIZES)
    assert_same(found, on_one_machine(table))


def test_data_frames_too_also_with_empty_parts() -> None:
    table = make_table(300)
    names = [f"c{index}" for index in range(9)]
    frame = dask.dataframe.from_pandas(pd.DataFrame(table, columns=names), npartitions=7)
    with dask.config.set(scheduler="synchronous"):
        kept = compress_collection(frame.loc[100:], **SIZES)
        some = compress_collection(frame[frame["c0"] > np.sort(table[:, 0])[250]], **SIZES)
    assert_same(kept, on_one_machine(table[100:]))
    assert some.num_rows == 49


def test_no_rows_are_refused() -> None:
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(InputError, match="no rows"),
    ):
        compress_collection(dask.array.zeros((0, 9)), **SIZES)


def test_a_cluster_of_two_workers_gives_the_same_factor() -> None:
    table = make_table(5000)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        found = compress_collection(dask.array.from_array(table, chunks=(500, 9)), **SIZES)
    assert_same(found, on_one_machine(table))
