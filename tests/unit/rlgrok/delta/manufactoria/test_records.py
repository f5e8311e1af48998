"""Records of the verification API: defaults, the response, and every malformed field by its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlgrok.delta.manufactoria.records import RecordError, judge_record, read_record
from rlgrok.types import TestCase

PAINT_RED = "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT end\nEND end"


def test_defaults_are_those_of_the_reference() -> None:
    text, tests = read_record({"dsl": PAINT_RED, "test_cases": [{"input": "B"}]})
    assert text == PAINT_RED
    assert tests == [TestCase("B", "", True, True, "")]


def test_a_response_has_every_field_of_the_specification() -> None:
    case = {"input": "B", "expected_output": "BR", "description": "adds red"}
    response = judge_record({"dsl": PAINT_RED, "test_cases": [case], "max_execution_time": 2})
    assert response == {
        "valid": True,
        "all_passed": True,
        "pass_rate": 1.0,
        "full_pass": True,
        "results": [
            {
                "input": "B",
                "expected_output": "BR",
                "actual_output": "BR",
                "expected_accepted": True,
                "actual_accepted": True,
                "check_output": True,
                "passed": True,
                "path": ["start", "p", "end"],
                "rejection_reason": None,
                "description": "adds red",
            }
        ],
    }
    assert json.loads(json.dumps(response)) == response


def test_a_parse_error_is_a_response_with_a_message() -> None:
    response = judge_record({"dsl": "x", "test_cases": [{"input": ""}]})
    assert (response["valid"], response["all_passed"], response["results"]) == (False, False, [])
    assert (response["pass_rate"], response["full_pass"]) == (0.0, False)
    assert response["message"] == "DSL Parse Error: Line 1: invalid node declaration: 'x'"


def test_an_empty_list_is_all_passed_but_no_full_pass() -> None:
    response = judge_record({"dsl": PAINT_RED, "test_cases": []})
    assert (response["all_passed"], response["full_pass"], response["pass_rate"]) == (
        True,
        False,
        0.0,
    )


def test_strict_reads_upper_case_end() -> None:
    record = {"dsl": "START start:\n    NEXT END\nEND end", "test_cases": [{"input": ""}]}
    assert judge_record(record)["all_passed"] is False
    assert judge_record(record, strict=True)["all_passed"] is True


@pytest.mark.parametrize(
    ("record", "field", "what"),
    [
        ([], "", "expected an object, got []"),
        (None, "", "expected an object, got None"),
        ({"test_cases": []}, "dsl", "missing"),
        ({"dsl": 3, "test_cases": []}, "dsl", "expected a string, got 3"),
        ({"dsl": ""}, "test_cases", "missing"),
        ({"dsl": "", "test_cases": {}}, "test_cases", "expected a list, got {}"),
        ({"dsl": "", "test_cases": ["R"]}, "test_cases[0]", "expected an object, got 'R'"),
        ({"dsl": "", "test_cases": [{}]}, "test_cases[0].input", "missing"),
        (
            {"dsl": "", "test_cases": [{"input": ""}, {"input": None}]},
            "test_cases[1].input",
            "expected a string, got None",
        ),
        (
            {"dsl": "", "test_cases": [{"input": "", "check_output": 1}]},
            "test_cases[0].check_output",
            "expected true or false, got 1",
        ),
        (
            {"dsl": "", "test_cases": [{"input": "", "expected_accepted": "true"}]},
            "test_cases[0].expected_accepted",
            "expected true or false, got 'true'",
        ),
        (
            {"dsl": "", "test_cases": [{"input": "", "expected_output": 5}]},
            "test_cases[0].expected_output",
            "expected a string, got 5",
        ),
        (
            {"dsl": "", "test_cases": [], "max_execution_time": "1"},
            "max_execution_time",
            "expected a number, got '1'",
        ),
    ],
)
def test_a_malformed_record_names_its_field(record: Any, field: str, what: str) -> None:
    with pytest.raises(RecordError) as caught:
        judge_record(record)
    assert (caught.value.field, caught.value.what) == (field, what)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(RecordError) as caught:
        judge_record({"dsl": ["x" * 1_000_000], "test_cases": []})
    assert len(str(caught.value)) < 100
