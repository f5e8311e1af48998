"""Difficulties: what a family enumerates at a level, read from `difficulties.yaml`, and the settings it makes.

The table is data and ships with the package; this module only reads and checks it. What surprises: where a level has
more settings than its cap, which ones it holds depends on the seed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Parameters, Ranges
from rlgrok.delta.manufactoria.selection import Selected, Selection, select
from runtime.errors import ConfigError
from runtime.seeding import Stream

TABLE = "difficulties.yaml"
CAP = 1000
"""Problems of one level at most, as in the reference."""
_SPAN = re.compile(r"(\d+)-(\d+)")


class Certainty(StrEnum):
    """How sure it is that a level has the benchmark's own parameters."""

    CERTAIN = "certain"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"
    CHOICE = "choice"
    """The benchmark leaves it open; the parameters are ours."""


@dataclass(frozen=True)
class Difficulty:
    """One level of one family in one colour mode."""

    family: str
    colors: str
    """`two` or `four`."""
    name: str
    ranges: Ranges
    capacity: int
    """Settings that the ranges make, as the table says."""
    certainty: Certainty
    evidence: str
    selection: Selection
    """What is taken where there are more settings than the cap."""
    cap: int

    @property
    def id(self) -> str:
        """`<family>:<colours>:<difficulty>`."""
        return f"{self.family}:{self.colors}:{self.name}"

    def selected(self, seed: int) -> Selected:
        """The numbers of the settings taken, and how many there are."""
        return select(self.capacity, self.cap, Stream(seed, "difficulty", self.id), self.selection)

    def settings(self, seed: int) -> list[Parameters]:
        """The settings taken, in enumeration order."""
        family = FAMILIES[self.family]
        alphabet = ALPHABETS[self.colors]
        return [family.nth(alphabet, self.ranges, index) for index in self.selected(seed).indices]


@cache
def all_difficulties() -> tuple[Difficulty, ...]:
    """Every level of the table, in its order.

    Raises:
        ConfigError: the table is damaged.
    """
    import yaml  # 15 ms, and most commands never ask for a difficulty

    text = resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    return tuple(
        read_difficulty(family, colors, name, row)
        for family, by_colors in yaml.safe_load(text).items()
        for colors, by_name in by_colors.items()
        for name, row in by_name.items()
    )


def find_difficulty(
    family: str, colors: str, name: str, *, where: str = "data.difficulty"
) -> Difficulty:
    """The level of that name.

    Args:
        family: as in the table.
        colors: `two` or `four`.
        name: `basic`, `easy`, `medium` or `hard`.
        where: the key that named it, for the message.

    Raises:
        ConfigError: the table has none; the message says what it has.
    """
    wanted = f"{family}:{colors}:{name}"
    levels = {difficulty.id: difficulty for difficulty in all_difficulties()}
    if wanted in levels:
        return levels[wanted]
    of_family = [level for level in levels if level.startswith(f"{family}:")]
    near = get_close_matches(wanted, levels, n=1)
    raise ConfigError(
        "no such difficulty",
        got=wanted,
        expected=", ".join(of_family) or None,
        where=where,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def read_difficulty(family: str, colors: str, name: str, row: Mapping[str, Any]) -> Difficulty:
    """One row of the table.

    Raises:
        ConfigError: a field that is missing or unknown, or a value out of range.
    """
    where = f"{TABLE}: {family}.{colors}.{name}"
    needed, optional = {"ranges", "capacity", "certainty", "evidence"}, {"selection", "cap"}
    if not needed <= set(row) <= needed | optional:
        raise ConfigError(
            "a difficulty has other fields",
            got=", ".join(row),
            expected=f"{', '.join(sorted(needed))}, and perhaps {', '.join(sorted(optional))}",
            where=where,
        )
    known = {field.name for field in fields(Ranges)}
    if colors not in ALPHABETS or not set(row["ranges"]) <= known:
        raise ConfigError(
            "unknown colours or range",
            got=f"{colors}: {', '.join(row['ranges'])}",
            expected=f"{' or '.join(ALPHABETS)}: {', '.join(sorted(known))}",
            where=where,
        )
    return Difficulty(
        family=family,
        colors=colors,
        name=name,
        ranges=Ranges(**{key: _value(value) for key, value in row["ranges"].items()}),
        capacity=row["capacity"],
        certainty=Certainty(row["certainty"]),
        evidence=row["evidence"],
        selection=Selection(row.get("selection", Selection.RANDOM)),
        cap=row.get("cap", CAP),
    )


def _value(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """A value of the table; "a-b" is every whole number from a to b."""
    span = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return range(int(span[1]), int(span[2]) + 1) if span else value
