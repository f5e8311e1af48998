"""`toolkit rl trace`: what is shown, written and refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

EAT = "START start:\n    NEXT a\nPULLER_RB a:\n    [R] a\n    [EMPTY] end\nEND end\n"
PAINT = "START start:\n    NEXT p\nPAINTER_RED p:\n    NEXT p\nEND end\n"


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "eat.txt").write_text(EAT)
    return "eat.txt"


def test_steps_and_verdict(toolkit: Callable, program: str) -> None:
    done = toolkit("rl", "trace", program, "RY")
    assert (done.code, done.out) == (0, "")
    lines = [" ".join(line.split()) for line in done.err.splitlines() if line.strip()]
    assert lines[0] == "eat.txt"
    assert lines[3:] == [
        "1 start [R]Y start → a",
        "2 a [R]Y pull R from the front → a",
        "3 a [Y] the front is Y, not R or B: pull nothing → end",
        "4 end [Y] accepted",
        "accepted after 4 steps; the final tape is [Y]",
    ]


def test_one_object_for_machines(toolkit: Callable, program: str) -> None:
    done = toolkit("rl", "trace", program, "B", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.json == {
        "command": "rl trace",
        "status": "done",
        "run": None,
        "program": "eat.txt",
        "accepted": False,
        "rejection_reason": "routed to NONE",
        "final_tape": "",
        "num_steps": 3,
        "html": None,
        "steps": [
            {"step": 1, "node": "start", "tape": "B", "condition": "NEXT", "target": "a", "event": "start"},
            {"step": 2, "node": "a", "tape": "B", "condition": "B", "target": "NONE",
             "event": "pull B from the front; no [B] route"},
            {"step": 3, "node": "NONE", "tape": "", "condition": None, "target": None, "event": "rejected"},
        ],
    }  # fmt: skip


def test_a_long_run_shows_its_ends(toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "paint.txt").write_text(PAINT)
    done = toolkit("rl", "trace", "paint.txt", "")
    assert "964 steps more: --all" in done.err
    assert len(done.err.splitlines()) < 50
    assert "rejected: iteration limit after 1000 steps" in done.err
    assert "…+967" in done.err
    done = toolkit("rl", "trace", "paint.txt", "", "--all")
    assert len(done.err.splitlines()) > 1000
    done = toolkit("rl", "trace", "paint.txt", "", "--max-steps", "3")
    assert "iteration limit after 3 steps; the final tape is [R]R" in done.err


def test_a_loop_is_pointed_out(toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "loop.txt").write_text("START start:\n    NEXT start\nEND end")
    done = toolkit("rl", "trace", "loop.txt", "R")
    assert "steps 1 and 2 have the same node and the same tape" in done.err


def test_strict_reads_the_upper_case_end(toolkit: Callable, tmp_path: Path) -> None:
    (tmp_path / "upper.txt").write_text("START start:\n    NEXT END\nEND end")
    assert "rejected: unknown node" in toolkit("rl", "trace", "upper.txt", "").err
    assert "accepted after 2 steps" in toolkit("rl", "trace", "upper.txt", "", "--strict").err


def test_a_program_from_standard_input(toolkit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(buffer=io.BytesIO(b"```\n" + EAT.encode() + b"```\n"))
    monkeypatch.setattr(sys, "stdin", stream)
    done = toolkit("rl", "trace", "-", "", "--json", "--quiet")
    assert (done.json["accepted"], done.json["program"]) == (True, "standard input")


def test_a_problems_own_solution(toolkit: Callable) -> None:
    done = toolkit("rl", "trace", "--solution", "starts_with:four:RB", "RBY")
    assert done.code == 0
    assert done.err.startswith("starts_with:four:RB\n"), "no picture in place of a colon word"
    assert "accepted" in done.err
    wrong = toolkit("rl", "trace", "--solution", "starts_with:four:RX", "RBY")
    assert wrong.code == 2
    assert "hint: did you mean starts_with:four:R" in wrong.err


def test_a_page_is_written(toolkit: Callable, program: str, tmp_path: Path) -> None:
    done = toolkit("rl", "trace", program, "RR", "--html", "run.html", "--json")
    assert done.json["html"] == "run.html"
    assert "page: run.html" in done.err
    assert (tmp_path / "run.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("tape", "message", "hint"),
    [
        ("rbYg", "got r; expected R, B, Y and G; at TAPE, symbol 1", "did you mean RBYG?"),
        ("RB, RB", "got ,; expected R, B, Y and G; at TAPE, symbol 3", "did you mean RBRB?"),
        ("RBX", "got X; expected R, B, Y and G; at TAPE, symbol 3", None),
        ("red blue", "at TAPE, symbol 1", "did you mean RB?"),
        ("empty", "got e; ", 'the empty tape is ""'),
        ("R" * 10_001, "got 10001 symbols; expected at most 10000; at TAPE", None),
    ],
)
def test_a_tape_that_is_none(
    tape: str, message: str, hint: str | None, toolkit: Callable, program: str
) -> None:
    done = toolkit("rl", "trace", program, tape)
    assert done.code == 2
    first, *rest = done.err.splitlines()
    assert message in first
    assert rest == ([f"hint: {hint}"] if hint else [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"STRAT start:\n    NEXT end\nEND end",
         "error: no program: invalid node declaration: 'STRAT start:'; at bad.txt, line 1\n"
         "hint: did you mean START?\n"),
        (b"\n\nSTART start:\n    NEXT end\nEND end:",
         "error: no program: END takes no colon; at bad.txt, line 5\n"),
        (b"```manufactoria\nEND end\n```",
         "error: no program: invalid node declaration: '```manufactoria'; at bad.txt, line 1\n"
         "hint: a fence has no language tag here\n"),
        (b"END end", "error: no program: the program has no START node; at bad.txt\n"),
        (b"", "error: no program: empty program; at bad.txt\n"),
        (b"\xff", "error: the program is not UTF-8 text; got byte 1; at bad.txt\n"),
        (b"#" * (1 << 20) + b"#",
         "error: the program is too long; got more than 1048576 bytes; expected at most 1048576; at bad.txt\n"),
    ],
    ids=["keyword", "colon", "tag", "no start", "empty", "bytes", "long"],
)  # fmt: skip
def test_a_text_that_is_no_program(
    text: bytes, message: str, toolkit: Callable, tmp_path: Path
) -> None:
    (tmp_path / "bad.txt").write_bytes(text)
    done = toolkit("rl", "trace", "bad.txt", "R")
    assert (done.code, done.err) == (2, message)


@pytest.mark.parametrize(
    "words", [["eat.txt"], ["eat.txt", "R", "B"], ["--solution", "x:two:R", "eat.txt", "R"]]
)
def test_missing_and_extra_words(words: list[str], toolkit: Callable, program: str) -> None:
    done = toolkit("rl", "trace", *words)
    assert done.code == 2
    assert "toolkit rl trace takes a program and a tape" in done.err


def test_files_that_cannot_be_used(toolkit: Callable, program: str) -> None:
    done = toolkit("rl", "trace", "none.txt", "R", "--json")
    assert done.code == 2
    assert done.json["error"]["message"].startswith("the program cannot be read: No such file")
    Path("taken").write_text("")
    done = toolkit("rl", "trace", program, "R", "--html", "taken/run.html")
    assert (done.code, done.err.startswith("error: ")) == (2, True)
