"""Judging records in bulk: one line in, one line out, and a bad line stops nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rlgrok.verify import MAX_LINE_BYTES, VerifyCounts, bounded_lines, verify_lines
from runtime.errors import InputError

ACCEPT_ALL = "START start:\n    NEXT end\nEND end"


def record(dsl: str = ACCEPT_ALL, accepted: bool = True) -> str:
    case = {"input": "R", "expected_accepted": accepted, "check_output": False}
    return json.dumps({"dsl": dsl, "test_cases": [case]})


def judged(lines: list[str | bytes]) -> tuple[list[dict[str, Any]], VerifyCounts]:
    written: list[str] = []
    counts = verify_lines(lines, written.append, scope="manufactoria")
    assert not any("\n" in line for line in written)
    return [json.loads(line) for line in written], counts


def test_every_record_gets_its_line_in_order() -> None:
    results, counts = judged(
        [record() + "\n", record(accepted=False), record("x"), record().encode()]
    )
    assert [r["full_pass"] for r in results] == [True, False, False, True]
    assert [r["valid"] for r in results] == [True, True, False, True]
    assert counts == VerifyCounts(num_records=4, num_full_pass=2, num_invalid=1, num_malformed=0)


@pytest.mark.parametrize(
    ("line", "field", "what"),
    [
        ("{", "", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b"\xff", "", "not UTF-8: invalid start byte at byte 1"),
        ("[" * 100_000, "", "not usable JSON: RecursionError"),
        ('{"dsl": "", "test_cases": ' + "9" * 5000 + "}", "", "not usable JSON: ValueError"),
        ('{"dsl": 1, "test_cases": []}', "dsl", "expected a string, got 1"),
        ("3", "", "expected an object, got 3"),
    ],
)
def test_a_malformed_line_is_reported_and_the_rest_is_judged(
    line: str | bytes, field: str, what: str
) -> None:
    results, counts = judged([record(), "  \n", line, record()])
    assert [r["full_pass"] for r in results] == [True, False, True]
    bad = results[1]
    assert bad["error"] == {"line": 3, "field": field, "what": what}
    assert bad["message"].startswith("Record Error: line 3: ")
    assert (bad["valid"], bad["all_passed"], bad["results"], bad["pass_rate"]) == (
        False,
        False,
        [],
        0.0,
    )
    assert counts == VerifyCounts(num_records=3, num_full_pass=2, num_invalid=0, num_malformed=1)


def test_lines_are_judged_as_they_come() -> None:
    """A reader at the other end of a pipe sees a result before the next record is read."""
    written: list[str] = []

    def lines() -> Iterator[str]:
        for count in range(3):
            assert len(written) == count
            yield record()

    verify_lines(lines(), written.append, scope="manufactoria")
    assert len(written) == 3


def test_no_lines_are_no_records() -> None:
    assert judged([]) == ([], VerifyCounts())


def test_characters_outside_ascii_survive_the_way() -> None:
    text = ACCEPT_ALL.replace("end\nEND", "é\nPULLER_RB é:\n    [R] end\nEND")
    results, _ = judged([record(text)])
    assert results[0]["results"][0]["path"] == ["start", "é", "end"]


def request(program: str, *tests: dict[str, Any]) -> str:
    return json.dumps({"dsl": program, "test_cases": list(tests)})


LOOP = "START start:\n    NEXT {0}\nPULLER_RB {0}:\n    [R] {0}\n    [EMPTY] {0}\nEND end"
LONG_CHAIN = (
    "START start:\n    NEXT p0\n"
    + "".join(f"PULLER_RB p{i}:\n    [R] p{i + 1}\n" for i in range(330_000))
    + "PULLER_RB p330000:\n    [R] end\nEND end"
)


def test_hostile_records_get_a_verdict_or_an_error_and_the_rest_is_judged() -> None:
    """Each takes a fraction of a second; memory is bounded by the longest line."""
    assert len(LONG_CHAIN) > 10_000_000
    one = {"input": "R" * 5}
    lines = [
        request(LONG_CHAIN, one),
        request(LONG_CHAIN.replace("p330000:", "p330000"), one),
        request("x" * 10_000_000, one),
        request(
            "START start:\n    NEXT p\nPULLER_RB p:\n    [R] p\nEND end", {"input": "R" * 1_000_000}
        ),
        request(ACCEPT_ALL, {"input": "R" * 40, "expected_output": "(R+)+B"}),
        request(
            ACCEPT_ALL, {"input": "R" * 40}, {"input": "R" * 40, "expected_output": r"(R+)+\Z."}
        ),
        request(ACCEPT_ALL, {"input": "", "expected_output": "(" * 100_000 + "*" * 100_000}),
        request(LOOP.format("p" * 1_000_000), one),
        request(LOOP.format("p"), *[one] * 2500),
        request(ACCEPT_ALL + "\x00", {"input": "\x00"}),
        request("START start:\n    NEXT \ud800\nEND end", {"input": "\ud800"}),
        request(ACCEPT_ALL, {"input": "\ud800\x00", "expected_output": "\ud800\x00"}),
        '{"dsl": "", "test_cases": [' + ",".join(['{"input":""}'] * 1_000_000) + "]}",
        record(),
    ]
    results, counts = judged(lines)
    told = [r["results"][0]["rejection_reason"] if r["results"] else r["message"] for r in results]
    assert told[0] == "routed to NONE"
    assert told[1] == "DSL Parse Error: Line 660003: PULLER_RB needs a colon after its id"
    assert told[2].startswith("DSL Parse Error: Line 1: invalid node declaration: 'xxx")
    assert told[3] == "iteration limit"
    assert told[4] is None
    assert results[4]["all_passed"] is False
    assert results[5]["error"]["field"] == "test_cases[1].expected_output"
    assert "takes too long to match with 40 symbols" in told[5]
    assert told[6] is None  # no usable pattern: compared as text
    assert "have 999000" in told[7]
    assert "visit 2500000 nodes, at most 2000000" in told[8]
    assert told[9].startswith("DSL Parse Error: Line 3: invalid node declaration")
    assert told[10].startswith("DSL Parse Error: Line 2: invalid NEXT route")
    assert results[11]["full_pass"] is True
    assert told[12] == "Record Error: line 13: test_cases: 1000000 tests, at most 100000"
    assert results[13]["full_pass"] is True
    assert counts == VerifyCounts(num_records=14, num_full_pass=2, num_invalid=4, num_malformed=4)


def test_of_a_line_without_an_end_no_more_than_a_part_is_held() -> None:
    file = io.BytesIO(b"a" * 9 + b"\n" + b"b" * 100 + b"\n" + b"c\n" + b"d" * 11)
    assert list(bounded_lines(file, most=10)) == [b"a" * 9 + b"\n", b"b" * 11, b"c\n", b"d" * 11]


def test_a_line_that_is_too_long_is_no_record() -> None:
    results, _ = judged([b" " * 10 + b"1" * MAX_LINE_BYTES])
    assert results[0]["message"] == "Record Error: line 1: a line of more than 32000000 bytes"


def test_an_unknown_scope_is_named_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match="unknown scope; got manufactory; expected manufactoria"
    ) as caught:
        verify_lines([], print, scope="manufactory")
    assert caught.value.hint == "did you mean manufactoria?"
