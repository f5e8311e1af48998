"""The figures of `toolkit bayes check` as PNG bytes: z scores of the joint-distribution tests, histograms of ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import binom

from bayesreg.checks import Calibration, JointTest
from runtime.plotting import BLUE, FAINT, ORANGE, SOFT, drawing

BINS = 16
"""Of a rank histogram; divides the 64 possible ranks."""
_COLUMNS = 6


def z_figure(
    tests: Mapping[str, JointTest], controls: Mapping[str, JointTest], *, bound: float
) -> bytes:
    """Every quantity's z, one row a test: the sampler's inside the band, those of mistakes far outside.

    The axis is linear to `bound` and logarithmic beyond.
    """
    rows = [*((name, test, BLUE) for name, test in tests.items())]
    rows += [(f"mistake: {name}", test, ORANGE) for name, test in controls.items()]
    note = (
        f"One dot a quantity. Blue: the sampler, inside the band of |z| < {bound:g} when it is exact.\n"
        "Orange: the same sampler with one known mistake, which must leave the band."
    )
    height = 1.7 + 0.42 * len(rows)
    with drawing(height, title="Joint-distribution test", note=note) as (figure, output):
        axes = figure.subplots()
        axes.axvspan(-bound, bound, color=FAINT, alpha=0.45, lw=0)
        rng = np.random.default_rng(
            0
        )  # spreads dots that lie on each other; no number depends on it
        for index, (_, test, colour) in enumerate(rows):
            heights = index + rng.uniform(-0.2, 0.2, size=test.z.size)
            axes.scatter(np.clip(test.z, -1e4, 1e4), heights, s=16, color=colour, alpha=0.75, lw=0)
        axes.set_xscale("symlog", linthresh=bound)
        widest = max(10.0, 1.5 * max(min(test.largest, 1e4) for _, test, _ in rows))
        axes.set_xlim(-widest, widest)
        ticks = [t for t in (-100, -30, -10, -4, -2, 0, 2, 4, 10, 30, 100) if abs(t) <= widest]
        axes.set_xticks(ticks, [str(t) for t in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("z: difference between the chain and the prior, in standard errors")
        axes.grid(axis="y", visible=False)
    return output.getvalue()


def rank_figure(found: Calibration) -> bytes:
    """Histograms of the truth's rank among posterior draws, flat when the sampler is calibrated."""
    count, replicates = len(found.names), found.ranks.shape[1]
    lines = -(-count // _COLUMNS)
    low, high = binom.ppf([0.005, 0.995], replicates, 1.0 / BINS)
    note = (
        f"{replicates} data sets from the prior, {found.num_draws} draws each. Grey: where 99 % of the bars of an "
        "exact sampler lie.\nSlopes mean bias, a hump intervals that are too wide, a valley too narrow ones."
    )
    height = 1.0 + 1.15 * lines
    with drawing(height, title="Simulation-based calibration", note=note) as (figure, output):
        grid = figure.subplots(lines, min(count, _COLUMNS), squeeze=False, sharex=True, sharey=True)
        width = (found.num_draws + 1) // BINS
        p_values = found.p_values(BINS)
        for index, axes in enumerate(grid.flat):
            if index >= count:
                axes.set_visible(False)
                continue
            bars = np.bincount(found.ranks[index] // width, minlength=BINS)
            axes.axhspan(low, high, color=FAINT, alpha=0.6, lw=0)
            axes.bar(np.arange(BINS), bars, width=0.85, color=BLUE)
            axes.set_title(found.names[index], fontsize=8)
            axes.text(
                0.97, 0.05, f"p = {p_values[index]:.2g}", transform=axes.transAxes, ha="right",
                fontsize=7, color="white",
            )  # fmt: skip
            axes.set_xticks([])
            axes.tick_params(labelsize=7, colors=SOFT)
            axes.grid(visible=False)
            axes.set_ylim(0, max(2.0 * replicates / BINS, float(bars.max())))
    return output.getvalue()
