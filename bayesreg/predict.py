"""Predictions of new tables from a stored fit, in chunks: ten million rows in the memory of one chunk.

The arithmetic is in predictive.py. Columns are found by name, coded with the levels of the fit and checked: missing and
unseen ones are refused, others are named and not used. What surprises: rows of X without their row of Z are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from bayesreg.columns import CATEGORICAL, RawColumn
from bayesreg.data import (
    BY_POSITION,
    ID_NAMES,
    Plan,
    encode_frame,
    ids_as_text,
    match_rows,
    read_frame,
)
from bayesreg.drawsfile import StoredFit
from bayesreg.posterior import Prediction
from bayesreg.predictive import Predictor
from bayesreg.stream import NotStreamableError, aligned_rows
from bayesreg.tablefiles import Files, Table, open_table
from bayesreg.tablewriting import table_writer
from runtime.errors import InputError

_CELLS_AT_ONCE = 1 << 18  # of (row, target)
ROW = "row"
"""Name of the column that tells the rows apart."""


class Shape(Enum):
    """Layout of the table of predictions."""

    LONG = "long"
    """A line for each row and target."""
    WIDE = "wide"
    """A line for each row, columns for each target."""


@dataclass(frozen=True)
class PredictionCounts:
    """What was written."""

    num_rows: int
    num_targets: int
    notes: tuple[str, ...]
    """What was not used or left out, a sentence each."""


@dataclass(frozen=True)
class NewRows:
    """Some rows to predict."""

    names: pa.Array
    """Ids as text, or numbers from 1."""
    x: np.ndarray
    """(m, P), original units."""
    z: np.ndarray
    """(m, C), original units."""


def predict_tables(
    fit: StoredFit,
    x: Files,
    z: Files | None = None,
    *,
    out: Path | None = None,
    shape: Shape = Shape.LONG,
    quantiles: tuple[float, ...] = (0.05, 0.95),
    id_column: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> PredictionCounts:
    """Predict every row of a table and write the predictions.

    Args:
        fit: of `drawsfile.load_fit`.
        x: the table with the covariates.
        z: the table with the confounders; None: there are none, or they are in `x`.
        out: CSV, TSV, Parquet or Feather by suffix; None is standard output, as CSV.
        shape: of the table of predictions.
        quantiles: levels in (0, 1).
        id_column: names the rows; None: the fit's if it is there, or a column called `id` or `row`; `-`: positions.
        progress: told the number of rows so far.

    Raises:
        InputError: columns or levels that are not those of the fit, missing covariates, a level out of range.
        StorageError: the disk refuses.
    """
    for level in quantiles:
        if not 0.0 < level < 1.0:
            raise InputError(
                "a quantile's level is out of range", got=level, expected="between 0 and 1"
            )
    if len({quantile_name(level) for level in quantiles}) < len(quantiles):
        raise InputError("a quantile is asked for twice", got=", ".join(map(str, quantiles)))
    plan, notes = plan_prediction(fit, x, z, id_column)
    predictor = Predictor(
        fit.draws, x_scaling=fit.x_scaling, z_scaling=fit.z_scaling, y_scaling=fit.y_scaling,
        quantiles=quantiles,
    )  # fmt: skip
    targets = fit.meta.targets
    names_type = pa.int64() if plan.id_column is None else pa.string()
    schema = _schema(shape, targets, quantiles, names_type)
    at_once = max(64, _CELLS_AT_ONCE // len(targets))
    count = 0
    with table_writer(out, schema) as write, threadpool_limits(1, user_api="blas"):
        for rows in new_rows(fit, plan, notes):
            for start in range(0, rows.x.shape[0], at_once):
                part = slice(start, start + at_once)
                found = predictor(rows.x[part], rows.z[part])
                write(_batch(shape, rows.names[part], targets, found, schema))
                count += found.mean.shape[0]
                if progress is not None:
                    progress(count)
        if not count:
            raise InputError(
                "the table has no rows", got=0, expected="at least 1", where=plan.tables[0].where
            )
    return PredictionCounts(count, len(targets), tuple(notes))


def quantile_name(level: float) -> str:
    """0.05 is `q05`, 0.5 is `q50`, 0.975 is `q975`."""
    return "q" + f"{level:.10f}"[2:].rstrip("0").ljust(2, "0")


def plan_prediction(
    fit: StoredFit, x: Files, z: Files | None, id_column: str | None
) -> tuple[Plan, list[str]]:
    """Find the columns of the fit in new tables; notes on those that are not used.

    Raises:
        InputError: columns are missing, or a table of confounders is given to a fit without any.
    """
    meta = fit.meta
    if z is not None and not meta.confounders:
        raise InputError(
            "the fit has no confounders", got=str(z), expected="no table of confounders"
        )
    table = open_table(x)
    tables = [table]
    if z is not None:
        opened = open_table(z)
        tables += [] if opened.files == table.files else [opened]
    places = {"x": 0, "y": 0, "z": len(tables) - 1}
    raw = {"x": _used(meta.covariate_columns), "z": _used(meta.confounder_columns)}
    columns = {role: tuple(column.name for column in found) for role, found in raw.items()}
    for role, what in (("x", "covariates"), ("z", "confounders")):
        _refuse_absent(columns[role], tables[places[role]], what, apart=z is not None)
    id_name = _id_name(id_column, meta.id_column, tables, {*columns["x"], *columns["z"]})
    known = {*columns["x"], *columns["z"], *meta.targets, id_name}
    known |= {column.name for column in (*meta.covariate_columns, *meta.confounder_columns)}
    notes = []
    for found in tables:
        extra = [name for name in found.names if name not in known]
        if extra:
            notes.append(
                f"{len(extra)} column(s) of {found.files[0].name} are not in the fit and not used: "
                + ", ".join(extra[:10])
                + (", ..." if len(extra) > 10 else "")
            )
    categorical = frozenset(
        column.name
        for columns_ in raw.values()
        for column in columns_
        if column.kind == CATEGORICAL
    )
    return Plan(tuple(tables), places, {**columns, "y": ()}, id_name, categorical), notes


def new_rows(fit: StoredFit, plan: Plan, notes: list[str]) -> Iterator[NewRows]:
    """The rows of the tables in order of X's, chunk by chunk; notes on rows that do not match are added.

    Raises:
        InputError: missing covariates, unseen levels, text among numbers, no row in common.
    """
    raw = (_used(fit.meta.covariate_columns), _used(fit.meta.confounder_columns))
    position = 0
    for pieces in _pieces(plan, notes):
        x, z = (
            _complete(columns, pieces[role], what)
            for role, columns, what in zip("xz", raw, ("covariates", "confounders"), strict=True)
        )
        where, _, frame = pieces["x"]
        if plan.id_column is None:
            names = pa.array(np.arange(position, position + x.shape[0]) + 1)
        else:
            names = ids_as_text(frame.column(plan.id_column), plan.id_column, where=where)
            names = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
        position += x.shape[0]
        yield NewRows(names, x, z)


Located = tuple[str, int, pa.RecordBatch]
"""Where some rows are: the file, the number of the first one, the rows."""


def _pieces(plan: Plan, notes: list[str]) -> Iterator[dict[str, Located]]:
    started = False
    try:
        for rows in aligned_rows(plan, with_ids=True):
            started = True
            yield {role: (str(p.file), p.first_row, p.batch) for role, p in rows.items()}
        return
    except NotStreamableError:
        if started:
            # some rows are out already, in an order that still holds: X's
            raise InputError(
                "the ids of the tables are in the same order at first and then in another",
                expected="the same ids in the same order, or another order from the first rows on",
                where=", ".join(table.where for table in plan.tables),
            ) from None
    frames = [read_frame(plan, index) for index in range(len(plan.tables))]
    order, _, found = match_rows(plan, frames)
    notes += found
    frames = [
        frame.take(pa.array(rows)).combine_chunks()
        for frame, rows in zip(frames, order, strict=True)
    ]
    for start in range(0, frames[0].num_rows, 1 << 16):
        cut = [frame.slice(start, 1 << 16).to_batches()[0] for frame in frames]
        yield {
            role: (plan.table(role).where, start + 1, cut[plan.places[role]]) for role in ("x", "z")
        }


def _complete(columns: Sequence[RawColumn], rows: Located, what: str) -> np.ndarray:
    where, first, frame = rows
    values = encode_frame(columns, frame, where=where, first_row=first)
    gaps = np.isnan(values)
    if gaps.any():
        owners = [column.name for column in columns for _ in column.kept]
        counts = {owners[i]: int(n) for i, n in enumerate(gaps.sum(axis=0)) if n}
        row = int(np.argmax(gaps.any(axis=1))) + first
        raise InputError(
            f"missing cells in {len(counts)} of the {what}",
            got="columns (missing cells so far): "
            + ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:10]),
            expected="complete rows",
            where=f"{where}, row {row}",
            hint="leave these rows out, or impute them first",
        )
    return values


def _used(columns: Sequence[RawColumn]) -> tuple[RawColumn, ...]:
    """Raw columns of which a design column is in the fit."""
    return tuple(column for column in columns if column.kept)


def _refuse_absent(names: Sequence[str], table: Table, what: str, *, apart: bool) -> None:
    absent = [name for name in names if name not in table.types]
    if not absent:
        return
    near = get_close_matches(absent[0], table.names, n=1)
    hint = f"did you mean {near[0]} by {absent[0]}?" if near else None
    if what == "confounders" and not apart:
        hint = "give the table of confounders with --confounders"
    raise InputError(
        f"{len(absent)} of the {len(names)} {what} of the fit are not in the table",
        got=f"columns {', '.join(table.names[:10])}{', ...' if len(table.names) > 10 else ''}",
        expected=", ".join(absent[:10]) + (", ..." if len(absent) > 10 else ""),
        where=table.where,
        hint=hint,
    )


def _id_name(
    named: str | None, of_fit: str | None, tables: Sequence[Table], taken: set[str]
) -> str | None:
    if named == BY_POSITION:
        return None
    if named is not None:
        for table in tables:
            if named not in table.types:
                raise InputError(
                    "a table has no id column of that name",
                    got=named,
                    expected=f"one of {', '.join(table.names[:10])}",
                    where=table.where,
                )
        return named
    ids = [name for name in tables[0].names if name.lower() in ID_NAMES and name not in taken]
    for name in [of_fit, *ids]:
        if name is not None and all(name in table.types for table in tables):
            return name
    return None


def _schema(
    shape: Shape, targets: Sequence[str], quantiles: Sequence[float], names_type: pa.DataType
) -> pa.Schema:
    number = pa.float64()
    kinds = ["mean", "sd", *map(quantile_name, quantiles), "signal_sd", "noise_sd"]
    if shape is Shape.LONG:
        return pa.schema(
            [(ROW, names_type), ("target", pa.string()), *((kind, number) for kind in kinds)]
        )
    columns = [
        (target if kind == "mean" else f"{target}__{kind}", number)
        for target in targets
        for kind in kinds
    ]
    return pa.schema([(ROW, names_type), *columns])


def _batch(
    shape: Shape, names: pa.Array, targets: Sequence[str], found: Prediction, schema: pa.Schema
) -> pa.RecordBatch:
    kinds = [found.mean, found.sd, *found.quantiles.values(), found.signal_sd, found.noise_sd]
    m, k = found.mean.shape
    if shape is Shape.LONG:
        rows = names.take(pa.array(np.repeat(np.arange(m), k)))
        labels = pa.array(targets, pa.string()).take(pa.array(np.tile(np.arange(k), m)))
        numbers = [pa.array(np.ascontiguousarray(values).ravel()) for values in kinds]
        return pa.RecordBatch.from_arrays([rows, labels, *numbers], schema=schema)
    numbers = [pa.array(np.ascontiguousarray(v[:, i])) for i in range(k) for v in kinds]
    return pa.RecordBatch.from_arrays([names, *numbers], schema=schema)
