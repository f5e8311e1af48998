"""The problems that a `data` config names: the one call that turns it into a data set.

Named data sets and records come through the scope's library, families and difficulties through its `build`. What
surprises: a record without parameters has no label function, so nothing says whether it repeats a training problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from rlgrok.config import DataConfig
from rlgrok.delta import SCOPES
from rlgrok.delta.fields import RecordError
from rlgrok.ingredients import CurriculumConfig, CurriculumKind, StageBy
from rlgrok.recordfiles import is_source, read_records
from rlgrok.types import DataSet, Judge, Library, Problem, Scope, TestSource
from runtime.errors import ConfigError, InputError
from runtime.seeding import Stream


def build_problems(data: DataConfig, *, seed: int, training: bool = True) -> tuple[Scope, DataSet]:
    """The scope, and its training and held-out problems.

    Args:
        data: checked.
        seed: root of the draws of problems, tests and the split. A named data set has its own.
        training: whether something must be left to train on; an evaluation takes a set of test problems only.

    Raises:
        ConfigError: a family or a data set that the scope lacks, test problems that repeat training problems, or
            nothing left to train on.
        InputError: a file of records that cannot be used.
    """
    scope = SCOPES[data.scope]
    if data.sets is not None:
        built = _from_sets(data, scope, seed)
        _require_problems(data, built, training=training)
        return scope, built
    return scope, scope.build(
        families=data.families,
        colors=data.colors.value,
        lengths=data.lengths if data.difficulty is None else data.lengths or None,
        difficulty=data.difficulty,
        heldout_share=data.heldout_share,
        max_problems=data.max_problems,
        tests=data.tests,
        seed=seed,
    )


def read_problems(source: str, scope: Scope) -> list[Problem]:
    """The problems of a file, a folder or a hub id of records.

    Raises:
        InputError: something that is no record; the message has its line and field. Two records with the same id.
    """
    problems: dict[str, Problem] = {}
    for place, record in read_records(source):
        try:
            problem = _library(scope).from_record(record)
        except RecordError as error:
            raise InputError(
                "not a record of a problem", got=error.what, where=_at(place, error.field)
            ) from error
        if problem.id in problems:
            raise InputError("a second record with the same id", got=problem.id, where=place)
        problems[problem.id] = problem
    if not problems:
        raise InputError("no records", where=source)
    return list(problems.values())


def find_problems(
    name: str, scope: Scope, *, compat: bool = False
) -> tuple[list[Problem], list[Problem]]:
    """Training and test problems of what one word names; records and levels have no test problems.

    Args:
        name: a data set, a family (all of its levels), a level `<family>:<colours>:<difficulty>`, or a file, a folder
            or a hub id of records.
        scope: of the problems.
        compat: as in the data config.

    Raises:
        ConfigError: an unknown name; the message has the nearest one.
        InputError: records that cannot be used.
    """
    library = _library(scope)
    known = [*library.names(), *scope.families]
    if name not in known and ":" not in name and is_source(name):
        return read_problems(name, scope), []
    if name in scope.families:
        levels = [library.build(level) for level in library.levels(name)]
        return _joined(level.train for level in levels), []
    if name not in known and ":" not in name:
        near = get_close_matches(name, known, n=1)
        raise ConfigError(
            "unknown family or data set",
            got=name,
            expected="see toolkit rl problems",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    built = library.build(name, compat=compat)
    return list(built.train), list(built.heldout)


def without_oracle(problems: Sequence[Problem]) -> int:
    """How many problems have no label function, which leaves all of them without an exhaustive verdict."""
    return sum(not problem.has_oracle for problem in problems)


def require_oracle(judge: Judge, problems: Sequence[Problem]) -> None:
    """Refuse the exhaustive verdict where it does not exist.

    Raises:
        ConfigError: `judge` is exhaustive, and some problem has no label function.
    """
    missing = without_oracle(problems)
    if judge is Judge.EXHAUSTIVE and missing:
        raise ConfigError(
            "no exhaustive verdict of these problems",
            got=f"{missing} of {len(problems)} problems that name no parameters",
            expected=f"judge={Judge.TESTS.value}, or problems of a family",
            where="judge",
        )


def stages_of(
    data: DataConfig, curriculum: CurriculumConfig, problems: Sequence[Problem]
) -> list[list[int]]:
    """The parts that a staged curriculum goes through, as indices into the training problems.

    Args:
        data: that the problems come from.
        curriculum: says what a part is made of.
        problems: to train on.

    Returns:
        The parts that `curriculum.stages` lists; without it sizes from small to large, or families or data sets in the
        order of `data`. None is empty. One part when the curriculum has no stages.

    Raises:
        ConfigError: a problem without a size; a stage without problems, or a problem without a stage.
    """
    if curriculum.kind is not CurriculumKind.STAGES:
        return [list(range(len(problems)))]
    marks = _stage_marks(data, curriculum.by, problems)
    known = _stage_order(data, curriculum.by, marks)
    listed = [[value] for value in known] if curriculum.stages is None else curriculum.stages
    _check_stages(listed, known, curriculum.by)
    return [[index for index, mark in enumerate(marks) if mark in stage] for stage in listed]


def _check_stages(stages: Sequence[Sequence[int | str]], known: Sequence[int | str], by: StageBy) -> None:
    """Every stage has problems, and every problem a stage."""
    expected = f"stages of {', '.join(map(str, known))}"
    for place, stage in enumerate(stages):
        strange = next((value for value in stage if value not in known), None)
        if strange is not None or not stage:
            raise ConfigError(
                f"no training problem of this {by.value}",
                got=str(strange) if stage else "an empty stage",
                expected=expected,
                where=f"curriculum.stages[{place}]",
            )
    left_out = next((value for value in known if not any(value in stage for stage in stages)), None)
    if left_out is not None:
        raise ConfigError(
            f"training problems of this {by.value} are in no stage",
            got=str(left_out),
            expected=expected,
            where="curriculum.stages",
        )


def _stage_marks(data: DataConfig, by: StageBy, problems: Sequence[Problem]) -> list[int | str]:
    """Of each problem its size, its family, or the first data set that holds it."""
    if by is StageBy.FAMILY:
        return [problem.family for problem in problems]
    if by is StageBy.SET:
        homes: dict[str, str] = {}
        for name in data.sets or ():
            for problem in _part(name, data, SCOPES[data.scope], is_test=False):
                homes.setdefault(problem.id, name)
        return [homes[problem.id] for problem in problems]
    unsized = next((problem for problem in problems if not problem.has_oracle), None)
    if unsized is not None:
        raise ConfigError(
            "a record without parameters has no size",
            got=unsized.id,
            expected="curriculum.by=family or set",
            where="curriculum.by",
        )
    return [_library(SCOPES[problem.scope]).size(problem) for problem in problems]


def _stage_order(data: DataConfig, by: StageBy, marks: Sequence[int | str]) -> list[int | str]:
    """The marks that occur, each once, in the order in which they are stages."""
    if by is StageBy.SIZE:
        return sorted(set(marks))  # type: ignore[type-var] - all of them are numbers
    named = data.families if by is StageBy.FAMILY else data.sets
    return [mark for mark in dict.fromkeys([*(named or ()), *marks]) if mark in marks]


def _from_sets(data: DataConfig, scope: Scope, seed: int) -> DataSet:
    """Training problems of `sets`, held-out problems of `test` or a share of the training problems."""
    library = _library(scope)
    train = _joined(_part(name, data, scope, is_test=False) for name in data.sets or ())
    test = _joined(_part(name, data, scope, is_test=True) for name in data.test or ())
    train, test = (_kept(part, data, library) for part in (train, test))
    if data.test is None:
        train = _drawn(train, data.max_problems, Stream(seed, "problems"))
        held = _held_out(train, data.heldout_share, library, seed)
        train, test = [p for p in train if p.id not in held], [p for p in train if p.id in held]
    else:
        train = _drawn(train, data.max_problems, Stream(seed, "problems"))
        test = _drawn(test, data.max_problems, Stream(seed, "problems", "test"))
        # The parts of one set are apart already.
        if not data.compat and {name.partition(":")[0] for name in data.test} != set(
            data.sets or ()
        ):
            _refuse_repeats(train, test, library)
    return DataSet("+".join(data.sets or data.test or ()), tuple(train), tuple(test))


def _part(name: str, data: DataConfig, scope: Scope, *, is_test: bool) -> Sequence[Problem]:
    """The training or the test problems that one word names: all records of a source, or one part of a data set."""
    where = "data.test" if is_test else "data.sets"
    base, _, last = name.rpartition(":")
    count = int(last) if is_test and base and last.isdigit() else None
    name = name if count is None else base
    if is_source(name):
        if data.tests is not TestSource.DELTA:
            raise ConfigError(
                "records have their own tests",
                got=f"data.tests={data.tests}",
                expected="data.tests=delta",
                where="data.tests",
            )
        problems: Sequence[Problem] = read_problems(name, scope)
    else:
        built = _library(scope).build(name, compat=data.compat, tests=data.tests)
        problems = built.heldout or built.train if is_test else built.train  # a level has one part
    if count is None:
        return problems
    if not 1 <= count <= len(problems):
        raise ConfigError(
            "there are fewer test problems",
            got=f"{name}:{count}",
            expected=f"{name}:1 to {name}:{len(problems)}",
            where=where,
        )
    return problems[-count:]


def _joined(parts: Iterable[Sequence[Problem]]) -> list[Problem]:
    """All of them, one that is in several parts once.

    Raises:
        InputError: two different problems with one id.
    """
    joined: dict[str, Problem] = {}
    for part in parts:
        for problem in part:
            if joined.setdefault(problem.id, problem).tests != problem.tests:
                raise InputError("two problems have the same id and other tests", got=problem.id)
    return list(joined.values())


def _kept(problems: Sequence[Problem], data: DataConfig, library: Library) -> list[Problem]:
    """Those of the families and sizes asked for."""
    kept = [p for p in problems if not data.families or p.family in data.families]
    if not data.lengths:
        return kept
    for problem in kept:
        if not problem.has_oracle:
            raise ConfigError(
                "a record without parameters has no size",
                got=f"data.lengths={data.lengths} with {problem.id}",
                expected="data.lengths=[]",
                where="data.lengths",
            )
    return [problem for problem in kept if library.size(problem) in data.lengths]


def _drawn(problems: list[Problem], count: int | None, stream: Stream) -> list[Problem]:
    """At most so many, in their order."""
    if count is None or count >= len(problems):
        return problems
    return [problems[index] for index in sorted(stream.pick(range(len(problems)), count))]


def _held_out(problems: Sequence[Problem], share: float, library: Library, seed: int) -> set[str]:
    """Ids of a share of every family and size, rounded to the nearest whole problem."""
    strata: dict[tuple[str, int], list[str]] = defaultdict(list)
    for problem in problems:
        size = library.size(problem) if problem.has_oracle else 0
        strata[(problem.family, size)].append(problem.id)
    held: set[str] = set()
    for (family, size), ids in strata.items():
        count = int(share * len(ids) + 0.5)
        held.update(Stream(seed, "split", family, size).pick(ids, count))
    return held


def _refuse_repeats(train: Sequence[Problem], test: Sequence[Problem], library: Library) -> None:
    """Refuse a test problem that is a training problem, or asks for the same function.

    Raises:
        ConfigError: says how many, and names one pair.
    """
    both = [[p for p in part if p.has_oracle] for part in (train, test)]
    marks = library.fingerprints([*both[0], *both[1]])
    known = {problem.id: problem.id for problem in train}
    of_mark = dict(zip(marks, [p.id for p in both[0]], strict=False))
    repeats = {
        problem.id: of_mark[mark]
        for problem, mark in zip(both[1], marks[len(both[0]) :], strict=True)
        if mark in of_mark
    }
    repeats |= {problem.id: known[problem.id] for problem in test if problem.id in known}
    if repeats:
        first, other = next(iter(repeats.items()))
        raise ConfigError(
            "test problems repeat training problems",
            got=f"{len(repeats)} of {len(test)}, such as {first} and {other}",
            where="data.test",
            hint="leave one of the data sets out, or allow it with data.compat=true",
        )


def _require_problems(data: DataConfig, built: DataSet, *, training: bool) -> None:
    """Refuse an empty data set, and one whose colours the config does not know of."""
    if not built.train and (training or not built.heldout):
        only = "test problems only" if built.heldout else "no problem at all"
        raise ConfigError(
            "no problem is left to train on" if training else "no problem is left",
            got=f"{only} in {', '.join((*(data.sets or ()), *(data.test or ())))}",
            where="data.sets",
            hint="data.families and data.lengths say what is kept" if not built.heldout else None,
        )
    if data.colors.value == "two" and any(
        problem.colors == "four" for problem in (*built.train, *built.heldout)
    ):
        raise ConfigError(
            "the problems have four colours", got="two", expected="four", where="data.colors"
        )


def _library(scope: Scope) -> Library:
    if scope.library is None:
        raise ConfigError("the scope has no named data sets", got=scope.name, where="data.sets")
    return scope.library


def _at(place: str, field: str) -> str:
    return f"{place}, {field}" if field else place
