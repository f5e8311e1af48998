"""`toolkit rl eval` with `judge=exhaustive`: what counts as passed is what holds on every short tape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import yaml

from rlgrok.config import DataConfig
from rlgrok.delta import SCOPES
from rlgrok.problems import build_problems
from runtime.settings import from_plain

SCOPE = SCOPES["manufactoria"]


def test_an_evaluation_counts_the_exhaustive_verdict(toolkit: Any, uninterrupted: Path) -> None:
    """The problems carry the benchmark's own tests, which give most programs another pass rate."""
    ended = toolkit(
        "rl", "eval", str(uninterrupted / "policy"), "judge=exhaustive", "data=contains_ordered",
        "data.lengths=[1,2]", "data.tests=delta", "data.heldout_share=0", "evaluation.draws=30",
        "evaluation.k=[1]", "policy.max_new_tokens=32", "--out", "eval", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    run = toolkit.folder / "eval"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["judge"] == "exhaustive"
    _, data = build_problems(from_plain(DataConfig, config["data"]), seed=config["seed"])
    problems = {problem.id: problem for problem in (*data.train, *data.heldout)}
    with gzip.open(run / "rollouts.jsonl.gz", "rt") as file:
        drawn = [record for record in map(json.loads, file) if record["kind"] == "policy"]
    assert len(drawn) == 30 * len(problems) == 180
    num_apart = num_right = 0
    for record in drawn:
        problem, program = problems[record["problem_id"]], SCOPE.extract(record["text"])
        right, tested = SCOPE.verify_exhaustive(problem, program), SCOPE.verify(problem, program)
        if record["is_truncated"]:
            continue
        assert record["pass_rate"] == right.pass_rate
        assert record["full_pass"] is right.full_pass is record["exhaustive"]
        num_apart += tested.pass_rate != right.pass_rate
        num_right += right.full_pass
    summary = ended.json["summary"]
    assert summary["pass_at_k_verdict"] == "exhaustive"
    assert summary["drawn_full_pass"] == summary["drawn_exhaustive"] == num_right / len(drawn)
    assert num_right > 0 and num_apart > 0
