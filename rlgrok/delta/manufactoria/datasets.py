"""Problems and data sets: pure functions of families, colours, ranges and one root seed.

A problem's tests come from a stream named by the seed, the kind of tests and the problem's id, so they do not depend
on which other problems are built. The held-out share is drawn within each (family, size), so that train and held-out
problems are equally hard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches

from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.families import (
    ALPHABETS,
    DEFAULT_RANGES,
    FAMILIES,
    Family,
    FamilyKind,
    Parameters,
    Ranges,
)
from rlgrok.delta.manufactoria.generator import delta_tests
from rlgrok.delta.manufactoria.ladder import ladder_tests
from rlgrok.delta.manufactoria.mutants import NoLadderError
from rlgrok.delta.manufactoria.selection import select
from rlgrok.types import DataSet, Problem, TestCase, TestSource
from runtime.errors import ConfigError
from runtime.seeding import Stream

SCOPE_NAME = "manufactoria"
MAX_PROBLEMS = 20_000
"""More than any published data set; beyond it a request is a mistake or needs `max_problems`."""
_TWO_COLORS_ONLY = "The input tape holds only red (R) and blue (B) symbols."


def build(
    families: Sequence[str],
    colors: str,
    lengths: Sequence[int] | None = None,
    *,
    ranges: Ranges = DEFAULT_RANGES,
    difficulty: str | None = None,
    heldout_share: float = 0.0,
    max_problems: int | None = None,
    tests: TestSource | str = TestSource.DELTA,
    seed: int = 0,
) -> DataSet:
    """Every problem of some families, split into train and held-out.

    Args:
        families: by name, without repeats.
        colors: `two` or `four`.
        lengths: sequence lengths to enumerate, in symbols. None: those of the ranges.
        ranges: everything else that is enumerated; a family reads its own part of it.
        difficulty: a level of every family's own table instead of the ranges; lengths then say which sizes to keep.
        heldout_share: of each (family, size), rounded to the nearest whole problem, in [0, 1).
        max_problems: take at most this many of all, drawn from the seed before the split. None: all.
        tests: the benchmark's own or ladder tests.
        seed: root of every draw.

    Returns:
        Both parts in enumeration order.

    Raises:
        ConfigError: an unknown or repeated family, colours that are unknown or that a family is not defined for, an
            empty range, a share out of range, too many problems, no such difficulty, ladder tests for a transformation
            family, or nothing left to train on.
    """
    chosen = [find_family(name) for name in families]
    if len(set(families)) != len(families) or not families:
        raise ConfigError(
            "families must be named once each", got=list(families), where="data.families"
        )
    for family in chosen:
        if colors in ALPHABETS and colors not in family.colors:
            raise ConfigError(
                f"{family.name} is not defined for these colours",
                got=colors,
                expected=" or ".join(family.colors),
                where="data.colors",
            )
    alphabet = _alphabet(colors)
    if difficulty is not None:
        settings = _level(chosen, colors, difficulty, lengths, max_problems, seed)
        name = "-".join(("+".join(families), colors, difficulty))
    else:
        ranges = ranges if lengths is None else ranges.changed(lengths=lengths)
        settings = _settings(chosen, alphabet, ranges, max_problems, seed)
        name = _name(chosen, colors, ranges)
    held = _heldout(settings, colors, heldout_share, seed)
    if len(held) == len(settings):
        raise ConfigError(
            "no problem is left to train on",
            got=f"{len(settings)} problems, all held out",
            where="data.heldout_share",
        )
    problems = [
        make_problem(
            family,
            parameters,
            colors,
            difficulty=difficulty or "",
            tests=TestSource(tests),
            seed=seed,
        )
        for family, parameters in settings
    ]
    return DataSet(
        name=name,
        train=tuple(problem for problem in problems if problem.id not in held),
        heldout=tuple(problem for problem in problems if problem.id in held),
    )


def make_problem(
    family: Family,
    parameters: Parameters,
    colors: str,
    *,
    difficulty: str = "",
    tests: TestSource = TestSource.DELTA,
    seed: int = 0,
) -> Problem:
    """One problem with its tests; they do not depend on the difficulty it is listed under.

    Raises:
        ConfigError: ladder tests for a family that has none.
    """
    criteria = family.criteria(parameters)
    return Problem(
        id=problem_id(family, parameters, colors),
        scope=SCOPE_NAME,
        family=family.name,
        name=family.title(parameters),
        criteria=f"{criteria} {_TWO_COLORS_ONLY}" if colors == "two" else criteria,
        colors=colors,
        parameters=dict(parameters),
        tests=_tests(family, parameters, colors, tests, seed),
        difficulty=difficulty,
        available_nodes=family.available_nodes(colors),
    )


def problem_id(family: Family, parameters: Parameters, colors: str) -> str:
    """`<family>:<colours>:<key>`."""
    return f"{family.name}:{colors}:{family.key(parameters)}"


def find_family(name: str, *, where: str = "data.families") -> Family:
    """The family of that name.

    Args:
        name: as in `FAMILIES`.
        where: the key that named it, for the message.

    Raises:
        ConfigError: there is none; the message has the nearest name.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    near = get_close_matches(name, FAMILIES, n=1)
    raise ConfigError(
        "unknown family",
        got=name,
        expected=", ".join(FAMILIES),
        where=where,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _alphabet(colors: str) -> str:
    if colors not in ALPHABETS:
        raise ConfigError(
            "unknown colours", got=colors, expected=" or ".join(ALPHABETS), where="data.colors"
        )
    return ALPHABETS[colors]


def _name(families: Sequence[Family], colors: str, ranges: Ranges) -> str:
    """Families, colours, and the shortest and longest sequence where some family has one."""
    parts = ["+".join(family.name for family in families), colors]
    if any("lengths" in family.enumerates for family in families):
        parts += [str(min(ranges.lengths)), str(max(ranges.lengths))]
    return "-".join(parts)


def _settings(
    families: Sequence[Family],
    alphabet: str,
    ranges: Ranges,
    max_problems: int | None,
    seed: int,
) -> list[tuple[Family, Parameters]]:
    """Family and parameters of every problem, in enumeration order."""
    capacities = [family.capacity(alphabet, ranges) for family in families]
    total = sum(capacities)
    if (total if max_problems is None else min(total, max_problems)) > MAX_PROBLEMS:
        read = dict.fromkeys(name for family in families for name in family.enumerates)
        raise ConfigError(
            "too many problems",
            got=f"{total}",
            expected=f"at most {MAX_PROBLEMS}",
            where=", ".join(f"data.{name}" for name in read),
            hint="set data.max_problems",
        )
    settings = []
    for index in select(total, max_problems, Stream(seed, "problems")).indices:
        family_index = 0
        while index >= capacities[family_index]:
            index -= capacities[family_index]
            family_index += 1
        family = families[family_index]
        settings.append((family, family.nth(alphabet, ranges, index)))
    return settings


def _level(
    families: Sequence[Family],
    colors: str,
    difficulty: str,
    sizes: Sequence[int] | None,
    max_problems: int | None,
    seed: int,
) -> list[tuple[Family, Parameters]]:
    """Family and parameters of every problem of a level, in enumeration order.

    Raises:
        ConfigError: a family has no such level, or nothing of it has a size asked for.
    """
    settings = [
        (family, parameters)
        for family in families
        for parameters in find_difficulty(family.name, colors, difficulty).settings(seed)
        if not sizes or family.size(parameters) in sizes
    ]
    if not settings:
        raise ConfigError(
            "no problem has one of these sizes",
            got=list(sizes or ()),
            expected="data.lengths=[] for all of them",
            where="data.lengths",
        )
    chosen = select(len(settings), max_problems, Stream(seed, "problems"))
    return [settings[index] for index in chosen.indices]


def _heldout(
    settings: Sequence[tuple[Family, Parameters]], colors: str, share: float, seed: int
) -> set[str]:
    """Ids of the held-out problems: the same share of every (family, size)."""
    if not 0.0 <= share < 1.0:
        raise ConfigError(
            "share out of range", got=share, expected="[0, 1)", where="data.heldout_share"
        )
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for family, parameters in settings:
        stratum = (family.name, family.size(parameters))
        strata[stratum].append(problem_id(family, parameters, colors))
    held: set[str] = set()
    for (name, size), ids in strata.items():
        count = int(share * len(ids) + 0.5)
        held.update(Stream(seed, "split", name, colors, size).pick(ids, count))
    return held


def _tests(
    family: Family, parameters: Parameters, colors: str, source: TestSource, seed: int
) -> tuple[TestCase, ...]:
    alphabet = ALPHABETS[colors]
    stream = Stream(seed, "tests", str(source), problem_id(family, parameters, colors))
    if source is TestSource.DELTA:
        return delta_tests(family, parameters, alphabet, stream)
    if family.kind is FamilyKind.TRANSFORM:
        raise ConfigError(
            "ladder tests exist only for families that accept or reject",
            got=family.name,
            expected="data.tests=delta",
            where="data.tests",
        )
    try:
        return ladder_tests(family, parameters, alphabet, stream)
    except NoLadderError as error:
        raise ConfigError(
            f"there are no ladder tests for this problem: {error}",
            got=problem_id(family, parameters, colors),
            expected="data.tests=delta",
            where="data.tests",
        ) from error
