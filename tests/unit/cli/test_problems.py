"""`toolkit rl problems` and `toolkit rl audit`: what is shown, written and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import problems
from rlgrok.delta.manufactoria.checks import SetCheck
from rlgrok.delta.manufactoria.named import named_sets


def test_the_list_has_every_data_set_and_family(toolkit: Callable) -> None:
    result = toolkit("rl", "problems", "--json")
    assert result.code == 0, result.err
    assert [one["name"] for one in result.json["data_sets"]] == list(named_sets())
    has = next(one for one in result.json["data_sets"] if one["name"] == "has")
    assert (has["num_train"], has["num_test"], has["published"]) == (742, 132, [742, 132])
    assert len(result.json["families"]) == 13
    assert "contains_ood_mix" in result.err
    assert "four:easy 194" in result.err


def test_counts(toolkit: Callable) -> None:
    result = toolkit("rl", "problems", "ends", "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert (result.json["num_train"], result.json["num_test"]) == (107, 19)
    assert sum(row["num_test"] for row in result.json["counts"]) == 19
    assert result.json["num_without_parameters"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--show", "ends_with:two:RB"),
        ("ends_with", "--show", "ends_with:two:RB"),
        ("ends_with:two:easy", "--show", "ends_with:two:RB"),
    ],
)
def test_a_problem_is_shown_with_prompt_tests_and_solution(
    words: tuple[str, ...], toolkit: Callable
) -> None:
    result = toolkit("rl", "problems", *words, "--json")
    assert result.code == 0, result.err
    shown = result.json["problem"]
    assert shown["id"] == "ends_with:two:RB"
    assert shown["parameters"] == {"sequence": "RB"}
    assert shown["solution"].startswith("START start:")
    for part in ("Ends with RB", "## Your task", "PULLER_RB n0:", "BRB", "accepted"):
        assert part in result.err


def test_records_go_out_and_come_back(toolkit: Callable, tmp_path: Path) -> None:
    out = toolkit("rl", "problems", "fdiv", "--part", "test", "--export", "f.jsonl", "--json")
    assert out.code == 0, out.err
    assert (out.json["num_records"], out.json["out"]) == (7, "f.jsonl")
    assert "parameters" not in json.loads((tmp_path / "f.jsonl").read_text().splitlines()[0])
    back = toolkit("rl", "problems", "f.jsonl", "--show", "0", "--json")
    assert back.json["problem"]["solution"] is None
    assert "judged by its tests alone" in back.err
    toolkit("rl", "problems", "fdiv", "--export", "f.parquet", "--parameters", "--quiet")
    again = toolkit("rl", "problems", "f.parquet", "--show", "0", "--json")
    assert again.json["problem"]["solution"] is not None
    assert again.json["problem"]["prompt"] == back.json["problem"]["prompt"]
    assert {path.name for path in tmp_path.iterdir()} == {"f.jsonl", "f.parquet"}


def test_a_check_is_one_line(toolkit: Callable) -> None:
    result = toolkit("rl", "problems", "--check", "fdiv", "--json")
    assert result.code == 0, result.err
    (line,) = result.err.splitlines()
    assert line.split() == (
        "fdiv train 0 test 7 published 0/7 duplicates 0 train/test overlap 0 solved 100 %".split()
    )
    assert result.json["checks"][0]["passed"] is True


def test_a_check_that_fails_exits_with_3(
    toolkit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SetCheck("fdiv", 4, 5, None, 0, 1, 2, "fdiv:2: wrong on R", 0.1)
    monkeypatch.setattr(problems, "_checks", lambda names, compat: iter([found]))
    result = toolkit("rl", "problems", "--check", "fdiv", "--json")
    assert result.code == 3
    assert result.json["status"] == "untrustworthy"
    assert "solved 77.78 %  first: fdiv:2: wrong on R" in result.err
    assert "1 of 1 data sets fail: fdiv" in result.err


@pytest.mark.timeout(600)  # three interpreters start, on a machine that may be busy
def test_several_checks_run_in_processes_of_their_own() -> None:
    """In the order of the names, whatever ends first."""
    found = list(problems._checks(["bit_op", "fdiv"], compat=False))
    assert [one.name for one in found] == ["bit_op", "fdiv"]
    assert all(one.passed for one in found)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["hass"], "unknown family or data set; got hass", "did you mean has?"),
        (["ends_wit"], "unknown family or data set", "did you mean ends_with?"),
        (["--check", "regx"], "unknown data set; got regx", "did you mean regex?"),
        (["ends", "--show", "999"], "expected an id, or 0 to 125, of ends", None),
        (["ends", "--show", "ends_with:two:RBRBRBR"], "no such problem", "did you mean"),
        (["--show", "3"], "a number needs a NAME", None),
        (["--export", "x.jsonl"], "--export needs a NAME", None),
        (["fdiv", "--part", "train"], "fdiv has no train problems", None),
        (["fdiv", "--export", "x.csv"], "unknown file format; got .csv", None),
        (["fdiv", "--export", "nowhere/x.jsonl"], "nowhere/x.jsonl", None),
        (["fdiv", "--show", "0", "--export", "x.jsonl"], "one thing at a time", None),
        (["fdiv", "--check", "fdiv"], "one thing at a time", None),
        (["--parameters"], "--parameters goes with --export", None),
        (["absent.jsonl"], "no such file or folder; at absent.jsonl", None),
        (["bad.jsonl"], "not a record of a problem; got missing; at bad.jsonl, line 1, mess", None),
    ],
)
def test_what_is_refused(
    words: list[str], message: str, hint: str | None, toolkit: Callable, tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": "x"}\n')
    result = toolkit("rl", "problems", *words)
    assert result.code == 2
    assert message in result.err.splitlines()[0]
    assert (hint or "") in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_an_audit_has_both_tables_and_every_number(toolkit: Callable, tmp_path: Path) -> None:
    line = ["rl", "audit", "fdiv", "ends_with:two:easy", "--num-problems", "2"]
    result = toolkit(*line, "--num-mutants", "10", "--json", "--out", "audit.json")
    assert result.code == 0, result.err
    assert result.json == json.loads((tmp_path / "audit.json").read_text())
    assert [row["family"] for row in result.json["families"]] == [
        "numerical_operations",
        "ends_with",
    ]
    drain = [row for row in result.json["trivial"] if row["program"] == "drain"]
    assert drain[0]["pass_rate"] == pytest.approx(0.42, abs=0.05)  # the specification's table
    assert all(row["num_false"] <= row["num_full_pass"] for row in result.json["false_passes"])
    assert "what programs that know nothing earn" in result.err
    assert "the best of all trivial programs" in result.err
    assert "false passes among near misses" in result.err
    assert max(map(len, result.err.splitlines())) <= 80, "it is read in terminals of that width"


def test_an_audit_of_given_programs(toolkit: Callable, tmp_path: Path) -> None:
    shown = toolkit("rl", "problems", "--show", "ends_with:two:R", "--json", "--quiet").json
    right = {"id": "ends_with:two:R", "dsl": shown["problem"]["solution"]}
    lines = [right, {**right, "dsl": "START start:\n    NEXT end\nEND end"}]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    result = toolkit("rl", "audit", "ends_with:two:easy", "--programs", "p.jsonl", "--json")
    assert result.code == 0, result.err
    (row,) = result.json["false_passes"]
    assert (row["num_programs"], row["num_full_pass"], row["num_false"]) == (2, 1, 0)
    (tmp_path / "p.jsonl").write_text('{"id": "ends_with:two:R"}')
    result = toolkit("rl", "audit", "ends_with:two:easy", "--programs", "p.jsonl")
    assert (result.code, result.err.splitlines()[0]) == (
        2,
        "error: not a program; got dsl: missing; at p.jsonl, line 1",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hass"], "unknown family or data set; got hass"),
        (["data=hass"], "no such option, did you mean has?; got hass"),
        (["data.lenghts=[3]"], "not a key of the data config; got data.lenghts=[3]"),
        (["training.max_steps=3"], "not a key of the data config"),
    ],
)
def test_what_an_audit_refuses(words: list[str], message: str, toolkit: Callable) -> None:
    result = toolkit("rl", "audit", *words)
    assert result.code == 2
    assert message in result.err.splitlines()[0]


def test_an_audit_of_a_data_config(toolkit: Callable) -> None:
    result = toolkit(
        "rl", "audit", "data=contains_ordered", "data.lengths=[2]", "--num-problems", "1", "--json"
    )
    assert result.code == 0, result.err
    assert result.json["num_problems"] == 4
    assert result.json["false_passes"][0]["num_false"] == 0, "ladder tests"
