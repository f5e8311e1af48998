"""`toolkit rl trace SCENE [PROGRAM]`: a scene in motion, and beside it what a program says of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rlgrok.delta.bouncingsim.judging import Judgement
    from rlgrok.delta.bouncingsim.motion import Motion
    from rlgrok.delta.bouncingsim.scoring import TestResult
    from rlgrok.tracepage.scene_page import Outcome
    from rlgrok.types import Problem

STANDARD = "-"
SCENE_ID = re.compile(r"[A-I]+(-small)?_\d_\d+")
MAX_PROGRAM_BYTES = 1 << 20
MAX_SCENE_BYTES = 1 << 20
CALL_TIME_S = 30.0
"""Of a program, for all frames of the picture."""


def is_scene(word: str) -> bool:
    """Whether the first word of `rl trace` names a scene and not a program of Manufactoria."""
    return word.endswith(".json") or SCENE_ID.fullmatch(word) is not None


def trace_scene(
    words: Sequence[str],
    *,
    solution: bool,
    html: Path | None,
    png: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the picture and the page of a scene.

    Args:
        words: a scene, then maybe a program.
        solution: take the oracle's program.
        html: the page; None: `<scene>.html` here, unless only a picture is asked for.
        png: the picture; None: `<scene>.png` here, unless only a page is asked for.
        quiet: say nothing.
        as_json: print one object.
    """
    from cli import output
    from rlgrok.delta.bouncingsim.motion import record_motion
    from rlgrok.delta.bouncingsim.tasks import scene_of
    from rlgrok.tracepage.scene_figure import trajectory_figure
    from rlgrok.tracepage.scene_page import scene_page
    from runtime.storage import atomic_write_bytes, atomic_write_text

    if not 1 <= len(words) <= (1 if solution else 2):
        raise ConfigError(
            "toolkit rl trace takes a scene and maybe a program",
            got=" ".join(words),
            expected="SCENE [PROGRAM]",
            hint="--solution ID takes the oracle's program" if solution else None,
        )
    problem = read_problem(words[0])
    program = _solution(problem) if solution else None
    if len(words) > 1:
        program = read_text(words[1], "the program", MAX_PROGRAM_BYTES)
    motion = record_motion(scene_of(problem))
    predicted, judgement = None, None
    if program is not None:
        predicted, judgement = predict(program, problem, motion)
    if html is None and png is None:
        html, png = Path(f"{problem.id}.html"), Path(f"{problem.id}.png")
    title = f"{problem.id}: {problem.name}" if problem.difficulty else problem.id
    if png is not None:
        atomic_write_bytes(png, trajectory_figure(motion, title=title, predicted=predicted))
    if html is not None:
        outcome = None if judgement is None else _outcome(judgement, problem)
        page = scene_page(motion, title=title, predicted=predicted, outcome=outcome)
        atomic_write_text(html, page)
    impacts = [len(times) for times in motion.impacts]
    facts: dict[str, Any] = {
        "scene": problem.id,
        "num_containers": len(motion.scene.containers),
        "num_balls": len(motion.scene.balls),
        "frames_with_impacts": impacts,
        "png": None if png is None else str(png),
        "html": None if html is None else str(html),
    }
    if judgement is not None:
        facts |= {
            "status": judgement.status.value,
            "pass_rate": judgement.pass_rate,
            "mean_error": judgement.mean_error,
            "max_error": judgement.max_error,
            "message": judgement.message or None,
        }
    if not quiet:
        shown = {key: value for key, value in facts.items() if value is not None and key != "scene"}
        output.facts(problem.id, shown)
    if as_json:
        verdict = facts.pop("status", None)
        output.emit(
            {"command": "rl trace", "status": "done", "run": None, "verdict": verdict, **facts}
        )


def read_problem(word: str) -> Problem:
    """The problem of a scene id, or of a file with a scene.

    Raises:
        ConfigError: no such scene.
        InputError: no such file, or no scene in it.
    """
    import json

    from rlgrok.delta.bouncingsim.datasets import find_problem
    from rlgrok.delta.bouncingsim.tasks import make_problem
    from rlgrok.delta.fields import RecordError

    if SCENE_ID.fullmatch(word):
        return find_problem(word, where="SCENE")
    text = read_text(word, "the scene", MAX_SCENE_BYTES)
    try:
        data = json.loads(text)
        scene = data["scene"] if isinstance(data, dict) and "scene" in data else data
        return make_problem(Path(word).stem, scene)
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON", got=str(error), where=word) from error
    except RecordError as error:
        raise InputError("not a scene", got=str(error), where=word) from error


def read_text(source: str, what: str, most: int) -> str:
    """A text file, or standard input for `-`.

    Raises:
        InputError: it cannot be read, is too long or no text.
    """
    where = "standard input" if source == STANDARD else source
    try:
        if source == STANDARD:
            raw = sys.stdin.buffer.read(most + 1)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(most + 1)
        text = raw.decode()
    except OSError as error:
        raise InputError(f"{what} cannot be read: {error.strerror}", where=where) from error
    except UnicodeDecodeError as error:
        message = f"{what} is not UTF-8 text"
        raise InputError(message, got=f"byte {error.start + 1}", where=where) from error
    if len(raw) > most:
        raise InputError(f"{what} is too long", expected=f"at most {most} bytes", where=where)
    return text


def predict(
    program: str, problem: Problem, motion: Motion
) -> tuple[list[list[tuple[float, float] | None]], Judgement]:
    """What a program says at every frame, ball by ball, and what its tests say of it.

    A program of the list setting names its times itself: between them it says nothing.
    """
    from rlgrok.delta.bouncingsim.judging import extract_program, predictions
    from rlgrok.delta.bouncingsim.tasks import queries_of, setting_of
    from rlgrok.delta.bouncingsim.verdicts import shared_sandbox

    found, judgement = predictions(
        extract_program(program),
        setting_of(problem),
        queries_of(problem),
        motion.times,
        shared_sandbox(),
        time_s=CALL_TIME_S,
    )
    num_balls = len(motion.scene.balls)
    rows = [points if points is not None else [None] * num_balls for points in found]
    return [[row[place] for row in rows] for place in range(num_balls)], judgement


def _solution(problem: Problem) -> str:
    from rlgrok.delta.bouncingsim.verdicts import oracle

    return oracle(problem)


def _word(result: TestResult) -> str:
    if result.passed:
        return "passed"
    return "failed" if result.mean_error is not None else result.message


def _outcome(judgement: Judgement, problem: Problem) -> Outcome:
    from rlgrok.tracepage.scene_page import Outcome, TestRow

    rows = tuple(
        TestRow(
            time=test.input.removeprefix("t = ").removesuffix(" s"),
            mean="-" if one.mean_error is None else f"{one.mean_error:.2f}",
            largest="-" if one.max_error is None else f"{one.max_error:.2f}",
            verdict=_word(one),
        )
        for test, one in zip(problem.tests, judgement.results, strict=True)
    )
    words = f"{judgement.num_passed} of {len(rows)} tests passed"
    if judgement.status.value not in ("passed", "failed"):
        words = f"{judgement.status.value.replace('_', ' ')}: {words}"
    return Outcome(judgement.full_pass, words, rows)
