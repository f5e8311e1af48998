"""What happens around a step: the line it leaves, the switch, the warnings, the stop, and the state that survives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlgrok.config import DenseReward, ScheduleConfig, ScheduleKind, SwitchOn
from rlgrok.training.checkpoints import list_checkpoints, read_state
from rlgrok.training.heldout import HeldoutResult
from rlgrok.training.jump import JumpWatch
from rlgrok.training.record import StepRecord
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.training.schedule import Phase, Schedule
from rlgrok.training.session import Limits, Session, step_warnings
from rlgrok.types import Completion, Rollout, Status, Verdict
from runtime.progress import SilentView
from runtime.run import Run
from runtime.storage import read_jsonl

PASSED = Verdict(Status.PASSED, 4, 4, 2, 2)
HALF = Verdict(Status.FAILED, 2, 4, 2, 2)
SCHEDULE = ScheduleConfig(
    ScheduleKind.STAGED, DenseReward.PASS_RATE, SwitchOn.STEP, 3, 0.8, 1, 2, 0.01, None
)
LIMITS = Limits(max_steps=5, evaluate_every=2, stop_full_pass=None, keep_checkpoints=2)


class Heldout:
    """Stands in for the evaluator: as many of ten problems are right as it is told."""

    problem_ids = tuple(f"h{number}" for number in range(10))

    def __init__(self) -> None:
        self.num_right = 0
        self.num_calls = 0

    def __call__(self) -> HeldoutResult:
        self.num_calls += 1
        right = tuple(number < self.num_right for number in range(10))
        verdicts = tuple(PASSED if one else HALF for one in right)
        completions = tuple(Completion((1,), "x") for _ in right)
        return HeldoutResult(completions, verdicts, right, right)


class Notes(SilentView):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        self.states: list[str] = []

    def update(self, step: int, values: Mapping[str, Any]) -> None:
        self.states.append(values["state"])

    def note(self, kind: str, text: str) -> None:
        self.notes.append((kind, text))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run.create(
        tmp_path / "run", command="rl train", name="x", argv=[], config={}, overrides=[], seeds={}
    )
    yield made
    made.finish("done")


def session(run: Run, **changes: Any) -> Session:
    settings: dict[str, Any] = {
        "run": run,
        "view": Notes(),
        "schedule": Schedule(SCHEDULE),
        "record": StepRecord(group_size=2),
        "verifier": None,
        "heldout": Heldout(),
        "rollout_log": RolloutLog(run.path / "rollouts.jsonl.gz", per_step=None),
        "replay": ReplayStore(4),
        "limits": LIMITS,
        "balanced": False,
        "families": {"p": "toy"},
        "should_stop": lambda: False,
    }
    return Session(**(settings | changes))


def take(session: Session, step: int, verdicts: tuple[Verdict, Verdict] = (PASSED, HALF)) -> bool:
    """One step as the trainer's callbacks take it; True when it asked to stop."""
    session.before_step()
    session.record.step = step
    session.record.rollouts = [
        Rollout(step, "p", Completion((5, 1), "x"), v, v.pass_rate, policy_step=step) for v in verdicts
    ]  # fmt: skip
    stops = session.after_step(step)
    session.after_log(step, {"loss": 0.5, "grad_norm": 1.0, "learning_rate": 1e-3, "epoch": 0.1})
    return stops


def lines(run: Run) -> list[dict[str, Any]]:
    run.metrics.flush()
    return read_jsonl(run.metrics_path)


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_jsonl(run.events_path) if event["kind"] == kind]


def test_every_step_leaves_one_line_and_the_untrained_policy_the_first(run: Run) -> None:
    made = session(run)
    made.start(0)
    for step in range(1, 6):
        take(made, step)
    found = lines(run)
    assert [line["step"] for line in found] == [0, 1, 2, 3, 4, 5]
    # Every second step, and the last whatever its number.
    assert ["heldout_exhaustive" in line for line in found] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert [line.get("phase") for line in found] == [
        None,
        "dense",
        "dense",
        "binary",
        "binary",
        "binary",
    ]
    for line in found[1:]:
        assert (line["loss"], line["grad_norm"], line["reward"], line["full_pass"]) == (
            0.5,
            1.0,
            0.75,
            0.5,
        )
        assert line["running_full_pass"] == 0.5
        assert "epoch" not in line  # the trainer's numbers that we give a name, no others


def test_the_view_is_told_of_the_climb(run: Run) -> None:
    made = session(run, limits=replace(LIMITS, max_steps=60))
    made.start(0)
    for step in range(1, 4):
        take(made, step, (HALF, HALF))
    made.heldout.num_right = 4
    take(made, 4, (PASSED, HALF))
    made.heldout.num_right = 10
    for step in range(5, 8):
        take(made, step, (PASSED, PASSED))
    assert made.view.states == ["plateau"] * 4 + ["climbing"] * 2 + ["solved"] * 2


def test_a_resumed_process_does_not_measure_the_untrained_policy_again(run: Run) -> None:
    made = session(run)
    made.start(2)
    assert made.heldout.num_calls == 0 and lines(run) == []


def test_the_switch_is_an_event_of_the_step_before_it(run: Run) -> None:
    made = session(run)
    for step in range(1, 5):
        take(made, step)
    (change,) = events(run, "phase_changed")
    assert {key: change[key] for key in ("step", "first_step", "old", "new")} == {
        "step": 2,
        "first_step": 3,
        "old": "dense",
        "new": "binary",
    }
    assert [text for kind, text in made.view.notes if kind == "phase"] == [
        "from step 3: dense -> binary (step 3 reached)"
    ]


def test_a_stop_that_was_asked_for_comes_after_the_step(run: Run) -> None:
    made = session(run, should_stop=lambda: True)
    assert take(made, 1) is True
    assert made.stopped_early == "interrupted"
    assert made.state_dict()["is_finished"] is False  # there is more to do


@pytest.mark.parametrize(
    ("level", "verdicts", "num_right", "stops"),
    [
        (0.9, (PASSED, PASSED), 9, True),
        (0.9, (PASSED, PASSED), 8, False),  # held-out problems are not there yet
        (0.9, (PASSED, HALF), 10, False),  # training draws are not
        (None, (PASSED, PASSED), 10, False),
    ],
)
def test_solved_is_both_and_ends_the_run(
    level: float | None, verdicts: tuple[Verdict, Verdict], num_right: int, stops: bool, run: Run
) -> None:
    made = session(run, limits=replace(LIMITS, stop_full_pass=level))
    made.heldout.num_right = num_right
    assert take(made, 1, verdicts) is False  # not evaluated, so not known
    assert take(made, 2, verdicts) is stops
    assert made.stopped_early == ("solved" if stops else None)
    assert made.state_dict()["is_finished"] is stops


def test_a_checkpoint_has_the_state_and_the_oldest_leave(run: Run) -> None:
    made = session(run)
    for step in range(1, 4):
        take(made, step)
        written = run.checkpoints / ".staging" / f"checkpoint-{step}"
        written.mkdir(parents=True)
        (written / "model").write_text("weights")
        made.after_save(step, written)
    kept = list_checkpoints(run.checkpoints)
    assert [checkpoint.step for checkpoint in kept] == [2, 3]
    assert [event["path"] for event in events(run, "checkpoint_saved")] == [
        f"step-00000{step}" for step in (1, 2, 3)
    ]
    assert read_state(kept[-1])["schedule"]["phase"] == "binary"


def test_what_a_checkpoint_has_is_all_that_the_next_step_depends_on(run: Run) -> None:
    made = session(run, limits=replace(LIMITS, stop_full_pass=0.2))
    made.heldout.num_right = 7
    assert made.replay is not None
    made.replay.add("p", [5, 1], step=1)
    take(made, 1)
    take(made, 2)
    state = json.loads(json.dumps(made.state_dict()))
    again = session(run)
    again.load_state_dict(state)
    assert again.schedule.phase is Phase.BINARY
    assert again.schedule.running_full_pass == made.schedule.running_full_pass == 0.5
    assert again.replay is not None and again.replay.stored == made.replay.stored
    assert again.latest == {
        "heldout_full_pass": 0.7,
        "heldout_pass_rate": 0.85,
        "heldout_exhaustive": 0.7,
    }
    assert again.stopped_early == made.stopped_early == "solved"
    timeless = [
        {k: v for k, v in s.items() if not k.endswith("_s")} for s in (state, again.state_dict())
    ]
    assert timeless[0] == timeless[1]


def test_a_warning_is_given_once_even_across_a_resume(run: Run) -> None:
    made = session(run)
    for step in (1, 2, 3):
        take(made, step, (HALF, HALF))
    again = session(run)
    again.load_state_dict(made.state_dict())
    take(again, 4, (HALF, HALF))
    names = [event["name"] for event in events(run, "warning")]
    # Two equal rewards from the start; no success once only success pays.
    assert names == ["frozen_groups", "binary_without_success"]


GOOD = {
    "zero_variance_share": 0.5,
    "full_pass": 0.1,
    "decisive_entropy": 0.5,
    "truncated_share": 0.1,
    "verifier_failures": 0.0,
    "phase": "dense",
    "gate_distance": 0.7,
    "running_full_pass": 0.1,
}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"zero_variance_share": 0.95}, {"frozen_groups"}),
        ({"zero_variance_share": 0.95, "full_pass": 0.9}, set()),  # solved groups are equal too
        ({"decisive_entropy": 0.01}, {"entropy_collapse"}),
        ({"decisive_entropy": 0.01, "full_pass": 0.9}, set()),
        ({"decisive_entropy": None}, set()),
        ({"truncated_share": 0.6}, {"truncated"}),
        ({"phase": "binary", "full_pass": 0.0}, {"binary_without_success"}),
        ({"phase": "binary"}, set()),
        ({"verifier_failures": 1.0}, {"verifier_failed"}),
    ],
)
def test_what_a_researcher_is_warned_of(changes: dict[str, Any], names: set[str]) -> None:
    assert set(step_warnings(GOOD | changes, 0.49)) == names


@pytest.mark.parametrize(
    ("share_done", "distance", "names"),
    [
        (0.49, 0.7, set()),
        (0.5, 0.7, {"gate_far"}),  # .1 of .8 reached
        (0.5, 0.09, set()),
        (1.0, 0.0, set()),  # open, or no gate at all
    ],
)
def test_a_gate_that_is_far_at_half_time(
    share_done: float, distance: float, names: set[str]
) -> None:
    assert set(step_warnings(GOOD | {"gate_distance": distance}, share_done)) == names


def test_a_climb_is_looked_at_step_by_step_and_its_checkpoints_stay(run: Run, tmp_path: Path) -> None:
    """Evaluated every fourth step until something passes, then at every one until all is learned."""
    heldout = Heldout()
    made = session(
        run,
        heldout=heldout,
        limits=replace(LIMITS, max_steps=12, evaluate_every=4, keep_checkpoints=1),
        watch=JumpWatch(every=1, keep=3),
    )
    made.start(0)
    evaluated, kept = [], []
    for step in range(1, 13):
        before = heldout.num_calls
        # Nothing passes until step 5; from step 9 on everything does, on held-out problems too.
        verdicts = (HALF, HALF) if step < 5 else (PASSED, HALF if step < 9 else PASSED)
        heldout.num_right = 0 if step < 9 else 10
        take(made, step, verdicts)
        evaluated += [step] * (heldout.num_calls - before)
        if made.wants_save or step % 5 == 0:
            written = tmp_path / "written" / str(step)
            written.mkdir(parents=True)
            made.after_save(step, written)
            kept.append([found.step for found in list_checkpoints(run.checkpoints)])
    # The running mean is over two steps: it leaves 0 at step 5 and reaches 1 at step 10.
    assert evaluated == [4, 5, 6, 7, 8, 9, 12]
    assert kept[-1] == [7, 8, 9, 10]  # three of the climb, and the newest of the others
    again = session(run, watch=JumpWatch(every=1, keep=3))
    again.load_state_dict(json.loads(json.dumps(made.state_dict())))
    assert again.jump_steps == [7, 8, 9]


def test_how_many_groups_could_be_informative_beside_how_many_were(run: Run) -> None:
    made = session(run, limits=replace(LIMITS, max_steps=9))
    made.start(0)
    take(made, 1, (PASSED, HALF))
    take(made, 2, (PASSED, HALF))
    take(made, 3, (HALF, HALF))
    found = lines(run)
    assert "informative_expected" not in found[1]  # nothing is known of the problem yet
    assert (found[2]["informative_expected"], found[2]["informative_observed"]) == (0.5, 1.0)
    assert (found[3]["informative_expected"], found[3]["informative_observed"]) == (0.5, 0.0)
