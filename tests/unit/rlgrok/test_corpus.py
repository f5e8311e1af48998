"""The supervised corpus: what it teaches, and proof of what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rlgrok.corpus import MAX_DROPPED, Corpus, build_corpus, loosen
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program, parse
from rlgrok.delta.manufactoria.exhaustive import behaviour, solves
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, Ranges
from rlgrok.types import Problem, TestSource
from runtime.errors import ConfigError
from runtime.seeding import Stream

TAUGHT = ("starts_with", "exact_sequence", "append_sequence")


def corpus(targets: Sequence[Problem] = (), **changes: Any) -> Corpus:
    settings: dict[str, Any] = {
        "families": TAUGHT,
        "max_length": 3,
        "colors": "two",
        "size": 300,
        "rewired_share": 0.3,
        "rewire_probability": 0.4,
        "canonical": True,
        "targets": targets,
        "stream": Stream(0, "corpus"),
    }
    return build_corpus(**(settings | changes))


def contains_ordered(lengths: list[int], colors: str = "two") -> tuple[Problem, ...]:
    return build(["contains_ordered"], colors, lengths, tests=TestSource.LADDER, seed=0).train


def test_it_is_a_function_of_its_stream() -> None:
    assert corpus() == corpus()
    assert corpus() != corpus(stream=Stream(1, "corpus"))
    assert len(corpus().examples) == 300


def test_without_rewiring_every_example_is_a_solution_under_its_own_prompt() -> None:
    for prompt, text in corpus(rewired_share=0.0).examples:
        family, colors, *symbols, colon = prompt.split()
        assert (colors, colon) == ("two", ":")
        sequence = "".join(symbol for symbol in symbols if symbol != "_")
        assert family in TAUGHT and 1 <= len(sequence) <= 3
        expected = FAMILIES[family].solution({"sequence": sequence}, ALPHABETS["two"])
        assert text == format_program(expected)


def test_rewired_programs_stand_under_families_that_are_not_taught() -> None:
    taught, untaught = [], []
    for prompt, text in corpus(families=("starts_with",), rewired_share=0.5, size=1000).examples:
        (taught if prompt.startswith("starts_with ") else untaught).append((prompt, text))
    # 500 expected; five standard errors of a share of one half are 79.
    assert abs(len(untaught) - 500) < 79
    solutions = {text for _, text in taught}
    assert any(text not in solutions for _, text in untaught)
    # All under one of the twelve other words, each of which occurs.
    assert len({prompt.split()[0] for prompt, _ in untaught}) == 12


def test_no_program_in_it_solves_a_target() -> None:
    """Rewired short programs are often solutions of short targets: those are dropped, and counted."""
    targets = contains_ordered([1, 2, 3])
    settings = {"rewired_share": 0.8, "max_length": 2, "size": 600}
    found = corpus(targets, **settings)
    assert found.num_dropped > 0
    for text in {text for _, text in found.examples}:
        assert not any(solves(parse(text), problem) for problem in targets), text
    free = corpus(**settings)
    assert free.num_dropped == 0
    assert any(solves(parse(text), problem) for _, text in free.examples for problem in targets)


def test_a_family_that_contains_solutions_of_a_target_loses_them() -> None:
    """With four colours too: the solutions of a taught family are targets here."""
    targets = build(["exact_sequence"], "four", [1], tests=TestSource.DELTA, seed=0).train
    found = corpus(targets, families=("exact_sequence",), colors="four", rewired_share=0.0)
    assert found.num_dropped > 0
    lengths = {sum(word in "RBYG" for word in prompt.split()) for prompt, _ in found.examples}
    assert lengths == {2, 3}


def test_loose_programs_do_the_same_and_use_their_freedom() -> None:
    stream = Stream(0, "loosen")
    alphabet = ALPHABETS["two"]
    changed = 0
    for parameters in FAMILIES["contains_ordered"].enumerate(alphabet, Ranges(lengths=[1, 2, 3])):
        program = FAMILIES["contains_ordered"].solution(parameters, alphabet)
        loose = loosen(program, stream)
        assert parse(format_program(loose)).nodes  # still a program
        assert behaviour(loose, alphabet, 5) == behaviour(program, alphabet, 5)
        changed += not is_canonical(loose)
    assert changed >= 10  # of 14


def test_a_corpus_that_only_solves_targets_ends() -> None:
    """Contains one symbol, in order or as a substring: the same programs."""
    targets = build(["contains_substring"], "two", [1], tests=TestSource.LADDER, seed=0).train
    with pytest.raises(
        ConfigError, match=r"nearly every program .* got 201 programs left out, 0 kept"
    ):
        corpus(targets, families=["contains_ordered"], max_length=1, size=10, rewired_share=0.0)
    assert MAX_DROPPED * 10 == 200


def test_a_family_that_is_none_is_named_with_its_key() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown family; got start_with;.*at reference.families"
    ):
        corpus(families=["start_with"])


@pytest.mark.parametrize("family", ["numerical_comparison", "prepend_sequence", "regex_same_num"])
def test_only_families_that_a_compact_prompt_can_name_are_taught(family: str) -> None:
    with pytest.raises(ConfigError, match=f"with a sequence and nothing else.*got {family}"):
        corpus(families=["starts_with", family])
