"""A problem by its id alone: the setting that an id like `contains_substring:two:RBR` names.

Ids are made from parameters and not the other way round, so this looks through what the family enumerates: the levels
of the difficulty table, then the defaults where they are not too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from rlgrok.delta.manufactoria.datasets import find_family
from rlgrok.delta.manufactoria.difficulties import all_difficulties
from rlgrok.delta.manufactoria.dsl import Program
from rlgrok.delta.manufactoria.families import ALPHABETS, Family, Parameters, Ranges
from runtime.errors import ConfigError

_MAX_DEFAULTS = 10_000
"""Settings of the defaults to look through: a quarter of a second."""


def find_setting(problem_id: str, *, where: str) -> tuple[Family, str, Parameters]:
    """Family, colours and parameters of a problem.

    Args:
        problem_id: `<family>:<colours>:<key>`.
        where: what named it, for the message.

    Raises:
        ConfigError: no such problem; the message has the nearest one.
    """
    name, colors, key = [*problem_id.split(":", 2), "", ""][:3]
    family = find_family(name, where=where)
    if colors not in family.colors or not key:
        raise ConfigError(
            "no such problem",
            got=problem_id,
            expected=" or ".join(f"{name}:{each}:..." for each in family.colors),
            where=where,
        )
    keys = set()
    for parameters in _settings(family, colors):
        found = family.key(parameters)
        if found == key:
            return family, colors, parameters
        keys.add(found)
    near = get_close_matches(key, sorted(keys), n=1)
    raise ConfigError(
        "no such problem",
        got=problem_id,
        where=where,
        hint=f"did you mean {name}:{colors}:{near[0]}?" if near else None,
    )


def find_solution(problem_id: str, *, where: str) -> Program:
    """The constructed solution of a problem.

    Raises:
        ConfigError: as `find_setting`.
    """
    family, colors, parameters = find_setting(problem_id, where=where)
    return family.solution(parameters, ALPHABETS[colors])


def _settings(family: Family, colors: str) -> Iterator[Parameters]:
    for level in all_difficulties():
        if (level.family, level.colors) == (family.name, colors):
            yield from family.enumerate(ALPHABETS[colors], level.ranges)
    if family.capacity(ALPHABETS[colors], Ranges()) <= _MAX_DEFAULTS:
        yield from family.enumerate(ALPHABETS[colors], Ranges())
