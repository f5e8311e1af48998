"""Reward schedules: how much of the reward is binary at a step, and when a staged run turns from dense to binary.

Pure: a state goes in, a state comes out; the trainer only feeds it two numbers a step. The state is part of a
checkpoint, so a resumed run switches at the same step as an uninterrupted one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rlgrok.config import ScheduleConfig, ScheduleKind, SwitchOn


class Phase(StrEnum):
    """Which reward the policy is paid."""

    DENSE = "dense"
    BINARY = "binary"


@dataclass(frozen=True)
class PhaseChange:
    """The moment a run turned from one reward to the other."""

    step: int
    """First optimiser step that is paid the new reward."""
    old: Phase
    new: Phase
    reason: str
    family: str | None = None
    """Whose reward it is; None: everybody's."""


@dataclass
class Schedule:
    """The state machine behind `schedule=dense|binary|staged|mixed`.

    Attributes:
        phase: the reward paid now.
        full_pass: share of completions that passed everything, newest last, one entry a step.
        dense: mean dense reward, newest last.
    """

    config: ScheduleConfig
    phase: Phase = Phase.DENSE
    full_pass: deque[float] = field(default_factory=deque)
    dense: deque[float] = field(default_factory=deque)
    steps_open: int = 0
    best_dense: float = float("-inf")
    steps_without_rise: int = 0
    change: PhaseChange | None = None

    def __post_init__(self) -> None:
        """Start in the phase of the schedule's kind."""
        if self.config.kind is ScheduleKind.BINARY:
            self.phase = Phase.BINARY
        window = self.config.running_window
        self.full_pass = deque(self.full_pass, maxlen=window)
        self.dense = deque(self.dense, maxlen=window)

    @property
    def running_full_pass(self) -> float:
        """Mean share of full passes over the running window; 0 before the first step."""
        return _mean(self.full_pass)

    @property
    def running_dense(self) -> float:
        """Mean dense reward over the running window; 0 before the first step."""
        return _mean(self.dense)

    def binary_weight(self, step: int, family: str) -> float:
        """Share of the binary reward in what a completion earns at a step, in [0, 1]; the rest is the dense reward."""
        if self.config.kind is ScheduleKind.MIXED:
            last_dense, first_binary = self.config.mix_steps or (0, 1)
            return min(1.0, max(0.0, (step - last_dense) / (first_binary - last_dense)))
        return float(self.phase is Phase.BINARY)

    def gate_distance(self) -> float:
        """How far the running mean is below the gate, never negative; 0 where there is no gate to reach."""
        if self.phase is Phase.BINARY or self.config.kind is not ScheduleKind.STAGED:
            return 0.0
        running = {
            SwitchOn.FULL_PASS: self.running_full_pass,
            SwitchOn.DENSE_REWARD: self.running_dense,
        }.get(self.config.switch_on)
        return 0.0 if running is None else max(0.0, self.config.switch_threshold - running)

    def update(
        self, step: int, *, full_pass: float, dense: float, by_family: ByFamily | None = None
    ) -> list[PhaseChange]:
        """Record a finished step and decide the phase of the next one.

        Args:
            step: the step just finished, counted from 1.
            full_pass: share of its completions, replayed ones not counted, that passed every test.
            dense: mean dense reward of the same completions.
            by_family: not used here; see `FamilySchedules`.

        Returns:
            The change, when step + 1 is the first step of the binary phase; else nothing.
        """
        self.full_pass.append(full_pass)
        self.dense.append(dense)
        if self.phase is Phase.BINARY:
            return []
        reason = self._reason_to_switch(step)
        if reason is None:
            return []
        self.change = PhaseChange(step + 1, Phase.DENSE, Phase.BINARY, reason)
        self.phase = Phase.BINARY
        return [self.change]

    def _reason_to_switch(self, step: int) -> str | None:
        config = self.config
        if config.kind is ScheduleKind.DENSE:
            return None
        if config.kind is ScheduleKind.MIXED:
            is_over = self.binary_weight(step + 1, "") == 1.0
            return (
                f"the last share of the dense reward left at step {step + 1}" if is_over else None
            )
        if config.switch_on is SwitchOn.STEP:
            if config.switch_step is not None and step + 1 >= config.switch_step:
                return f"step {config.switch_step} reached"
        elif config.switch_on is SwitchOn.PLATEAU:
            self._count_plateau()
            if self.steps_without_rise >= config.switch_patience:
                return (
                    f"running dense reward {self.running_dense:.3f} rose by less than "
                    f"{config.plateau_delta} in {self.steps_without_rise} steps"
                )
        elif self._gate_is_open():
            name = config.switch_on.value
            running = (
                self.running_full_pass
                if config.switch_on is SwitchOn.FULL_PASS
                else self.running_dense
            )
            return f"running {name} {running:.3f} at or above {config.switch_threshold} for {self.steps_open} steps"
        if config.fallback_step is not None and step + 1 >= config.fallback_step:
            return f"fallback at step {config.fallback_step}"
        return None

    def _gate_is_open(self) -> bool:
        """Hysteresis: the window must be full and the running mean above the gate for some steps in a row."""
        is_full = len(self.full_pass) == self.config.running_window
        self.steps_open = self.steps_open + 1 if is_full and self.gate_distance() == 0.0 else 0
        return self.steps_open >= self.config.switch_patience

    def _count_plateau(self) -> None:
        if len(self.dense) < self.config.running_window:
            return
        if self.running_dense >= self.best_dense + self.config.plateau_delta:
            self.best_dense = self.running_dense
            self.steps_without_rise = 0
        else:
            self.steps_without_rise += 1

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state for a checkpoint."""
        change = self.change
        return {
            "phase": self.phase.value,
            "full_pass": list(self.full_pass),
            "dense": list(self.dense),
            "steps_open": self.steps_open,
            "best_dense": None if self.best_dense == float("-inf") else self.best_dense,
            "steps_without_rise": self.steps_without_rise,
            "change": None
            if change is None
            else {
                "step": change.step,
                "old": change.old,
                "new": change.new,
                "reason": change.reason,
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote."""
        self.phase = Phase(state["phase"])
        self.full_pass = deque(state["full_pass"], maxlen=self.config.running_window)
        self.dense = deque(state["dense"], maxlen=self.config.running_window)
        self.steps_open = state["steps_open"]
        self.best_dense = float("-inf") if state["best_dense"] is None else state["best_dense"]
        self.steps_without_rise = state["steps_without_rise"]
        change = state["change"]
        self.change = (
            None
            if change is None
            else PhaseChange(
                change["step"], Phase(change["old"]), Phase(change["new"]), change["reason"]
            )
        )


ByFamily = Mapping[str, tuple[float, float]]
"""Family -> share of full passes and mean dense reward of its completions in a step."""


class FamilySchedules:
    """One staged schedule a family: each turns by its own running means. Asked like a `Schedule`.

    The phase of the run is binary when every family's is. A family without a completion in a step stays as it is.
    """

    def __init__(self, config: ScheduleConfig, families: Sequence[str]) -> None:
        self.config = config
        self.of = {family: Schedule(config) for family in families}
        self.change: PhaseChange | None = None

    @property
    def phase(self) -> Phase:
        """Binary when every family's is."""
        phases = {schedule.phase for schedule in self.of.values()}
        return Phase.BINARY if phases == {Phase.BINARY} else Phase.DENSE

    @property
    def running_full_pass(self) -> float:
        """Mean over the families."""
        return sum(s.running_full_pass for s in self.of.values()) / len(self.of)

    @property
    def running_dense(self) -> float:
        """Mean over the families."""
        return sum(s.running_dense for s in self.of.values()) / len(self.of)

    def binary_weight(self, step: int, family: str) -> float:
        """As a `Schedule`, of the family's own."""
        return self.of[family].binary_weight(step, family)

    def gate_distance(self) -> float:
        """Of the family that is farthest."""
        return max(schedule.gate_distance() for schedule in self.of.values())

    def update(
        self, step: int, *, full_pass: float, dense: float, by_family: ByFamily | None = None
    ) -> list[PhaseChange]:
        """As a `Schedule`; the means over all families are not used."""
        changes = []
        for family, (own_full_pass, own_dense) in sorted((by_family or {}).items()):
            for change in self.of[family].update(step, full_pass=own_full_pass, dense=own_dense):
                changes.append(replace(change, family=family))
        if changes and self.phase is Phase.BINARY:
            self.change = changes[-1]
        return changes

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state for a checkpoint."""
        return {family: schedule.state_dict() for family, schedule in self.of.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` wrote."""
        for family, schedule in self.of.items():
            schedule.load_state_dict(state[family])
        known = [s.change for s in self.of.values() if s.change is not None]
        if len(known) == len(self.of):
            self.change = max(known, key=lambda change: change.step)


def build_schedule(config: ScheduleConfig, families: Sequence[str]) -> Schedule | FamilySchedules:
    """The schedule that a config names, for problems of these families."""
    return FamilySchedules(config, families) if config.per_family else Schedule(config)


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values) if values else 0.0
