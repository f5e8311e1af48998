"""What happens around the trainer's steps: metrics, phase changes, held-out evaluation, warnings, checkpoints, stop.

One `Session` lives as long as a training process. Everything that must survive a kill is in its `state_dict`, which
goes into every checkpoint; everything else is in the run folder and is cut back to the checkpoint on resume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlgrok.ingredients import Progress
from rlgrok.rewards import dense_reward, is_success
from rlgrok.training import checkpoints
from rlgrok.training.curriculum import Curriculum
from rlgrok.training.heldout import HeldoutEvaluator, HeldoutResult
from rlgrok.training.jump import JumpWatch
from rlgrok.training.record import (
    Outcome,
    StepRecord,
    expected_informative,
    mean,
    outcomes,
    step_metrics,
    two_outcomes,
)
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.training.schedule import ByFamily, FamilySchedules, Phase, PhaseChange, Schedule
from rlgrok.training.stage import Stage
from rlgrok.training.verification import Verifier
from rlgrok.types import Status
from runtime.progress import TrainingView
from runtime.run import Run


@dataclass(frozen=True)
class Limits:
    """When things happen, in steps, and when the run stops."""

    max_steps: int
    evaluate_every: int
    stop_full_pass: float | None
    keep_checkpoints: int


@dataclass
class Session:
    """The state and the hooks of one training process."""

    run: Run
    view: TrainingView
    schedule: Schedule | FamilySchedules
    record: StepRecord
    verifier: Verifier
    heldout: HeldoutEvaluator
    rollout_log: RolloutLog
    replay: ReplayStore | None
    limits: Limits
    balanced: bool
    families: Mapping[str, str]
    """Family by problem id."""
    should_stop: Callable[[], bool]
    """Asked after every step; True saves and stops, as after Ctrl-C."""
    curriculum: Curriculum | None = None
    progress: Progress = Progress.FULL_PASS
    """What the curriculum goes by."""
    index_of: Mapping[str, int] = field(default_factory=dict)
    """Place of each training problem; for the curriculum."""
    watch: JumpWatch = field(default_factory=JumpWatch)
    """When to evaluate out of turn, and save."""
    latest: dict[str, float] = field(default_factory=dict)
    """Newest held-out numbers."""
    wants_save: bool = False
    """The step just done is one of the climb that a checkpoint is kept of."""
    jump_steps: list[int] = field(default_factory=list)
    """Steps of such checkpoints that are there."""
    stopped_early: str | None = None
    _pending: dict[str, Any] = field(default_factory=dict)
    _step_started: float = 0.0
    _warned: set[str] = field(default_factory=set)
    _success: dict[str, float] = field(default_factory=dict)
    """Share of full passes of each problem at its visits so far, the later ones with more weight."""

    def __post_init__(self) -> None:
        """Begin to watch."""
        self._stage = Stage(self.limits.max_steps)

    def evaluate(self, step: int) -> HeldoutResult:
        """Greedy held-out accuracy of the current weights; kept as the newest, and stored as rollouts."""
        result = self.heldout()
        self.latest = result.metrics()
        self.rollout_log.write_heldout(step, self.heldout.problem_ids, result)
        return result

    def start(self, step: int) -> None:
        """At step 0, log the untrained policy, so that every curve has its first point."""
        if step == 0:
            self.evaluate(0)
            self.run.metrics.log(0, dict(self.latest))
            self.view.update(
                0, {"phase": self.schedule.phase.value, **self.latest, **self._state(0)}
            )

    def before_step(self) -> None:
        """Start the step's clock: evaluation, logging and saving of the step before are not in it."""
        self._step_started = time.perf_counter()

    def after_step(self, step: int) -> bool:
        """Count the step, move the schedule, evaluate when due; True when the run should save and stop."""
        values: dict[str, Any] = {"phase": self.schedule.phase.value}
        values |= step_metrics(self.record, balanced=self.balanced)
        self.rollout_log.write_step(self.record)
        changes = self.schedule.update(
            step,
            full_pass=values["full_pass"],
            dense=values["dense_reward"],
            by_family=self._by_family(),
        )
        values |= self._visited(step)
        values["running_full_pass"] = self.schedule.running_full_pass
        values["running_dense_reward"] = self.schedule.running_dense
        values["gate_distance"] = self.schedule.gate_distance()
        values["step_s"] = time.perf_counter() - self._step_started
        if "generate_s" in values:
            values["update_s"] = values["step_s"] - values["generate_s"] - values["judge_s"]
        is_watched = self.watch.is_due(
            step, training=self.schedule.running_full_pass, heldout=self._accuracy()
        )
        self.wants_save = is_watched and self.watch.keep > 0
        is_due = step % self.limits.evaluate_every == 0 or step == self.limits.max_steps
        is_evaluated = is_due or is_watched
        if is_evaluated:
            self.evaluate(step)
            values |= self.latest
        for change in changes:
            self._tell_change(step, change)
        self._pending = values
        self._warn(step, values)
        if self.should_stop():
            self.stopped_early = "interrupted"
        elif is_evaluated and self._is_solved():
            self.stopped_early = "solved"
        return self.stopped_early is not None

    def _by_family(self) -> ByFamily | None:
        """Each family's own shares; None where one schedule serves all."""
        if isinstance(self.schedule, Schedule):
            return None
        rollouts: dict[str, list[tuple[float, float]]] = {}
        for rollout in self.record.rollouts:
            if rollout.is_replayed or rollout.verdict.status is Status.INFRASTRUCTURE_ERROR:
                continue
            truncated = rollout.completion.is_truncated
            dense = dense_reward(rollout.verdict, balanced=self.balanced, is_truncated=truncated)
            passed = float(is_success(rollout.verdict, is_truncated=truncated))
            rollouts.setdefault(self.families[rollout.problem_id], []).append((passed, dense))
        return {
            family: (mean([p for p, _ in pairs]), mean([d for _, d in pairs]))
            for family, pairs in rollouts.items()
        }

    def _visited(self, step: int) -> dict[str, float]:
        """Tell the curriculum what became of the step's problems; how many groups could have been informative."""
        visited = outcomes(self.record)
        known = [item for item in visited if item.problem_id in self._success]
        values: dict[str, float] = {}
        if known:
            values["informative_expected"] = expected_informative(
                [self._success[item.problem_id] for item in known], self.record.group_size
            )
            values["informative_observed"] = two_outcomes(known)
        for item in visited:
            before = self._success.get(item.problem_id, item.full_pass)
            self._success[item.problem_id] = 0.5 * (before + item.full_pass)
        if self.replay is not None:
            values |= self.replay.metrics(step)
        if self.curriculum is not None:
            told = self.curriculum.update(step, self._progress_of(visited))
            values |= self.curriculum.metrics()
            if told is not None:
                self.run.event("curriculum_advanced", step=step, message=told)
                self.view.note("curriculum", told)
        return values

    def _progress_of(self, visited: Sequence[Outcome]) -> dict[int, float]:
        """Success of each visited problem, by its place; the mean where it was visited twice."""
        found: dict[int, list[float]] = {}
        for item in visited:
            value = item.full_pass if self.progress is Progress.FULL_PASS else item.pass_rate
            found.setdefault(self.index_of[item.problem_id], []).append(value)
        return {index: mean(values) for index, values in found.items()}

    def _tell_change(self, step: int, change: PhaseChange) -> None:
        """Of the step just done, so that resuming from its checkpoint keeps the event."""
        of_family = {} if change.family is None else {"family": change.family}
        self.run.event(
            "phase_changed",
            step=step,
            first_step=change.step,
            old=change.old,
            new=change.new,
            reason=change.reason,
            **of_family,
        )
        whose = "" if change.family is None else f"{change.family} "
        text = f"{whose}from step {change.step}: {change.old} -> {change.new} ({change.reason})"
        self.view.note("phase", text)

    def after_log(self, step: int, logs: Mapping[str, float]) -> None:
        """Write the step's one line: our numbers and the trainer's."""
        names = ("loss", "grad_norm", "learning_rate", "entropy_coef")
        own = {name: float(logs[name]) for name in names if name in logs}
        if "entropy" not in self._pending and "entropy" in logs:
            own["entropy"] = float(logs["entropy"])
        values = {**self._pending, **own}
        self.run.metrics.log(step, values)
        self.view.update(step, {**self.latest, **values, **self._state(step)})

    def after_save(self, step: int, written: Path) -> None:
        """Publish what the trainer wrote, with our own state; drop the oldest checkpoints."""
        self.run.metrics.flush()
        self.run.save_clock()
        if self.wants_save:
            self.jump_steps = [*self.jump_steps, step][-self.watch.keep :]
        saved = checkpoints.publish(written, self.run.checkpoints, step, self.state_dict())
        self.run.event("checkpoint_saved", step=step, path=saved.path.name)
        checkpoints.prune(
            self.run.checkpoints, self.limits.keep_checkpoints, spared=self.jump_steps
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything of ours that the next step depends on."""
        wall_s, cpu_s = self.run.clock()
        return {
            "schedule": self.schedule.state_dict(),
            "replay": None if self.replay is None else self.replay.state_dict(),
            "curriculum": None if self.curriculum is None else self.curriculum.state_dict(),
            "success": self._success,
            "jump_steps": self.jump_steps,
            "latest": self.latest,
            "warned": sorted(self._warned),
            "is_finished": self.stopped_early == "solved",
            "wall_s": wall_s,
            "cpu_s": cpu_s,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote."""
        self.schedule.load_state_dict(state["schedule"])
        if self.replay is not None:
            self.replay.load_state_dict(state["replay"])
        if self.curriculum is not None:
            self.curriculum.load_state_dict(state["curriculum"])
        self._success = dict(state["success"])
        self.jump_steps = list(state.get("jump_steps", []))
        self.latest = dict(state["latest"])
        self._warned = set(state["warned"])
        if state["is_finished"]:
            self.stopped_early = "solved"

    def _is_solved(self) -> bool:
        """Near-perfect on training draws and on held-out problems: more steps would show nothing."""
        level = self.limits.stop_full_pass
        if level is None:
            return False
        return min(self.schedule.running_full_pass, self._accuracy()) >= level

    def _accuracy(self) -> float:
        """Newest held-out accuracy, by the stricter verdict there is."""
        return self.latest.get("heldout_exhaustive", self.latest.get("heldout_full_pass", 0.0))

    def _state(self, step: int) -> dict[str, str]:
        """For the view: plateau, climbing or solved."""
        word = self._stage.update(step, self._accuracy(), self.schedule.running_full_pass)
        return {"state": word}

    def _warn(self, step: int, values: Mapping[str, Any]) -> None:
        """Say once what a researcher could still act on."""
        share_done = step / self.limits.max_steps
        for name, text in step_warnings(values, share_done).items():
            if name not in self._warned:
                self._warned.add(name)
                self.run.event("warning", step=step, name=name, message=text)
                self.view.note("warning", f"step {step}: {text}")


FROZEN_SHARE = 0.9
"""Above this share of groups without variance a step trains on almost nothing."""
FROZEN_ENTROPY = 0.02
"""Nats a decisive token. Below, the second-best edge of a program is drawn about once in three hundred times."""


FAR_GATE_SHARE = 0.5
"""From this share of the steps on, a gate that is still more than half its height away is worth a warning."""


def step_warnings(values: Mapping[str, Any], share_done: float) -> dict[str, str]:
    """Warnings that a step's numbers call for, by name.

    Args:
        values: the step's metrics.
        share_done: of the run's steps, this one included, in [0, 1].
    """
    found = {}
    share = values["zero_variance_share"]
    is_unsolved = values["full_pass"] < 0.5
    if share > FROZEN_SHARE and is_unsolved:
        found["frozen_groups"] = (
            f"{share:.0%} of the groups have equal rewards and train nothing; "
            "try a dense reward, replay or larger groups"
        )
    decisive = values.get("decisive_entropy")
    if decisive is not None and decisive < FROZEN_ENTROPY and is_unsolved:
        found["entropy_collapse"] = (
            f"decisive tokens have {decisive:.3f} nats left while full-pass is {values['full_pass']:.2f}; "
            "try a larger entropy.cap or entropy.step"
        )
    if values["truncated_share"] > 0.5:
        found["truncated"] = (
            f"{values['truncated_share']:.0%} of completions hit policy.max_new_tokens and earn nothing"
        )
    distance = values["gate_distance"]
    if share_done >= FAR_GATE_SHARE and distance > values["running_full_pass"]:
        found["gate_far"] = (
            f"{share_done:.0%} of the steps are over and the gate to the binary reward is {distance:.2f} away; "
            "it may stay shut: try a larger entropy.cap, another seed or more steps"
        )
    failures = values["verifier_failures"]
    if failures:
        found["verifier_failed"] = (
            f"the verifier failed on {failures:.0f} completions, which are left out of their groups"
        )
    if values["phase"] == Phase.BINARY and values["full_pass"] == 0.0:
        found["binary_without_success"] = (
            "no completion passes: a binary reward gives no gradient here"
        )
    return found
