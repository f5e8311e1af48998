"""A study's plan, its ledger and its report, on run folders made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import conf
from rlgrok.report.study import rows_of, times_of, write_study_report
from rlgrok.study import (
    JobKey,
    State,
    matrix,
    read_finished,
    read_plan,
    require_same_plan,
    state_of,
)
from rlgrok.transfer import is_transfer
from runtime.errors import ConfigError
from runtime.run import Run

PLAN: dict[str, Any] = {
    "name": "toy",
    "about": "What does the toy do?",
    "common": ["experiment=grok_tiny"],
    "arms": {"staged": [], "dense": ["schedule=dense"]},
    "reference": "staged",
    "seeds": [0, 1],
}
SHIPPED = [
    path
    for path in sorted((Path(conf.__file__).parent / "study").glob("*.yaml"))
    if not is_transfer(path.read_text(encoding="utf-8"))
]


def text(**changes: Any) -> str:
    return yaml.safe_dump({**PLAN, **changes}, sort_keys=False)


def make_run(
    study: Path, arm: str, seed: int, accuracy: list[float], *, status: str = "done", exhaustive: float = 1.0
) -> None:
    folder = JobKey(arm, seed).folder(study)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run = Run.create(
        folder, command="rl train", name="x", argv=[], config={"seed": seed}, overrides=[], seeds={}
    )
    for index, value in enumerate(accuracy):
        run.metrics.log(2 * index, {"heldout_exhaustive": value, "heldout_full_pass": 1.0})
    run.metrics.flush()
    run.write_summary(
        {
            "heldout_full_pass": 1.0,
            "heldout_exhaustive": exhaustive,
            "num_heldout": 10,
            "base_pass_at_k": {"successes": 0, "upper95": 0.07},
            "cpu_s": 100.0,
            "steps": 2 * len(accuracy) - 2,
            "stopped": "solved",
        }
    )
    run.finish(status)


def test_seeds_come_before_arms() -> None:
    plan = read_plan(text(), where="x")
    assert [(key.arm, key.seed) for key in matrix(plan)] == [
        ("staged", 0), ("dense", 0), ("staged", 1), ("dense", 1),
    ]  # fmt: skip
    assert plan.overrides("dense") == ["experiment=grok_tiny", "schedule=dense"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "nobody"}, "none of the study's"),
        ({"seeds": []}, "whole numbers"),
        ({"seeds": [True]}, "whole numbers"),
        ({"arms": {"staged": ["schedule dense"]}}, "key=value"),
        ({"common": "experiment=x"}, "needs common"),
        ({"typo": 1}, "no such key"),
    ],
)
def test_a_plan_that_is_none_says_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_plan(text(**change), where="my.yaml")
    assert message in caught.value.one_line() and "my.yaml" in caught.value.one_line()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_study_composes(path: Path) -> None:
    from hydra import compose, initialize_config_module

    from cli.hydra_app import TRAIN
    from cli.schema import checked

    plan = read_plan(path.read_text(encoding="utf-8"), where=str(path))
    assert plan.name == path.stem and len(plan.seeds) >= 5
    TRAIN.register()
    with initialize_config_module(config_module="conf", version_base="1.3"):
        configs = [
            checked(TRAIN.kind, compose(TRAIN.config_name, plan.overrides(arm))) for arm in plan.arms
        ]
    assert all(one != other for i, one in enumerate(configs) for other in configs[:i])


def test_the_folders_are_the_ledger(tmp_path: Path) -> None:
    assert state_of(tmp_path / "nothing") is State.MISSING
    for status, state in (("done", State.DONE), ("interrupted", State.BROKEN), ("failed", State.FAILED)):
        make_run(tmp_path, status, 0, [0.0], status=status)
        assert state_of(JobKey(status, 0).folder(tmp_path)) is state
    folder = JobKey("done", 0).folder(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))
    assert state_of(folder) is State.BROKEN  # killed: nobody holds it
    (folder / "manifest.json").write_text("{")
    assert state_of(folder) is State.FAILED


def test_a_study_goes_on_under_the_same_plan_only(tmp_path: Path) -> None:
    require_same_plan(tmp_path, text())  # nothing there yet
    (tmp_path / "study.yaml").write_text(text())
    require_same_plan(tmp_path, text(seeds=[0, 1, 2]))
    require_same_plan(tmp_path, text(arms={**PLAN["arms"], "more": ["seed=1"]}))
    with pytest.raises(ConfigError, match="arm dense has changed"):
        require_same_plan(tmp_path, text(arms={"staged": [], "dense": ["schedule=binary"]}))
    with pytest.raises(ConfigError, match="other common overrides"):
        require_same_plan(tmp_path, text(common=["experiment=has_staged"]))


def test_the_report_compares_arms_with_censored_seeds(tmp_path: Path) -> None:
    plan = read_plan(text(), where="x")
    make_run(tmp_path, "staged", 0, [0.0, 0.9, 0.2, 0.9, 1.0])
    make_run(tmp_path, "staged", 1, [0.0, 0.0, 1.0, 1.0])
    make_run(tmp_path, "dense", 0, [0.0, 0.0, 0.5, 0.5, 0.5], exhaustive=0.5)
    make_run(tmp_path, "dense", 1, [0.0], status="failed")
    finished = read_finished(tmp_path, plan)
    assert [(run.key.arm, run.key.seed) for run in finished] == [
        ("staged", 0), ("dense", 0), ("staged", 1),
    ]  # fmt: skip
    staged, dense = rows_of(plan, finished)
    assert times_of([run for run in finished if run.key.arm == "staged"]).reached == (4.0, 6.0)
    assert (staged["reached"], staged["median_step"], staged["logrank_p"]) == (2, 4.0, None)
    assert staged["exhaustive"] == [1.0, 1.0, 1.0] and staged["false_pass_share"] == 0.0
    assert (dense["reached"], dense["median_step"]) == (0, None)
    assert 0 < dense["logrank_p"] < 1 and dense["false_pass_share"] == 0.5
    result = write_study_report(tmp_path, plan, finished, {JobKey("dense", 1): "broke"}, 0)
    page = Path(result["report"]).read_text()
    for words in ("2 of 2", "0 of 1", "broke", "schedule=dense", "log-rank against staged"):
        assert words in page
    assert (tmp_path / "figures/survival.png").read_bytes().startswith(b"\x89PNG")
    assert "| staged | 2 | 2 of 2 | 4.0 | reference | 1.00 [1.00, 1.00] |" in (
        tmp_path / "table.md"
    ).read_text()
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["failed"] == 1
    assert [(run["arm"], run["seed"], run["learned_at"]) for run in kept["runs"]] == [
        ("staged", 0, 6.0), ("dense", 0, None), ("staged", 1, 4.0),
    ]  # fmt: skip
