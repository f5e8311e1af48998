"""Is there a phase transition in a held-out accuracy curve: a plateau near zero, then an abrupt climb to near-perfect.

Pure numpy on (steps, successes, counts). The criterion and its equations are in docs/methods/transition.md; the
rates at which it is wrong, on simulated curves, are asserted in tests/statistical/test_transition.py.

The thing that surprises: "no transition" is the answer for a policy that learns perfectly well but gradually. The
detector speaks of the shape of the curve, not of success.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

MAX_KNOTS = 80
"""Candidate ends of the climb, spread evenly over the evaluations when there are more of them.

The fit looks at every pair, 3,160 of them; twice as many would take four times as long for a resolution that is
already finer than the interval of any run seen.
"""


@dataclass(frozen=True)
class Criterion:
    """What counts as a transition; the defaults are the definition used in every report."""

    low: float = 0.2
    """Highest fitted accuracy of the plateau. One in five: with 14 held-out problems, chance successes on two."""
    high: float = 0.9
    """Lowest fitted accuracy after the climb: "near-perfect"."""
    max_climb_ratio: float = 1.0
    """Longest climb, as a multiple of the plateau before it. A straight climb over the whole run has no plateau and
    an unbounded ratio; doubling this lets in curves that climb for two thirds of the run."""
    min_plateau_evaluations: int = 3
    """Evaluations on the plateau: with fewer, a plateau is one or two unlucky evaluations."""


@dataclass(frozen=True)
class Transition:
    """The answer, and why. Every field but `found`, `reason` and the two levels is None when nothing was found."""

    found: bool
    reason: str
    """One clause a reader can check against the curve."""
    level_before: float | None = None
    """Fitted accuracy before the climb, in [0, 1]. None with too few evaluations."""
    level_after: float | None = None
    """Fitted accuracy after the climb, in [0, 1]. None with too few evaluations."""
    step: int | None = None
    """Where the fitted climb is half-way up, in optimiser steps."""
    interval_95: tuple[int, int] | None = None
    """Bootstrap interval of `step`; never narrower than the gap between two evaluations."""
    climb_start: int | None = None
    """The change point: the step at which the plateau ends."""
    climb_end: int | None = None
    """The step at which the fitted climb reaches `level_after`."""
    plateau_steps: int | None = None
    """Steps from the first evaluation to the change point."""
    steepness: float | None = None
    """Slope of the climb, accuracy per step. At the resolution of the evaluations it is a lower bound."""
    support: float | None = None
    """Share of the bootstrap curves that meet the same criterion."""

    def summary(self) -> dict[str, Any]:
        """The fields of `summary.json`."""
        return {
            "transition_step": self.step,
            "transition_interval_95": None if self.interval_95 is None else list(self.interval_95),
            "transition_reason": self.reason,
            "transition_support": self.support,
            "plateau_steps": self.plateau_steps,
            "climb_start": self.climb_start,
            "climb_end": self.climb_end,
            "steepness": self.steepness,
        }


class Ramp(NamedTuple):
    """Fitted ramps, one per curve; each field is (num_curves,). `start` and `end` in steps, levels unclipped."""

    start: np.ndarray
    end: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def middle(self) -> np.ndarray:
        """Half-way points, (num_curves,), in steps."""
        return 0.5 * (self.start + self.end)

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The first ramp at `steps`, (T,), clipped to [0, 1] (eq. 1)."""
        rise = np.clip((steps - self.start[0]) / (self.end[0] - self.start[0]), 0.0, 1.0)
        return np.clip(self.before[0] + (self.after[0] - self.before[0]) * rise, 0.0, 1.0)


def detect(
    steps: Sequence[int],
    successes: Sequence[int],
    counts: Sequence[int] | int,
    *,
    criterion: Criterion | None = None,
    seed: int = 0,
    num_resamples: int = 1000,
) -> Transition:
    """Look for one plateau followed by one abrupt climb that stays near-perfect.

    A ramp (level a, straight climb from step s to step e, level b) is fitted by weighted least squares over all
    pairs of evaluation steps. The curve has a transition when all three hold:

    1. plateau: a <= `low`, and at least `min_plateau_evaluations` evaluations lie at or before s;
    2. near-perfect, and it stays: b >= `high`, b being fitted to everything after the climb;
    3. abrupt: e - s <= `max_climb_ratio` * (s - first step), the climb takes no longer than the plateau;

    So flat curves, noise around a level, a climb over the whole run, a climb that stops short and a climb that
    falls back are all "no transition". The interval comes from a parametric bootstrap: binomial counts around the
    fitted ramp, with the counts shrunk by the dispersion when the curve is noisier than binomial (eq. 4).

    Args:
        steps: (T,), strictly increasing optimiser steps of the evaluations; include step 0.
        successes: (T,), problems solved at each.
        counts: (T,) or one number, problems evaluated at each, at least 1.
        criterion: None for the default definition.
        seed: of the bootstrap.
        num_resamples: bootstrap curves.

    Raises:
        ValueError: shapes that differ, steps not increasing, or successes outside [0, count].

    Source:
        docs/methods/transition.md, eqs. 1-5.
    """
    criterion = criterion or Criterion()
    step_T, success_T, count_T = _check(steps, successes, counts)
    needed = criterion.min_plateau_evaluations + 1
    if len(step_T) < needed:
        return Transition(False, f"{len(step_T)} evaluations, at least {needed} are needed")
    rate_T = success_T / count_T
    fit = fit_ramps(step_T, rate_T[:, None], count_T)
    before, after = (float(np.clip(level[0], 0.0, 1.0)) for level in (fit.before, fit.after))
    reason = _refusal(fit, step_T, criterion)
    if reason is not None:
        return Transition(False, reason, before, after)
    resampled = _bootstrap(fit, step_T, success_T, count_T, seed, num_resamples)
    start, end = float(fit.start[0]), float(fit.end[0])
    plateau, climb = start - step_T[0], end - start
    return Transition(
        found=True,
        reason=f"climb of {climb:.0f} steps after a plateau of {plateau:.0f}, from {before:.2f} to {after:.2f}",
        level_before=before,
        level_after=after,
        step=round(float(fit.middle()[0])),
        interval_95=_interval(resampled.middle(), _knots(step_T), start, end),
        climb_start=round(start),
        climb_end=round(end),
        plateau_steps=round(plateau),
        steepness=(after - before) / climb,
        support=float(np.mean(_meets(resampled, step_T, criterion))),
    )


def fit_ramps(steps: np.ndarray, rates: np.ndarray, counts: np.ndarray) -> Ramp:
    """Weighted least-squares ramps through many curves at once (eqs. 1-3).

    Args:
        steps: (T,), strictly increasing, T >= 2.
        rates: (T, C), one curve a column.
        counts: (T,), weights.

    Returns:
        Fields of shape (C,). Of equally good ramps the one with the earliest start, then the earliest end.
    """
    chosen = np.unique(
        np.linspace(0, len(steps) - 1, min(MAX_KNOTS, len(steps))).round().astype(int)
    )
    knots = steps[chosen]
    first, last = np.triu_indices(len(knots), k=1)
    starts_P, ends_P = knots[first], knots[last]
    rise_PT = np.clip((steps[None, :] - starts_P[:, None]) / (ends_P - starts_P)[:, None], 0.0, 1.0)
    fall_PT = 1.0 - rise_PT
    weight_T = counts / counts.sum()
    s11 = (fall_PT**2 @ weight_T)[:, None]
    s12 = ((fall_PT * rise_PT) @ weight_T)[:, None]
    s22 = (rise_PT**2 @ weight_T)[:, None]
    weighted_TC = weight_T[:, None] * rates
    u1_PC, u2_PC = fall_PT @ weighted_TC, rise_PT @ weighted_TC
    determinant = (
        s11 * s22 - s12**2
    )  # positive: both knots are evaluation steps, where rise is exactly 0 and 1
    before_PC = (s22 * u1_PC - s12 * u2_PC) / determinant
    after_PC = (s11 * u2_PC - s12 * u1_PC) / determinant
    # The residual sum of squares is a constant minus this; rounding keeps ties from being decided by the last bit.
    explained_PC = np.round(before_PC * u1_PC + after_PC * u2_PC, 12)
    best = explained_PC.argmax(axis=0)
    curves = np.arange(rates.shape[1])
    return Ramp(starts_P[best], ends_P[best], before_PC[best, curves], after_PC[best, curves])


def _refusal(fit: Ramp, steps: np.ndarray, criterion: Criterion) -> str | None:
    """The first part of the criterion that the only curve of `fit` fails, in words; None when it meets all."""
    start, end = float(fit.start[0]), float(fit.end[0])
    # Least squares may leave [0, 1] by a hair; adding 0.0 turns a negative zero into a plain one.
    before, after = (float(np.clip(level[0], 0.0, 1.0)) + 0.0 for level in (fit.before, fit.after))
    plateau, climb = start - steps[0], end - start
    if after < criterion.high:
        flat = after - before < criterion.high - 2 * criterion.low
        words = "no climb" if flat else "a climb that does not reach and hold near-perfect"
        return f"{words}: fitted level {before:.2f} before, {after:.2f} after, needed {criterion.high:g}"
    if before > criterion.low:
        return f"no plateau near zero: fitted level {before:.2f} before, at most {criterion.low:g} is needed"
    on_plateau = int(np.sum(steps <= start))
    if on_plateau < criterion.min_plateau_evaluations:
        return f"no plateau: the climb starts at step {start:.0f}, after {on_plateau} evaluations"
    if climb > criterion.max_climb_ratio * plateau:
        longest = criterion.max_climb_ratio * plateau
        return f"not abrupt: a climb of {climb:.0f} steps after a plateau of {plateau:.0f}, longer than {longest:.0f}"
    return None


def _meets(fits: Ramp, steps: np.ndarray, criterion: Criterion) -> np.ndarray:
    """Which curves meet the criterion, (num_curves,) bool."""
    on_plateau = np.sum(steps[:, None] <= fits.start[None, :], axis=0)
    return (
        (fits.before <= criterion.low)
        & (fits.after >= criterion.high)
        & (on_plateau >= criterion.min_plateau_evaluations)
        & (fits.end - fits.start <= criterion.max_climb_ratio * (fits.start - steps[0]))
    )


def _bootstrap(
    fit: Ramp,
    steps: np.ndarray,
    successes: np.ndarray,
    counts: np.ndarray,
    seed: int,
    num_resamples: int,
) -> Ramp:
    """Ramps fitted to binomial curves around the fitted one (eq. 4)."""
    probability_T = fit.at(steps)
    shrunk_T = np.maximum(
        1, np.round(counts / dispersion(probability_T, successes, counts)).astype(int)
    )
    rng = np.random.default_rng(seed)
    drawn_TC = rng.binomial(
        shrunk_T[:, None], probability_T[:, None], size=(len(steps), num_resamples)
    )
    return fit_ramps(steps, drawn_TC / shrunk_T[:, None], counts)


def dispersion(probability: np.ndarray, successes: np.ndarray, counts: np.ndarray) -> float:
    """Pearson's estimate of how much noisier than binomial the curve is around `probability`, at least 1.

    Each fitted probability is kept half a success away from 0 and 1, where the binomial variance vanishes and one
    stray success would count as infinitely surprising. Four parameters were fitted.
    """
    floor = 0.5 / counts
    kept = np.clip(probability, floor, 1.0 - floor)
    pearson = np.sum((successes - counts * kept) ** 2 / (counts * kept * (1.0 - kept)))
    return float(max(1.0, pearson / max(1, len(counts) - 4)))


def _interval(middles: np.ndarray, knots: np.ndarray, start: float, end: float) -> tuple[int, int]:
    """Equal-tailed 95 % interval, widened by half a gap between knots on either side (eq. 5)."""
    low, high = np.quantile(middles, [0.025, 0.975])
    half_gap = 0.5 * float(np.max(np.diff(knots[(knots >= start) & (knots <= end)])))
    return int(np.floor(low - half_gap)), int(np.ceil(high + half_gap))


def _knots(steps: np.ndarray) -> np.ndarray:
    """The evaluation steps at which a climb may start or end: all of them, or `MAX_KNOTS` spread evenly."""
    chosen = np.linspace(0, len(steps) - 1, min(MAX_KNOTS, len(steps))).round().astype(int)
    return steps[np.unique(chosen)]


def _check(
    steps: Sequence[int], successes: Sequence[int], counts: Sequence[int] | int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    step_T = np.asarray(steps, dtype=np.float64)
    success_T = np.asarray(successes, dtype=np.float64)
    if step_T.shape != success_T.shape or step_T.ndim != 1:
        raise ValueError(
            f"steps and successes must be 1-D and equally long; got {step_T.shape}, {success_T.shape}"
        )
    count_T = np.broadcast_to(np.asarray(counts, dtype=np.float64), step_T.shape)
    if np.any(np.diff(step_T) <= 0):
        raise ValueError("steps must be strictly increasing")
    if np.any(count_T < 1) or np.any(success_T < 0) or np.any(success_T > count_T):
        raise ValueError("need 0 <= successes <= counts and counts >= 1 at every evaluation")
    return step_T, success_T, count_T
