"""What a family enumerates: one frozen record for all of them, with the benchmark's defaults (section 5.2).

A family reads the fields it names in `Family.enumerates` and no others. A difficulty is a change of some fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from runtime.errors import ConfigError

REGEX_OPERATORS = ("+", "?", "*")
OPERATIONS = ("add", "subtract", "and", "or", "xor", "not", "floor_div")
EXTREMA = ("max", "min")


class Mutations(StrEnum):
    """What prepend_sequence may do to the tape before it puts the sequence in front: its three tiers."""

    NONE = "none"
    """Nothing."""
    SYMBOLS = "symbols"
    """Remove a colour, swap red and blue, or put a pattern for every symbol of one colour."""
    PATTERNS = "patterns"
    """Put a pattern of up to two symbols for every occurrence of a pattern of two."""


@dataclass(frozen=True)
class Ranges:
    """The values that parameters take. Lists are kept as tuples; their order is the enumeration order.

    Raises:
        ConfigError: a value out of range, an unknown name, or an empty list.
    """

    lengths: Sequence[int] = (1, 2, 3, 4, 5, 6)
    """Sequence lengths, in symbols; enumerated in increasing order, each once."""
    counts: Sequence[int] = tuple(range(1, 12))
    """contains_count: how many symbols are required in all."""
    thresholds: Sequence[int] = tuple(range(1, 257))
    """numerical_comparison: what the tape is compared with."""
    regex_parts: int = 2
    """regex_pattern: parts in a row."""
    regex_lengths: Sequence[int] = (1, 2, 3)
    """regex_pattern: symbols in a part's base."""
    regex_operators: Sequence[str] = REGEX_OPERATORS
    """regex_pattern: what may follow a base."""
    operations: Sequence[str] = OPERATIONS
    """numerical_operations: what is done to the number."""
    operands: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 7, 15, 31, 63, 127)
    """numerical_operations: second operands of all but `not` and `floor_div`."""
    max_shift: int = 7
    """numerical_operations: `floor_div` divides by 2 to the power 1 up to this."""
    extrema: Sequence[str] = EXTREMA
    """numerical_max_min: which of the two."""
    extremum_operands: Sequence[int] = tuple(range(1, 257))
    """numerical_max_min: what the tape's number is compared with."""
    mutations: Mutations = Mutations.SYMBOLS
    """prepend_sequence: the tier."""
    repeated_mutations: bool = False
    """prepend_sequence: list the tier's mutations as the reference does, repeats and identities included (G5)."""

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            values = getattr(self, name)
            numbers = values if isinstance(values, Sequence) else (values,)
            if not numbers or min(numbers) < low:
                raise ConfigError(
                    f"no {_WORDS[name]}, or one below {low}",
                    got=list(numbers),
                    where=f"data.{name}",
                )
        for name, known in _NAMES.items():
            values = getattr(self, name)
            if not values or not set(values) <= set(known):
                raise ConfigError(
                    f"unknown {name}, or none",
                    got=list(values),
                    expected=", ".join(known),
                    where=f"data.{name}",
                )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, field.name, tuple(value))
        if self.mutations not in tuple(Mutations):
            raise ConfigError(
                "unknown mutations",
                got=str(self.mutations),
                expected=", ".join(Mutations),
                where="data.mutations",
            )
        object.__setattr__(self, "mutations", Mutations(self.mutations))

    def changed(self, **values: Any) -> Ranges:  # noqa: ANN401 - fields of several types
        """The same with some fields changed.

        Raises:
            ConfigError: as the constructor.
        """
        return replace(self, **values)


_LOWEST: Mapping[str, int] = {
    "lengths": 1,
    "counts": 1,
    "thresholds": 0,
    "regex_parts": 1,
    "regex_lengths": 1,
    "operands": 0,
    "max_shift": 1,
    "extremum_operands": 0,
}
_WORDS: Mapping[str, str] = {
    "lengths": "sequence length",
    "counts": "number of required symbols",
    "thresholds": "threshold",
    "regex_parts": "number of parts",
    "regex_lengths": "base length",
    "operands": "operand",
    "max_shift": "shift",
    "extremum_operands": "operand",
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "regex_operators": REGEX_OPERATORS,
    "operations": OPERATIONS,
    "extrema": EXTREMA,
}
DEFAULT_RANGES = Ranges()
