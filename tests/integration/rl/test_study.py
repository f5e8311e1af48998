"""A study whose runs are real: under a launcher, and on without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STUDY = """
name: mine
about: Do real runs make a study?
common: {common}
arms: {{short: [], lost: [policy.source=nowhere/a], wrong: [schedule=none_such]}}
reference: short
seeds: [0]
"""


def test_under_a_launcher_and_on_without_one(
    toolkit: Any, tiny: tuple[str, ...], uninterrupted: Path, tmp_path: Path
) -> None:
    common = [*tiny, f"policy.source={uninterrupted / 'base'}", "training.max_steps=2"]
    (tmp_path / "mine.yaml").write_text(STUDY.format(common=json.dumps(common)))
    words = ("rl", "study", "mine.yaml", "--out", "study")
    first = toolkit(*words, "--launcher", "joblib", "hydra.launcher.n_jobs=1", "--json")
    assert first.code == 1, first.err
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    assert [(row["arm"], row["seeds"]) for row in results["arms"]] == [("short", 1)]
    # One failed in its run folder, the other before it had one; both are said when they happen and at the end.
    why = {row["arm"]: row["why"] for row in results["failures"]}
    assert "cannot load the policy" in why["lost"]
    assert "none_such" in why["wrong"]
    for arm in ("lost", "wrong"):
        assert f"failed: {arm} seed 0: {why[arm]}" in first.err
        assert first.err.count(f"failed: {arm}") == 2
    summary = tmp_path / "study" / "runs" / "short" / "seed-0" / "summary.json"
    before = summary.stat().st_mtime_ns
    # The launcher is not part of the study: what it began goes on without it.
    second = toolkit(*words, "--seeds", "0,1", "--jobs", "2", "--quiet")
    assert second.code == 1, second.err
    assert summary.stat().st_mtime_ns == before
    results = json.loads((tmp_path / "study" / "results.json").read_text())
    assert [(row["arm"], row["seeds"]) for row in results["arms"]] == [("short", 2)]
    assert sorted((row["arm"], row["seed"]) for row in results["failures"]) == [
        ("lost", 0), ("lost", 1), ("wrong", 0), ("wrong", 1),
    ]  # fmt: skip
