"""Problems and data sets: pure functions of types, levels, numbers and one root seed.

A problem is named by its scene, `B_2_1`: type, level, number. Test scenes of a named set have numbers from 1001 on.
Where no candidate of a scene is accepted the scene is left out, and `missing` says how many were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import resources

from rlgrok.delta.bouncingsim.assertions import Setting
from rlgrok.delta.bouncingsim.families import (
    LEVELS,
    PAIRS,
    PERIODIC,
    SINGLES,
    WITH_H,
    check_type,
    type_name,
)
from rlgrok.delta.bouncingsim.tasks import make_problem
from rlgrok.delta.bouncingsim.truth import require_engine
from rlgrok.types import DataSet, Problem, TestSource
from runtime.errors import ConfigError
from runtime.seeding import Stream

TABLE = "sets.yaml"
SMALL = "-small"
FAMILIES: Mapping[str, str] = {
    **{letters: type_name(letters) for letters in (*SINGLES, *PERIODIC, *PAIRS, *WITH_H)},
    **{f"{one}{SMALL}": f"{type_name(one)} in smaller containers" for one in (*SINGLES, *PAIRS)},
}
"""The types that are listed; any other combination of letters can be asked for, too."""
FIRST_TEST = 1001
SCENES_A_LEVEL = 20
"""Of a type and a level that are asked for by name."""
MAX_ATTEMPTS = 120
"""Fewer than a scene alone is given: a data set leaves out what is that rare."""


@dataclass(frozen=True)
class Part:
    """The training or the test scenes of a named set."""

    types: tuple[str, ...]
    levels: tuple[int, ...]
    count: int
    """Of each type and level."""

    @property
    def size(self) -> int:
        """Scenes, if none is missing."""
        return len(self.types) * len(self.levels) * self.count


@dataclass(frozen=True)
class NamedSet:
    """The definition of a data set."""

    name: str
    about: str
    train: Part
    test: Part | None
    seed: int


@cache
def named_sets() -> Mapping[str, NamedSet]:
    """Every data set by name, in the order of the file."""
    import yaml  # 15 ms, and most commands never ask for a data set

    content = yaml.safe_load(
        resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    )
    return {
        name: NamedSet(
            name, given["about"], _part(given["train"]), _part(given["test"]), content["seed"]
        )
        for name, given in content["sets"].items()
    }


def root_seed() -> int:
    """The seed of every named data set."""
    return next(iter(named_sets().values())).seed


def levels_of(family: str) -> list[str]:
    """The levels of a type, by name."""
    return [f"{family}:{level}" for level in LEVELS]


def find_set(name: str, *, where: str = "data.sets") -> NamedSet:
    """The definition of that name: of a data set, of a type, or of a level `B:hard`.

    Raises:
        ConfigError: there is none; the message has the nearest name.
    """
    known = named_sets()
    if name in known:
        return known[name]
    family, _, level = name.partition(":")
    letters = family.removesuffix(SMALL)
    if letters and set(letters) <= set("ABCDFGHI") and (not level or level in LEVELS):
        check_type(letters)
        levels = (LEVELS.index(level),) if level else tuple(range(len(LEVELS)))
        part = Part((family,), levels, SCENES_A_LEVEL)
        return NamedSet(name, f"{family} {level}".strip(), part, None, root_seed())
    near = get_close_matches(name, [*known, *FAMILIES, *levels_of(family)], n=1)
    raise ConfigError(
        "unknown data set",
        got=name,
        expected="see toolkit rl problems --scope bouncingsim",
        where=where,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def build_named(
    name: str, *, compat: bool = False, tests: TestSource | str = TestSource.DELTA
) -> DataSet:
    """A named data set, both parts.

    Args:
        name: as for `find_set`.
        compat: the reference's paths and periods.
        tests: the benchmark's own; there are no others.

    Raises:
        ConfigError: an unknown name, other tests, or no physics engine.
    """
    _refuse_other_tests(tests)
    found = find_set(name)
    train = _scenes(found.train, 1)
    test = _scenes(found.test, FIRST_TEST) if found.test is not None else []
    return DataSet(
        name,
        tuple(_problems(train, found.seed, compat)),
        tuple(_problems(test, found.seed, compat)),
    )


def build(
    families: Sequence[str],
    colors: str,
    lengths: Sequence[int] | None = None,
    *,
    difficulty: str | None = None,
    heldout_share: float = 0.0,
    max_problems: int | None = None,
    tests: TestSource | str = TestSource.DELTA,
    seed: int = 0,
) -> DataSet:
    """Scenes of some types at one level, or at all, split into train and held-out.

    Args:
        families: types, such as `B` or `AB-small`.
        colors: of no meaning here.
        lengths: levels, 1 for basic to 5 for extreme, where `difficulty` is None; none: all.
        difficulty: a level by name.
        heldout_share: of the scenes of each type and level.
        max_problems: take at most so many, drawn; only these are made.
        tests: the benchmark's own; there are no others.
        seed: root of everything.

    Raises:
        ConfigError: an unknown type or level, other tests, or no physics engine.
    """
    _refuse_other_tests(tests)
    if difficulty is not None and difficulty not in LEVELS:
        raise ConfigError(
            "unknown level", got=difficulty, expected=", ".join(LEVELS), where="data.difficulty"
        )
    levels: Sequence[int] = range(len(LEVELS))
    if difficulty is not None:
        levels = [LEVELS.index(difficulty)]
    elif lengths:
        levels = [length - 1 for length in lengths if 1 <= length <= len(LEVELS)]
    types = tuple(find_set(name, where="data.families").train.types[0] for name in families)
    names = _scenes(Part(types, tuple(levels), SCENES_A_LEVEL), 1)
    if max_problems is not None and max_problems < len(names):
        chosen = Stream(seed, "problems").pick(range(len(names)), max_problems)
        names = [names[place] for place in sorted(chosen)]
    problems = _problems(names, seed, False)
    held: set[str] = set()
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for problem in problems:
        strata[(problem.family, problem.difficulty)].append(problem.id)
    for (family, level), ids in strata.items():
        count = int(heldout_share * len(ids) + 0.5)
        held.update(Stream(seed, "split", family, level).pick(ids, count))
    return DataSet(
        f"{'+'.join(families)}:{difficulty or 'all'}",
        tuple(problem for problem in problems if problem.id not in held),
        tuple(problem for problem in problems if problem.id in held),
    )


def find_problem(scene_id: str, *, where: str = "--show") -> Problem:
    """The problem of a scene id, such as `B_2_1`, of the named sets' seed.

    Raises:
        ConfigError: no such id, or no candidate is accepted.
    """
    parts = scene_id.split("_")
    if (
        len(parts) == 3
        and parts[1].isdigit()
        and parts[2].isdigit()
        and int(parts[1]) < len(LEVELS)
    ):
        find_set(parts[0], where=where)
        made = scene_problem((parts[0], int(parts[1]), int(parts[2])), root_seed(), False)
        if made is not None:
            return made
        raise ConfigError("no candidate of this scene is accepted", got=scene_id, where=where)
    raise ConfigError(
        "no such scene", got=scene_id, expected="TYPE_LEVEL_NUMBER, such as B_2_1", where=where
    )


def _part(given: Mapping[str, object]) -> Part:
    return Part(tuple(given["types"]), tuple(given["levels"]), int(given["count"]))  # type: ignore[arg-type, call-overload]


def _scenes(part: Part, first: int) -> list[tuple[str, int, int]]:
    return [
        (family, level, first + place)
        for family in part.types
        for level in part.levels
        for place in range(part.count)
    ]


def _problems(names: Sequence[tuple[str, int, int]], seed: int, compat: bool) -> list[Problem]:
    made = [scene_problem(name, seed, compat) for name in names]
    return [problem for problem in made if problem is not None]


@lru_cache(maxsize=4096)
def scene_problem(name: tuple[str, int, int], seed: int, compat: bool) -> Problem | None:
    """The problem of one scene; None where no candidate is accepted."""
    require_engine()
    from rlgrok.delta.bouncingsim.generator import SceneName, make_scene  # loads the engine

    family, level, index = name
    letters = family.removesuffix(SMALL)
    scene_name = SceneName(
        letters, level, index, small=family.endswith(SMALL), compat=compat, seed=seed
    )
    made = make_scene(scene_name, max_attempts=MAX_ATTEMPTS)
    if made.scene is None:
        return None
    return make_problem(scene_name.id, made.scene, setting=Setting.FUNCTION)


def _refuse_other_tests(tests: TestSource | str) -> None:
    if tests != TestSource.DELTA:
        raise ConfigError(
            "these problems have the benchmark's own tests only",
            got=f"data.tests={tests}",
            expected="data.tests=delta",
            where="data.tests",
        )
