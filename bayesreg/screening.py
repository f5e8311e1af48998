"""Columns that carry nothing: without variation, equal to another, or empty. The same rules whole or in chunks.

Constant means what transforms.py refuses. Equal means bit for bit in every row: columns that are merely collinear stay,
the prior deals with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

from bayesreg.columns import RawColumn
from bayesreg.transforms import CONSTANT_BELOW
from runtime.errors import InputError

NO_VARIATION, EMPTY = "it does not vary", "all its cells are missing"


class Screen:
    """What is to be known about the columns of a table, gathered over chunks of rows.

    Memory and time are small: equal columns are looked for only among those that were equal in every chunk before.
    """

    def __init__(self, num_columns: int) -> None:
        self.num_rows = 0
        self.missing = np.zeros(num_columns, dtype=np.int64)
        """(W,): missing cells."""
        self.mean = np.zeros(num_columns)
        self._squares = np.zeros(num_columns)
        self._first = np.full(num_columns, np.nan)
        self._same_value = np.ones(num_columns, dtype=bool)
        self._twins = [list(range(num_columns))]

    @staticmethod
    def of_table(values: np.ndarray) -> Screen:
        """All rows at once; (N, W), NaN where missing."""
        screen = Screen(values.shape[1])
        screen.add(values)
        return screen

    def add(self, values: np.ndarray) -> None:
        """Take in some rows, (m, W), NaN where missing; best in column order."""
        rows = values.shape[0]
        if not rows:
            return
        gaps = np.isnan(values)
        missing = gaps.sum(axis=0)
        seen = rows - missing
        before = self.num_rows - self.missing
        filled = np.where(gaps, 0.0, values) if missing.any() else values
        mean = filled.sum(axis=0) / np.maximum(seen, 1)
        centred = np.where(gaps, 0.0, values - mean) if missing.any() else values - mean
        both = np.maximum(before + seen, 1)
        step = mean - self.mean
        # parallel update of mean and sum of squares (Chan, Golub and LeVeque 1979): no cancellation
        self._squares += np.einsum("ij,ij->j", centred, centred) + step**2 * before * seen / both
        self.mean += step * seen / both
        self._same_value &= self._compare(values, gaps, seen > 0)
        self.missing += missing
        self.num_rows += rows
        self._twins = [part for group in self._twins for part in _split(group, values)]

    def _compare(self, values: np.ndarray, gaps: np.ndarray, any_seen: np.ndarray) -> np.ndarray:
        fresh = np.isnan(self._first) & any_seen
        if fresh.any():
            places = np.argmax(~gaps[:, fresh], axis=0)
            self._first[fresh] = values[places, np.flatnonzero(fresh)]
        known = ~np.isnan(self._first) & self._same_value
        result = self._same_value.copy()
        result[known] = ((values[:, known] == self._first[known]) | gaps[:, known]).all(axis=0)
        return result

    @property
    def deviation(self) -> np.ndarray:
        """(W,): standard deviation of the observed cells with N - 1; 0 for fewer than two."""
        seen = self.num_rows - self.missing
        return np.sqrt(self._squares / np.maximum(seen - 1, 1))

    @property
    def constant(self) -> np.ndarray:
        """(W,): no variation beyond rounding, or fewer than two observed cells."""
        rounding = CONSTANT_BELOW * np.maximum(np.abs(self.mean), 1e-280)
        return self._same_value | ~(self.deviation > rounding)

    @property
    def empty(self) -> np.ndarray:
        """(W,): no observed cell."""
        return self.missing == self.num_rows

    @property
    def twin(self) -> dict[int, int]:
        """By column that equals one before it: the first one that it equals."""
        return {other: group[0] for group in self._twins for other in group[1:]}


def left_out(
    names: Sequence[str], screen: Screen, what: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Design columns of X or Z that are not used: the reason of each, and one sentence a reason."""
    reasons: dict[str, str] = {}
    for index in np.flatnonzero(screen.empty):
        reasons[names[index]] = EMPTY
    for index in np.flatnonzero(screen.constant & ~screen.empty):
        reasons[names[index]] = NO_VARIATION
    for index, first in sorted(screen.twin.items()):
        if names[index] not in reasons:
            reasons[names[index]] = f"it equals {names[first]} in every row"
    grouped: dict[str, list[str]] = defaultdict(list)
    for name, reason in reasons.items():
        grouped[reason].append(name)
    notes = (
        f"{_few(members)} left out of the {what}: {reason}" for reason, members in grouped.items()
    )
    return reasons, tuple(notes)


def single_levels(columns: Sequence[RawColumn], what: str) -> tuple[str, ...]:
    """A sentence on categorical columns with one level, which have no design column."""
    names = [column.name for column in columns if not column.design]
    return (f"{_few(names)} left out of the {what}: {NO_VARIATION}",) if names else ()


def refuse_missing(owners: Sequence[str], screen: Screen, what: str, *, where: str) -> None:
    """Covariates and confounders are complete, but for columns without any cell.

    Args:
        owners: column of the table that each design column is made from.
        screen: of the design columns.
        what: their role, for the message.
        where: the table, for the message.

    Raises:
        InputError: missing cells; columns and counts.
    """
    counts = np.where(screen.empty, 0, screen.missing)
    short = {owners[index]: int(counts[index]) for index in np.flatnonzero(counts)}
    if short:
        shown = ", ".join(f"{name} ({count})" for name, count in list(short.items())[:10])
        raise InputError(
            f"missing cells in {len(short)} of the {what}",
            got=f"columns (missing cells): {shown}{', ...' if len(short) > 10 else ''}",
            expected="complete columns: only targets may have missing cells",
            where=where,
            hint="leave these columns or rows out, or impute them first",
        )


def refuse_idle_targets(names: Sequence[str], screen: Screen, *, where: str) -> None:
    """A target that was asked for is never left out in silence.

    Raises:
        InputError: targets without variation, or with fewer than two observed cells.
    """
    idle = [names[index] for index in np.flatnonzero(screen.constant)]
    if idle:
        raise InputError(
            f"{len(idle)} target(s) do not vary, or have fewer than two observed cells",
            got=_few(idle),
            expected="targets with at least two values",
            where=where,
            hint="leave them out, for instance with the selector !" + idle[0],
        )


def _split(group: list[int], values: np.ndarray) -> list[list[int]]:
    """Columns of a group that are still equal, in groups of two or more."""
    parts: Mapping[bytes, list[int]] = defaultdict(list)
    for index in group:
        parts[blake2b(np.ascontiguousarray(values[:, index])).digest()].append(index)
    return [part for part in parts.values() if len(part) > 1]


def _few(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
