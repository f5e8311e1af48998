"""Records of the published layout: what they hold, and that a problem survives the way there and back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from rlgrok.delta.manufactoria.datasets import make_problem
from rlgrok.delta.manufactoria.exhaustive import verify_exhaustive
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.delta.manufactoria.prompts import render
from rlgrok.delta.manufactoria.records import RecordError
from rlgrok.delta.manufactoria.solutions import oracle
from rlgrok.delta.manufactoria.wrapped import FIELDS, from_record, to_record
from rlgrok.types import Problem, PromptStyle


def problem(family: str = "contains_ordered", colors: str = "two") -> Problem:
    return make_problem(FAMILIES[family], {"sequence": "RBR"}, colors)


def record(**changes: Any) -> dict[str, Any]:
    return {**to_record(problem()), **changes}


def test_a_record_has_the_published_fields_in_their_order() -> None:
    made = to_record(problem())
    assert tuple(made) == FIELDS
    assert made["messages"] == [{"role": "user", "content": render(problem(), PromptStyle.FULL)}]
    assert list(made["ground_truth"][0]) == [
        "input",
        "expected_output",
        "expected_accepted",
        "check_output",
        "description",
    ]
    assert (made["dataset"], made["difficulty"]) == ("manufactoria", "None")
    assert (made["id"], made["problem_family"]) == ("contains_ordered:two:RBR", "contains_ordered")


@pytest.mark.parametrize("family", ["contains_ordered", "append_sequence"])
@pytest.mark.parametrize("colors", ["two", "four"])
def test_a_problem_survives_with_its_parameters(family: str, colors: str) -> None:
    made = problem(family, colors)
    text = json.dumps(to_record(made, parameters=True))
    back = from_record(json.loads(text))
    same = ("id", "scope", "family", "name", "criteria", "colors", "parameters", "tests")
    assert [getattr(back, name) for name in same] == [getattr(made, name) for name in same]
    assert json.dumps(to_record(back, parameters=True)) == text
    assert verify_exhaustive(back, oracle(back)).full_pass


def test_without_parameters_the_prompt_and_the_tests_remain() -> None:
    back = from_record(record(id="3f2a", difficulty="easy"))
    assert not back.has_oracle
    assert back.difficulty == "easy"
    assert back.tests == problem().tests
    assert render(back, PromptStyle.FULL) == render(problem(), PromptStyle.FULL)
    assert back.colors == "two"
    assert to_record(back, parameters=True) == {
        **record(id="3f2a", difficulty="easy"),
        "parameters": None,
    }


def test_missing_fields_of_a_test_are_those_of_the_api_and_others_are_ignored() -> None:
    back = from_record(record(ground_truth=[{"input": "Y", "description": None}], source="hub"))
    (test,) = back.tests
    assert (test.expected_output, test.expected_accepted, test.check_output) == ("", True, True)
    assert back.colors == "four"


@pytest.mark.parametrize(
    ("changes", "field", "what"),
    [
        ({"messages": []}, "messages", "expected one message, got 0"),
        ({"messages": ["x"]}, "messages[0]", "expected an object"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role", "expected 'user'"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content", "empty"),
        ({"ground_truth": []}, "ground_truth", "no tests"),
        ({"ground_truth": "[]"}, "ground_truth", "expected a list"),
        ({"ground_truth": [{"input": 1}]}, "ground_truth[0].input", "expected a string, got 1"),
        ({"dataset": "bouncingsim"}, "dataset", "expected manufactoria"),
        ({"id": ""}, "id", "empty"),
        ({"id": 7}, "id", "expected a string"),
        ({"difficulty": None}, "difficulty", "expected a string"),
        ({"parameters": 1}, "parameters", "expected a string"),
        ({"parameters": "{"}, "parameters", "not JSON"),
        ({"parameters": "{}"}, "parameters", "not the parameters of contains_ordered: KeyError"),
        ({"parameters": '{"sequence": "RR"}'}, "id", "expected contains_ordered:two:RR"),
        (
            {"parameters": '{"sequence": "RBR"}', "problem_family": "new"},
            "problem_family",
            "unknown",
        ),
        (
            {
                "parameters": '{"sequence": "RBR"}',
                "ground_truth": [{"input": "R", "check_output": False}],
            },
            "ground_truth[0]",
            "not what the parameters ask for",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str, what: str) -> None:
    with pytest.raises(RecordError, match=f"{re.escape(field)}: .*{re.escape(what)}") as caught:
        from_record(record(**changes))
    assert caught.value.field == field


def test_a_missing_field_is_named() -> None:
    for name in FIELDS:
        with pytest.raises(RecordError, match=f"{name}: missing"):
            from_record({key: value for key, value in record().items() if key != name})
    with pytest.raises(RecordError, match="expected an object"):
        from_record([])
