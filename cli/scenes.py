"""`toolkit rl problems` for BouncingSim: lists, shows and checks scenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlgrok.delta.bouncingsim.datasets import NamedSet
    from rlgrok.types import Problem


def list_scenes(*, quiet: bool) -> dict[str, Any]:
    """The data sets and the types of scenes, as tables and as data."""
    from cli import output
    from rlgrok.delta.bouncingsim.datasets import FAMILIES, SCENES_A_LEVEL, SMALL, named_sets
    from rlgrok.delta.bouncingsim.families import LEVELS

    sets = [
        {
            "name": one.name,
            "about": one.about,
            "families": sorted({*one.train.types, *(one.test.types if one.test else ())}),
            "num_train": one.train.size,
            "num_test": one.test.size if one.test else 0,
        }
        for one in named_sets().values()
    ]
    families = [
        {"name": name, "about": about, "levels": [f"{name}:{level}" for level in LEVELS]}
        for name, about in FAMILIES.items()
    ]
    if not quiet:
        rows = [
            (str(one["name"]), str(one["num_train"]), str(one["num_test"]), str(one["about"]))
            for one in sets
        ]
        output.table("data sets", ("name", "train", "test", "asks for"), rows)
        kinds = [
            (str(one["name"]), str(one["about"]))
            for one in families
            if not str(one["name"]).endswith(SMALL)
        ]
        output.table(
            "types of scenes, any other combination of A B C D F G too", ("name", "is"), kinds
        )
        output.say(
            f"Levels: {', '.join(LEVELS)}, as in B:hard; {SCENES_A_LEVEL} scenes each. B-small: in smaller containers. "
            "One scene: --show B_2_1."
        )
    return {"data_sets": sets, "families": families}


def show_scene(problem: Problem, *, quiet: bool) -> dict[str, Any]:
    """Prompt, tests and solution of a problem, as text and as data."""
    from cli import output
    from rlgrok.delta import SCOPES
    from rlgrok.types import PromptStyle

    scope = SCOPES[problem.scope]
    prompt = scope.render_prompt(problem, PromptStyle.FULL)
    solution = scope.oracle(problem) if problem.has_oracle else None
    facts = {
        "id": problem.id,
        "name": problem.name,
        "family": problem.family,
        "difficulty": problem.difficulty or None,
        "scene": problem.parameters.get("scene"),
    }
    if not quiet:
        output.facts(problem.id, {key: facts[key] for key in ("name", "family", "difficulty")})
        output.say(f"prompt\n\n{_indented(prompt)}\n")
        rows = [(test.input, test.expected_output) for test in problem.tests]
        output.table(f"{len(rows)} tests", ("at", "the balls are at"), rows)
        output.say(f"solution\n\n{_indented(solution or 'none: the record names no scene')}")
    tests = [test.description for test in problem.tests]
    return {"problem": {**facts, "prompt": prompt, "tests": tests, "solution": solution}}


def audit_scenes(
    problems: Sequence[Problem], programs: Iterable[tuple[Problem, str]] | None, *, quiet: bool
) -> dict[str, Any]:
    """What the baselines and the oracle earn, by type and level; and false passes among programs, if there are any."""
    from dataclasses import asdict

    from cli import output
    from rlgrok.delta.bouncingsim.audit import earnings, false_passes
    from rlgrok.delta.bouncingsim.judging import extract_program

    earned = earnings(problems)
    fooled = []
    if programs is not None:
        fooled = false_passes((problem, extract_program(text)) for problem, text in programs)
    if not quiet:
        kinds = list(dict.fromkeys(row.program for row in earned))
        by_cell = {(row.family, row.difficulty, row.program): row for row in earned}
        rows = []
        for family, level in dict.fromkeys((row.family, row.difficulty) for row in earned):
            cells = [by_cell[(family, level, kind)] for kind in kinds]
            rows.append(
                (
                    family,
                    level,
                    str(cells[0].num_problems),
                    *(f"{cell.pass_rate:.2f} / {cell.full_pass:.2f}" for cell in cells),
                )
            )
        header = ("type", "level", "scenes", *kinds)
        output.table("what programs earn: share of tests / of scenes passed", header, rows)
        if programs is not None:
            judged = [
                (
                    row.family,
                    str(row.num_programs),
                    str(row.num_full_pass),
                    str(row.num_false),
                    row.first_problem or "-",
                )
                for row in fooled
            ]
            names = ("type", "programs", "full passes", "false", "such as a program for")
            output.table(
                "false passes: wrong half-way between the tests, or of one ball", names, judged
            )
    return {
        "num_problems": len(problems),
        "num_without_parameters": sum(not problem.has_oracle for problem in problems),
        "earnings": [asdict(row) for row in earned],
        "false_passes": [{**asdict(row), "false_share": row.false_share} for row in fooled],
    }


def check_scenes(names: list[str], *, compat: bool, quiet: bool) -> list[dict[str, Any]]:
    """Check data sets, one line each: nothing twice, nothing in both parts, no scene missing, all solved.

    A problem is solved when the oracle's program passes its tests: all must be up to the level medium, most above.
    Families with balls that turn are solved in part, and reported: there, the oracle's order of impacts may differ from
    the engine's.
    """
    from cli import output
    from rlgrok.delta.bouncingsim.audit import check_set

    found = []
    for name in names:
        one = check_set(name, compat=compat)
        found.append(one)
        if not quiet:
            output.say(
                f"{name:<34} train {one['num_train']:>3}  test {one['num_test']:>3}  missing {one['num_missing']}  "
                f"duplicates {one['num_duplicates']}  train/test overlap {one['num_overlapping']}  "
                f"solved {100 * one['solved_share']:.4g} % (with turning balls "
                f"{_percent(one['solved_share_turning'])})"
                + (f"; not {one['first_broken_promise']}" if one["num_broken_promises"] else "")
            )
    return found


def check_names(name: str, all_word: str) -> list[str]:
    """The data sets that `--check` names."""
    from rlgrok.delta.bouncingsim.datasets import find_set, named_sets

    if name == all_word:
        return list(named_sets())
    found: NamedSet = find_set(name, where="--check")
    return [found.name]


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.4g} %"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
