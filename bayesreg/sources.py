"""From files to what the samplers take, through memory or streamed, with the same result to rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesreg.compression import Compressed
from bayesreg.data import Plan, RegressionData, TableMeta, TableSource, plan_source, read_plan
from bayesreg.prepare import Prepared, prepare, prepare_compressed
from bayesreg.stream import NotStreamableError, Progress, compress_plan
from bayesreg.types import ModelSettings

STREAM_ABOVE_BYTES = 256 << 20
"""Tables that are larger on disk are streamed: a few times this fits into the memory of any machine."""


@dataclass(frozen=True)
class Loaded:
    """Tables that were read, either whole or as their factor."""

    meta: TableMeta
    notes: tuple[str, ...]
    """What was left out, a sentence each."""
    sha256: str
    """Of the files' bytes."""
    num_rows: int
    """N, rows without any observed target included."""
    ids: np.ndarray | None
    """(N,), text; None without an id column, or when the tables were streamed."""
    data: RegressionData | None
    """None when they were streamed."""
    compressed: Compressed | None
    """None when they are in memory."""

    @property
    def streamed(self) -> bool:
        """Whether the tables went through in chunks."""
        return self.data is None

    def target_correlation(self) -> np.ndarray:
        """Correlations of the targets, (K, K), over the rows in which both are observed; 0 where there are too few."""
        if self.compressed is not None:
            y = self.compressed.rows[:, -self.compressed.num_targets :]
            gram = y.T @ y
            scale = np.sqrt(np.diag(gram))
            return gram / np.outer(scale, scale)
        y = self.data.y
        if not np.isnan(y).any():
            return np.atleast_2d(np.corrcoef(y, rowvar=False))
        found = np.ma.corrcoef(np.ma.masked_invalid(y), rowvar=False)
        return np.atleast_2d(np.nan_to_num(found.filled(0.0)))


def load_source(
    source: TableSource, *, stream: bool | None = None, progress: Progress | None = None
) -> Loaded:
    """Read the tables of a fit.

    Args:
        source: where they are.
        stream: whether to go through in chunks; None: when they are large on disk. Tables with missing target cells,
            or with ids in different orders, are read into memory in any case; a note says so.
        progress: told the number of rows so far when the tables are streamed.

    Raises:
        InputError: see `data.read_regression`.
    """
    plan = plan_source(source)
    notes: tuple[str, ...] = ()
    if _streams(plan, stream):
        try:
            found = compress_plan(plan, progress)
        except NotStreamableError as reason:
            notes = (f"read into memory, because {reason}",)
        else:
            data = found.compressed
            return Loaded(found.meta, found.notes, found.sha256, data.num_rows, None, None, data)
    data = read_plan(plan)
    return Loaded(
        data.meta, (*notes, *data.notes), data.sha256, data.x.shape[0], data.ids, data, None
    )


def prepare_source(
    source: TableSource | Loaded, settings: ModelSettings, groups: np.ndarray | None = None
) -> Prepared:
    """A sampler's data from files.

    Args:
        source: files, or what `load_source` made of them.
        settings: the model.
        groups: (K,), cluster of each target, with group sparsity.

    Raises:
        InputError: see `data.read_regression`.
        ConfigError: groups and settings do not match.
    """
    loaded = source if isinstance(source, Loaded) else load_source(source)
    if loaded.compressed is not None:
        return prepare_compressed(loaded.compressed, settings=settings, groups=groups)
    data = loaded.data
    z = data.z if data.z.shape[1] else None
    return prepare(data.x, data.y, z, settings=settings, groups=groups)


def _streams(plan: Plan, wanted: bool | None) -> bool:
    if not all(table.streams for table in plan.tables):
        return False
    if wanted is None:
        return sum(table.num_bytes for table in plan.tables) > STREAM_ABOVE_BYTES
    return wanted
