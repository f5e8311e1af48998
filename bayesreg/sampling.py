"""Gibbs sampling for as long as it takes: blocks of draws, each looked at, saved, shown, and a reason to stop.

What is drawn depends on the seed and the data alone; looking, saving and resuming change nothing of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bayesreg import checkpoints
from bayesreg.checkpoints import Progress, Saved
from bayesreg.compiling import CompileClock
from bayesreg.diagnostics import RHAT_LIMIT, Diagnosis, diagnose, invariants
from bayesreg.inference import (
    Chains,
    advance_chains,
    chains_from_arrays,
    chains_to_arrays,
    draw_chains,
    start_chains,
)
from bayesreg.prepare import Prepared
from bayesreg.types import Draws
from runtime.errors import NonFiniteError

MONITORED_ENTRIES = 16
"""Entries of B that are looked at after every block; the final diagnosis takes 200."""

NUM_DRAWS, TARGET_ESS, TIME_LIMIT, INTERRUPTED = (
    "num_draws",
    "target_ess",
    "time_limit",
    "interrupted",
)
"""Why sampling stopped."""


@dataclass(frozen=True)
class Plan:
    """How long to sample; the fields of `config.InferenceConfig` that concern Gibbs."""

    num_chains: int
    num_warmup: int
    num_draws: int
    thin: int
    block: int
    target_ess: float | None
    time_limit_s: float | None
    checkpoint_s: float

    @property
    def num_blocks(self) -> int:
        """Blocks until `num_draws`, the last one whole."""
        return -(-self.num_draws // self.block)


@dataclass
class Monitor:
    """Some invariants of all draws so far."""

    names: tuple[str, ...] = ()
    parts: list[np.ndarray] = field(default_factory=list)

    def add(self, draws: Draws) -> None:
        """Take in further draws.

        Raises:
            NonFiniteError: a likelihood or a coefficient is not a finite number.
        """
        names, values = invariants(draws, num_entries=MONITORED_ENTRIES)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=(0, 1)))
        if bad.size:
            raise NonFiniteError(f"{names[bad[0]]} is not finite", where="sampling")
        self.names = names
        self.parts.append(values)

    def diagnosis(self) -> Diagnosis:
        """R-hat and effective sample sizes so far."""
        return diagnose(self.names, np.concatenate(self.parts, axis=1))


@dataclass(frozen=True)
class Look:
    """What is told after a block."""

    block: int
    draws: int
    """Draws a chain so far."""
    diagnosis: Diagnosis
    log_likelihood: float
    """Mean over the block."""


@dataclass(frozen=True)
class Sampled:
    """All draws, and why there are no more."""

    draws: Draws | None
    """None when sampling was interrupted before the first block was done."""
    stopped: str
    warmup_s: float
    sampling_s: float
    """Wall seconds of this process, compiling left out."""


@dataclass(frozen=True)
class Watch:
    """Who is told, and who may ask to stop."""

    on_warmup: Callable[[int], None]
    """Called with the number of sweeps that were just done."""
    on_block: Callable[[Look], None]
    on_checkpoint: Callable[[Progress, Path], None]
    should_stop: Callable[[], bool]


def sample(
    prepared: Prepared,
    plan: Plan,
    *,
    seed: int,
    folder: Path,
    saved: Saved | None,
    watch: Watch,
    clock: CompileClock,
) -> Sampled:
    """Warm up, then draw block by block until there is a reason to stop; save on the way.

    Args:
        prepared: the data.
        plan: how long.
        seed: root of all randomness.
        folder: of checkpoints.
        saved: where to go on; None: at the beginning.
        watch: told about progress.
        clock: of compiling, which is not sampling.

    Raises:
        NonFiniteError: the chains left the range of numbers.
        StorageError: the disk refused a checkpoint.
    """
    timer = _Timer(clock)
    progress = Progress(0, 0, plan.block) if saved is None else saved.progress
    plan = replace(plan, block=progress.size)
    if saved is None:
        chains = start_chains(prepared, seed=seed, num_chains=plan.num_chains)
    else:
        chains = chains_from_arrays(saved.chains)
    chains, warmup = _warm_up(prepared, chains, plan, progress.warmup, watch)
    drawn = [] if saved is None else list(saved.draws)
    if warmup < plan.num_warmup:
        _save(folder, Progress(warmup, 0, plan.block), chains, [], watch)
        return Sampled(None, INTERRUPTED, timer.lap(), 0.0)
    warmup_s = timer.lap()
    stopped = _draw(prepared, chains, plan, progress.block, drawn, folder, watch, timer)
    draws = Draws.concatenate(drawn) if drawn else None
    return Sampled(draws, stopped, warmup_s, timer.lap())


class _Timer:
    """Wall seconds between laps, without what compiling took."""

    def __init__(self, clock: CompileClock) -> None:
        self._clock = clock
        self._last = time.monotonic(), clock.seconds

    def lap(self) -> float:
        """Seconds since the last lap, which ends here."""
        seconds = self.seconds()
        self._last = time.monotonic(), self._clock.seconds
        return seconds

    def seconds(self) -> float:
        """Seconds since the last lap."""
        before, compiled = self._last
        return max(0.0, time.monotonic() - before - (self._clock.seconds - compiled))


def _warm_up(
    prepared: Prepared, chains: Chains, plan: Plan, done: int, watch: Watch
) -> tuple[Chains, int]:
    """Sweeps of which nothing is kept; returns early when asked to stop, with the number of sweeps done."""
    portion = max(1, -(-plan.num_warmup // 20))
    while done < plan.num_warmup and not watch.should_stop():
        count = min(portion, plan.num_warmup - done)
        chains = advance_chains(prepared, chains, count)
        np.asarray(
            chains.parameters.log_snr
        )  # JAX computes in the background: wait, or progress would not be told
        done += count
        watch.on_warmup(count)
    return chains, done


def _draw(
    prepared: Prepared,
    chains: Chains,
    plan: Plan,
    block: int,
    drawn: list[Draws],
    folder: Path,
    watch: Watch,
    timer: _Timer,
) -> str:
    """Draw blocks, appending them to `drawn`; returns why it stopped."""
    monitor = Monitor()
    for part in drawn:
        monitor.add(part)
    unsaved: list[Draws] = []
    last_saved = time.monotonic()
    look = None if not drawn else _look(monitor, block, plan, drawn[-1])
    if not drawn:  # a long warmup is not to be done twice
        _save(folder, Progress(plan.num_warmup, 0, plan.block), chains, [], watch)
    while True:
        reason = _reason(plan, look, block, timer.seconds(), watch)
        due = time.monotonic() - last_saved >= plan.checkpoint_s
        if unsaved and (reason is not None or due):
            _save(folder, Progress(plan.num_warmup, block, plan.block), chains, unsaved, watch)
            unsaved, last_saved = [], time.monotonic()
        if reason is not None:
            return reason
        chains, draws = draw_chains(prepared, chains, plan.block, thin=plan.thin)
        monitor.add(draws)
        drawn.append(draws)
        unsaved.append(draws)
        block += 1
        look = _look(monitor, block, plan, draws)
        watch.on_block(look)


def _look(monitor: Monitor, block: int, plan: Plan, draws: Draws) -> Look:
    return Look(block, block * plan.block, monitor.diagnosis(), float(draws.log_likelihood.mean()))


def _reason(plan: Plan, look: Look | None, block: int, seconds: float, watch: Watch) -> str | None:
    """Why to stop now; a pure function of the draws where they are reason enough, so that resuming changes nothing."""
    if (
        look is not None
        and plan.target_ess is not None
        and _reached(plan.target_ess, look.diagnosis)
    ):
        return TARGET_ESS
    if block >= plan.num_blocks:
        return NUM_DRAWS
    if watch.should_stop():
        return INTERRUPTED
    if plan.time_limit_s is not None and block and seconds >= plan.time_limit_s:
        return TIME_LIMIT
    return None


def _reached(target: float, found: Diagnosis) -> bool:
    enough = np.minimum(found.ess_bulk, found.ess_tail) >= target
    return bool(np.all(enough) and np.all(found.rhat <= RHAT_LIMIT))


def _save(
    folder: Path, progress: Progress, chains: Chains, unsaved: list[Draws], watch: Watch
) -> None:
    new = Draws.concatenate(unsaved) if unsaved else None
    checkpoints.save(folder, progress, chains_to_arrays(chains), new)
    watch.on_checkpoint(progress, folder)
