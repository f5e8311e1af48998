"""`toolkit rl problems`: lists, shows, counts, exports and checks the problems of data sets, families and records."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.completion import complete_problems, complete_scope
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from rlgrok.delta.manufactoria.checks import SetCheck
    from rlgrok.types import Problem, Scope

COMMAND = "rl problems"
EPILOG = (
    "Examples:\n\n"
    "- `toolkit rl problems` lists data sets and families\n"
    "- `toolkit rl problems has` counts; `toolkit rl problems contains_count:four:hard` too\n"
    "- `toolkit rl problems has --show 0` or `--show contains_ordered:four:RGB`: prompt, tests, solution\n"
    "- `toolkit rl problems has --part train --export has_train.parquet`: the published record layout\n"
    "- `toolkit rl problems mine.jsonl --show 3` reads records back\n"
    "- `toolkit rl problems --check all`\n"
    "- `toolkit rl problems --scope bouncingsim`; `toolkit rl problems --scope bouncingsim --show B_2_1`\n"
    "- `toolkit rl problems rotbox --scope bouncingsim --setting list --export rotbox.jsonl`\n\n"
    "Exit code 3 when a check fails."
)
ALL = "all"
MANUFACTORIA = "manufactoria"
BOUNCINGSIM = "bouncingsim"


class Part(StrEnum):
    """Which problems of a data set."""

    ALL = "all"
    TRAIN = "train"
    TEST = "test"


class Setting(StrEnum):
    """What the program of a scene defines."""

    FUNCTION = "function"
    LIST = "list"


def problems(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A data set, a family, a level `family:colours:difficulty`, or records: a file, a folder, a hub id.",
            autocompletion=complete_problems,
        ),
    ] = None,
    scope: Annotated[
        str,
        typer.Option(help="Which part of the benchmark.", autocompletion=complete_scope),
    ] = MANUFACTORIA,
    part: Annotated[Part, typer.Option(help="Training or test problems only.")] = Part.ALL,
    show: Annotated[
        str | None,
        typer.Option(metavar="ID|INDEX", help="One problem, by id or by number from 0."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write records: .jsonl, .json or .parquet."),
    ] = None,
    parameters: Annotated[
        bool,
        typer.Option(
            "--parameters", help="With --export: an eighth field, for the exhaustive verdict."
        ),
    ] = False,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|all",
            help="Nothing twice, nothing in both parts, all solved.",
            autocompletion=complete_problems,
        ),
    ] = None,
    setting: Annotated[
        Setting | None,
        typer.Option(
            help="Of scenes: a function of the time, or a list for times that the prompt names.  [default: function]"
        ),
    ] = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="Split as the reference does, repeats included.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No tables, only errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """List, show, count, export and check the problems of the benchmark, or of records."""
    _refuse_together(name=name, check=check)
    _refuse_together(show=show, export=export, check=check)
    if parameters and export is None:
        raise ConfigError("--parameters goes with --export", where="--parameters")
    find_scope(scope)
    if setting is not None and (scope != BOUNCINGSIM or check is not None):
        raise ConfigError(
            "--setting goes with scenes that are shown or exported",
            expected=f"--scope {BOUNCINGSIM}",
            where="--setting",
        )
    if check is not None:
        sys.exit(_check(check, scope, compat=compat, quiet=quiet, as_json=as_json))
    if name is None and show is None:
        if export is not None:
            raise ConfigError(
                "--export needs a NAME", expected="a data set or family", where="NAME"
            )
        _list(scope, quiet=quiet, as_json=as_json)
        return
    if name is None:
        (shown,) = _in_setting([_by_id(str(show), scope)], setting)
        _show(shown, quiet=quiet, as_json=as_json)
        return
    chosen = _chosen(name, scope, part, compat)
    found = _in_setting([problem for _, problem in chosen], setting)
    chosen = [(of, problem) for (of, _), problem in zip(chosen, found, strict=True)]
    if show is not None:
        _show(_pick(show, [problem for _, problem in chosen], name), quiet=quiet, as_json=as_json)
    elif export is not None:
        _export(name, scope, chosen, export, parameters=parameters, quiet=quiet, as_json=as_json)
    else:
        _count(name, chosen, quiet=quiet, as_json=as_json)


def _refuse_together(**given: object) -> None:
    names = [f"--{name}" if name != "name" else "NAME" for name, value in given.items() if value]
    if len(names) > 1:
        raise ConfigError("one thing at a time", got=" and ".join(names), expected="one of them")


def find_scope(name: str) -> Scope:
    """The part of the benchmark of that name.

    Raises:
        ConfigError: there is none.
    """
    from difflib import get_close_matches

    from rlgrok.delta import SCOPES

    if name in SCOPES:
        return SCOPES[name]
    near = get_close_matches(name, SCOPES, n=1)
    raise ConfigError(
        "unknown scope",
        got=name,
        expected=", ".join(SCOPES),
        where="--scope",
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _chosen(name: str, scope: str, part: Part, compat: bool) -> list[tuple[str, Problem]]:
    """Problems with the part that each is of."""
    from rlgrok.problems import find_problems

    train, test = find_problems(name, find_scope(scope), compat=compat)
    chosen = [("train", problem) for problem in train if part is not Part.TEST]
    chosen += [("test", problem) for problem in test if part is not Part.TRAIN]
    if not chosen:
        raise ConfigError(f"{name} has no {part} problems", where="--part")
    return chosen


def _in_setting(found: Sequence[Problem], setting: Setting | None) -> Sequence[Problem]:
    """Scenes with programs that define what was asked for.

    Raises:
        ConfigError: a record that names no scene is in the setting that it has.
    """
    if setting is None:
        return found
    from rlgrok.delta.bouncingsim import assertions, tasks

    fixed = next((problem.id for problem in found if not problem.has_oracle), None)
    if fixed is not None:
        raise ConfigError("a record without its scene has one setting", got=fixed, where="--setting")
    wanted = assertions.Setting(setting)
    return [tasks.in_setting(problem, wanted) for problem in found]


def _list(scope: str, *, quiet: bool, as_json: bool) -> None:
    """The data sets, and the families with their levels."""
    from cli import output

    if scope == BOUNCINGSIM:
        from cli.scenes import list_scenes

        found = list_scenes(quiet=quiet)
        if as_json:
            output.emit(_done(**found))
        return
    from rlgrok.delta.manufactoria.difficulties import all_difficulties
    from rlgrok.delta.manufactoria.families import FAMILIES
    from rlgrok.delta.manufactoria.named import named_sets, sizes

    levels = all_difficulties()
    sets = [
        {
            "name": one.name,
            "about": one.about,
            "families": list(one.families),
            "colors": one.colors,
            "num_train": sizes(one.name)[0],
            "num_test": sizes(one.name)[1],
            "published": None if one.published is None else list(one.published),
        }
        for one in named_sets().values()
    ]
    families = [
        {
            "name": name,
            "kind": str(family.kind),
            "levels": [
                {
                    "name": level.id,
                    "capacity": level.capacity,
                    "certainty": str(level.certainty),
                }
                for level in levels
                if level.family == name
            ],
        }
        for name, family in FAMILIES.items()
    ]
    if not quiet:
        rows = [
            (
                str(one["name"]),
                str(one["num_train"]),
                str(one["num_test"]),
                _hub(one["published"], (one["num_train"], one["num_test"])),
                str(one["about"]),
            )
            for one in sets
        ]
        output.table("data sets", ("name", "train", "test", "hub", "asks for"), rows)
        rows = [
            (
                str(one["name"]),
                str(one["kind"]),
                ", ".join(
                    f"{level['name'].split(':', 1)[1]} {level['capacity']}"
                    for level in one["levels"]
                ),
            )
            for one in families
        ]
        output.table("families", ("name", "kind", "levels and their problems"), rows)
    if as_json:
        output.emit(_done(data_sets=sets, families=families))


def _hub(published: Sequence[int] | None, here: tuple[object, object]) -> str:
    """Whether the hub holds as many."""
    if published is None:
        return "-"
    return "same" if tuple(published) == here else "/".join(map(str, published))


def _count(name: str, chosen: Sequence[tuple[str, Problem]], *, quiet: bool, as_json: bool) -> None:
    """How many there are of each family and difficulty."""
    from cli import output

    counts = Counter((p.family, p.colors, p.difficulty or "-", of) for of, p in chosen)
    kinds = list(dict.fromkeys(key[:3] for key in counts))
    rows = [
        {
            "family": family,
            "colors": colors,
            "difficulty": difficulty,
            "num_train": counts[(family, colors, difficulty, "train")],
            "num_test": counts[(family, colors, difficulty, "test")],
        }
        for family, colors, difficulty in kinds
    ]
    num_tests = sum(len(problem.tests) for _, problem in chosen) / len(chosen)
    totals = {
        "num_train": sum(of == "train" for of, _ in chosen),
        "num_test": sum(of == "test" for of, _ in chosen),
        "num_without_parameters": sum(not problem.has_oracle for _, problem in chosen),
        "mean_num_tests": num_tests,
    }
    if not quiet:
        texts = [[str(value) for value in row.values()] for row in rows]
        output.table(name, ("family", "colours", "difficulty", "train", "test"), texts)
        output.facts("", totals)
    if as_json:
        output.emit(_done(name=name, **totals, counts=rows))


def _by_id(problem_id: str, scope: str) -> Problem:
    if scope == BOUNCINGSIM:
        from rlgrok.delta.bouncingsim.datasets import find_problem

        return find_problem(problem_id)
    from rlgrok.delta.manufactoria.datasets import make_problem
    from rlgrok.delta.manufactoria.lookup import find_setting
    from rlgrok.delta.manufactoria.named import root_seed

    if problem_id.isdigit():
        raise ConfigError("a number needs a NAME", got=problem_id, where="--show")
    family, colors, found = find_setting(problem_id, where="--show")
    return make_problem(family, found, colors, seed=root_seed())


def _pick(wanted: str, found: Sequence[Problem], name: str) -> Problem:
    """The problem of that number or id.

    Raises:
        ConfigError: there is none; the message has the nearest id.
    """
    from difflib import get_close_matches

    by_id = {problem.id: problem for problem in found}
    if wanted in by_id:
        return by_id[wanted]
    if wanted.isdigit() and int(wanted) < len(found):
        return found[int(wanted)]
    near = get_close_matches(wanted, by_id, n=1)
    raise ConfigError(
        "no such problem",
        got=wanted,
        expected=f"an id, or 0 to {len(found) - 1}, of {name}",
        where="--show",
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _show(problem: Problem, *, quiet: bool, as_json: bool) -> None:
    """Prompt, tests and solution."""
    from dataclasses import asdict

    from cli import output
    from rlgrok.delta import SCOPES
    from rlgrok.types import PromptStyle

    if problem.scope == BOUNCINGSIM:
        from cli.scenes import show_scene

        shown = show_scene(problem, quiet=quiet)
        if as_json:
            output.emit(_done(**shown))
        return
    scope = SCOPES[problem.scope]
    prompt = scope.render_prompt(problem, PromptStyle.FULL)
    solution = scope.oracle(problem) if problem.has_oracle else None
    facts = {
        "id": problem.id,
        "name": problem.name,
        "family": problem.family,
        "difficulty": problem.difficulty or None,
        "colors": problem.colors,
        "parameters": dict(problem.parameters) or None,
    }
    if not quiet:
        output.facts(problem.id, {key: value for key, value in facts.items() if key != "id"})
        output.say(f"prompt\n\n{_indented(prompt)}\n")
        rows = [
            (
                test.input or "(empty)",
                "accepted" if test.expected_accepted else "rejected",
                (test.expected_output or "(empty)") if test.check_output else "-",
            )
            for test in problem.tests
        ]
        output.table(f"{len(rows)} tests", ("tape", "expected", "and leaves"), rows)
        missing = "none: the record names no parameters, and is judged by its tests alone"
        output.say(f"solution\n\n{_indented(solution or missing)}")
    if as_json:
        tests = [asdict(test) for test in problem.tests]
        output.emit(
            _done(problem={**facts, "prompt": prompt, "tests": tests, "solution": solution})
        )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _export(
    name: str,
    scope: str,
    chosen: Sequence[tuple[str, Problem]],
    path: Path,
    *,
    parameters: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Records of the published layout."""
    from cli import output
    from rlgrok.recordfiles import write_records

    library = find_scope(scope).library
    records = (
        library.to_record(problem, parameters=parameters)  # type: ignore[union-attr] - it has one
        for _, problem in chosen
    )
    count = write_records(records, path)
    if not quiet:
        output.say(f"{count} records of {name} in {path}")
    if as_json:
        output.emit(_done(name=name, out=str(path), num_records=count))


def _check(name: str, scope: str, *, compat: bool, quiet: bool, as_json: bool) -> int:
    """Check data sets, one line each; returns the exit code."""
    parts = (
        _check_scenes(name, compat=compat, quiet=quiet)
        if scope == BOUNCINGSIM
        else _check_sets(name, compat=compat, quiet=quiet)
    )
    return _checked(parts, as_json=as_json)


def _check_scenes(name: str, *, compat: bool, quiet: bool) -> list[dict[str, Any]]:
    from cli.scenes import check_names, check_scenes

    return check_scenes(check_names(name, ALL), compat=compat, quiet=quiet)


def _check_sets(name: str, *, compat: bool, quiet: bool) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from cli import output
    from rlgrok.delta.manufactoria.named import find_set, named_sets

    names = list(named_sets()) if name == ALL else [find_set(name, where="--check").name]
    found = []
    for one in _checks(names, compat=compat):
        found.append(one)
        if not quiet:
            output.say(_line(one))
    return [{**asdict(one), "passed": one.passed} for one in found]


def _checked(parts: list[dict[str, Any]], *, as_json: bool) -> int:
    """Say which failed; returns the exit code."""
    from cli import errors, output

    failed = [one["name"] for one in parts if not one["passed"]]
    code = errors.UNTRUSTWORTHY if failed else errors.DONE
    if failed:
        output.say(f"error: {len(failed)} of {len(parts)} data sets fail: {', '.join(failed)}")
    if as_json:
        output.emit({**_done(checks=parts), "status": output.status(code)})
    return code


def _checks(names: Sequence[str], *, compat: bool) -> Iterator[SetCheck]:
    """Checks in the order of the names, made by one process a core where there are several."""
    from rlgrok.delta.manufactoria.checks import check_set

    if len(names) == 1:
        yield check_set(names[0], compat=compat)
        return
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor

    from rlgrok.delta.manufactoria.named import find_set, sizes

    def work(name: str) -> int:
        return sum(sizes(name)) * (10 if find_set(name).colors == "four" else 1)

    num_workers = min(len(names), len(os.sched_getaffinity(0)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        longest_first = sorted(names, key=work, reverse=True)
        pending = {name: pool.submit(check_set, name, compat=compat) for name in longest_first}
        try:
            for name in names:
                yield pending[name].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _line(one: SetCheck) -> str:
    published = (
        "not published" if one.published is None else "published {}/{}".format(*one.published)
    )
    text = (
        f"{one.name:<16} train {one.num_train:>3}  test {one.num_test:>3}  {published:<17} "
        f"duplicates {one.num_duplicates}  train/test overlap {one.num_overlapping}  "
        f"solved {100 * one.solved_share:.4g} %"
    )
    return f"{text}  first: {one.first_unsolved}" if one.first_unsolved else text


def _done(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON-able
    return {"command": COMMAND, "status": "done", "run": None, **values}
