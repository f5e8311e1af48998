"""One request to `/test_program` in, one answer out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rlgrok.sandbox.pool import Sandbox
from rlgrok.serving.limits import Limits
from rlgrok.serving.messages import Answer, Outcome
from rlgrok.serving.programs import answer

LIMITS = Limits(max_program_chars=300, max_tests=3, judge_timeout_s=1.0)
RIGHT = "def predict_position(t):\n    return [[100.0 * t, 0.0]]"
TESTS = [
    "assert check_distance(predict_position(0.10), [[10.0, 0.0]]) <= 50.0",
    "assert check_distance(predict_position(0.90), [[90.0, 0.0]]) <= 50.0",
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


def ask(sandbox: Sandbox, **request: Any) -> tuple[Answer, Any]:
    found = answer(json.dumps(request).encode(), LIMITS, sandbox)
    return found, json.loads(found.body)


@pytest.mark.parametrize("as_text", [False, True])
def test_a_right_program(sandbox: Sandbox, as_text: bool) -> None:
    tests = json.dumps(TESTS) if as_text else TESTS
    found, data = ask(sandbox, program=f"so:\n```python\n{RIGHT}\n```", tests=tests)
    assert (found.status, found.outcome) == (200, Outcome.PASSED)
    assert data["results"] == [1, 1]
    assert data["status"] == "passed"
    assert "message" not in data
    assert all(0 <= one < 1 for one in data["runtimes"])


def test_one_test_of_two(sandbox: Sandbox) -> None:
    found, data = ask(sandbox, program="def predict_position(t): return [[0, 0]]", tests=TESTS)
    assert (found.outcome, data["results"], data["status"]) == (Outcome.FAILED, [1, 0], "failed")
    assert data["runtimes"][1] == -1
    assert data["message"].startswith("test 2, t = 0.9")


@pytest.mark.parametrize(
    ("program", "outcome", "status"),
    [
        ("def", Outcome.PARSE_ERROR, "parse_error"),
        ("def predict_position(t): raise SystemExit(0)", Outcome.FAILED, "runtime_error"),
        ("def predict_position(t):\n  while True: pass", Outcome.FAILED, "timeout"),
        (
            "def check_distance(*_): return 0\ndef predict_position(t): return 0",
            Outcome.FAILED,
            "failed",
        ),
    ],
)
def test_none_of_these_pass(sandbox: Sandbox, program: str, outcome: Outcome, status: str) -> None:
    found, data = ask(sandbox, program=program, tests=TESTS, max_execution_time=0.1)
    assert (found.outcome, data["status"], data["results"]) == (outcome, status, [0, 0])
    assert data["runtimes"] == [-1, -1]


def test_time_is_at_most_half_of_a_requests(sandbox: Sandbox) -> None:
    spin = (
        "import time\ndef predict_position(t):\n"
        "    end = time.process_time() + 2\n"
        "    while time.process_time() < end: pass"
    )
    _, data = ask(sandbox, program=spin, tests=TESTS, max_execution_time=60)
    assert data["status"] == "timeout"


def test_no_tests_are_no_results(sandbox: Sandbox) -> None:
    _, data = ask(sandbox, program=RIGHT, tests=[])
    assert (data["results"], data["runtimes"], data["status"]) == ([], [], "failed")


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"program": "x" * 301}, 413, ["body", "program"]),
        ({"tests": TESTS * 2}, 413, ["body", "tests"]),
        ({"program": None}, 422, ["body", "program"]),
        ({"tests": "gASVBAAAAAAAAABLAS4="}, 422, ["body", "tests"]),
        ({"tests": [TESTS[0], "assert True"]}, 422, ["body", "tests[1]"]),
        ({"tests": json.dumps([1])}, 422, ["body", "tests[0]"]),
        ({"max_execution_time": -1}, 422, ["body", "max_execution_time"]),
        ({"max_execution_time": 1e9}, 422, ["body", "max_execution_time"]),
    ],
)
def test_bad_requests_say_where(
    sandbox: Sandbox, change: dict[str, Any], status: int, where: list[str]
) -> None:
    found, data = ask(sandbox, **({"program": RIGHT, "tests": TESTS} | change))
    assert (found.status, data["detail"][0]["loc"]) == (status, where)


def test_what_is_no_json(sandbox: Sandbox) -> None:
    found = answer(b"{", LIMITS, sandbox)
    assert (found.status, found.outcome) == (422, Outcome.MALFORMED)
