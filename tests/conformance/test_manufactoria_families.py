"""What every Manufactoria family must keep, in both colour modes. A new family is tested by being in the table."""

from __future__ import annotations

import pytest

from rlgrok.delta import SCOPES
from rlgrok.delta.manufactoria.canonical import is_canonical
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import parse
from rlgrok.delta.manufactoria.exhaustive import solves
from rlgrok.delta.manufactoria.families import FAMILIES, FamilyKind
from rlgrok.delta.manufactoria.judge import judge
from rlgrok.types import Problem, PromptStyle, Status, TestSource

SCOPE = SCOPES["manufactoria"]
LENGTHS = {"two": [1, 2, 3, 4, 5, 6], "four": [1, 2, 3, 4]}
LADDER_LENGTHS = {"two": [1, 2, 3, 4], "four": [1, 2]}
EVERY = [(family, colors) for family in FAMILIES for colors in LENGTHS]
WITH_LADDER = [
    (family, colors) for family, colors in EVERY if FAMILIES[family].kind is FamilyKind.ACCEPT
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
    lengths = LENGTHS if tests is TestSource.DELTA else LADDER_LENGTHS
    return build([family], colors, lengths[colors], tests=tests, seed=seed).train


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_the_oracle_is_right_on_its_own_tests_and_on_every_tape(family: str, colors: str) -> None:
    for number, problem in enumerate(problems(family, colors)):
        text = SCOPE.oracle(problem)
        assert SCOPE.verify(problem, text).status is Status.PASSED, problem.id
        assert judge(text, problem.tests).full_pass
        if number < 84 or number % 8 == 0:  # the first 84 are all short ones; thousands of tapes each
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
    """Two problems of a family differ in behaviour, so a held-out problem is never a training problem in disguise."""
    some = problems(family, colors)[:14]
    for problem in some:
        program = parse(SCOPE.oracle(problem))
        assert [other.id for other in some if solves(program, other)] == [problem.id]


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_ids_are_unique_and_splits_disjoint(family: str, colors: str) -> None:
    data = build([family], colors, LENGTHS[colors], heldout_share=0.3, seed=5)
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


@pytest.mark.parametrize(("family", "colors"), EVERY)
@pytest.mark.parametrize("style", PromptStyle)
def test_prompts_hold_no_hidden_test(family: str, colors: str, style: PromptStyle) -> None:
    for problem in problems(family, colors)[::5]:
        prompt = SCOPE.render_prompt(problem, style)
        words = set(prompt.replace("'", " ").replace(",", " ").split())
        hidden = {test.input for test in problem.tests if len(test.input) > 1}
        assert words & hidden <= {problem.parameters["sequence"]}


@pytest.mark.parametrize(("family", "colors"), EVERY)
def test_prompts_tell_problems_apart(family: str, colors: str) -> None:
    for style in PromptStyle:
        prompts = [SCOPE.render_prompt(problem, style) for problem in problems(family, colors)]
        assert len(set(prompts)) == len(prompts)


def test_test_inputs_are_distinct_and_labels_are_the_oracles() -> None:
    for family, colors in EVERY:
        record = FAMILIES[family]
        for problem in problems(family, colors)[::7]:
            inputs = [test.input for test in problem.tests]
            assert len(set(inputs)) == len(inputs) <= 35
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
