"""Scenes as problems: what is asked, the published tests, and the records that other tools read (section 7).

A record has the published eight fields. A ninth, `parameters`, is ours: JSON text with the scene, from which the
oracle and further tests are made. What surprises: a test's assertion stands in its `description`; the fields before it
say the same for people.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlgrok.delta.bouncingsim.assertions import (
    TOLERANCE_M,
    Query,
    Setting,
    read_assertion,
    read_assertions,
    write_assertion,
)
from rlgrok.delta.bouncingsim.families import LEVELS, NAMES, type_name
from rlgrok.delta.bouncingsim.prompts import compact_text, prompt_text
from rlgrok.delta.bouncingsim.scene import Scene, read_scene, read_tests
from rlgrok.delta.bouncingsim.truth import DEFAULT_TIMES, positions_at
from rlgrok.delta.fields import RecordError, number, required, typed
from rlgrok.types import Problem, PromptStyle, RecordedProblem, TestCase

SCOPE_NAME = "bouncingsim"
RECORD_NAME = "ballsim"
"""Of the scope in published records."""
PARAMETERS = "parameters"
_ID = re.compile(r"(?P<family>[A-I]+(?:-small)?)_(?P<level>[0-4])_\d+")


def make_problem(
    scene_id: str,
    scene: Mapping[str, Any],
    *,
    times: Sequence[float] = DEFAULT_TIMES,
    setting: Setting = Setting.FUNCTION,
) -> Problem:
    """The problem of a scene: simulated, unless it brings its own tests along, and its tests written.

    Args:
        scene_id: as in published records, `B_2_1`.
        scene: its JSON.
        times: of the tests, seconds, two decimals; those of a scene with tests of its own are its own.
        setting: what is to be defined.

    Raises:
        RecordError: no scene.
        ConfigError: the physics engine is not installed.
    """
    read = read_scene(scene)
    given = read_tests(scene)
    if given is not None:
        times = [time for time, _ in given]
    positions = positions_at(read, times) if given is None else [points for _, points in given]
    queries = [
        Query(
            time=time if setting is Setting.FUNCTION else None,
            index=None if setting is Setting.FUNCTION else place,
            positions=tuple(points),
        )
        for place, (time, points) in enumerate(zip(times, positions, strict=True))
    ]
    family, level = family_and_level(scene_id)
    return Problem(
        id=scene_id,
        scope=SCOPE_NAME,
        family=family,
        name=_name(family, level),
        criteria=f"scene {scene_id}",
        colors="",
        parameters={"scene": scene, "timestamps": list(times), "setting": setting.value},
        tests=tuple(map(_test, queries)),
        difficulty=level,
    )


def in_setting(problem: Problem, setting: Setting) -> Problem:
    """The same problem, with its parameters, where a program is to define the one or the other."""
    times = problem.parameters["timestamps"]
    is_list = setting is Setting.LIST
    queries = [
        replace(
            query, time=None if is_list else times[place], index=place if is_list else None
        )
        for place, query in enumerate(queries_of(problem))
    ]
    parameters = {**problem.parameters, "setting": setting.value}
    return replace(problem, parameters=parameters, tests=tuple(map(_test, queries)))


def family_and_level(scene_id: str) -> tuple[str, str]:
    """Of a published id; `other` and no level for any other id."""
    found = _ID.fullmatch(scene_id)
    return ("other", "") if found is None else (found["family"], LEVELS[int(found["level"])])


def scene_of(problem: Problem) -> Scene:
    """What a problem is about, as numbers; only of one with parameters."""
    return read_scene(problem.parameters["scene"])


def setting_of(problem: Problem) -> Setting:
    """What a problem asks for."""
    return read_assertions([test.description for test in problem.tests])[0]


def queries_of(problem: Problem) -> list[Query]:
    """The tests of a problem, as numbers."""
    return [read_assertion(test.description, "ground_truth") for test in problem.tests]


def render_prompt(problem: Problem, style: PromptStyle) -> str:
    """A problem in words."""
    if isinstance(problem, RecordedProblem):
        return problem.prompt
    if style is PromptStyle.COMPACT:
        return compact_text(problem.parameters["scene"])
    setting = Setting(problem.parameters["setting"])
    return prompt_text(problem.parameters["scene"], setting, problem.parameters["timestamps"])


def to_record(problem: Problem, *, parameters: bool = False) -> dict[str, Any]:
    """The published record of a problem, as JSON-able data.

    Args:
        problem: with its tests.
        parameters: also write the scene; null where the problem has none.
    """
    queries = queries_of(problem)
    level = LEVELS.index(problem.difficulty) if problem.difficulty in LEVELS else 0
    times = problem.parameters.get("timestamps") or [one.time for one in queries]
    record: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": render_prompt(problem, PromptStyle.FULL)},
        ],
        "ground_truth": [test.description for test in problem.tests],
        "dataset": RECORD_NAME,
        "id": problem.id,
        "difficulty": level,
        "timestamps": [time for time in times if time is not None],
        "tolerance": max(one.tolerance for one in queries),
        "prompt_setting": setting_of(problem).value,
    }
    if parameters:
        known = problem.has_oracle
        record[PARAMETERS] = json.dumps(dict(problem.parameters)) if known else None
    return record


def from_record(record: object) -> RecordedProblem:
    """The problem of a record. Fields that are not ours are ignored.

    Raises:
        RecordError: the first field that is missing, of the wrong type, or does not fit the others.
    """
    fields = typed(record, dict, "")
    name = required(fields, "dataset", str, "dataset")
    if name not in (RECORD_NAME, SCOPE_NAME):
        raise RecordError("dataset", f"expected {RECORD_NAME}, got {name!r}")
    scene_id = required(fields, "id", str, "id")
    if not scene_id:
        raise RecordError("id", "empty")
    _, queries = read_assertions(required(fields, "ground_truth", list, "ground_truth"))
    parameters: dict[str, Any] = {}
    if fields.get(PARAMETERS) is not None:
        parameters = _parameters(typed(fields[PARAMETERS], str, PARAMETERS), queries)
    family, level = family_and_level(scene_id)
    return RecordedProblem(
        id=scene_id,
        scope=SCOPE_NAME,
        family=family,
        name=_name(family, level),
        criteria=f"scene {scene_id}",
        colors="",
        parameters=parameters,
        tests=tuple(map(_test, queries)),
        difficulty=level,
        prompt=_prompt(required(fields, "messages", list, "messages")),
    )


def fingerprint(problem: Problem) -> bytes:
    """Equal for problems about the same scene, whatever their ids."""
    scene = problem.parameters["scene"]
    parts = [scene.get(name) for name in ("physics", "boxes", "balls")]
    meta = scene.get("meta") or {}
    parts += [meta.get(name) for name in ("outer_rotation_profile", "gravity_profile")]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).digest()


def _parameters(text: str, queries: Sequence[Query]) -> dict[str, Any]:
    """The scene behind a record, once its simulation, or the tests that it brings along, are the record's."""
    try:
        given = typed(json.loads(text), dict, PARAMETERS)
    except (ValueError, RecursionError) as error:
        raise RecordError(PARAMETERS, f"not JSON: {error}") from error
    where = f"{PARAMETERS}.timestamps"
    times = [number(one, where) for one in required(given, "timestamps", list, where)]
    if len(times) != len(queries) or not all(0 <= time <= 60 for time in times):
        raise RecordError(where, f"expected {len(queries)} times from 0 to 60 s")
    scene = required(given, "scene", dict, f"{PARAMETERS}.scene")
    read = read_scene(scene, f"{PARAMETERS}.scene")
    own = read_tests(scene, f"{PARAMETERS}.scene")
    if own is not None and [time for time, _ in own] != times:
        raise RecordError(where, "not the times of the scene's own tests")
    found = positions_at(read, times) if own is None else [points for _, points in own]
    for place, (query, points) in enumerate(zip(queries, found, strict=True)):
        if query.positions != tuple(points):
            raise RecordError(f"ground_truth[{place}]", "not where the scene's balls are")
    return given


def _test(query: Query) -> TestCase:
    asked = f"t = {query.time:.2f} s" if query.index is None else f"time {query.index}"
    points = json.dumps([list(point) for point in query.positions])
    return TestCase(input=asked, expected_output=points, description=write_assertion(query))


def _prompt(messages: Sequence[object]) -> str:
    if len(messages) != 1:
        raise RecordError("messages", f"expected one message, got {len(messages)}")
    message = typed(messages[0], dict, "messages[0]")
    if required(message, "role", str, "messages[0].role") != "user":
        raise RecordError("messages[0].role", "expected 'user'")
    content = required(message, "content", str, "messages[0].content")
    if not content.strip():
        raise RecordError("messages[0].content", "empty")
    return content


def _name(family: str, level: str) -> str:
    letters, _, variant = family.partition("-")
    if not set(letters) <= set(NAMES):
        return family
    return " ".join(word for word in (type_name(letters), variant, level) if word)


__all__ = ["TOLERANCE_M", "from_record", "make_problem", "render_prompt", "to_record"]
