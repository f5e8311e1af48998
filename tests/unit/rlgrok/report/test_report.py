"""Reports from artefacts alone: what they say of finished, failed, running and empty runs."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys

import pytest

from rlgrok import figures
from rlgrok.evaluation.gzip_lines import append_lines
from rlgrok.report import build_report
from runtime.errors import CheckpointError, InputError
from runtime.storage import atomic_write_json


def words(path) -> str:
    """The report's text without markup, styles and pictures."""
    page = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture(autouse=True)
def coarse_figures(monkeypatch) -> None:
    """Their looks are not tested here."""
    monkeypatch.setattr(figures, "DPI", 30)


def test_a_climb_is_the_headline(training_run) -> None:
    path = training_run(climb_at=55)
    text = words(build_report(path))
    assert (
        "A plateau of 50 steps, then an abrupt climb: transition at step 55 (95 % interval 50 to 60)"
        in text
    )
    assert "pass@4 = 0 in 400 draws, below 0.030 at 95 %" in text
    assert "58 dense binary the gate opened" in text
    assert "The dotted line marks the change of reward. The orange line is the transition" in text
    for section in (
        "Training curve",
        "Base against trained policy",
        "Two verdicts",
        "Learning signal",
        "Programs",
    ):
        assert section in text
    assert {figure.name for figure in (path / "figures").iterdir()} == {
        "training-curve.png", "pass-at-k.png", "diagnostics.png", "problems.png", "training-problems.png",
    }  # fmt: skip


def test_no_climb_is_said_plainly(training_run) -> None:
    text = words(build_report(training_run(climb_at=None)))
    assert "No transition: no climb: fitted level 0.00 before, 0.00 after" in text
    assert "abrupt climb" not in text
    assert "the band its 95 % interval" not in text, "explains what is not drawn"


def test_the_summary_has_the_last_word_on_the_transition(training_run) -> None:
    path = training_run(climb_at=55)
    atomic_write_json(
        path / "summary.json",
        {
            "transition_step": 41,
            "transition_interval_95": [38, 44],
            "plateau_steps": 35,
            "heldout_exhaustive": 0.875,
        },
    )
    text = words(build_report(path))
    assert "transition at step 41 (95 % interval 38 to 44)" in text
    assert "87.5 %" in text


def test_both_verdicts_stand_side_by_side(training_run) -> None:
    text = words(build_report(training_run()))
    assert "trained policy drawn 100.0 % 100.0 % 75.0 % 25.0 %" in text
    assert "base policy greedy 100.0 % 0.0 % 0.0 % \N{EN DASH}" in text


def test_programs_are_drawn_with_the_oracle_and_an_input_they_get_wrong(training_run) -> None:
    path = training_run(climb_at=55)
    report = build_report(path)
    page = report.read_text(encoding="utf-8")
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="factory"') == 5
    text = words(report)
    # The last wrong draw before the first success; the untrained policy's try at what was learned first.
    assert re.search(r"The nearest miss before the first success: \S+X, at step 50; failed, 50\.0 %", text)
    assert re.search(r"The untrained policy's attempt: contains_ordered:two:\w+, at step 0; failed", text)
    assert re.search(
        r"The first success: contains_ordered:two:\w+, at step 60; right on every short input", text
    )
    failure = r"The last greedy failure .* at step 50; failed, 50\.0 % of the tests passed\. Over every short input: "
    assert re.search(failure + r"\d+ of \d+ tests failed; first: input '\w*' was accepted", text)
    assert "The oracle's program for contains_ordered:two:" in text


def test_at_most_five_programs_are_shown_each_once(training_run, late_false_pass) -> None:
    path = training_run(climb_at=55)
    append_lines(path / "rollouts.jsonl.gz", [late_false_pass])
    report = build_report(path)
    page = report.read_text(encoding="utf-8")
    # Five and the oracle's. The first right program for a held-out problem is the first success, and not shown again.
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="factory"') == 6
    captions = re.findall(r"<figcaption>(The [^:]*): contains", page)
    assert captions == [
        "The untrained policy&#39;s attempt", "The nearest miss before the first success", "The first success",
        "The last greedy failure on a held-out problem", "The last false pass",
    ]  # fmt: skip


def test_the_floor_is_drawn_and_explained(training_run) -> None:
    text = words(build_report(training_run()))
    assert "Trivial floor: the dense reward of the best program that does not look at the problem" in text


def test_a_false_pass_is_shown_as_one(evaluation_run) -> None:
    text = words(build_report(evaluation_run))
    assert re.search(
        r"The last false pass: contains_ordered\S+ in the evaluation; passes every test and is wrong",
        text,
    )
    assert (
        "models/mine" not in text.split("Where this comes from")[0]
    )  # the name only: paths are in the origin
    assert "pass@1 37.5 %" in text
    assert "Training curve" not in text
    assert "pass@k, mean over held-out problems" in text


def test_text_that_is_no_program_is_shown_as_text(training_run) -> None:
    path = training_run(climb_at=None)
    record = {"step": 100, "kind": "greedy", "problem_id": "contains_ordered:two:RRB", "text": "START <b>hm</b>",
              "status": "parse_error", "pass_rate": 0.0, "full_pass": False, "exhaustive": False}  # fmt: skip
    append_lines(path / "rollouts.jsonl.gz", [record])
    page = build_report(path).read_text(encoding="utf-8")
    assert "It does not parse" in page
    assert "START &lt;b&gt;hm&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("failed", "This run is failed"),
        ("interrupted", "This run is interrupted"),
        (None, "still going on"),
    ],
)
def test_unfinished_runs_say_so(training_run, status, sentence: str) -> None:
    path = training_run(climb_at=55, last=37, status=status, evaluated=False)
    text = words(build_report(path))
    assert sentence in text
    assert "No transition" in text
    assert "Base against trained policy" not in text


def test_a_run_that_never_started_has_a_report(training_run) -> None:
    path = training_run(evaluated=False, status="failed")
    for name in ("metrics.jsonl", "rollouts.jsonl.gz"):
        (path / name).unlink()
    text = words(build_report(path))
    assert "No metrics yet." in text
    assert "No transition: no held-out evaluation yet" in text
    assert "No training step yet." in text


def test_a_killed_run_with_torn_files_has_a_report(training_run) -> None:
    path = training_run()
    for name in ("metrics.jsonl", "rollouts.jsonl.gz"):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[:-7])
    assert "abrupt climb" in words(build_report(path))


def test_damage_in_the_middle_is_an_error_that_names_the_file(training_run) -> None:
    path = training_run()
    data = bytearray((path / "rollouts.jsonl.gz").read_bytes())
    data[40] ^= 0xFF
    (path / "rollouts.jsonl.gz").write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"damaged gzip data.*rollouts\.jsonl\.gz"):
        build_report(path)


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="not a run folder"):
        build_report(tmp_path)


def test_self_contained_and_the_same_every_time(training_run) -> None:
    path = training_run()
    first = build_report(path).read_bytes()
    assert build_report(path).read_bytes() == first
    links = re.findall(r'(?:src|href)="([^"]*)"', first.decode())
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)


def test_where_it_comes_from_reads_as_words(training_run) -> None:
    path = training_run(climb_at=None)
    manifest = json.loads((path / "manifest.json").read_text())
    hardware = {"cpus": 2, "gpus": []}
    atomic_write_json(path / "manifest.json", {**manifest, "hardware": hardware})
    assert "hardware cpus 2, gpus none" in words(build_report(path))


def test_a_report_loads_neither_torch_nor_jax(evaluation_run) -> None:
    code = (
        "import sys; from pathlib import Path; from rlgrok.report import build_report; "
        f"build_report(Path({str(evaluation_run)!r})); "
        "print(sorted({'torch', 'jax', 'transformers', 'trl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
