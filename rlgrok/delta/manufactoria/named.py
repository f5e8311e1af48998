"""The named data sets: pure functions of `named.yaml`, drawn from its one seed and split by behaviour.

The counts are the published ones; the problems are our own draws, because the reference's were never seeded. No test
problem asks for the same function as a training problem (`behaviours.py`): problems that do stay together, on either
side. `compat` asks for the reference's way instead: repeats of an enumeration stay in, and the split looks at nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from rlgrok.delta.manufactoria.behaviours import Setting, fingerprints
from rlgrok.delta.manufactoria.datasets import find_family, make_problem
from rlgrok.delta.manufactoria.difficulties import find_difficulty
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.types import DataSet, Problem, TestSource
from runtime.errors import ConfigError
from runtime.seeding import Stream

TABLE = "named.yaml"


@dataclass(frozen=True)
class Row:
    """So many problems of one family and difficulty."""

    family: str
    difficulty: str
    colors: str
    count: int


@dataclass(frozen=True)
class NamedSet:
    """The definition of a data set."""

    name: str
    about: str
    rows: tuple[Row, ...]
    train_share: Fraction
    """Of the problems drawn; rounded down to a whole problem."""
    apart_from: tuple[str, ...]
    """Sets whose problems are not drawn, nor any that ask for the same function."""
    published: tuple[int, int] | None
    """Training and test problems on the hub; None: not published."""
    seed: int

    @property
    def families(self) -> tuple[str, ...]:
        """Each once, in the order of the rows."""
        return tuple(dict.fromkeys(row.family for row in self.rows))

    @property
    def colors(self) -> str:
        """The larger alphabet, where the rows have both."""
        return max((row.colors for row in self.rows), key=lambda name: len(ALPHABETS[name]))


@cache
def named_sets() -> Mapping[str, NamedSet]:
    """Every data set by name, in the order of the file."""
    import yaml  # 15 ms, and most commands never ask for a data set

    text = resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    return {
        name: NamedSet(
            name=name,
            about=given["about"],
            rows=tuple(Row(**row) for row in given["from"]),
            train_share=Fraction(str(given["train_share"])),
            apart_from=tuple(given.get("apart_from", ())),
            published=tuple(given["published"]) if given["published"] else None,
            seed=content["seed"],
        )
        for name, given in content["sets"].items()
    }


def root_seed() -> int:
    """The seed of every named data set."""
    return next(iter(named_sets().values())).seed


def find_set(name: str, *, where: str = "data.sets") -> NamedSet:
    """The definition of that name.

    Args:
        name: of a data set, or `<family>:<colours>:<difficulty>`: a whole level, all of it for training.
        where: the key that named it, for the message.

    Raises:
        ConfigError: there is none; the message has the nearest name.
    """
    known = named_sets()
    if name in known:
        return known[name]
    if name.count(":") == 2:
        return _level(*name.split(":"), where=where)
    near = get_close_matches(name, known, n=1)
    raise ConfigError(
        "unknown data set",
        got=name,
        expected=", ".join(known),
        where=where,
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _level(family: str, colors: str, difficulty: str, *, where: str) -> NamedSet:
    level = find_difficulty(find_family(family, where=where).name, colors, difficulty, where=where)
    return NamedSet(
        name=level.id,
        about=level.evidence,
        rows=(Row(family, difficulty, colors, level.cap),),
        train_share=Fraction(1),
        apart_from=(),
        published=None,
        seed=root_seed(),
    )


@lru_cache(maxsize=32)
def build_named(
    name: str, *, compat: bool = False, tests: TestSource = TestSource.DELTA
) -> DataSet:
    """The problems of a named data set, each part in the order in which it was drawn.

    Args:
        name: as for `find_set`.
        compat: as the reference splits, whatever the problems ask for; a problem may then be in both parts.
        tests: the benchmark's own, or ladder tests.

    Raises:
        ConfigError: an unknown name, or ladder tests for a family that has none.
    """
    seed = find_set(name).seed
    train, heldout = split(name, compat=compat)
    return DataSet(
        name=name,
        train=tuple(_problem(drawn, tests, seed) for drawn in train),
        heldout=tuple(_problem(drawn, tests, seed) for drawn in heldout),
    )


def sizes(name: str) -> tuple[int, int]:
    """Training and test problems of a named data set, counted without building it.

    Raises:
        ConfigError: an unknown name.
    """
    definition = find_set(name)
    total = sum(
        min(row.count, len(_candidates(row, definition, compat=False))) for row in definition.rows
    )
    num_train = int(definition.train_share * total)
    return num_train, total - num_train


class Drawn(NamedTuple):
    """A problem before it has tests, and the difficulty it was drawn at."""

    setting: Setting
    difficulty: str

    @property
    def id(self) -> str:
        """Of the problem."""
        return self.setting.id


@lru_cache(maxsize=64)
def split(name: str, *, compat: bool = False) -> tuple[tuple[Drawn, ...], tuple[Drawn, ...]]:
    """Training and test problems of a named data set, without their tests.

    Raises:
        ConfigError: an unknown name.
    """
    definition = find_set(name)
    pool = _pool(definition, compat=compat)
    num_train = int(definition.train_share * len(pool))  # rounded down, as in the reference
    shuffled = Stream(definition.seed, "data set", name, "split").shuffled(pool)
    if compat:
        return _distinct(shuffled[:num_train]), _distinct(shuffled[num_train:])
    if num_train in (0, len(pool)):
        return tuple(shuffled[:num_train]), tuple(shuffled[num_train:])
    heldout = _apart(shuffled, len(pool) - num_train)
    ids = {drawn.id for drawn in heldout}
    return tuple(drawn for drawn in shuffled if drawn.id not in ids), heldout


def _pool(definition: NamedSet, *, compat: bool) -> list[Drawn]:
    """The problems of every row: as many as asked for, or all that there are."""
    queues = [_candidates(row, definition, compat=compat) for row in definition.rows]
    forbidden = _settings_of(definition.apart_from)
    while True:
        pool = [
            drawn
            for row, queue in zip(definition.rows, queues, strict=True)
            for drawn in queue[: row.count]
        ]
        repeated = _asked_for_by(forbidden, pool)
        if not repeated:
            return pool
        queues = [[drawn for drawn in queue if drawn.id not in repeated] for queue in queues]


def _candidates(row: Row, definition: NamedSet, *, compat: bool) -> list[Drawn]:
    """The settings of a row's level, in random order."""
    level = find_difficulty(row.family, row.colors, row.difficulty)
    family = FAMILIES[row.family]
    if compat:
        ranges = level.ranges.changed(repeated_mutations=True)
        capacity = family.capacity(ALPHABETS[row.colors], ranges)
        level = replace(level, ranges=ranges, capacity=capacity)
    found: Sequence[Drawn] = [
        Drawn(Setting(family, parameters, row.colors), row.difficulty)
        for parameters in level.settings(definition.seed)
    ]
    stream = Stream(definition.seed, "data set", definition.name, row.family, row.difficulty)
    return stream.shuffled(found if compat else _distinct(found))


def _distinct(drawn: Iterable[Drawn]) -> tuple[Drawn, ...]:
    """Without repeats, of parameters or of wording: the first of each stays."""
    known: set[str] = set()
    kept = []
    for one in drawn:
        words = f"{one.setting.colors} {one.setting.family.criteria(one.setting.parameters)}"
        if not {one.id, words} & known:
            kept.append(one)
        known |= {one.id, words}
    return tuple(kept)


def _asked_for_by(forbidden: Sequence[Setting], pool: Sequence[Drawn]) -> set[str]:
    """Ids of the problems that ask for a function that a forbidden one asks for."""
    if not forbidden:
        return set()
    marks = fingerprints([*forbidden, *(drawn.setting for drawn in pool)])
    known = set(marks[: len(forbidden)])
    own = zip(pool, marks[len(forbidden) :], strict=True)
    return {drawn.id for drawn, mark in own if mark in known}


def _apart(shuffled: Sequence[Drawn], count: int) -> tuple[Drawn, ...]:
    """So many problems to hold out, those that ask for the same function all or none of them.

    Taken in the given order; one with too many equals to fit any more is passed over.
    """
    groups: dict[bytes, list[Drawn]] = defaultdict(list)
    marks = fingerprints([drawn.setting for drawn in shuffled])
    for drawn, mark in zip(shuffled, marks, strict=True):
        groups[mark].append(drawn)
    held: list[Drawn] = []
    for group in groups.values():  # in the order of their first members
        if len(held) + len(group) <= count:
            held += group
    return tuple(held)


def _settings_of(names: Sequence[str]) -> list[Setting]:
    """Every problem of some sets, both parts."""
    return [drawn.setting for name in names for part in split(name) for drawn in part]


def _problem(drawn: Drawn, tests: TestSource, seed: int) -> Problem:
    family, parameters, colors = drawn.setting
    return make_problem(
        family, parameters, colors, difficulty=drawn.difficulty, tests=tests, seed=seed
    )
