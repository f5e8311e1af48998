"""The reader: files on disk to X, Y and Z with names, ids and notes on what was left out. User's page: docs/tables.md.

Formats are in tablefiles.py, the coding of columns in columns.py, tables larger than memory in stream.py. What
surprises: without an id column tables are paired by position, and a column called `id` or `row` that every table has is
taken for the ids without being named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bayesreg.columns import (
    CATEGORICAL,
    NUMERIC,
    RawColumn,
    find_levels,
    is_category,
    select,
    to_numbers,
)
from bayesreg.screening import (
    Screen,
    left_out,
    refuse_idle_targets,
    refuse_missing,
    single_levels,
)
from bayesreg.tablefiles import Files, Table, open_table, sha256_of
from runtime.errors import InputError

ID_NAMES = ("id", "row", "__index_level_0__")
"""Names, in lower case, of a column that is taken for the ids when every table has it; the last is pandas' own."""
BY_POSITION = "-"
"""As `id_column`: pair the rows of several tables by their position, whatever their columns are called."""
ROLES = {"x": "covariates", "y": "targets", "z": "confounders"}


@dataclass(frozen=True)
class TableSource:
    """Where a regression's tables are and which of their columns mean what."""

    x: Files
    """The table with the covariates; with all columns when `y` is None."""
    y: Files | None = None
    """The table with the targets. None: they are in `x`, and `targets` names them."""
    z: Files | None = None
    """The table with the confounders. None: in `x` when `confounders` names some or an NPZ file has an array `z`."""
    id_column: str | None = None
    """Column that joins the tables and names the rows of predictions. None: see `ID_NAMES`. `-`: there is none."""
    covariates: tuple[str, ...] = ()
    """Selectors (columns.py). Empty: all columns that mean nothing else."""
    targets: tuple[str, ...] = ()
    confounders: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    """Selectors of covariates and confounders to code by levels although they hold numbers, or many levels."""


@dataclass(frozen=True)
class TableMeta:
    """Names and codings that a prediction needs, kept with the draws."""

    id_column: str | None
    covariates: tuple[str, ...]
    """Design columns of X, in order."""
    targets: tuple[str, ...]
    confounders: tuple[str, ...]
    """Design columns of Z, in order."""
    covariate_columns: tuple[RawColumn, ...]
    """Columns of the table of covariates and what became of each."""
    confounder_columns: tuple[RawColumn, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the design columns follow from the raw ones."""
        return {
            "id_column": self.id_column,
            "targets": list(self.targets),
            "covariate_columns": [column.to_json() for column in self.covariate_columns],
            "confounder_columns": [column.to_json() for column in self.confounder_columns],
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> TableMeta:
        """The inverse of `to_json`."""
        x, z = (
            tuple(RawColumn.from_json(column) for column in values[key])
            for key in ("covariate_columns", "confounder_columns")
        )
        return make_meta(values["id_column"], tuple(values["targets"]), x, z)


@dataclass(frozen=True)
class RegressionData:
    """Tables in memory."""

    x: np.ndarray
    """(N, P), finite, original units."""
    y: np.ndarray
    """(N, K), NaN where missing, original units."""
    z: np.ndarray
    """(N, C), finite, original units."""
    ids: np.ndarray | None
    """(N,), text; None without an id column."""
    meta: TableMeta
    notes: tuple[str, ...]
    """What was left out or not matched, a sentence each."""
    sha256: str
    """Of the bytes of the files."""


@dataclass(frozen=True)
class Plan:
    """Which columns are read from which table."""

    tables: tuple[Table, ...]
    """Each once; that of the covariates first."""
    places: Mapping[str, int]
    """Index of the table by role: x, y, z."""
    columns: Mapping[str, tuple[str, ...]]
    """Raw columns by role; z may have none."""
    id_column: str | None
    categorical: frozenset[str]

    def table(self, role: str) -> Table:
        """The table that holds a role's columns."""
        return self.tables[self.places[role]]

    def wanted(self, index: int) -> list[str]:
        """All columns to read from a table, the ids first."""
        named = [] if self.id_column is None else [self.id_column]
        meant = [
            name for role in ROLES if self.places[role] == index for name in self.columns[role]
        ]
        return list(dict.fromkeys([*named, *meant]))

    def is_categorical(self, role: str, name: str) -> bool:
        """Whether a raw column of X or Z is coded by levels."""
        return name in self.categorical or is_category(self.table(role).types[name])

    def as_text(self, index: int) -> list[str]:
        """Columns of a table whose cells are kept as they are written."""
        ids = [] if self.id_column is None else [self.id_column]
        return ids + [name for name in self.wanted(index) if name in self.categorical]


def make_meta(
    id_column: str | None,
    targets: tuple[str, ...],
    covariate_columns: Sequence[RawColumn],
    confounder_columns: Sequence[RawColumn],
) -> TableMeta:
    """The record of a design from its raw columns."""
    x, z = (
        tuple(name for column in columns for name in column.kept)
        for columns in (covariate_columns, confounder_columns)
    )
    return TableMeta(id_column, x, targets, z, tuple(covariate_columns), tuple(confounder_columns))


def plan_source(source: TableSource) -> Plan:
    """Open the tables and choose the columns; nothing but headers is read.

    Raises:
        InputError: files, selectors or ids that cannot be used, or a column with two meanings.
    """
    tables: list[Table] = []
    places = {}
    for role in ROLES:
        files = getattr(source, role)
        opened = open_table(source.x if files is None else files)
        same = [index for index, table in enumerate(tables) if table.files == opened.files]
        places[role] = same[0] if same else len(tables)
        tables += [] if same else [opened]
    id_column = _id_column(source.id_column, tables)
    selectors = {"x": source.covariates, "y": source.targets, "z": source.confounders}
    columns: dict[str, tuple[str, ...]] = {}
    for role, chosen in selectors.items():
        if chosen:
            table = tables[places[role]]
            names = [name for name in table.names if name != id_column]
            columns[role] = select(names, chosen, what=ROLES[role], where=table.where)
    if source.z is None and "z" not in columns:
        arrays = tables[places["z"]].arrays.items()
        columns["z"] = tuple(name for name, origin in arrays if origin.lower() == "z")
    for role in [role for role in ROLES if role not in columns]:
        columns[role] = _rest(role, tables[places[role]], places, columns, id_column)
    for role, other in (("x", "y"), ("x", "z"), ("y", "z")):
        both = [name for name in columns[role] if name in columns[other]]
        if both and places[role] == places[other]:
            raise InputError(
                f"{len(both)} column(s) are among the {ROLES[role]} and the {ROLES[other]}",
                got=", ".join(both[:10]),
                expected="one meaning a column",
                where=tables[places[role]].where,
            )
    design = [name for role in ("x", "z") for name in columns[role]]
    categorical = (
        select(design, source.categorical, what="categorical columns", where=tables[0].where)
        if source.categorical
        else ()
    )
    return Plan(tuple(tables), places, columns, id_column, frozenset(categorical))


def read_regression(source: TableSource) -> RegressionData:
    """Read, join, code and check the tables of a fit.

    Raises:
        InputError: anything that cannot be used: missing or infinite covariates, text among numbers, targets that do
            not vary, ids that occur twice, no row in common. The message names columns, counts and rows.
    """
    return read_plan(plan_source(source))


def read_plan(plan: Plan) -> RegressionData:
    """`read_regression` of an opened source."""
    frames = [read_frame(plan, index) for index in range(len(plan.tables))]
    rows, ids, notes = match_rows(plan, frames)
    # coded before rows are left out and put in order, so that a message has the row of the file
    x_columns, x = _design(plan, "x", frames)
    z_columns, z = _design(plan, "z", frames)
    y = targets_matrix(
        plan.columns["y"], frames[plan.places["y"]], where=plan.table("y").where, first_row=1
    )
    if rows is not None:
        x, y, z = (
            values[rows[plan.places[role]]] for role, values in (("x", x), ("y", y), ("z", z))
        )
    if x.shape[0] < 2:
        raise InputError(
            "too few rows", got=x.shape[0], expected="at least 2", where=plan.tables[0].where
        )
    refuse_idle_targets(plan.columns["y"], Screen.of_table(y), where=plan.table("y").where)
    x_columns, x_kept, x_notes = leave_out(Screen.of_table(x), x_columns, "x", plan)
    z_columns, z_kept, z_notes = leave_out(Screen.of_table(z), z_columns, "z", plan)
    empty = int(np.isnan(y).all(axis=1).sum())
    if empty:
        notes = (*notes, f"{empty} row(s) have no observed target")
    meta = make_meta(plan.id_column, plan.columns["y"], x_columns, z_columns)
    return RegressionData(
        x[:, x_kept],
        y,
        z[:, z_kept],
        ids,
        meta,
        (*notes, *x_notes, *z_notes),
        sha256_of(plan.tables),
    )


def targets_matrix(
    names: Sequence[str], frame: pa.Table | pa.RecordBatch, *, where: str, first_row: int
) -> np.ndarray:
    """The targets of some rows, (m, K), NaN where missing.

    Raises:
        InputError: text or infinite values.
    """
    y = np.empty((frame.num_rows, len(names)), order="F")
    for index, name in enumerate(names):
        y[:, index] = to_numbers(frame.column(name), name, where=where, first_row=first_row)
    refuse_infinite(y, names, "target", where=where, first_row=first_row)
    return y


def refuse_infinite(
    values: np.ndarray, names: Sequence[str], what: str, *, where: str, first_row: int
) -> None:
    """Name the first infinite cell.

    Raises:
        InputError: there is one.
    """
    if np.isinf(values.sum()) or np.isnan(values.sum()):  # one pass where nothing is odd
        odd = np.argwhere(np.isinf(values))
        if odd.size:
            row, column = odd[0]
            raise InputError(
                f"infinite values in {what} {names[column]!r}",
                got=f"{values[row, column]} ({len(odd)} infinite cell(s) in the table)",
                expected="finite numbers",
                where=f"{where}, row {row + first_row}",
            )


def _rest(
    role: str,
    table: Table,
    places: Mapping[str, int],
    columns: Mapping[str, tuple[str, ...]],
    id_column: str | None,
) -> tuple[str, ...]:
    """The columns of a role that nobody named: an NPZ file's array of that name, or all that mean nothing else."""
    arrays = {origin.lower() for origin in table.arrays.values()}
    sharing = [
        other for other in ROLES if places[other] == places[role] and columns.get(other) != ()
    ]
    if role in arrays and len(sharing) > 1:
        return tuple(name for name, origin in table.arrays.items() if origin.lower() == role)
    unnamed = [other for other in sharing if other not in columns]
    if len(unnamed) > 1:
        raise InputError(
            "one table holds covariates and targets, and neither are named",
            expected="the target columns",
            where=table.where,
            hint="name the targets; all other columns are then covariates",
        )
    taken = {name for other in sharing for name in columns.get(other, ())} | {id_column}
    rest = tuple(name for name in table.names if name not in taken)
    if not rest:
        raise InputError(
            f"no column is left for the {ROLES[role]}",
            got=f"columns {', '.join(table.names[:10])}",
            expected="at least one",
            where=table.where,
        )
    return rest


def _id_column(named: str | None, tables: Sequence[Table]) -> str | None:
    if named == BY_POSITION:
        return None
    if named is not None:
        for table in tables:
            if named not in table.names:
                raise InputError(
                    "a table has no id column of that name",
                    got=named,
                    expected=f"one of {', '.join(table.names[:10])}",
                    where=table.where,
                )
        return named
    found = [[name for name in table.names if name.lower() in ID_NAMES] for table in tables]
    common = [name for name in found[0] if all(name in names for names in found)]
    if common:
        return common[0]
    for table, names in zip(tables, found, strict=True):
        if names:
            raise InputError(
                f"one table has a column {names[0]!r} and the others have not",
                expected="ids in every table, or in none",
                where=table.where,
                hint=f"name the id column; `{BY_POSITION}` pairs the rows by position",
            )
    return None


def read_frame(plan: Plan, index: int) -> pa.Table:
    """One table in memory, its ids as text.

    Raises:
        InputError: no rows, or ids that are missing or occur twice.
    """
    table = plan.tables[index]
    wanted = plan.wanted(index)
    batches = [piece.batch for piece in table.pieces(wanted, as_text=plan.as_text(index))]
    if not sum(batch.num_rows for batch in batches):
        raise InputError("the table has no rows", got=0, expected="at least 2", where=table.where)
    frame = pa.Table.from_batches(batches).unify_dictionaries()
    if plan.id_column is None:
        return frame
    ids = ids_as_text(frame.column(plan.id_column), plan.id_column, where=table.where)
    repeated = pc.value_counts(ids)
    repeated = repeated.filter(pc.greater(repeated.field("counts"), 1))
    if len(repeated):
        shown = ", ".join(
            f"{pair['values']!r} ({pair['counts']})" for pair in repeated[:5].to_pylist()
        )
        raise InputError(
            f"{len(repeated)} id(s) occur more than once",
            got=shown,
            expected="one row an id",
            where=f"{table.where}, column {plan.id_column}",
        )
    return frame.set_column(0, plan.id_column, ids)


def ids_as_text(values: pa.ChunkedArray, name: str, *, where: str) -> pa.ChunkedArray:
    """Ids as they are written.

    Raises:
        InputError: some are missing, or they are of a type that has no one way to be written.
    """
    if values.null_count:
        raise InputError(
            "missing ids",
            got=f"{values.null_count} of {len(values)} rows",
            expected="an id in every row",
            where=f"{where}, column {name}",
        )
    if pa.types.is_floating(values.type) or pa.types.is_nested(values.type):
        raise InputError(
            f"the column {name!r} cannot be ids",
            got=str(values.type),
            expected="text or whole numbers",
            where=where,
        )
    return values.cast(pa.string())


def match_rows(
    plan: Plan, frames: Sequence[pa.Table]
) -> tuple[list[np.ndarray] | None, np.ndarray | None, tuple[str, ...]]:
    """Rows of each frame that match, in the order of the covariates' table; the ids; notes on what did not match.

    Raises:
        InputError: no id is in every table, or, without ids, the numbers of rows differ.
    """
    if plan.id_column is None:
        refuse_lengths(plan, [frame.num_rows for frame in frames])
        return None, None, ()
    ids = [frame.column(0).combine_chunks() for frame in frames]
    common = ids[0]
    for other in ids[1:]:
        common = common.filter(pc.is_in(common, value_set=other))
    notes = []
    for table, own in zip(plan.tables, ids, strict=True):
        odd = own.filter(pc.invert(pc.is_in(own, value_set=common)))
        if len(odd):
            shown = ", ".join(repr(name) for name in odd[:5].to_pylist())
            notes.append(
                f"{len(odd)} of {len(own)} rows of {table.files[0].name} left out, because their ids are not in"
                f" every table: {shown}{', ...' if len(odd) > 5 else ''}"
            )
    if not len(common):
        raise InputError(
            "no id is in every table",
            got="; ".join(
                f"{table.files[0].name}: {', '.join(repr(x) for x in own[:3].to_pylist())}, ..."
                for table, own in zip(plan.tables, ids, strict=True)
            ),
            expected=f"ids in common in the column {plan.id_column!r}",
            where=", ".join(table.where for table in plan.tables),
        )
    rows = [pc.index_in(common, value_set=own).to_numpy() for own in ids]
    return rows, np.array(common.to_pylist(), dtype=object), tuple(notes)


def refuse_lengths(plan: Plan, lengths: Sequence[int]) -> None:
    """Tables that are paired by position have equally many rows.

    Raises:
        InputError: they have not.
    """
    if len(set(lengths)) > 1:
        raise InputError(
            "the tables have different numbers of rows and no id column to match them by",
            got=", ".join(
                f"{table.files[0].name} {rows}"
                for table, rows in zip(plan.tables, lengths, strict=True)
            ),
            expected="one row an observation in each, or an id column",
            where=plan.tables[0].where,
        )


def _design(
    plan: Plan, role: str, frames: Sequence[pa.Table]
) -> tuple[list[RawColumn], np.ndarray]:
    """The coded columns of X or Z, NaN where missing, and how each was coded."""
    frame, where = frames[plan.places[role]], plan.table(role).where
    columns = []
    for name in plan.columns[role]:
        if plan.is_categorical(role, name) and pc.any(pc.is_valid(frame.column(name))).as_py():
            named = name in plan.categorical
            levels = find_levels(frame.column(name), name, named=named, where=where)
            columns.append(RawColumn(name, CATEGORICAL, levels))
        else:
            columns.append(RawColumn(name, NUMERIC))
    return columns, encode_frame(columns, frame, where=where, first_row=1)


def encode_frame(
    columns: Sequence[RawColumn], frame: pa.Table | pa.RecordBatch, *, where: str, first_row: int
) -> np.ndarray:
    """The design columns of some rows, (m, P), NaN where a cell is missing.

    Raises:
        InputError: text among numbers, unseen levels, infinite values.
    """
    names = [name for column in columns for name in column.kept]
    out = np.empty((frame.num_rows, len(names)), order="F")
    start = 0
    for column in columns:
        width = len(column.kept)
        if width:
            column.encode(
                frame.column(column.name),
                out[:, start : start + width],
                where=where,
                first_row=first_row,
            )
        start += width
    refuse_infinite(out, names, "column", where=where, first_row=first_row)
    return out


def leave_out(
    screen: Screen, columns: Sequence[RawColumn], role: str, plan: Plan
) -> tuple[list[RawColumn], np.ndarray, tuple[str, ...]]:
    """Leave out what carries nothing, refuse missing cells in what is left.

    Args:
        screen: of the design columns of X or Z.
        columns: the raw columns that they are made from.
        role: x or z.
        plan: for messages.

    Returns:
        The raw columns, which now remember what was dropped; positions of the design columns that are kept; notes.

    Raises:
        InputError: missing cells, or no covariate is left.
    """
    names = [name for column in columns for name in column.kept]
    owners = [column.name for column in columns for _ in column.kept]
    where = plan.table(role).where
    refuse_missing(owners, screen, ROLES[role], where=where)
    reasons, notes = left_out(names, screen, ROLES[role])
    notes += single_levels(columns, ROLES[role])
    if role == "x" and len(reasons) == len(names):
        raise InputError(
            "no covariate is left",
            got="; ".join(notes),
            expected="at least one that varies",
            where=where,
        )
    kept = np.array([i for i, name in enumerate(names) if name not in reasons], dtype=int)
    return with_dropped(columns, reasons), kept, notes


def with_dropped(columns: Sequence[RawColumn], reasons: Mapping[str, str]) -> list[RawColumn]:
    """Raw columns that remember which of their design columns are not used."""
    return [
        replace(
            column,
            dropped=tuple((name, reasons[name]) for name in column.design if name in reasons),
        )
        for column in columns
    ]
