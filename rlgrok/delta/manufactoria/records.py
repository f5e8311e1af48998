"""Records of the verification API: what comes in is checked field by field, what goes out is plain data.

Field names, types and defaults are those of delta-manufactoria.md, section 4; `pass_rate` and `full_pass` are added.
Types are taken literally: a number is not a text, 1 is not true. Unknown fields are ignored, as the reference does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlgrok.delta.fields import RecordError, required, shown, typed
from rlgrok.delta.manufactoria.judge import Judgement, TestResult, judge
from rlgrok.types import TestCase

_TEST_FIELDS: Mapping[str, tuple[type, object]] = {
    "expected_output": (str, ""),
    "expected_accepted": (bool, True),
    "check_output": (bool, True),
    "description": (str, ""),
}
"""Optional fields of a test: type and default. `input` is the only required one."""


def judge_record(record: object, *, strict: bool = False) -> dict[str, Any]:
    """The response to one request, as JSON-able data.

    Args:
        record: a decoded request; anything else is an error, not a crash.
        strict: as in `machine.run`.

    Returns:
        `valid`, `all_passed`, `results`, `pass_rate`, `full_pass`, and `message` when the program does not parse.

    Raises:
        RecordError: the first field that is missing or of the wrong type.
    """
    text, tests = read_record(record)
    return response(judge(text, tests, strict=strict, keep_paths=True))


def read_record(record: object) -> tuple[str, list[TestCase]]:
    """The program text and the tests of a request.

    Raises:
        RecordError: the first field that is missing or of the wrong type.
    """
    request = typed(record, dict, "")
    text = required(request, "dsl", str, "dsl")
    cases = required(request, "test_cases", list, "test_cases")
    limit = request.get("max_execution_time", 1.0)  # accepted and never used (P10)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise RecordError("max_execution_time", f"expected a number, got {shown(limit)}")
    return text, [read_test(case, f"test_cases[{index}]") for index, case in enumerate(cases)]


def response(judgement: Judgement) -> dict[str, Any]:
    """A judgement as the API's response."""
    data: dict[str, Any] = {
        "valid": judgement.valid,
        "all_passed": judgement.all_passed,
        "results": [_result(result) for result in judgement.results],
        "pass_rate": judgement.pass_rate,
        "full_pass": judgement.full_pass,
    }
    if judgement.message is not None:
        data["message"] = judgement.message
    return data


def _result(result: TestResult) -> dict[str, Any]:
    return {
        "input": result.input,
        "expected_output": result.expected_output,
        "actual_output": result.actual_output,
        "expected_accepted": result.expected_accepted,
        "actual_accepted": result.actual_accepted,
        "check_output": result.check_output,
        "passed": result.passed,
        "path": list(result.path),
        "rejection_reason": result.rejection_reason,
        "description": result.description,
    }


def read_test(case: object, where: str) -> TestCase:
    """One test of a record; `where` is its path, such as `test_cases[3]`.

    Raises:
        RecordError: the first field that is missing or of the wrong type.
    """
    fields = typed(case, dict, where)
    tape = required(fields, "input", str, f"{where}.input")
    optional = {
        name: typed(fields[name], kind, f"{where}.{name}") if name in fields else default
        for name, (kind, default) in _TEST_FIELDS.items()
    }
    return TestCase(input=tape, **optional)
