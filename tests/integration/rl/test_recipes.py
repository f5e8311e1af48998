"""Every part of the recipe, through the real trainer: a step or two, and the trace that the part leaves.

From the same tiny base, so that a run costs a second. Whether a recipe learns is for longer runs to say.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlgrok.config import DataConfig
from rlgrok.delta.manufactoria import SCOPE
from rlgrok.problems import build_problems
from runtime.settings import from_plain

SHORT = (
    "training.max_steps=2",
    "training.group_size=8",
    "evaluation.every=1",
    "evaluation.draws=4",
    "evaluation.compare_base=false",
)


@pytest.fixture(scope="module")
def base(uninterrupted: Path) -> Path:
    """The reference policy of the tiny config, as a folder like any other."""
    return uninterrupted / "base"


@pytest.fixture
def steps(train_here: Callable[..., Path], base: Path) -> Callable[..., list[dict[str, Any]]]:
    """Trains from the base and returns the metrics of the steps, without the untrained policy's."""

    def train(*overrides: str) -> list[dict[str, Any]]:
        run = train_here(*SHORT, f"policy.source={base}", *overrides)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert all("heldout_exhaustive" in line for line in lines)
        return lines[1:]

    return train


@pytest.mark.parametrize(
    ("schedule", "phases"),
    [
        (["schedule=dense"], ["dense", "dense"]),
        (["schedule=binary"], ["binary", "binary"]),
        (["schedule.switch_on=step", "schedule.switch_step=2"], ["dense", "binary"]),
        (
            [
                "schedule.switch_on=full_pass",
                "schedule.switch_threshold=0",
                "schedule.running_window=1",
            ],
            ["dense", "binary"],
        ),
        (
            [
                "schedule.switch_on=dense_reward",
                "schedule.switch_threshold=1",
                "schedule.fallback_step=2",
            ],
            ["dense", "binary"],
        ),
        (["schedule=staged_plateau"], ["dense", "dense"]),
    ],
)
def test_schedules(schedule: list[str], phases: list[str], steps: Callable) -> None:
    found = steps(*schedule)
    assert [line["phase"] for line in found] == phases
    for line in found:
        binary = line["reward"] <= line["full_pass"] + line["replayed"] / line["num_completions"]
        assert binary == (line["phase"] == "binary")


@pytest.mark.parametrize(
    ("entropy", "coefficients"),
    [
        (["entropy=none"], [None, None]),
        (["entropy=fixed", "entropy.coefficient=0.03"], [0.03, 0.03]),
        # Far above and far below what the policy has: up and down by a step each time.
        (["entropy.coefficient=0.05", "entropy.step=0.02", "entropy.target=9"], [0.07, 0.09]),
        (["entropy.coefficient=0.05", "entropy.step=0.02", "entropy.target=0"], [0.03, 0.01]),
    ],
)
def test_entropy_control(
    entropy: list[str], coefficients: list[float | None], steps: Callable
) -> None:
    found = [line.get("entropy_coef") for line in steps(*entropy)]
    assert found == [c if c is None else pytest.approx(c) for c in coefficients]


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.tests=delta"],
        ["schedule.dense_reward=balanced"],
        ["data.families=[contains_ordered,contains_substring]", "data.lengths=[2]"],
        ["data=contains_ordered_four", "data.lengths=[1]"],
        ["training.loss_type=grpo", "training.scale_rewards=none"],
        ["training.loss_type=dr_grpo", "training.scale_rewards=batch", "optimizer.warmup_steps=1"],
        ["training.loss_type=dapo", "training.micro_batch_size=6", "training.temperature=0.8"],
        ["training.kl_coef=0.1", "training.top_p=0.9"],
        ["training.rollout=trl", "replay=none", "training.stored_rollouts=3"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_other_settings_train(overrides: list[str], steps: Callable) -> None:
    found = steps(*overrides)
    assert len(found) == 2
    for line in found:
        assert line["grad_norm"] > 0.0
        assert 0.0 < line["reward"] < 1.0
        assert line["num_completions"] == 24.0


def test_more_prompts_a_step_than_problems(steps: Callable) -> None:
    """A problem then comes twice in a step, and each time is a group of its own."""
    (first, _) = steps("training.prompts_per_step=6", "data.lengths=[1]", "data.heldout_share=0.0")
    assert first["num_completions"] == 48.0


def records(run: Path) -> list[dict[str, Any]]:
    with gzip.open(run / "rollouts.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def test_what_is_replayed_was_drawn_before_and_passed_and_is_never_held_out(
    uninterrupted: Path,
) -> None:
    drawn: dict[str, dict[str, int]] = {}
    num_replayed = 0
    heldout = {r["problem_id"] for r in records(uninterrupted) if r["kind"] == "greedy"}
    own_successes: dict[tuple[int, str], int] = {}
    rollouts = [r for r in records(uninterrupted) if r["kind"] == "train"]
    assert heldout and not heldout & {r["problem_id"] for r in rollouts}
    for record in rollouts:
        if not record["replayed"] and record["full_pass"]:
            key = (record["step"], record["problem_id"])
            own_successes[key] = own_successes.get(key, 0) + 1
    for record in rollouts:
        known = drawn.setdefault(record["problem_id"], {})
        if record["replayed"]:
            num_replayed += 1
            assert known[record["text"]] <= record["policy_step"] < record["step"]
            assert record["full_pass"] and record["reward"] == 1.0
            assert (record["step"], record["problem_id"]) not in own_successes
        elif record["full_pass"]:
            known.setdefault(record["text"], record["step"])
    assert num_replayed > 0


def test_without_replay_none_is(steps: Callable) -> None:
    found = steps("replay=none", "training.max_steps=6", "training.group_size=12")
    assert sum(line["full_pass"] for line in found) > 0  # there would be something to replay
    assert [line["replayed"] for line in found] == [0.0] * 6


def test_the_exhaustive_verdict_pays(train_here: Callable[..., Path], base: Path) -> None:
    """The reward of every draw is what the exhaustive verdict says of its program, not what the tests say."""
    run = train_here(*SHORT, f"policy.source={base}", "judge=exhaustive", "schedule=dense")
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["judge"] == "exhaustive"
    _, data = build_problems(from_plain(DataConfig, config["data"]), seed=config["seed"])
    problems = {problem.id: problem for problem in (*data.train, *data.heldout)}
    drawn = [record for record in records(run) if record["kind"] == "train" and record["pass_rate"]]
    assert drawn
    by_tests = 0
    for record in drawn:
        problem, program = problems[record["problem_id"]], SCOPE.extract(record["text"])
        right = SCOPE.verify_exhaustive(problem, program)
        assert record["pass_rate"] == right.pass_rate
        assert record["full_pass"] <= right.full_pass
        by_tests += right.pass_rate == SCOPE.verify(problem, program).pass_rate
    assert by_tests < len(drawn)
