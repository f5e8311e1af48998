"""The pass over rows on a cluster: the factor of each part of a dask collection, merged in a tree.

Needs the extra `cluster`. Works with whatever scheduler is current: a `distributed.Client`, or dask's own threads. No
rows travel, only factors of (P + C + K + 1)^2 numbers. The columns are in order X, Z, Y, coded as numbers already: the
files of a cluster are read by dask and not by data.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesreg.compression import Compressed, Factor, factor_chunk, finish, merge
from runtime.errors import ConfigError, InputError

_FAN_IN = 8
"""Factors merged by one task: fewer means a deeper tree, more means that one worker waits for many."""


def compress_collection(
    collection: Any,  # noqa: ANN401 - dask is optional, so its types are not here
    *,
    num_covariates: int,
    num_targets: int,
    num_confounders: int = 0,
) -> Compressed:
    """One pass over a dask collection; `prepare.prepare_compressed` takes it from here.

    Args:
        collection: an array (N, P + C + K) or a data frame with these columns in the order X, Z, Y, in parts by rows.
        num_covariates: P.
        num_targets: K.
        num_confounders: C.

    Raises:
        InputError: no rows, cells that are missing or infinite, or another number of columns than announced.
        ConfigError: dask is not installed.
    """
    return finish(
        factor_of(collection),
        num_covariates=num_covariates,
        num_confounders=num_confounders,
        num_targets=num_targets,
    )


def factor_of(collection: Any) -> Factor:  # noqa: ANN401 - see above
    """The R factor of [1, D - shift] over all parts; unique up to the signs of its rows and the shift.

    Raises:
        InputError: no rows, or cells that are missing or infinite.
        ConfigError: dask is not installed.
    """
    try:
        import dask
    except ImportError as error:
        raise ConfigError(
            "dask is not installed",
            expected="the extra `cluster`: pip install 'delta-toolkit[cluster]'",
        ) from error
    if getattr(collection, "ndim", None) == 2 and hasattr(collection, "rechunk"):
        collection = collection.rechunk({1: -1})  # an array may be cut by columns too
    parts = np.asarray(collection.to_delayed(), dtype=object).ravel().tolist()
    level = [dask.delayed(_factor_part, pure=True)(part) for part in parts]
    join = dask.delayed(_join, pure=True)
    while len(level) > 1:
        level = [join(level[start : start + _FAN_IN]) for start in range(0, len(level), _FAN_IN)]
    factor = dask.compute(level[0])[0] if level else None
    if factor is None:
        raise InputError("no rows", got=0, expected="at least 2")
    return factor


def _factor_part(part: Any) -> Factor | None:  # noqa: ANN401 - an array or a data frame
    """The factor of one part; None for a part without rows, which filters of data frames leave behind."""
    rows = np.asarray(part, dtype=np.float64)
    return factor_chunk(rows) if rows.shape[0] else None


def _join(factors: Sequence[Factor | None]) -> Factor | None:
    found = None
    for factor in factors:
        if factor is not None:
            found = factor if found is None else merge(found, factor)
    return found
