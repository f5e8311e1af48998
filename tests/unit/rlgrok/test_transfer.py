"""Transfer: plans, cells with paired intervals, and the report, on evaluations made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import conf
from rlgrok.delta.manufactoria.families import FAMILIES
from rlgrok.report.transfer import write_transfer_report
from rlgrok.transfer import (
    Axis,
    evaluation_folder,
    make_cell,
    plan_text,
    read_cells,
    read_pair,
    read_transfer,
    require_same_transfer,
    seeds_of,
    take_run,
)
from runtime.errors import ConfigError
from runtime.run import Run
from runtime.storage import atomic_write_json

PLAN: dict[str, Any] = {
    "name": "toy",
    "about": "Does the toy travel?",
    "common": [],
    "evaluation": ["evaluation.draws=4"],
    "train": {"short": ["data.lengths=[3]"]},
    "test": {
        "same": {"axis": "same", "overrides": ["data.lengths=[3]"]},
        "long": {"axis": "exploratory", "overrides": ["data.lengths=[5]"]},
    },
    "seeds": [0, 1],
}
FOLDER = Path(conf.__file__).parent
SHIPPED = [*sorted((FOLDER / "transfer").glob("*.yaml")), FOLDER / "study/transfer.yaml"]


def text(**changes: Any) -> str:
    return yaml.safe_dump({**PLAN, **changes}, sort_keys=False)


def evaluated(
    folder: Path, seed: int, column: str, before: list[int], after: list[int], *, base: bool = True
) -> Path:
    path = evaluation_folder(folder, "short", seed, column)
    path.parent.mkdir(parents=True, exist_ok=True)
    run = Run.create(
        path, command="rl eval", name="x", argv=[], config={}, overrides=[], seeds={}
    )
    labels = {"base": before, "policy": after} if base else {"policy": after}
    records = [
        {
            "label": label,
            "problems": [
                {"problem_id": f"p{i}", "num_draws": 4, "num_passes": 4, "num_exhaustive": count}
                for i, count in enumerate(counts)
            ],
        }
        for label, counts in labels.items()
    ]
    atomic_write_json(path / "evaluation.json", {"format": 1, "evaluations": records})
    run.finish("done")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_setting_composes(path: Path) -> None:
    from hydra import compose, initialize_config_module

    from cli.hydra_app import EVALUATE, TRAIN
    from cli.schema import checked

    plan = read_transfer(path.read_text(encoding="utf-8"), where=str(path))
    assert plan.name == path.stem
    TRAIN.register()
    EVALUATE.register()
    with initialize_config_module(config_module="conf", version_base="1.3"):
        for row, overrides in plan.train.items():
            assert plan.columns_of(row)
            checked(TRAIN.kind, compose(TRAIN.config_name, [*plan.common, *(overrides or ())]))
        for column in plan.test.values():
            checked(
                EVALUATE.kind,
                compose(EVALUATE.config_name, [*plan.evaluation, *column.overrides]),
            )


def test_the_matrix_of_every_family_has_every_family_both_ways() -> None:
    path = FOLDER / "transfer/every_family.yaml"
    plan = read_transfer(path.read_text(encoding="utf-8"), where=str(path))
    assert list(plan.train) == list(plan.test)
    assert sorted(plan.train) == sorted(FAMILIES)
    for family, overrides in plan.train.items():
        # The same words, so that a row's own column holds what its training held out; colours always, so that
        # nothing of the row's is left in another column.
        assert plan.test[family].overrides == overrides
        assert overrides is not None and overrides[0] == f"data.families=[{family}]"
        assert overrides[1].startswith("data.colors=")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": {"x": {"axis": "sideways", "overrides": []}}}, "no such axis"),
        ({"test": {"x": ["data.lengths=[3]"]}}, "an axis and overrides"),
        ({"train": {}}, "needs train"),
        ({"seeds": ["one"]}, "whole numbers"),
        ({"more": 1}, "no such key"),
    ],
)
def test_a_setting_that_is_none_says_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_transfer(text(**change), where="my.yaml")
    assert message in caught.value.one_line() and "my.yaml" in caught.value.one_line()


def test_a_column_may_be_of_some_rows_only() -> None:
    test = {**PLAN["test"], "long": {**PLAN["test"]["long"], "rows": ["short"]}}
    plan = read_transfer(text(train={**PLAN["train"], "other": []}, test=test), where="x")
    assert list(plan.columns_of("short")) == ["same", "long"]
    assert list(plan.columns_of("other")) == ["same"]
    assert read_transfer(plan_text(plan), where="x") == plan
    with pytest.raises(ConfigError, match="no such row"):
        read_transfer(text(test={"x": {"axis": "same", "overrides": [], "rows": ["nobody"]}}), where="x")


def test_a_transfer_goes_on_under_the_same_plan_only(tmp_path: Path) -> None:
    plan = read_transfer(text(), where="x")
    require_same_transfer(tmp_path, plan)  # nothing there yet
    (tmp_path / "transfer.yaml").write_text(plan_text(plan))
    more = text(seeds=[0, 1, 2], train={**PLAN["train"], "more": []})
    require_same_transfer(tmp_path, read_transfer(more, where="x"))
    for change, message in (
        ({"train": {"short": ["data.lengths=[4]"]}}, "another row short"),
        ({"evaluation": ["evaluation.draws=8"]}, "another overrides of the evaluations"),
        ({"test": {"same": {"axis": "same", "overrides": ["data.lengths=[4]"]}}}, "another column same"),
    ):
        with pytest.raises(ConfigError, match=message):
            require_same_transfer(tmp_path, read_transfer(text(**change), where="x"))


def trained(path: Path, seed: int, *, status: str = "done", command: str = "rl train") -> Path:
    run = Run.create(path, command=command, name="x", argv=[], config={"seed": seed}, overrides=[], seeds={})
    run.finish(status)
    return path


def test_runs_that_are_there_can_be_taken(tmp_path: Path) -> None:
    plan = read_transfer(text(train={**PLAN["train"], "theirs": None}), where="x")
    folder = tmp_path / "transfer"
    assert take_run(folder, "short", trained(tmp_path / "a", 7)) == 7
    assert take_run(folder, "short", tmp_path / "a") == 7  # again: nothing changes
    assert take_run(folder, "theirs", trained(tmp_path / "b", 3)) == 3
    # The plan's own seeds are trained for the plan's row, and none for the row of given runs.
    assert seeds_of(folder, plan, "short") == [0, 1, 7]
    assert seeds_of(folder, plan, "theirs") == [3]
    assert (folder / "runs/short/seed-7").resolve() == (tmp_path / "a").resolve()
    with pytest.raises(ConfigError, match="has a run of this seed"):
        take_run(folder, "short", trained(tmp_path / "c", 7))
    for bad in (trained(tmp_path / "d", 1, status="failed"), trained(tmp_path / "e", 1, command="rl eval"), tmp_path):
        with pytest.raises(ConfigError, match="not a training that is done"):
            take_run(folder, "short", bad)


def test_a_cell_is_the_mean_over_seeds_of_means_over_problems() -> None:
    pairs = [(np.array([0.0, 0.5]), np.array([1.0, 0.5])), (np.array([0.0]), np.array([0.0]))]
    cell = make_cell("a", "b", pairs)
    assert (cell.before, cell.after, cell.gain) == (0.125, 0.375, 0.25)
    assert cell.after_interval[0] <= cell.after <= cell.after_interval[1]
    assert (cell.num_seeds, cell.num_problems) == (2, 2)


def test_a_gain_that_is_the_same_everywhere_has_no_width_however_problems_differ() -> None:
    """Paired: the spread of the problems is in the accuracies, not in the gain."""
    before = np.linspace(0, 0.5, 20)
    cell = make_cell("a", "b", [(before, before + 0.25)] * 3)
    assert cell.gain_interval == pytest.approx((0.25, 0.25))
    low, high = cell.after_interval
    assert high - low > 0.05


def test_intervals_cover_as_often_as_they_say() -> None:
    """Ten seeds of eight problems, seed means spread by .1, problems by .2: the true mean gain of .3 is inside 90 to
    97 % of 200 intervals (a percentile bootstrap of ten seeds runs a little short of 95)."""
    rng = np.random.default_rng(0)
    inside = 0
    for index in range(200):
        pairs = []
        for _ in range(10):
            gain = 0.3 + 0.1 * rng.normal() + 0.2 * rng.normal(size=8)
            pairs.append((np.zeros(8), gain))
        low, high = make_cell("row", f"column {index}", pairs, resamples=400).gain_interval
        inside += low <= 0.3 <= high
    assert 0.86 <= inside / 200 <= 0.99


def test_shares_are_of_right_draws_in_one_order_of_problems(tmp_path: Path) -> None:
    path = evaluated(tmp_path, 0, "same", [0, 1], [4, 2])
    before, after = read_pair(path)
    assert before.tolist() == [0.0, 0.25] and after.tolist() == [1.0, 0.5]
    alone = evaluated(tmp_path, 1, "same", [], [4, 2], base=False)
    with pytest.raises(ConfigError, match="no base to compare with"):
        read_pair(alone)


def test_the_report_keeps_the_axes_apart_and_says_what_failed(tmp_path: Path) -> None:
    plan = read_transfer(text(), where="x")
    evaluated(tmp_path, 0, "same", [0, 0], [4, 4])
    evaluated(tmp_path, 1, "same", [0, 0], [4, 2])
    evaluated(tmp_path, 0, "long", [0, 0], [0, 1])
    cells = read_cells(tmp_path, plan)
    assert [(cell.column, cell.num_seeds, cell.after) for cell in cells] == [
        ("same", 2, 0.875), ("long", 1, 0.125),
    ]  # fmt: skip
    result = write_transfer_report(tmp_path, plan, {"eval short seed 1 on long": "broke"}, 0)
    page = Path(result["report"]).read_text()
    assert "Exploratory" in page and "Compositional" not in page and "broke" in page
    for axis in (Axis.SAME, Axis.EXPLORATORY):
        assert (tmp_path / f"figures/{axis.value}.png").read_bytes().startswith(b"\x89PNG")
    assert "| exploratory | short | long | 1 | 2 | 0.000 | 0.125 [" in (
        tmp_path / "table.md"
    ).read_text()
    assert json.loads((tmp_path / "results.json").read_text())["cells"][0]["gain"] == 0.875
