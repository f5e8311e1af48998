"""Example programs of a run, drawn as graphs: successes, the last failure, a false pass, the oracle.

Problems are rebuilt from the config, so that a wrong program can be shown with an input it gets wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rlgrok.artefacts import Artefacts, Record, is_right
from rlgrok.config import DataConfig
from rlgrok.delta import SCOPES
from rlgrok.delta.manufactoria.dsl import ParseError, parse
from rlgrok.graphs import program_svg
from rlgrok.problems import build_problems
from rlgrok.report.wording import percent
from rlgrok.types import Problem, Scope, TestSource
from runtime.errors import ConfigError, InputError
from runtime.report import Report
from runtime.settings import from_plain


def add_programs(report: Report, run: Artefacts) -> None:
    """The section; nothing when the run has no rollouts yet."""
    chosen = run.examples
    shown = _distinct(
        {
            SUCCESS: chosen.first_success,
            FALSE_PASS: chosen.false_pass,
            HELDOUT: chosen.first_heldout,
            FAILURE: chosen.last_failure,
            NEAR_MISS: chosen.near_miss,
            ATTEMPT: chosen.base_attempt,
        }
    )
    if not shown:
        return
    report.section(
        "Programs",
        "Tapes enter at START; an edge is taken for the symbol at the front of the tape, \N{EMPTY SET} where "
        "there is none. A cross rejects.",
    )
    scope = SCOPES[run.config["data"]["scope"]]
    problems = _problems(run, scope)
    for heading, record in shown.items():
        caption = f"{heading}: {_outcome(record)}{_mistake(record, scope, problems)}"
        _add_program(report, scope, caption, record["text"])
    subject = chosen.first_heldout or chosen.first_success or chosen.last_failure
    problem = problems.get(subject["problem_id"]) if subject else None
    if problem is not None and problem.has_oracle:
        caption = f"The oracle's program for {problem.id}."
        _add_program(report, scope, caption, scope.oracle(problem))


ATTEMPT = "The untrained policy's attempt"
NEAR_MISS = "The nearest miss before the first success"
SUCCESS = "The first success"
HELDOUT = "The first right program for a held-out problem"
FAILURE = "The last greedy failure on a held-out problem"
FALSE_PASS = "The last false pass"
STORY = (ATTEMPT, NEAR_MISS, SUCCESS, HELDOUT, FAILURE, FALSE_PASS)
"""In the order of the training, as they are shown."""
MAX_PROGRAMS = 5


def _distinct(candidates: Mapping[str, Record | None]) -> dict[str, Record]:
    """The first `MAX_PROGRAMS` of the candidates, most telling first, in the order of `STORY`.

    A program that stands there already for the same problem is not shown again.
    """
    seen: set[tuple[str, str]] = set()
    kept: dict[str, Record] = {}
    for heading, record in candidates.items():
        key = None if record is None else (record["problem_id"], record["text"])
        if record is None or key in seen or len(kept) == MAX_PROGRAMS:
            continue
        seen.add(key)
        kept[heading] = record
    return dict(sorted(kept.items(), key=lambda pair: STORY.index(pair[0])))


def _outcome(record: Record) -> str:
    step = record.get("step")
    where = "in the evaluation" if step is None else f"at step {step}"
    rate = percent(record["pass_rate"])
    if is_right(record):
        words = "right on every short input" if record.get("exhaustive") else "passes every test"
    elif record["full_pass"]:
        words = "passes every test and is wrong"
    else:
        words = f"{record['status'].replace('_', ' ')}, {rate} of the tests passed"
    return f"{record['problem_id']}, {where}; {words}."


def _mistake(record: Record, scope: Scope, problems: Mapping[str, Problem]) -> str:
    """An input that a wrong program gets wrong; empty for a right or an unreadable one."""
    problem = problems.get(record["problem_id"])
    if problem is None or is_right(record) or record["status"] not in ("passed", "failed"):
        return ""
    program = scope.extract(record["text"])
    if not problem.has_oracle:
        verdict = scope.verify(problem, program)
        return f" On its tests: {verdict.message}." if verdict.message else ""
    verdict = scope.verify_exhaustive(problem, program)
    return f" Over every short input: {verdict.message}." if verdict.message else ""


def _add_program(report: Report, scope: Scope, caption: str, completion: str) -> None:
    """A completion as a graph, or as text where it is not a program."""
    try:
        report.svg(program_svg(parse(scope.extract(completion)), title=caption), caption)
    except ParseError as error:
        report.text(f"{caption} It does not parse: {error}.")
        report.code(completion)


def _problems(run: Artefacts, scope: Scope) -> dict[str, Problem]:
    """The run's problems by id; empty when this version cannot build them from the config.

    With the benchmark's own tests, whatever the run used: neither the oracle nor the exhaustive verdict depends on
    the tests, and the run's own may take seconds to build.
    """
    try:
        wanted = replace(from_plain(DataConfig, run.config["data"]), tests=TestSource.DELTA)
        _, built = build_problems(wanted, seed=run.seed, training=False)
    except (ConfigError, InputError, TypeError):
        return {}
    return {problem.id: problem for problem in (*built.heldout, *built.train)}
