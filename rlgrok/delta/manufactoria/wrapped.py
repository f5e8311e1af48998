"""Problems as records of the published layout, and back (delta-manufactoria.md, section 10).

A record has seven fields, so that it works with any trainer: `messages`, `ground_truth`, `dataset`, `difficulty`, `id`,
`problem_family`, `name`. An eighth, `parameters`, is ours: JSON text from which the label function is rebuilt. What
surprises: without it a record is judged by its tests alone, even where it came from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from rlgrok.delta.manufactoria.datasets import SCOPE_NAME, make_problem, problem_id
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES
from rlgrok.delta.manufactoria.generator import expected_test
from rlgrok.delta.manufactoria.prompts import full
from rlgrok.delta.manufactoria.records import RecordError, read_test, required, typed
from rlgrok.types import Problem, RecordedProblem, TestCase

FIELDS = (
    "messages",
    "ground_truth",
    "dataset",
    "difficulty",
    "id",
    "problem_family",
    "name",
)
"""Of a published record, in their order."""
PARAMETERS = "parameters"
NO_DIFFICULTY = "None"
"""What the published records say where there is no difficulty."""


def to_record(problem: Problem, *, parameters: bool = False) -> dict[str, Any]:
    """The record of a problem, as JSON-able data.

    Args:
        problem: with its tests.
        parameters: also write what the label function is rebuilt from; null where the problem has no such thing.
    """
    prompt = problem.prompt if isinstance(problem, RecordedProblem) else full(problem)
    record: dict[str, Any] = {
        "messages": [{"role": "user", "content": prompt}],
        "ground_truth": [asdict(test) for test in problem.tests],
        "dataset": SCOPE_NAME,
        "difficulty": problem.difficulty or NO_DIFFICULTY,
        "id": problem.id,
        "problem_family": problem.family,
        "name": problem.name,
    }
    if parameters:
        known = problem.has_oracle
        record[PARAMETERS] = json.dumps(dict(problem.parameters), sort_keys=True) if known else None
    return record


def from_record(record: object) -> RecordedProblem:
    """The problem of a record.

    Fields that are not ours are ignored; a test's missing fields have the defaults of the verification API.

    Raises:
        RecordError: the first field that is missing, of the wrong type, or does not fit the others.
    """
    fields = typed(record, dict, "")
    prompt = _prompt(required(fields, "messages", list, "messages"))
    cases = required(fields, "ground_truth", list, "ground_truth")
    tests = tuple(_test(case, f"ground_truth[{index}]") for index, case in enumerate(cases))
    if not tests:
        raise RecordError("ground_truth", "no tests")
    scope = required(fields, "dataset", str, "dataset")
    if scope != SCOPE_NAME:
        raise RecordError("dataset", f"expected {SCOPE_NAME}, got {scope!r}")
    texts = {
        name: required(fields, name, str, name)
        for name in ("difficulty", "id", "problem_family", "name")
    }
    if not texts["id"]:
        raise RecordError("id", "empty")
    given: dict[str, Any] = {
        "id": texts["id"],
        "scope": SCOPE_NAME,
        "family": texts["problem_family"],
        "name": texts["name"],
        "tests": tests,
        "difficulty": "" if texts["difficulty"] == NO_DIFFICULTY else texts["difficulty"],
        "prompt": prompt,
    }
    if fields.get(PARAMETERS) is None:
        return RecordedProblem(criteria="", colors=_colors(tests), parameters={}, **given)
    return _complete(given, typed(fields[PARAMETERS], str, PARAMETERS))


def _complete(given: Mapping[str, Any], text: str) -> RecordedProblem:
    """The problem with everything that its parameters say, once they agree with the rest of the record."""
    family = FAMILIES.get(given["family"])
    if family is None:
        raise RecordError(
            "problem_family", f"unknown family {given['family']!r}, which cannot have parameters"
        )
    parameters = _decoded(text)
    try:
        ids = {problem_id(family, parameters, colors): colors for colors in ALPHABETS}
        colors = ids.get(given["id"])
        made = make_problem(family, parameters, colors or "four")
        right = [expected_test(family, parameters, test.input) for test in given["tests"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise RecordError(
            PARAMETERS, f"not the parameters of {family.name}: {type(error).__name__}: {error}"
        ) from error
    if colors is None:
        raise RecordError("id", f"expected {' or '.join(ids)}, as the parameters say")
    for index, (test, ours) in enumerate(zip(given["tests"], right, strict=True)):
        if replace(test, description=ours.description) != ours:
            raise RecordError(f"ground_truth[{index}]", "not what the parameters ask for")
    return RecordedProblem(
        criteria=made.criteria,
        colors=colors,
        parameters=made.parameters,
        available_nodes=made.available_nodes,
        **given,
    )


def _decoded(text: str) -> dict[str, Any]:
    try:
        return typed(json.loads(text), dict, PARAMETERS)
    except (ValueError, RecursionError) as error:
        raise RecordError(PARAMETERS, f"not JSON: {error}") from error


def _prompt(messages: list[object]) -> str:
    """The text of the only message, which is the user's."""
    if len(messages) != 1:
        raise RecordError("messages", f"expected one message, got {len(messages)}")
    message = typed(messages[0], dict, "messages[0]")
    role = required(message, "role", str, "messages[0].role")
    if role != "user":
        raise RecordError("messages[0].role", f"expected 'user', got {role!r}")
    content = required(message, "content", str, "messages[0].content")
    if not content.strip():
        raise RecordError("messages[0].content", "empty")
    return content


def _test(case: object, where: str) -> TestCase:
    """A test; columns of a table hold nulls where a record of JSON has no field."""
    fields = typed(case, dict, where)
    return read_test({name: value for name, value in fields.items() if value is not None}, where)


def _colors(tests: tuple[TestCase, ...]) -> str:
    """The smallest alphabet that has every symbol of the tests."""
    used = set().union(*(test.input + test.expected_output for test in tests))
    return "two" if used <= set(ALPHABETS["two"]) else "four"
