"""The commands on BouncingSim: what they write, what they say, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FROZEN = Path(__file__).parents[1] / "rlgrok" / "delta" / "bouncingsim" / "frozen.jsonl"
Toolkit = Callable[..., Any]


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FROZEN.read_text(encoding="utf-8").splitlines()]


def test_simulate(toolkit: Toolkit, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(entries()[1]) + "\n")
    command = ["rl", "simulate", "--scenes", "in.jsonl", "--out", "out.jsonl", "--json"]
    result = toolkit(*command)
    assert result.code == 0, result.err
    assert (result.json["status"], result.json["out"]) == ("done", "out.jsonl")
    assert (result.json["num_scenes"], result.json["num_malformed"]) == (1, 0)
    found = json.loads((tmp_path / "out.jsonl").read_text())
    assert found == {"id": "B_3_1", "positions": entries()[1]["positions"]}
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n')
    result = toolkit(*command)
    assert result.code == 2
    assert "1 of 1 lines are no scenes" in result.err
    assert json.loads((tmp_path / "out.jsonl").read_text())["error"]["field"] == "timestamps"


def test_simulate_without_a_file(toolkit: Toolkit) -> None:
    result = toolkit("rl", "simulate", "--scenes", "none.jsonl", "--out", "out.jsonl")
    assert result.code == 2
    assert "cannot be read" in result.err


def test_simulate_without_the_engine(toolkit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlgrok.delta.bouncingsim.truth.find_spec", lambda _: None)
    result = toolkit("rl", "simulate", "--scenes", "none.jsonl")
    assert result.code == 2
    assert "delta-toolkit[physics]" in result.err


def test_problems_are_listed_shown_and_exported(toolkit: Toolkit, tmp_path: Path) -> None:
    scope = ["rl", "problems", "--scope", "bouncingsim", "--json"]
    result = toolkit(*scope)
    assert result.code == 0, result.err
    assert {one["name"] for one in result.json["data_sets"]} >= {
        "rotbox",
        "transformative_periodic",
    }
    shown = toolkit(*scope, "--show", "B_1_1").json["problem"]
    assert shown["tests"][0].startswith("assert check_distance(predict_position(0.10)")
    assert "def predict_position(t):" in shown["solution"]
    assert "### Scene description" in shown["prompt"]
    assert toolkit(*scope, "H:basic", "--export", "h.jsonl").json["num_records"] == 20
    read = toolkit(*scope, "h.jsonl", "--show", "3").json["problem"]
    assert read["id"] == "H_0_4"
    assert read["solution"] is None


def test_the_list_setting_is_shown_and_exported(toolkit: Toolkit, tmp_path: Path) -> None:
    scope = ["rl", "problems", "--scope", "bouncingsim", "--json"]
    plain = toolkit(*scope, "--show", "B_1_1").json["problem"]
    shown = toolkit(*scope, "--show", "B_1_1", "--setting", "list").json["problem"]
    assert shown["tests"][2] == plain["tests"][2].replace("(0.30)", "()[2]")
    assert "Times, in seconds: 0.10, 0.20," in shown["prompt"]
    assert "Times, in seconds" not in plain["prompt"]
    assert "def predict_position():" in shown["solution"]
    words = ["I:basic", "--setting", "list", "--parameters", "--export", "list.jsonl"]
    assert toolkit(*scope, *words).json["num_records"] == 20
    first = json.loads((tmp_path / "list.jsonl").read_text().splitlines()[0])
    assert (first["prompt_setting"], len(first["timestamps"])) == ("list", 15)
    again = toolkit(*scope, "list.jsonl", "--show", "0", "--setting", "function")
    assert again.json["problem"]["tests"][0].startswith(
        "assert check_distance(predict_position(0.10), "
    )
    for refused in (["has", "--setting", "list"], [*scope[2:4], "--check", "I:basic", "--setting", "list"]):
        result = toolkit("rl", "problems", *refused)
        assert result.code == 2
        assert "--setting goes with scenes" in result.err


def test_a_check_of_a_level(toolkit: Toolkit) -> None:
    result = toolkit("rl", "problems", "--scope", "bouncingsim", "--check", "I:easy", "--json")
    assert result.code == 0, result.err
    [check] = result.json["checks"]
    assert (check["solved_share"], check["num_duplicates"], check["num_missing"]) == (1.0, 0, 0)


def test_an_unknown_scope(toolkit: Toolkit) -> None:
    result = toolkit("rl", "problems", "--scope", "bouncingsym")
    assert result.code == 2
    assert "did you mean bouncingsim?" in result.err


def test_verify(toolkit: Toolkit, tmp_path: Path) -> None:
    show = ("rl", "problems", "--scope", "bouncingsim", "--show", "B_1_1", "--json")
    problem = toolkit(*show).json["problem"]
    record = {"id": "x", "program": problem["solution"], "ground_truth": problem["tests"]}
    wrong = {**record, "program": "def predict_position(t):\n    return [[0, 0]]"}
    lines = [json.dumps(one) for one in (record, wrong, {**record, "ground_truth": ["1"]})]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    result = toolkit(
        "rl", "verify", "--scope", "bouncingsim", "--in", "in.jsonl", "--out", "out.jsonl", "--json"
    )
    assert result.code == 2
    counts = {key: result.json[key] for key in result.json if key.startswith("num_")}
    assert counts == {"num_records": 3, "num_full_pass": 1, "num_invalid": 0, "num_malformed": 1}
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [one.get("status") for one in found] == ["passed", "failed", None]
    assert found[2]["error"]["line"] == 3


def test_audit(toolkit: Toolkit, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(
        json.dumps({"id": "I_0_1", "program": "def predict_position(t):\n    return [[750, 750]]"})
    )
    result = toolkit(
        "rl", "audit", "--scope", "bouncingsim", "I:basic", "--programs", "p.jsonl", "--json"
    )
    assert result.code == 0, result.err
    earned = {row["program"]: row for row in result.json["earnings"]}
    assert earned["oracle"]["full_pass"] == 1.0
    assert result.json["false_passes"][0]["num_programs"] == 1


def test_trace_draws_a_scene_and_a_prediction(toolkit: Toolkit, tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text(json.dumps(entries()[1]["scene"]))
    (tmp_path / "program.py").write_text("def predict_position(t):\n    return [[750.0, 750.0]]\n")
    result = toolkit("rl", "trace", "scene.json", "program.py", "--json")
    assert result.code == 0, result.err
    assert result.json["verdict"] == "failed"
    assert (tmp_path / "scene.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "scene.html").read_text()
    assert "default-src 'none'" in page
    assert "tests passed" in page
    result = toolkit("rl", "trace", "--solution", "I_0_1", "--html", "run.html", "--json")
    assert result.json["verdict"] == "passed"
    assert not (tmp_path / "I_0_1.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.json"], "the scene cannot be read"),
        (["bad.json"], "not JSON"),
        (["empty.json"], "not a scene"),
        (["B_1_1", "none.py"], "the program cannot be read"),
        (["B_1_1", "a", "b"], "takes a scene and maybe a program"),
        (["B_7_1"], "no such scene"),
        (["program.txt", "R", "--png", "x.png"], "--png goes with a scene"),
    ],
)
def test_trace_says_what_is_wrong(
    toolkit: Toolkit, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "empty.json").write_text("{}")
    result = toolkit("rl", "trace", *words)
    assert result.code == 2
    assert message in result.err
