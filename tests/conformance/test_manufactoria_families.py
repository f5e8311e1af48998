"""What every Manufactoria family must keep, in both colour modes. A new family is tested by being in the table."""

from __future__ import annotations

import json

import pytest

from rlgrok.delta import SCOPES
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.datasets import build, make_problem
from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.exhaustive import solves
from rlgrok.delta.manufactoria.families import ALPHABETS, FAMILIES, FamilyKind, Ranges
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.delta.manufactoria.tables import compile_program
from rlgrok.types import Problem, PromptStyle, Status, TestSource
from runtime.errors import InputError

SCOPE = SCOPES["manufactoria"]
RANGES = {
    "two": Ranges(
        lengths=range(1, 7),
        counts=range(1, 6),
        thresholds=range(1, 33),
        extremum_operands=(1, 2, 3, 6, 21, 64, 100, 255, 256),
        regex_lengths=(1, 2),
    ),
    "four": Ranges(lengths=range(1, 5), counts=range(1, 5), regex_parts=1, regex_lengths=(1, 2)),
}
LADDER_RANGES = {
    "two": Ranges(
        lengths=range(1, 5), counts=(1, 2, 3), thresholds=(1, 2, 5, 8), regex_lengths=(1,)
    ),
    "four": Ranges(lengths=range(1, 3), counts=(1, 2), regex_parts=1, regex_lengths=(1,)),
}
RANGES_OF = {"prepend_sequence": Ranges(lengths=range(1, 4))}
"""Instead of `RANGES`, where that would make more problems than `MOST`."""
MOST = 340
"""Problems of a family: all where there are no more, else some drawn."""
EVERY = [(family, colors) for family, record in FAMILIES.items() for colors in record.colors]
WITH_LADDER = [
    (family, colors)
    for family, colors in EVERY
    if FAMILIES[family].kind is FamilyKind.ACCEPT and family != "regex_same_num"
]
WITH_SEQUENCE = [
    (family, colors) for family, colors in EVERY if FAMILIES[family].enumerates == ("lengths",)
]
CONSTANT = ["START start:\n    NEXT end\nEND end", "START start:\n    NEXT NONE\nEND end"]
ENDLESS = [
    "START start:\n    NEXT start\nEND end",
    "START start:\n    NEXT p\nPAINTER_BLUE p:\n    NEXT p\nEND end",
    "START start:\n    NEXT p\nPULLER_RB p:\n    [EMPTY] p\n    [R] p\n    [B] p\nEND end",
]


def problems(
    family: str, colors: str, tests: TestSource = TestSource.DELTA, seed: int = 0
) -> tuple[Problem, ...]:
    ranges = LADDER_RANGES[colors] if tests is TestSource.LADDER else ranges_of(family, colors)
    return build([family], colors, ranges=ranges, max_problems=MOST, tests=tests, seed=seed).train


def ranges_of(family: str, colors: str) -> Ranges:
    return RANGES_OF.get(family, RANGES[colors])


def is_flat(problem: Problem) -> bool:
    """Whether every parameter is a text or a number."""
    return all(isinstance(value, str | int) for value in problem.parameters.values())


def is_automaton(problem: Problem) -> bool:
    """Whether the oracle's acceptance is a finite automaton's, so that thousands of tapes cost nothing."""
    return compile_program(parse(SCOPE.oracle(problem))).automaton is not None


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_the_oracle_is_right_on_its_own_tests_and_on_every_tape(family: str, colors: str) -> None:
    for number, problem in enumerate(problems(family, colors)):
        text = SCOPE.oracle(problem)
        assert SCOPE.verify(problem, text).status is Status.PASSED, problem.id
        assert judge(text, problem.tests).full_pass
        step = 1 if number < 84 else 8  # the first 84 are all short ones; thousands of tapes each
        if number % (step if is_automaton(problem) else 25) == 0:
            assert SCOPE.verify_exhaustive(problem, text).status is Status.PASSED, problem.id


@pytest.mark.parametrize(("family", "colors"), WITH_LADDER)
def test_the_oracle_passes_the_ladder(family: str, colors: str) -> None:
    for problem in problems(family, colors, TestSource.LADDER):
        assert SCOPE.verify(problem, SCOPE.oracle(problem)).full_pass, problem.id
        labels = [test.expected_accepted for test in problem.tests]
        assert True in labels
        assert False in labels


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_the_oracle_is_canonical_and_uses_available_nodes(family: str, colors: str) -> None:
    for problem in problems(family, colors):
        program = parse(SCOPE.oracle(problem))
        assert is_canonical(program)
        assert {node.kind.value for node in program.nodes} <= set(problem.available_nodes)


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_bad_programs_get_the_right_status(family: str, colors: str) -> None:
    for problem in problems(family, colors)[::31]:
        verdicts = {
            text: (SCOPE.verify(problem, text), SCOPE.verify_exhaustive(problem, text))
            for text in ["", "# nothing", "a broken program", CONSTANT[0][:-4], *CONSTANT, *ENDLESS]
        }
        statuses = {text: {verdict.status for verdict in pair} for text, pair in verdicts.items()}
        assert statuses.pop("") == statuses.pop("# nothing") == {Status.NO_PROGRAM}
        assert statuses.pop("a broken program") == {Status.PARSE_ERROR}
        assert statuses.pop(CONSTANT[0][:-4]) == {Status.PARSE_ERROR}  # END without its id
        assert set().union(*statuses.values()) == {Status.FAILED}
        assert all(verdict.message for pair in verdicts.values() for verdict in pair)


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_a_solution_of_one_problem_solves_no_other(family: str, colors: str) -> None:
    """Two problems differ in behaviour, so a held-out problem is never a training problem in disguise.

    Not so in every family: with several parts patterns such as (R)+(R)* and (R)*(R)+ ask for the same, and so do > 3
    and >= 4. What keeps those apart is the named data sets' own business.
    """
    few = ranges_of(family, colors).changed(regex_parts=1)
    some = build([family], colors, ranges=few, max_problems=MOST).train
    some = some[:14] if is_automaton(some[0]) else some[::30]
    for problem in some:
        program = parse(SCOPE.oracle(problem))
        assert [other.id for other in some if solves(program, other)] == [problem.id]


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_ids_are_unique_and_splits_disjoint(family: str, colors: str) -> None:
    data = build(
        [family],
        colors,
        ranges=ranges_of(family, colors),
        max_problems=MOST,
        heldout_share=0.3,
        seed=5,
    )
    train, heldout = ({p.id for p in part} for part in (data.train, data.heldout))
    assert len(train) + len(heldout) == len(data.train) + len(data.heldout)
    assert not train & heldout
    assert heldout


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_the_same_seed_gives_the_same_problems(family: str, colors: str) -> None:
    assert problems(family, colors) == problems(family, colors)
    mine, yours = problems(family, colors), problems(family, colors, seed=1)
    assert [p.id for p in mine] == [p.id for p in yours]
    assert mine != yours  # only the tests depend on the seed


STYLES = [(*at, PromptStyle.FULL) for at in EVERY] + [
    (*at, PromptStyle.COMPACT) for at in WITH_SEQUENCE
]


@pytest.mark.parametrize(("family", "colors", "style"), STYLES)
def test_prompts_hold_no_hidden_test(family: str, colors: str, style: PromptStyle) -> None:
    for problem in problems(family, colors)[::5]:
        prompt = SCOPE.render_prompt(problem, style)
        words = set(prompt.replace("'", " ").replace(",", " ").split())
        hidden = {test.input for test in problem.tests if len(test.input) > 1}
        assert words & hidden <= set(problem.parameters.values() if is_flat(problem) else ())


@pytest.mark.parametrize(("family", "colors", "style"), STYLES)
def test_prompts_tell_problems_apart(family: str, colors: str, style: PromptStyle) -> None:
    prompts = [SCOPE.render_prompt(problem, style) for problem in problems(family, colors)]
    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize(
    ("family", "colors"), [pair for pair in EVERY if pair not in WITH_SEQUENCE]
)
def test_a_compact_prompt_has_room_for_a_sequence_and_nothing_else(
    family: str, colors: str
) -> None:
    with pytest.raises(InputError, match="knows only families with a sequence"):
        SCOPE.render_prompt(problems(family, colors)[0], PromptStyle.COMPACT)


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_parameters_are_json_and_enough_to_rebuild_the_problem(family: str, colors: str) -> None:
    record = FAMILIES[family]
    for problem in problems(family, colors)[::9]:
        parameters = json.loads(json.dumps(problem.parameters, sort_keys=True))
        assert make_problem(record, parameters, colors, seed=0) == problem


def test_test_inputs_are_distinct_and_labels_are_the_oracles() -> None:
    for family, colors in EVERY:
        record = FAMILIES[family]
        for problem in problems(family, colors)[::7]:
            inputs = [test.input for test in problem.tests]
            assert len(set(inputs)) == len(inputs) <= 35
            assert set("".join(inputs)) <= set(ALPHABETS[colors])
            for test in problem.tests:
                if record.label is not None:
                    assert test.expected_accepted == record.label(problem.parameters, test.input)
                    assert (test.check_output, test.expected_output) == (False, "")
                else:
                    output = record.transform(problem.parameters, test.input)
                    assert (test.check_output, test.expected_accepted) == (True, True)
                    assert test.expected_output == output


def test_completions_are_extracted_before_they_are_judged() -> None:
    problem = problems("starts_with", "two")[0]
    text = SCOPE.oracle(problem)
    answer = f"First I thought of\n```manufactoria\nSTART\n```\nbut this is it:\n```manufactoria\n{text}\n```"
    assert SCOPE.extract(answer) == text
    assert SCOPE.verify(problem, SCOPE.extract(answer)).full_pass
