"""Every ingredient through the real trainer: chosen by its group, a step or two, and the trace that it leaves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHORT = (
    "training.max_steps=2",
    "training.group_size=8",
    "evaluation.every=2",
    "evaluation.draws=4",
    "evaluation.compare_base=false",
)


@pytest.fixture(scope="module")
def base(uninterrupted: Path) -> Path:
    """The reference policy of the tiny config, as a folder like any other."""
    return uninterrupted / "base"


@pytest.fixture
def train(train_here: Callable[..., Path], base: Path) -> Callable[..., tuple[list[dict], list[dict]]]:
    """Trains from the base; the metrics of its steps and its training rollouts."""

    def go(*overrides: str, name: str = "run") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        run = train_here(*SHORT, f"policy.source={base}", *overrides, name=name)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        text = gzip.decompress((run / "rollouts.jsonl.gz").read_bytes()).splitlines()
        records = [json.loads(line) for line in text]
        return lines[1:], [record for record in records if record["kind"] == "train"]

    return go


def sizes(rollouts: list[dict[str, Any]], step: int) -> list[int]:
    """Length of the pattern of every completion of a step."""
    return [len(r["problem_id"].rsplit(":", 1)[-1]) for r in rollouts if r["step"] == step]


def test_a_curriculum_by_length(train: Callable) -> None:
    """Three problems a step, one of them from earlier stages once there are any."""
    lines, rollouts = train("curriculum=lengths", "curriculum.stage_steps=1")
    assert [line["curriculum_stage"] for line in lines] == [2.0, 2.0]  # after the step
    assert set(sizes(rollouts, 1)) == {1}
    assert sorted(sizes(rollouts, 2)) == [1] * 8 + [2] * 16


def test_a_curriculum_of_listed_stages(train: Callable) -> None:
    """Long patterns first, which no default would do; then all."""
    lines, rollouts = train(
        "curriculum=lengths", "curriculum.stages=[[2],[1,2]]", "curriculum.stage_steps=1",
    )  # fmt: skip
    assert [line["curriculum_stage"] for line in lines] == [2.0, 2.0]
    assert set(sizes(rollouts, 1)) == {2}
    assert 1 in sizes(rollouts, 2)


def test_a_curriculum_by_family_in_the_order_given(train: Callable) -> None:
    _, rollouts = train(
        "curriculum=families", "curriculum.stage_steps=1", "curriculum.review_share=0",
        "data.families=[ends_with,contains_ordered]", "schedule=staged_families", "schedule.switch_on=step",
        "schedule.switch_step=2",
    )  # fmt: skip
    found = {(r["step"], r["problem_id"].partition(":")[0]) for r in rollouts}
    assert found == {(1, "ends_with"), (2, "contains_ordered")}


def test_the_step_wise_order_of_data_sets(train: Callable, tmp_path: Path) -> None:
    """The paper's step-wise training: one data set after the other, whatever is in it."""
    _, rollouts = train(
        "curriculum=sets", "curriculum.stage_steps=1", "curriculum.review_share=0",
        "data.sets=[has,starts_with:two:basic]", "data.families=[starts_with,contains_ordered]", "data.colors=four",
        "data.lengths=[3]", "data.tests=delta",
    )  # fmt: skip
    found = {(r["step"], r["problem_id"].partition(":")[0]) for r in rollouts}
    assert found == {(1, "contains_ordered"), (2, "starts_with")}


def test_an_adaptive_curriculum(train: Callable) -> None:
    lines, _ = train("curriculum=adaptive", "curriculum.progress=pass_rate")
    for line in lines:
        assert line["curriculum_band"] + line["curriculum_hard"] + line["curriculum_solved"] == pytest.approx(1.0)


def test_sizes_of_groups_and_resampling(train: Callable) -> None:
    lines, rollouts = train(
        "sampling=dynamic", "sampling.group_steps=[1,2]", "sampling.group_sizes=[8,4]", "reward=binary", "replay=none",
        "data.lengths=[2,3]",
    )  # fmt: skip
    # Three groups of eight of eight problems, then six of four.
    assert [len({r["problem_id"] for r in rollouts if r["step"] == step}) for step in (1, 2)] == [3, 6]
    for line in lines:
        assert line["num_completions"] == 24.0
        # Groups of a binary reward are informative when they have both outcomes; the others were drawn anew.
        assert line["zero_variance_share"] == 0.0 or line["resampled"] > 0.0


@pytest.mark.parametrize(
    ("override", "is_paid"),
    [
        ("reward=binary", lambda r: r["reward"] == float(r["full_pass"])),
        ("reward=strict", lambda r: r["reward"] == float(r["full_pass"])),
        ("reward=pass_rate", lambda r: r["reward"] in (r["pass_rate"], 0.0)),
        ("tests=exhaustive", lambda r: r["reward"] in (r["pass_rate"], 0.0)),
    ],
)
def test_rewards(override: str, is_paid: Callable, train: Callable) -> None:
    _, rollouts = train(override, "replay=none")
    assert rollouts and all(map(is_paid, rollouts))


def test_a_mixture_moves_from_one_reward_to_the_other(train: Callable) -> None:
    """All dense at step 1, half and half at step 2."""
    lines, rollouts = train("schedule=mixed", "schedule.mix_steps=[1,3]", "replay=none")
    assert [line["phase"] for line in lines] == ["dense", "dense"]
    for record in rollouts:
        if record["reward"]:
            share = 0.5 * (record["step"] - 1)
            expected = (1 - share) * record["pass_rate"] + share * record["full_pass"]
            assert record["reward"] == pytest.approx(expected)


def test_one_turn_of_feedback_is_no_feedback_bit_for_bit(train: Callable) -> None:
    """Whatever else the group says: with one attempt nothing is written, masked or judged differently."""
    clock = ("time", "step_s", "generate_s", "judge_s", "update_s")
    found = [
        train("feedback=leaking", "feedback.attempts=1", name="one"),
        train("feedback=none", name="none"),
    ]
    lines = [
        [{key: value for key, value in line.items() if key not in clock} for line in part]
        for part, _ in found
    ]
    assert lines[0] == lines[1]
    assert found[0][1] == found[1][1]
