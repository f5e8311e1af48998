"""`toolkit rl verify`: files in, files out. What a verdict says is the scope's own test."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

ACCEPT_ALL = "START start:\n    NEXT end\nEND end"


def record(program: str = ACCEPT_ALL, accepted: bool = True) -> str:
    case = {"input": "R", "expected_accepted": accepted, "check_output": False}
    return json.dumps({"dsl": program, "test_cases": [case]})


def test_a_file_in_and_a_file_out(toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        f"{record()}\n{record(accepted=False)}\n{record('nonsense')}\n"
    )
    result = toolkit(
        "rl",
        "verify",
        "--scope",
        "manufactoria",
        "--in",
        "in.jsonl",
        "--out",
        "out.jsonl",
        "--json",
    )
    assert result.code == 0, result.err
    assert result.json == {
        "command": "rl verify",
        "status": "done",
        "run": None,
        "out": "out.jsonl",
        "num_records": 3,
        "num_full_pass": 1,
        "num_invalid": 1,
        "num_malformed": 0,
    }
    verdicts = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(v["valid"], v["all_passed"], v["pass_rate"]) for v in verdicts] == [
        (True, True, 1.0),
        (True, False, 0.0),
        (False, False, 0.0),
    ]
    assert verdicts[0]["results"][0]["actual_accepted"] is True
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_standard_streams(toolkit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(record().encode())))
    result = toolkit("rl", "verify", "--quiet")
    assert result.code == 0
    assert json.loads(result.out)["full_pass"] is True
    assert result.err == ""


def test_a_line_that_is_no_record_does_not_stop_the_others(
    toolkit: Callable, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text(f'{record()}\n{{"dsl": 1}}\n{record()}\n')
    result = toolkit("rl", "verify", "--in", "in.jsonl", "--out", "out.jsonl", "--json")
    assert result.code == 2
    assert (result.json["num_full_pass"], result.json["num_malformed"]) == (2, 1)
    assert "1 of 3 lines are no records" in result.err
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["error"]["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--in", "absent.jsonl"],
            "the file cannot be read: No such file or directory; at absent.jsonl",
        ),
        (
            ["--in", "in.jsonl", "--scope", "manufactorio"],
            "unknown scope; got manufactorio; expected manufactoria",
        ),
        (["--in", "in.jsonl", "--json"], "--json needs --out"),
        (["--in", "in.jsonl", "--out", "nowhere/out.jsonl"], "nowhere"),
        (["--in", "."], "the file cannot be read"),
    ],
)
def test_what_cannot_be_judged(
    arguments: list[str], message: str, toolkit: Callable, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text(record())
    result = toolkit("rl", "verify", *arguments)
    assert result.code == 2
    assert message in result.err.splitlines()[0]
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl"}
