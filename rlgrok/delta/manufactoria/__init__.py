"""Manufactoria: programs of pullers and painters that accept, reject or rewrite tapes of coloured symbols."""

from __future__ import annotations

from rlgrok.delta.manufactoria.behaviours import fingerprints, setting_of
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.difficulties import all_difficulties
from rlgrok.delta.manufactoria.dsl import extract_program
from rlgrok.delta.manufactoria.exhaustive import verify_exhaustive
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.feedback import write_feedback
from rlgrok.delta.manufactoria.judge import verify
from rlgrok.delta.manufactoria.named import build_named, named_sets
from rlgrok.delta.manufactoria.prompts import render
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.delta.manufactoria.wrapped import from_record, to_record
from rlgrok.types import Library, Scope

SCOPE = Scope(
    name="manufactoria",
    families=FAMILIES,
    build=build,
    render_prompt=render,
    extract=extract_program,
    verify=verify,
    verify_exhaustive=verify_exhaustive,
    oracle=oracle,
    feedback=write_feedback,
    library=Library(
        build=build_named,
        names=lambda: tuple(named_sets()),
        levels=lambda family: [level.id for level in all_difficulties() if level.family == family],
        to_record=to_record,
        from_record=from_record,
        fingerprints=lambda problems: fingerprints([setting_of(problem) for problem in problems]),
        size=lambda problem: FAMILIES[problem.family].size(problem.parameters),
    ),
)
