"""Judging records in bulk: one line in, one line out, and a bad line stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rlgrok.verify import VerifyCounts, verify_lines
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


def test_a_program_of_a_megabyte_and_a_tape_of_a_million_symbols_are_judged() -> None:
    chain = "".join(f"PULLER_RB p{i}:\n    [R] p{i + 1}\n" for i in range(30_000))
    text = f"START start:\n    NEXT p0\n{chain}PULLER_RB p30000:\n    [R] end\nEND end"
    assert len(text) > 900_000
    tape = json.dumps(
        {
            "dsl": "START start:\n    NEXT p\nPULLER_RB p:\n    [R] p\nEND end",
            "test_cases": [{"input": "R" * 1_000_000}],
        }
    )
    results, counts = judged([record(text), tape])
    assert [r["valid"] for r in results] == [True, True]
    assert results[0]["results"][0]["rejection_reason"] == "routed to NONE"
    assert results[1]["results"][0]["rejection_reason"] == "iteration limit"
    assert counts.num_full_pass == 0


def test_an_unknown_scope_is_named_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match="unknown scope; got manufactory; expected manufactoria"
    ) as caught:
        verify_lines([], print, scope="manufactory")
    assert caught.value.hint == "did you mean manufactoria?"
