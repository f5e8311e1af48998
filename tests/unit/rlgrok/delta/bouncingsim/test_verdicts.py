"""Programs in the sandbox: the oracle passes, nothing else does by a trick, and every failure has its status."""

from __future__ import annotations

from typing import Any

import pytest

from rlgrok.delta.bouncingsim.assertions import Setting
from rlgrok.delta.bouncingsim.audit import ORACLE, judge, program_text
from rlgrok.delta.bouncingsim.datasets import find_problem
from rlgrok.delta.bouncingsim.judging import extract_program
from rlgrok.delta.bouncingsim.records import judge_records, read_record
from rlgrok.delta.bouncingsim.tasks import from_record, make_problem, to_record
from rlgrok.delta.bouncingsim.verdicts import oracle, shared_sandbox, verify, verify_exhaustive
from rlgrok.delta.fields import RecordError
from rlgrok.types import Problem, Status


@pytest.fixture(scope="module")
def problem() -> Problem:
    return find_problem("B_1_1")


def test_the_oracle_passes_at_levels_0_to_2() -> None:
    ids = [
        f"{letters}_{level}_{index}"
        for letters in "BCDFG"
        for level in range(3)
        for index in (1, 2)
    ]
    problems = [find_problem(name) for name in ids]
    found = judge([(one, program_text(one, ORACLE)) for one in problems])
    failed = [name for name, one in zip(ids, found, strict=True) if not one.full_pass]
    assert failed == []


def test_the_stricter_verdict(problem: Problem) -> None:
    assert verify_exhaustive(problem, oracle(problem)).full_pass
    table = {test.input: test.expected_output for test in problem.tests}
    remembered = "\n".join(
        f"    if abs(t - {key.split()[2]}) < 1e-9:\n        return {value}"
        for key, value in table.items()
    )
    by_heart = f"def predict_position(t):\n{remembered}\n    return [[0.0, 0.0]]"
    assert verify(problem, by_heart).full_pass
    verdict = verify_exhaustive(problem, by_heart)
    assert (verdict.status, verdict.num_passed, verdict.num_tests) == (Status.FAILED, 15, 30)


def test_the_list_setting(problem: Problem) -> None:
    scene = problem.parameters["scene"]
    listed = make_problem("B_1_1", scene, times=(0.2, 0.5, 1.1), setting=Setting.LIST)
    assert verify(listed, oracle(listed)).full_pass
    assert verify_exhaustive(listed, oracle(listed)).full_pass
    verdict = verify(listed, "def predict_position():\n    return []")
    assert (verdict.status, verdict.num_passed, verdict.num_tests) == (Status.FAILED, 0, 3)
    assert verify(listed, "def predict_position():\n    1 / 0").status is Status.RUNTIME_ERROR


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("", Status.NO_PROGRAM),
        ("def predict_position(t:", Status.PARSE_ERROR),
        ("x = 1", Status.RUNTIME_ERROR),
        ("def predict_position(t):\n    raise SystemExit(0)", Status.RUNTIME_ERROR),
        ("def predict_position(t):\n    return None", Status.FAILED),
        (
            "class Any(list):\n    __eq__ = __le__ = lambda *_: True\ndef predict_position(t):\n    return Any()",
            Status.RUNTIME_ERROR,
        ),
        (
            "import math\nmath.dist = math.sqrt = lambda *_: 0.0\ndef check_distance(*_):\n    return 0.0\n"
            "def predict_position(t):\n    return [[1e9, 1e9]]",
            Status.FAILED,
        ),
        ("def predict_position(t):\n    return [[float('nan')] * 2]", Status.RUNTIME_ERROR),
    ],
)
def test_statuses(problem: Problem, program: str, status: Status) -> None:
    verdict = verify(problem, program)
    assert verdict.status is status
    assert verdict.num_passed == 0
    assert verdict.message


def test_a_call_that_fails_does_not_fail_the_others(problem: Problem) -> None:
    text = oracle(problem).replace("def predict_position(", "def right(")
    text += "\ndef predict_position(t):\n    if t > 1.05:\n        1 / 0\n    return right(t)\n"
    verdict = verify(problem, text)
    assert (verdict.status, verdict.num_passed) == (Status.RUNTIME_ERROR, 10)
    assert "ZeroDivisionError" in verdict.message


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("think\n```python\nx = 1\n```\nand\n```\ny = 2\n```\n", "y = 2"),
        ("x = 3", "x = 3"),
        ("```python\nx = 1", "```python\nx = 1"),
    ],
)
def test_extraction(completion: str, program: str) -> None:
    assert extract_program(completion) == program


def test_records_are_judged(problem: Problem) -> None:
    truth = to_record(problem)["ground_truth"]
    given = [
        {"id": "right", "program": f"```python\n{oracle(problem)}```", "ground_truth": truth},
        {"id": 2, "program": "def predict_position(t):\n    return [[750, 750]]", "ground_truth": truth},
    ]  # fmt: skip
    right, wrong = judge_records([read_record(one) for one in given], shared_sandbox())
    assert (right["id"], right["status"], right["full_pass"]) == ("right", "passed", True)
    assert right["pass_rate"] == 1.0
    assert right["max_error"] < 5
    assert (wrong["id"], wrong["status"], wrong["full_pass"]) == (2, "failed", False)
    assert len(wrong["results"]) == 15
    assert wrong["mean_error"] > 50


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"program": 5}, "program"),
        ({"ground_truth": ["import os"]}, "ground_truth[0]"),
        ({"ground_truth": "gASVBQ=="}, "ground_truth"),
        ({"max_execution_time": -1}, "max_execution_time"),
    ],
)
def test_what_is_no_record(problem: Problem, change: dict[str, Any], field: str) -> None:
    record = {"id": "x", "program": "", "ground_truth": to_record(problem)["ground_truth"]}
    with pytest.raises(RecordError) as caught:
        read_record({**record, **change})
    assert caught.value.field == field


def test_a_scene_that_brings_its_tests_along(problem: Problem) -> None:
    """They are asked for, and not what the engine says."""
    tests = [{"time": 0.5, "position": [[3.0, 4.0]]}, {"time": 2.5, "position": [[300.0, 4.0]]}]
    own = make_problem("mine", {**problem.parameters["scene"], "tests": tests})
    record = to_record(own, parameters=True)
    assert record["timestamps"] == [0.5, 2.5]
    assert record["ground_truth"][1].startswith(
        "assert check_distance(predict_position(2.50), [[300.0, 4.0]])"
    )
    assert from_record(record).tests == own.tests
    other = make_problem("mine", {**problem.parameters["scene"], "tests": tests[:1]})
    with pytest.raises(RecordError, match="expected 1 times"):
        from_record({**record, "ground_truth": to_record(other)["ground_truth"]})
    found = verify_exhaustive(own, "def predict_position(t):\n    return [[0.0 if t < 1 else 300.0, 0.0]]")
    assert (found.status, found.num_tests) == (Status.PASSED, 2)
