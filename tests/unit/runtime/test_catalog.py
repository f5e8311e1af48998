"""Runs listed, found by what a person types, and compared."""

from __future__ import annotations

import re

import pytest

from runtime.errors import CheckpointError, InputError
from runtime.run import Difference, Run, compare_runs, find_run, list_runs


def make_run(path, *, name="demo", config=None, summary=None, status="done") -> Run:
    run = Run.create(
        path,
        command="rl train",
        name=name,
        argv=[],
        config=config or {"seed": 0},
        overrides=[],
        seeds={"root": 0},
    )
    if summary is not None:
        run.write_summary(summary)
    run.finish(status)
    return run


@pytest.fixture
def root(tmp_path):
    make_run(
        tmp_path / "2026-01-01" / "101010-rl-train-grok_tiny", name="grok_tiny", summary={"x": 1.0}
    )
    make_run(
        tmp_path / "2026-01-02" / "090000-rl-train-grok_tiny",
        name="grok_tiny",
        status="interrupted",
    )
    make_run(tmp_path / "2026-01-02" / "111111-rl-eval-bare", name="bare")
    return tmp_path


def test_runs_are_listed_in_the_order_they_started(root):
    infos = list_runs(root)
    assert [(info.name, info.status) for info in infos] == [
        ("grok_tiny", "done"),
        ("grok_tiny", "interrupted"),
        ("bare", "done"),
    ]
    assert infos[0].summary == {"x": 1.0} and infos[1].summary is None
    assert all(info.wall_s >= 0 and info.problem == "" for info in infos)


def test_no_folder_is_no_runs(tmp_path):
    assert list_runs(tmp_path / "absent") == []


def test_what_lies_inside_a_run_is_not_a_run(root):
    inner = root / "2026-01-01" / "101010-rl-train-grok_tiny" / "checkpoints" / "x"
    inner.mkdir(parents=True)
    (inner / "manifest.json").write_text("{}")
    assert len(list_runs(root)) == 3


def test_a_damaged_run_is_listed_with_its_reason(root):
    folder = root / "2026-01-03" / "broken"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"schema_version": 1, ')
    (root / "2026-01-01" / "101010-rl-train-grok_tiny" / "summary.json").write_text("{")
    infos = {info.path.name: info for info in list_runs(root)}
    assert infos["broken"].status == "unreadable"
    assert "not valid JSON" in infos["broken"].problem
    assert infos["101010-rl-train-grok_tiny"].status == "done"
    assert "not valid JSON" in infos["101010-rl-train-grok_tiny"].problem


@pytest.mark.parametrize(
    "manifest", ['{"schema_version": 1}', '{"schema_version": 1, "status": "done"}']
)
def test_a_manifest_without_its_fields_is_unreadable(tmp_path, manifest):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "manifest.json").write_text(manifest)
    (info,) = list_runs(tmp_path)
    assert info.status == "unreadable"
    assert "lacks" in info.problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-02/111111-rl-eval-bare", "111111-rl-eval-bare"),
        ("111111-rl-eval-bare", "111111-rl-eval-bare"),
        ("111111", "111111-rl-eval-bare"),
        ("bare", "111111-rl-eval-bare"),
        ("2026-01-01", "101010-rl-train-grok_tiny"),
        ("2026-01-02/09", "090000-rl-train-grok_tiny"),
        ("latest", "111111-rl-eval-bare"),
    ],
)
def test_a_run_is_found_by_any_part_that_is_its_own(root, text, found):
    assert find_run(root, text).name == found


def test_a_path_is_a_run_wherever_it_is(root, tmp_path):
    path = root / "2026-01-02" / "111111-rl-eval-bare"
    assert find_run(tmp_path / "elsewhere", str(path)) == path


def test_a_whole_name_beats_a_part(tmp_path):
    make_run(tmp_path / "demo")
    make_run(tmp_path / "demo-2")
    assert find_run(tmp_path, "demo").name == "demo"


def test_several_matches_are_all_named(root):
    with pytest.raises(InputError, match="more than one run matches; got grok_tiny") as caught:
        find_run(root, "grok_tiny")
    assert caught.value.expected.count("grok_tiny") == 2


def test_a_near_miss_is_suggested(root):
    with pytest.raises(InputError, match="no run of that name; got 111111-rl-evl-bare") as caught:
        find_run(root, "111111-rl-evl-bare")
    assert caught.value.hint == "did you mean 111111-rl-eval-bare?"


def test_no_runs_at_all(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"there are no runs; got x; at {tmp_path}")):
        find_run(tmp_path, "x")


def test_comparison_names_what_differs(tmp_path):
    a = make_run(
        tmp_path / "a", config={"seed": 0, "opt": {"lr": 0.1}}, summary={"score": 0.5, "same": 1}
    )
    b = make_run(
        tmp_path / "b",
        config={"seed": 0, "opt": {"lr": 0.2}, "new": 1},
        summary={"score": 0.7, "same": 1},
    )
    comparison = compare_runs(a.path, b.path)
    assert comparison.config == [Difference("opt.lr", 0.1, 0.2), Difference("new", "(absent)", 1)]
    assert comparison.summary == [Difference("score", 0.5, 0.7)]
    assert comparison.provenance == []
    assert (comparison.a, comparison.b) == (a.path, b.path)


def test_comparison_of_what_is_no_run(tmp_path):
    make_run(tmp_path / "a")
    with pytest.raises(CheckpointError, match="no such run folder"):
        compare_runs(tmp_path / "a", tmp_path / "b")
