"""`toolkit rl audit`: what the tests of problems pay for trivial programs, and how often they are fooled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import complete_audit, complete_scope
from cli.problems import BOUNCINGSIM, MANUFACTORIA, find_scope
from runtime.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rlgrok.delta.manufactoria.audit import FalsePassCount, FamilyTests, TrivialEarnings
    from rlgrok.types import Problem, Scope

COMMAND = "rl audit"
EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl audit` looks at every named data set\n"
    "- `toolkit rl audit has regex`, or any data config: `toolkit rl audit data=contains_ordered`\n"
    '- `toolkit rl audit has --programs drawn.jsonl` judges your programs, one `{"id": ..., "dsl": ...}` a line\n'
    "- `toolkit rl audit mutate --out audit.json` keeps every number\n"
    "- `toolkit rl audit --scope bouncingsim singles`: what static, free-flying and disc-shaped guesses earn\n\n"
    "A false pass is a program that passes every test of a problem and is wrong on another short tape. Without "
    "`--programs` they are looked for among near misses: solutions with one or two wrong edges."
)
SHOWN = ("accept all", "reject all", "drain")
"""Programs with a column of their own; the best of the others stands beside them."""


def audit(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAMES|OVERRIDES",
            help="Data sets, families, levels or records by name; or overrides of the data config.",
            autocompletion=complete_audit,
        ),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(help="Which part of the benchmark.", autocompletion=complete_scope),
    ] = MANUFACTORIA,
    programs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Programs to look for false passes among, one JSON object a line: `id` of the problem, `dsl` (of "
            "BouncingSim: `program`).",
        ),
    ] = None,
    num_problems: Annotated[
        int, typer.Option(min=0, help="Problems of each family whose near misses are tried.")
    ] = 20,
    num_mutants: Annotated[
        int, typer.Option(min=1, help="Draws a problem with one wrong edge, and with two.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of these draws.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every number as JSON.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No tables, only errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Say what trivial programs earn, dense and binary, and what share of full passes is false, by family."""
    from dataclasses import asdict

    from cli import output
    from rlgrok.delta.manufactoria import audit as judged
    from runtime.storage import atomic_write_json

    chosen = chosen_problems(words or [], find_scope(scope))
    if scope == BOUNCINGSIM:
        from cli.scenes import audit_scenes

        pairs = None if programs is None else read_programs(programs, chosen, "program")
        found = audit_scenes(chosen, pairs, quiet=quiet)
        found = {"command": COMMAND, "status": "done", "run": None, **found}
        if out is not None:
            atomic_write_json(out, found)
        if as_json:
            output.emit(found)
        return
    tests = judged.family_tests(chosen)
    earned = judged.trivial_earnings(chosen)
    if programs is not None:
        pairs: Iterable[tuple[Problem, str]] = read_programs(programs, chosen)
        tried = f"the programs of {programs}"
    else:
        some = judged.some_of_each_family(chosen, num_problems, seed=seed)
        pairs = (
            (problem, text)
            for problem in some
            for text in judged.near_misses(problem, num_mutants, seed=seed)
        )
        tried = "near misses, solutions with one or two wrong edges"
    fooled = judged.false_passes(pairs)
    result = {
        "command": COMMAND,
        "status": "done",
        "run": None,
        "num_problems": len(chosen),
        "num_without_parameters": sum(not problem.has_oracle for problem in chosen),
        "families": [asdict(row) for row in tests],
        "trivial": [asdict(row) for row in earned],
        "false_passes": [{**asdict(row), "false_share": row.false_share} for row in fooled],
    }
    if not quiet:
        _show_trivial(tests, earned)
        _show_false(fooled, tried)
        if result["num_without_parameters"]:
            output.say(
                f"{result['num_without_parameters']} problems name no parameters: "
                "nothing says whether a program that passes them is right"
            )
    if out is not None:
        atomic_write_json(out, result)
    if as_json:
        output.emit(result)


def chosen_problems(words: Sequence[str], scope: Scope) -> list[Problem]:
    """The problems of a scope that the words name, each once: both parts of data sets, and those of a data config.

    Raises:
        ConfigError: an unknown name or override.
        InputError: records that cannot be used.
    """
    from rlgrok.problems import find_problems

    overrides = [word for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    if not words:
        names = list(scope.library.names())  # type: ignore[union-attr] - it has one
    found: dict[str, Problem] = {}
    parts = [part for name in names for part in find_problems(name, scope)]
    for part in [*parts, *(_of_config(overrides) if overrides else [])]:
        for problem in part:
            found.setdefault(problem.id, problem)
    return list(found.values())


def _of_config(overrides: Sequence[str]) -> list[Sequence[Problem]]:
    """Both parts of what the data config of an evaluation names under these overrides."""
    from cli.hydra_app import EVALUATE, composed
    from rlgrok.problems import build_problems

    stray = [word for word in overrides if word.lstrip("+").partition("=")[0] not in _data_keys()]
    if stray:
        raise ConfigError(
            "not a key of the data config",
            got=stray[0],
            expected="data=OPTION, data.KEY=VALUE or seed=NUMBER",
        )
    config = composed(EVALUATE, overrides)
    _, built = build_problems(config.data, seed=config.seed, training=False)
    return [built.train, built.heldout]


def _data_keys() -> set[str]:
    from cli.hydra_app import EVALUATE

    return {"data", "seed", *(key for key in EVALUATE.keys() if key.startswith("data."))}


def read_programs(
    path: Path, problems: Sequence[Problem], field: str = "dsl"
) -> Iterator[tuple[Problem, str]]:
    """Programs with the problems they are for; `field` is the one with the program's text.

    Raises:
        InputError: a line that is no program of one of the problems; the message has the line and the field.
    """
    from rlgrok.delta.fields import RecordError, required, typed
    from rlgrok.recordfiles import read_records

    by_id = {problem.id: problem for problem in problems if problem.has_oracle}
    for place, record in read_records(str(path)):
        try:
            fields = typed(record, dict, "")
            name = required(fields, "id", str, "id")
            text = required(fields, field, str, field)
            if name not in by_id:
                raise RecordError("id", f"none of the problems with parameters: {name}")
        except RecordError as error:
            raise InputError("not a program", got=str(error), where=place) from error
        yield by_id[name], text


def _show_trivial(tests: Sequence[FamilyTests], earned: Sequence[TrivialEarnings]) -> None:
    """Two tables of a row a family, so that each fits eighty columns: the constant programs, and the best of all."""
    from cli import output

    table = {(row.family, row.program): row for row in earned}
    constant, best_of = [], []
    for family in tests:
        own = [row for row in earned if row.family == family.family]
        best = max(own, key=lambda row: row.balanced)
        passed = max(own, key=lambda row: row.full_pass)
        constant.append(
            (
                family.family,
                f"{family.num_tests:.1f}",
                f"{family.accepting_share:.2f}",
                *(_two(table[(family.family, name)]) for name in SHOWN),
            )
        )
        best_of.append(
            (
                family.family,
                str(family.num_problems),
                f"{_two(best)} {best.program}",
                f"{passed.full_pass:.3f} {passed.program}" if passed.full_pass else "0",
            )
        )
    header = ("family", "tests", "accepting", *SHOWN)
    output.table("what programs that know nothing earn: pass rate / balanced", header, constant)
    header = ("family", "problems", "best balanced", "most solved")
    output.table("the best of all trivial programs", header, best_of)
    output.say("In binary mode a trivial program earns what it solves: the last column.")


def _two(row: TrivialEarnings) -> str:
    return f"{row.pass_rate:.2f} / {row.balanced:.2f}"


def _show_false(fooled: Sequence[FalsePassCount], tried: str) -> None:
    from cli import output

    if not fooled:
        return
    rows = [
        (
            row.family,
            str(row.num_programs),
            str(row.num_full_pass),
            str(row.num_false),
            "-" if row.false_share is None else f"{row.false_share:.0%}",
            (row.first_problem or "-").removeprefix(f"{row.family}:"),
        )
        for row in fooled
    ]
    header = ("family", "programs", "passes", "false", "share", "for example")
    output.table(f"false passes among {tried}", header, rows)
