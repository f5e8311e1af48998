"""One pass over tables larger than memory: the factor of [1 X Z Y], what to leave out, means and scales.

What goes through is complete rows; a missing target cell, or ids in another order in each table, end the pass, and the
tables are then read into memory (sources.py). Ids are compared between tables and never collected, so ids that occur
twice go unnoticed. Levels of categorical columns are found in a pass of their own over these columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from bayesreg.columns import (
    CATEGORICAL,
    MAX_DETECTED_LEVELS,
    NUMERIC,
    RawColumn,
    find_levels,
    level_text,
    parses,
    sorted_levels,
)
from bayesreg.compression import Compressed, FactorPass, finish, keep_columns
from bayesreg.data import (
    ROLES,
    Plan,
    TableMeta,
    encode_frame,
    leave_out,
    make_meta,
    refuse_lengths,
    targets_matrix,
)  # fmt: skip
from bayesreg.screening import Screen, refuse_idle_targets
from bayesreg.tablefiles import Piece, sha256_of
from runtime.errors import InputError

Progress = Callable[[int], object]
"""Told the number of rows that were read so far."""


@dataclass(frozen=True)
class StreamedData:
    """What a pass leaves: as `data.RegressionData`, with the factor in place of the tables."""

    compressed: Compressed
    meta: TableMeta
    notes: tuple[str, ...]
    sha256: str


class NotStreamableError(Exception):
    """The tables need all rows in memory; the message says why. Caught by sources.py, never shown as an error."""


def compress_plan(plan: Plan, progress: Progress | None = None) -> StreamedData:
    """Read the tables once, in chunks.

    Args:
        plan: of `data.plan_source`.
        progress: told how far the pass is.

    Raises:
        InputError: whatever `data.read_regression` refuses, but for ids that occur twice in a table.
        NotStreamableError: a target cell is missing, or ids are in another order in each table.
    """
    raw = {role: _coded(plan, role) for role in ("x", "z")}
    p, c = (sum(len(column.kept) for column in raw[role]) for role in ("x", "z"))
    k = len(plan.columns["y"])
    screens = {"x": Screen(p), "z": Screen(c), "y": Screen(k)}
    running = FactorPass(p + c + k)
    with threadpool_limits(1, user_api="blas"):  # blocks are small: threads would only wait
        for rows in aligned_rows(plan):
            chunk = np.empty((rows["x"].batch.num_rows, p + c + k), order="F")
            for role, cut in (
                ("x", slice(0, p)),
                ("z", slice(p, p + c)),
                ("y", slice(p + c, None)),
            ):
                chunk[:, cut] = _numbers(plan, role, raw, rows[role])
                screens[role].add(chunk[:, cut])
            if screens["y"].missing.any():
                raise NotStreamableError("target cells are missing")
            if screens["x"].missing.any() or screens["z"].missing.any():
                np.nan_to_num(chunk, copy=False)  # refused or left out once the counts are known
            running.add(chunk)
            if progress is not None:
                progress(running.num_rows)
    if running.num_rows < 2:
        raise InputError(
            "too few rows", got=running.num_rows, expected="at least 2", where=plan.tables[0].where
        )
    refuse_idle_targets(plan.columns["y"], screens["y"], where=plan.table("y").where)
    x, kept_x, x_notes = leave_out(screens["x"], raw["x"], "x", plan)
    z, kept_z, z_notes = leave_out(screens["z"], raw["z"], "z", plan)
    kept = np.concatenate([kept_x, p + kept_z, p + c + np.arange(k)])
    factor = running.finish()
    if kept.size < p + c + k:
        factor = keep_columns(factor, kept)
    compressed = finish(
        factor, num_covariates=kept_x.size, num_confounders=kept_z.size, num_targets=k
    )
    meta = make_meta(plan.id_column, plan.columns["y"], x, z)
    return StreamedData(compressed, meta, (*x_notes, *z_notes), sha256_of(plan.tables))


def aligned_rows(plan: Plan, *, with_ids: bool = False) -> Iterator[dict[str, Piece]]:
    """The same rows of every table, chunk by chunk, by role.

    Args:
        plan: what to read.
        with_ids: read the ids of a single table too, where nothing has to be compared.

    Raises:
        InputError: tables paired by position have different numbers of rows.
        NotStreamableError: tables with ids have them in different orders.
    """
    streams = [_Rows(plan, index, with_ids) for index in range(len(plan.tables))]
    while True:
        lengths = [stream.available() for stream in streams]
        if not any(lengths):
            break
        if not all(lengths):
            if plan.id_column is not None:
                raise NotStreamableError("the tables have different rows")
            refuse_lengths(plan, [stream.count_all() for stream in streams])
        pieces = [stream.take(min(lengths)) for stream in streams]
        if plan.id_column is not None and len(pieces) > 1:
            ids = [piece.batch.column(plan.id_column).cast(pa.string()) for piece in pieces]
            if not all(other.equals(ids[0]) for other in ids[1:]):
                raise NotStreamableError("the tables have their ids in different orders")
        yield {role: pieces[plan.places[role]] for role in ROLES}


class _Rows:
    """A table's pieces, cut to the sizes that are asked for."""

    def __init__(self, plan: Plan, index: int, with_ids: bool) -> None:
        wanted = plan.wanted(index)
        if len(plan.tables) == 1 and not with_ids:
            wanted = [name for name in wanted if name != plan.id_column]
        self._pieces = plan.tables[index].pieces(wanted, as_text=plan.as_text(index))
        self._held: Piece | None = None
        self._taken = 0

    def available(self) -> int:
        """Rows that can be taken at once; 0 at the end."""
        while self._held is None or not self._held.batch.num_rows:
            self._held = next(self._pieces, None)
            if self._held is None:
                return 0
        return self._held.batch.num_rows

    def take(self, rows: int) -> Piece:
        held = self._held
        self._held = Piece(held.file, held.first_row + rows, held.batch.slice(rows))
        self._taken += rows
        return Piece(held.file, held.first_row, held.batch.slice(0, rows))

    def count_all(self) -> int:
        """Rows of the whole table; reads to its end."""
        while self.available():
            self.take(self.available())
        return self._taken


def _numbers(plan: Plan, role: str, raw: dict[str, list[RawColumn]], piece: Piece) -> np.ndarray:
    where, first = str(piece.file), piece.first_row
    if role == "y":
        return targets_matrix(plan.columns["y"], piece.batch, where=where, first_row=first)
    return encode_frame(raw[role], piece.batch, where=where, first_row=first)


def _coded(plan: Plan, role: str) -> list[RawColumn]:
    """Raw columns of X or Z with their levels."""
    table, names = plan.table(role), plan.columns[role]
    categorical = [name for name in names if plan.is_categorical(role, name)]
    levels: dict[str, set[str]] = {name: set() for name in categorical}
    if categorical:
        as_text = [name for name in categorical if name in plan.categorical]
        for piece in table.pieces(categorical, as_text=as_text):
            for name in categorical:
                text = level_text(
                    pa.chunked_array([piece.batch.column(name)]), name, where=table.where
                )
                levels[name].update(pc.unique(text.drop_null()).to_pylist())
    return [
        RawColumn(name, CATEGORICAL, _checked(plan, role, name, levels[name]))
        if levels.get(name)
        else RawColumn(name, NUMERIC)
        for name in names
    ]


def _checked(plan: Plan, role: str, name: str, levels: set[str]) -> tuple[str, ...]:
    """Levels in order; where they cannot be, the column is read whole for a message that names the row."""
    suspicious = len(levels) > MAX_DETECTED_LEVELS or any(parses(level) for level in levels)
    if suspicious and name not in plan.categorical:
        table = plan.table(role)
        column = pa.chunked_array([piece.batch.column(name) for piece in table.pieces([name])])
        return find_levels(column, name, named=False, where=table.where)
    return sorted_levels(sorted(levels))
