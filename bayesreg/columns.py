"""Columns of tables: choosing them by name, turning cells into numbers, coding categories.

A categorical column becomes one column of zeros and ones for each level but the first (reference coding), named
`column[level]`. What surprises: numbers stored as text are refused rather than converted, because a text column with
some numbers in it is more often a damaged column of numbers than a category.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bayesreg.tablefiles import text_in_numbers
from runtime.errors import InputError

NUMERIC, CATEGORICAL = "numeric", "categorical"
MAX_DETECTED_LEVELS = 50
"""A text column with more levels is more often ids or free text than a category; naming it as categorical overrides."""


@dataclass(frozen=True)
class RawColumn:
    """A column of X or Z as it is in the table, and the design columns that it becomes."""

    name: str
    kind: str
    """`numeric` or `categorical`."""
    levels: tuple[str, ...] = ()
    """Of a categorical column, the reference first; numbers in order of size, text in order of its letters."""
    dropped: tuple[tuple[str, str], ...] = ()
    """Design columns that are not used, each with the reason."""

    @property
    def design(self) -> tuple[str, ...]:
        """Names of all design columns, dropped ones included."""
        if self.kind == NUMERIC:
            return (self.name,)
        return tuple(f"{self.name}[{level}]" for level in self.levels[1:])

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the design columns that are used."""
        gone = {name for name, _ in self.dropped}
        return tuple(name for name in self.design if name not in gone)

    def encode(
        self, values: pa.ChunkedArray, out: np.ndarray, *, where: str, first_row: int = 1
    ) -> None:
        """Fill the design columns that are used, NaN where a cell is missing.

        Args:
            values: (m,), the column.
            out: (m, number of kept columns), written.
            where: the table, for messages.
            first_row: number of the first row.

        Raises:
            InputError: a level that was not there at the fit, or text among numbers.
        """
        if self.kind == NUMERIC:
            if self.kept:
                out[:, 0] = to_numbers(values, self.name, where=where, first_row=first_row)
            return
        text = level_text(values, self.name, where=where)
        codes = pc.index_in(text, value_set=pa.array(self.levels, text.type))
        unseen = pc.and_(pc.is_null(codes), pc.is_valid(text))
        if pc.any(unseen).as_py():
            odd = pc.unique(pc.filter(text, unseen)).to_pylist()
            row = pc.index(unseen, True).as_py() + first_row
            raise InputError(
                f"{len(odd)} level(s) of {self.name!r} that were not there at the fit",
                got=", ".join(repr(level) for level in odd[:5]),
                expected=f"one of {_few(self.levels)}",
                where=f"{where}, row {row}",
            )
        found = numbers_or_nan(codes)
        places = [self.design.index(name) + 1 for name in self.kept]
        for index, place in enumerate(places):
            out[:, index] = np.where(np.isnan(found), np.nan, found == place)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "levels": list(self.levels),
            "dropped": [list(pair) for pair in self.dropped],
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> RawColumn:
        """The inverse of `to_json`."""
        return RawColumn(
            values["name"],
            values["kind"],
            tuple(values["levels"]),
            tuple((name, reason) for name, reason in values["dropped"]),
        )


def select(
    names: Sequence[str], selectors: Sequence[str], *, what: str, where: str
) -> tuple[str, ...]:
    """Column names that are chosen.

    A selector is a name, a glob (`snp_*`), a range by position (`snp_1:snp_30`, both ends included), or one of these
    after `!`, which takes columns away. Only exclusions: all columns but those. A column whose name looks like a
    pattern is meant by its name first.

    Raises:
        InputError: a selector that matches nothing, or nothing is left.
    """
    chosen: dict[str, None] = {}
    if all(selector.startswith("!") for selector in selectors):
        chosen = dict.fromkeys(names)
    for selector in selectors:
        exclude = selector.startswith("!") and selector not in names
        matched = _matched(names, selector[1:] if exclude else selector, what=what, where=where)
        if exclude:
            for name in matched:
                chosen.pop(name, None)
        else:
            chosen |= dict.fromkeys(matched)
    if not chosen:
        raise InputError(
            f"no column is left for the {what}",
            got=" ".join(selectors),
            expected="at least one",
            where=where,
        )
    return tuple(chosen)


def _matched(names: Sequence[str], selector: str, *, what: str, where: str) -> list[str]:
    if selector in names:
        return [selector]
    found = [name for name in names if fnmatchcase(name, selector)]
    first, mark, last = selector.partition(":")
    if not found and mark and first in names and last in names:
        found = list(names[names.index(first) : names.index(last) + 1])
    if not found:
        near = get_close_matches(selector, names, n=1)
        raise InputError(
            f"no column for the {what}",
            got=selector,
            expected=f"a name, a glob or a range among {_few(names)}",
            where=where,
            hint=f"did you mean {near[0]}?" if near else None,
        )
    return found


def level_text(values: pa.ChunkedArray, name: str, *, where: str) -> pa.ChunkedArray:
    """A categorical column as text, whatever its type; the number 1.0 is the level `1`."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if is_text(kind):
        return values.cast(pa.string())
    if pa.types.is_null(kind):
        return values.cast(pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return values.cast(pa.string())
    if pa.types.is_floating(kind):
        cells = [
            None if cell is None or cell != cell else _shortest(cell) for cell in values.to_pylist()
        ]
        return pa.chunked_array([pa.array(cells, pa.string())])
    raise InputError(f"the column {name!r} cannot be a category", got=str(kind), where=where)


def find_levels(values: pa.ChunkedArray, name: str, *, named: bool, where: str) -> tuple[str, ...]:
    """Levels of a categorical column in the order that they are stored in.

    Args:
        values: the column.
        name: its name.
        named: the user said that it is categorical.
        where: the table, for messages.

    Raises:
        InputError: a column of text that looks like numbers, ids or free text, unless it was named.
    """
    text = level_text(values, name, where=where)
    levels = pc.unique(text.drop_null()).to_pylist()
    if not named:
        refuse_numbers_as_text(text, levels, name, where=where)
        if len(levels) > MAX_DETECTED_LEVELS:
            raise InputError(
                f"the text column {name!r} has too many levels to be taken for a category",
                got=f"{len(levels)} levels: {_few(levels)}",
                expected=f"at most {MAX_DETECTED_LEVELS}",
                where=where,
                hint="leave it out, use it as the id column, or name it as categorical",
            )
    return sorted_levels(levels)


def sorted_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """Levels by size when all are numbers, else by their letters."""
    if all(parses(level) for level in levels):
        return tuple(sorted(levels, key=lambda level: (float(level), level)))
    return tuple(sorted(levels))


def refuse_numbers_as_text(
    text: pa.ChunkedArray, levels: Sequence[str], name: str, *, where: str
) -> None:
    """Refuse a text column in which some cell is a number, naming the cell that is odd.

    Raises:
        InputError: some or all cells are numbers.
    """
    numeric = [level for level in levels if parses(level)]
    if not numeric:
        return
    if len(numeric) == len(levels):
        raise InputError(
            f"the column {name!r} holds numbers stored as text",
            got=_few(levels),
            expected="numbers stored as numbers",
            where=where,
            hint="convert the column, or name it as categorical",
        )
    is_numeric = pc.is_in(text, value_set=pa.array(numeric, text.type))
    is_text_cell = pc.and_(pc.invert(is_numeric), pc.is_valid(text))
    mostly_numbers = pc.sum(is_numeric).as_py() >= pc.sum(is_text_cell).as_py()
    row = pc.index(is_text_cell if mostly_numbers else is_numeric, True).as_py()
    cell = text[row].as_py()
    if mostly_numbers:
        raise text_in_numbers(name, cell, where, row + 1)
    raise InputError(
        f"a number in the text column {name!r}",
        got=repr(cell),
        expected=f"levels as the others: {_few([x for x in levels if x not in numeric])}",
        where=f"{where}, row {row + 1}",
        hint="name the column as categorical if this is a level",
    )


def to_numbers(
    values: pa.ChunkedArray | pa.Array, name: str, *, where: str, first_row: int = 1
) -> np.ndarray:
    """A column as float64, NaN where a cell is missing; true and false are 1 and 0.

    Raises:
        InputError: text, dates or anything else that is no number.
    """
    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if pa.types.is_boolean(kind):
        return numbers_or_nan(values.cast(pa.int8()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return numbers_or_nan(values)
    if pa.types.is_decimal(kind):
        return numbers_or_nan(values.cast(pa.float64()))
    if is_text(kind) or (pa.types.is_dictionary(kind) and is_text(kind.value_type)):
        valid = pc.is_valid(values)
        if not pc.any(valid).as_py():
            return np.full(len(values), np.nan)
        cells = [None if cell is None else str(cell) for cell in values.to_pylist()]
        odd = [row for row, cell in enumerate(cells) if cell is not None and not parses(cell)]
        if odd:
            raise text_in_numbers(name, cells[odd[0]], where, odd[0] + first_row)
        raise InputError(
            f"the column {name!r} holds numbers stored as text",
            got=_few([cell for cell in cells if cell is not None]),
            expected="numbers stored as numbers",
            where=where,
            hint="convert the column",
        )
    raise InputError(
        f"the column {name!r} is no column of numbers",
        got=str(kind),
        expected="numbers",
        where=where,
        hint="leave it out, or convert it",
    )


def numbers_or_nan(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Integers or floats as float64, NaN where null."""
    if isinstance(values, pa.ChunkedArray):
        parts = [numbers_or_nan(part) for part in values.chunks]
        return np.concatenate(parts) if parts else np.zeros(0)
    if values.type == pa.float16() and values.null_count:
        values = values.cast(pa.float32())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def is_text(kind: pa.DataType) -> bool:
    """Whether cells are text."""
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_category(kind: pa.DataType) -> bool:
    """Whether a column of this type is taken for categorical without being named so."""
    return is_text(kind) or (pa.types.is_dictionary(kind) and is_text(kind.value_type))


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(str(name) for name in names[:most]) + (", ..." if len(names) > most else "")


def _shortest(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)


def parses(text: str) -> bool:
    """Whether text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
