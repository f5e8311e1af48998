"""BouncingSim: where polygons that bounce in moving containers are, at any time asked for."""

from __future__ import annotations

from rlgrok.delta.bouncingsim.datasets import (
    FAMILIES,
    build,
    build_named,
    levels_of,
    named_sets,
)
from rlgrok.delta.bouncingsim.families import LEVELS
from rlgrok.delta.bouncingsim.judging import extract_program
from rlgrok.delta.bouncingsim.tasks import fingerprint, from_record, render_prompt, to_record
from rlgrok.delta.bouncingsim.verdicts import oracle, verify, verify_exhaustive
from rlgrok.types import Library, Scope

SCOPE = Scope(
    name="bouncingsim",
    families=FAMILIES,
    build=build,
    render_prompt=render_prompt,
    extract=extract_program,
    verify=verify,
    verify_exhaustive=verify_exhaustive,
    oracle=oracle,
    library=Library(
        build=build_named,
        names=lambda: tuple(named_sets()),
        levels=levels_of,
        to_record=to_record,
        from_record=from_record,
        fingerprints=lambda problems: [fingerprint(problem) for problem in problems],
        size=lambda problem: LEVELS.index(problem.difficulty) + 1 if problem.difficulty else 1,
    ),
)
