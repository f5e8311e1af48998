"""Verdicts on problems: of their own tests, and stricter ones of twice as many times and of every ball.

One sandbox serves the process, and is started at the first verdict. What surprises: in the list setting a program names
its times itself, so the stricter verdict can only be stricter about the balls.
"""

from __future__ import annotations

import atexit
import logging
from functools import cache
from typing import TYPE_CHECKING

from rlgrok.delta.bouncingsim.assertions import Query, Setting
from rlgrok.delta.bouncingsim.judging import Task, judge_tasks
from rlgrok.delta.bouncingsim.programs import oracle_text
from rlgrok.delta.bouncingsim.tasks import queries_of, scene_of, setting_of
from rlgrok.delta.bouncingsim.truth import DEFAULT_TIMES, INTERVAL_S, positions_at
from rlgrok.types import Problem, Verdict

if TYPE_CHECKING:
    from rlgrok.sandbox.pool import Sandbox

_LOG = logging.getLogger(__name__)
HALF_WAY_TIMES = tuple(round(time - INTERVAL_S / 2, 2) for time in DEFAULT_TIMES)
"""Between the published ones: a program that knows the answers of those alone fails here."""


def verify(problem: Problem, program: str) -> Verdict:
    """The verdict of the problem's own tests; never raises on a bad program."""
    task = Task(program, setting_of(problem), tuple(queries_of(problem)))
    return judge_tasks([task], shared_sandbox())[0].verdict()


def verify_exhaustive(problem: Problem, program: str) -> Verdict:
    """The verdict where every ball must be near, at times between the tests' too; only with parameters.

    A scene that brings its tests along says nothing of other times: the engine's word need not agree with them.
    """
    setting, queries = setting_of(problem), queries_of(problem)
    if setting is Setting.FUNCTION and not problem.parameters["scene"].get("tests"):
        found = positions_at(scene_of(problem), HALF_WAY_TIMES)
        queries += [
            Query(time, None, tuple(points), queries[0].tolerance)
            for time, points in zip(HALF_WAY_TIMES, found, strict=True)
        ]
        queries.sort(key=lambda query: query.time or 0.0)
    task = Task(program, setting, tuple(queries), by_maximum=True)
    return judge_tasks([task], shared_sandbox())[0].verdict()


def oracle(problem: Problem) -> str:
    """The text of a program that finds every impact, for a problem with parameters."""
    times = None
    if setting_of(problem) is Setting.LIST:
        times = problem.parameters["timestamps"]
    return oracle_text(scene_of(problem), times)


@cache
def shared_sandbox() -> Sandbox:
    """The sandbox of this process, at the level that was named; it ends with the process.

    Raises:
        ConfigError: this machine cannot lock programs in.
    """
    from rlgrok.sandbox.naming import named_level
    from rlgrok.sandbox.pool import Sandbox
    from rlgrok.sandbox.types import Level

    level = named_level()
    sandbox = Sandbox(level=level).__enter__()
    if level is not Level.FULL:
        _LOG.warning("warning: programs are locked in at the level %s, which is weaker than full", level)
    atexit.register(sandbox.close)
    return sandbox
