"""One request in, one answer out: the reference's statuses and bodies, and nothing else whatever is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrok.delta.manufactoria.judge import judge
from rlgrok.delta.manufactoria.records import response
from rlgrok.serving import answers
from rlgrok.serving.answers import Answer, Outcome, answer
from rlgrok.serving.limits import Limits
from rlgrok.types import TestCase

EAT_R = "START start:\n    NEXT a\nPULLER_RB a:\n    [R] a\n    [EMPTY] end\nEND end"
RESULT_KEYS = [
    "input", "expected_output", "actual_output", "expected_accepted", "actual_accepted", "check_output",
    "passed", "path", "rejection_reason", "description",
]  # fmt: skip


LIMITS = Limits()


def ask(request: Any, limits: Limits = LIMITS, **options: Any) -> tuple[Answer, Any]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    found = answer(body, limits, **options)
    return found, json.loads(found.body)


def test_every_field_of_a_verdict() -> None:
    found, data = ask(
        {
            "dsl": EAT_R,
            "test_cases": [
                {"input": "RR", "description": "two"},
                {"input": "RB", "expected_accepted": False, "check_output": False},
                {"input": "R", "expected_output": "R"},
            ],
        }
    )
    assert (found.status, found.outcome) == (200, Outcome.FAILED)
    assert list(data) == ["valid", "all_passed", "results"]
    assert data["valid"] is True
    assert data["all_passed"] is False
    assert [list(result) for result in data["results"]] == [RESULT_KEYS] * 3
    assert data["results"][0] == {
        "input": "RR",
        "expected_output": "",
        "actual_output": "",
        "expected_accepted": True,
        "actual_accepted": True,
        "check_output": True,
        "passed": True,
        "path": ["start", "a", "a", "a", "end"],
        "rejection_reason": None,
        "description": "two",
    }
    assert data["results"][1]["rejection_reason"] == "routed to NONE"
    assert [result["passed"] for result in data["results"]] == [True, True, False]


def test_an_empty_list_of_tests_is_all_passed() -> None:
    found, data = ask({"dsl": EAT_R, "test_cases": []})
    assert found.outcome is Outcome.PASSED
    assert data == {"valid": True, "all_passed": True, "results": []}


def test_a_program_that_does_not_parse_is_an_answer_not_an_error() -> None:
    found, data = ask({"dsl": "START start", "test_cases": [{"input": "R"}]})
    assert (found.status, found.outcome) == (200, Outcome.PARSE_ERROR)
    message = data.pop("message")
    assert message.startswith("DSL Parse Error: Line 1: ")
    assert data == {"valid": False, "all_passed": False, "results": []}


def test_half_a_character_does_not_break_the_answer() -> None:
    case = b'{"input": "\\ud800R", "check_output": false, "description": "\\udfff"}'
    found, data = ask(
        b'{"dsl": "' + EAT_R.replace("\n", "\\n").encode() + b'", "test_cases": [' + case + b"]}"
    )
    assert found.status == 200
    assert data["results"][0]["actual_output"] == "\ud800R"


def test_upper_case_end_only_in_strict_mode() -> None:
    request = {"dsl": "START start:\n    NEXT END\nEND end", "test_cases": [{"input": ""}]}
    assert ask(request)[1]["all_passed"] is False
    assert ask(request, strict=True)[1]["all_passed"] is True


def test_types_are_read_as_the_reference_reads_them() -> None:
    case = {"input": "R", "check_output": "false", "expected_accepted": 1, "unknown": [1]}
    request = {"dsl": EAT_R, "test_cases": [case], "max_execution_time": "0.5", "more": None}
    assert ask(request)[1]["all_passed"] is True


@pytest.mark.parametrize(
    ("request_", "loc", "kind"),
    [
        (b"", ["body"], "missing"),
        (b"{", ["body", 1], "json_invalid"),
        (b"\xff\xfe\xff", ["body"], "json_invalid"),
        (b"\x80abc", ["body"], "json_invalid"),
        (b"[" * 200_000, ["body", 0], "json_invalid"),
        (b'{"dsl": ' + b"9" * 5000 + b"}", ["body", 0], "json_invalid"),
        (b"null", ["body"], "model_type"),
        (b"[]", ["body"], "model_type"),
        ({}, ["body", "dsl"], "missing"),
        ({"dsl": 5, "test_cases": []}, ["body", "dsl"], "string_type"),
        ({"dsl": None, "test_cases": []}, ["body", "dsl"], "string_type"),
        ({"dsl": "", "test_cases": "RB"}, ["body", "test_cases"], "list_type"),
        ({"dsl": "", "test_cases": [1]}, ["body", "test_cases", 0], "model_type"),
        ({"dsl": "", "test_cases": [{}]}, ["body", "test_cases", 0, "input"], "missing"),
        (
            {"dsl": "", "test_cases": [{"input": "", "check_output": "perhaps"}]},
            ["body", "test_cases", 0, "check_output"],
            "bool_parsing",
        ),
        (
            b'{"dsl": "", "test_cases": [], "max_execution_time": {"a": NaN}}',
            ["body", "max_execution_time"],
            "float_type",
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_of_the_wrong_shape(request_: Any, loc: list, kind: str) -> None:
    found, data = ask(request_)
    assert (found.status, found.outcome) == (422, Outcome.MALFORMED)
    first = data["detail"][0]
    assert first["type"] == kind
    assert first["loc"][: len(loc)] == loc
    assert first["msg"]


def test_a_malformed_request_is_not_sent_back_whole() -> None:
    cases = [{"input": 7, "description": "x" * 100_000} for _ in range(500)]
    found, data = ask({"test_cases": cases})
    assert found.status == 422
    assert len(data["detail"]) == 20
    assert len(found.body) < 5_000


@pytest.mark.parametrize(
    ("request_", "field", "got", "limit"),
    [
        ({"dsl": "#" * 101, "test_cases": []}, "dsl", 101, 100),
        ({"dsl": "", "test_cases": [{}] * 6}, "test_cases", 6, 5),
        ({"dsl": "", "test_cases": [{"input": "R" * 21}]}, "test_cases[0].input", 21, 20),
        (
            {"dsl": "", "test_cases": [{"input": ""}, {"input": "", "expected_output": "R" * 30}]},
            "test_cases[1].expected_output",
            30,
            20,
        ),
    ],
)
def test_too_large_names_field_got_and_limit(
    request_: Any, field: str, got: int, limit: int
) -> None:
    limits = Limits(max_program_chars=100, max_tests=5, max_tape_symbols=20)
    found, data = ask(request_, limits)
    assert (found.status, found.outcome) == (413, Outcome.TOO_LARGE)
    detail = data["detail"][0]
    assert (detail["field"], detail["got"], detail["limit"]) == (field, got, limit)
    assert detail["loc"][-1] == field.rpartition(".")[2]
    assert f"got {got} " in detail["msg"]
    assert f"limit {limit} " in detail["msg"]


def test_a_response_of_long_names_is_refused_before_it_is_written() -> None:
    name = "n" * 20_000
    loop = f"START start:\n    NEXT {name}\nPAINTER_RED {name}:\n    NEXT {name}\nEND end"
    request = {"dsl": loop, "test_cases": [{"input": ""}] * 100}
    found, data = ask(request, Limits(max_response_bytes=1 << 20))
    assert found.status == 413
    assert data["detail"][0]["field"] == "response"


def test_the_estimate_of_a_response_is_not_below_its_size() -> None:
    cases = [{"input": "R" * n, "description": "\N{SNOWMAN}"} for n in range(30)]
    found, _ = ask({"dsl": EAT_R, "test_cases": cases})
    assert ask({"dsl": EAT_R, "test_cases": cases}, Limits(max_response_bytes=len(found.body) - 1))[
        0
    ].status in (200, 413)
    assert (
        ask({"dsl": EAT_R, "test_cases": cases}, Limits(max_response_bytes=2 * len(found.body)))[
            0
        ].status
        == 200
    )


def test_a_fault_of_our_own_is_answered_as_the_api_says_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(answers, "complete", broken)
    found, data = ask({"dsl": EAT_R, "test_cases": [{"input": ""}]})
    assert (found.status, found.outcome) == (200, Outcome.ERROR)
    assert data["message"] == "Unexpected error: out of cheese"
    assert (data["valid"], data["all_passed"], data["results"]) == (False, False, [])
    assert "out of cheese" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
CASES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "input": st.text("RBYGx", max_size=6) | JSON,
            "expected_output": st.text("RB.*+?|()[", max_size=5) | JSON,
            "expected_accepted": JSON,
            "check_output": st.booleans() | JSON,
        },
    )
    | JSON,
    max_size=3,
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"dsl": st.just(EAT_R) | JSON, "test_cases": CASES | JSON}
)


@settings(max_examples=150, deadline=None)
@given(REQUESTS | JSON)
def test_any_json_gets_a_status_of_the_contract(request_: Any) -> None:
    found, data = ask(request_)
    assert found.status in (200, 422)
    assert found.outcome is not Outcome.ERROR
    assert ("results" in data) == (found.status == 200)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_get_a_status_of_the_contract(body: bytes) -> None:
    assert ask(body)[0].status == 422


PROGRAMS = [
    EAT_R,
    EAT_R.replace("a", "é1"),
    EAT_R.replace("[EMPTY] end", "[EMPTY] END"),
    EAT_R.replace("[R] a", "[R] p") + "\nPAINTER_YELLOW p:\n    NEXT a",
    "START start:\n    NEXT start\nEND end",
    "START start:\n  NEXT end\nEND end",
]
CASES = [
    {"input": "R" * 40},
    {"input": "RB", "check_output": False},
    {"input": "xé", "expected_output": "xé", "description": "foreign"},
    {"input": "RR", "expected_output": "(R|B|Y)*"},
    {"input": "R", "expected_output": "Y", "expected_accepted": False},
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("program", PROGRAMS)
def test_compiled_code_gives_the_plain_answer_to_the_byte(program: str, *, strict: bool) -> None:
    found, _ = ask({"dsl": program, "test_cases": CASES}, strict=strict)
    tests = [TestCase(**case) for case in CASES]
    data = response(judge(program, tests, strict=strict, keep_paths=True))
    plain = {name: data[name] for name in answers.FIELDS if name in data}
    assert found.body == json.dumps(plain, separators=(",", ":")).encode()


def test_an_answer_that_compiled_code_refuses_is_refused_by_its_size() -> None:
    name = "p" * 70_000
    loop = f"START start:\n    NEXT {name}\nPULLER_RB {name}:\n    [EMPTY] start\nEND end"
    limits = Limits(max_program_chars=1_000_000)
    found, data = ask({"dsl": loop, "test_cases": [{"input": ""}] * 2}, limits)
    assert (found.status, found.outcome) == (413, Outcome.TOO_LARGE)
    assert "the paths and tapes of the answer are too long: got 350" in data["detail"][0]["msg"]
