"""The figures of a run as PNG bytes: training curve, diagnostics, pass@k, held-out problems over time.

Drawn with matplotlib's Agg canvas directly: no window system, no global state, no files. Sized for the width of a
README (about 830 pixels), where every label stays readable; colours are Okabe and Ito's, and no meaning rests on colour
alone. Matplotlib is imported on the first figure.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rlgrok.curves import Curves, PhaseChange, Series, centred_mean
from rlgrok.passk import clopper_pearson
from rlgrok.survival import Times, first_reach, survival_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rlgrok.transfer import Cell

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#9b4f96"
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, "#56b4e9", "#8c6d00")
LINES = ("-", "--", ":")
INK, SOFT, FAINT = "#24292f", "#6e7681", "#d0d7de"
DPI = 160
SMOOTHING = 5
"""Steps in the centred mean drawn through noisy per-step metrics; the raw values stay visible behind it."""
MAX_MAP_TICKS = 13
"""Labels along the steps of the problem map; more would touch each other from step 100 on."""
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
}


def training_curve(
    curves: Curves,
    *,
    title: str,
    transition: Mapping[str, Any] | None = None,
    base: str | None = None,
) -> bytes:
    """Held-out accuracy under both verdicts, training rewards, the phase change and the transition.

    Args:
        curves: of one run, finished or not.
        title: first line of the figure.
        transition: the keys of `Transition.summary`; None or without a step: none is marked.
        base: what the base policy could do, one line of text.
    """
    with _figure(9.0, 5.0) as (figure, output):
        axes = figure.add_subplot()
        _floor_line(axes, curves)
        _training_lines(axes, curves)
        _heldout_lines(axes, curves)
        _share_axis(axes)
        _step_axis(axes, curves)
        axes.set_ylabel("accuracy, reward")
        if transition and transition.get("transition_step") is not None:
            _mark_transition(axes, transition)
        _mark_changes([axes], curves.changes, height=0.09)
        _headline(figure, title, base)
        _legend(figure, axes)
    return output.getvalue()


def seed_curves(runs: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """Held-out accuracy of one recipe over many seeds, and where each switched and climbed.

    Above, a thin line a seed and their mean; below, a row a seed in the order of the climbs: the switch to the binary
    reward as an open square, the transition as a dot. A seed without a transition has no dot.

    Args:
        runs: `seed`, `steps`, `accuracy` (as long as `steps`), `switch` and `transition` (a step or None) of each.
        title: first line of the figure.
    """
    last = max(max(run["steps"]) for run in runs)
    grid = np.arange(last + 1)
    # A run that stopped because it was solved stays where it was.
    curves = np.array([np.interp(grid, run["steps"], run["accuracy"]) for run in runs])
    ordered = sorted(
        runs, key=lambda run: (run["transition"] is None, run["transition"] or 0.0, run["seed"])
    )
    with _figure(9.0, 3.6 + 0.19 * len(runs)) as (figure, output):
        upper, lower = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [3.0, 0.19 * len(runs)]}
        )
        for curve in curves:
            upper.plot(grid, curve, color=BLUE, alpha=0.35, linewidth=1.1)
        upper.plot(grid, curves.mean(0), color=INK, linewidth=2.4, label="mean")
        upper.plot([], [], color=BLUE, alpha=0.5, linewidth=1.1, label="one seed")
        _share_axis(upper)
        upper.set_ylabel("held-out accuracy")
        upper.legend(loc="lower right")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        for row, run in enumerate(ordered):
            if run["switch"] is not None:
                lower.plot(
                    run["switch"],
                    row,
                    marker="s",
                    markersize=5,
                    color=ORANGE,
                    markerfacecolor="white",
                )
            if run["transition"] is not None:
                lower.plot(run["transition"], row, marker="o", markersize=5.5, color=GREEN)
        lower.plot([], [], "o", color=GREEN, label="transition")
        lower.plot([], [], "s", color=ORANGE, markerfacecolor="white", label="switch to binary")
        lower.set_yticks(range(len(ordered)), [str(run["seed"]) for run in ordered], fontsize=8)
        lower.set_ylim(len(ordered) - 0.4, -0.6)
        lower.set_ylabel("seed")
        lower.set_xlim(0, last)
        lower.set_xlabel("optimiser step")
        lower.legend(loc="lower left")
    return output.getvalue()


PANELS = (
    ("groups without variance: no gradient comes from them", {"zero_variance_share": ("", RED)}),
    (
        "groups with a success and a failure: all that a binary reward could learn from",
        {
            "informative_observed": ("came", GREEN),
            "informative_expected": ("expected, 1 - p^G - (1-p)^G", PURPLE),
        },
    ),
    (
        "entropy of the policy, nats a token",
        {
            "entropy": ("all tokens", SOFT),
            "decisive_entropy": ("tokens that decide the program", BLUE),
        },
    ),
    ("distance to the gate that ends the dense phase", {"gate_distance": ("", PURPLE)}),
)
"""Diagnostics: a panel's heading, and its metrics with their legend and colour."""
SHARES = {"zero_variance_share", "informative_observed"}
"""Metrics whose panels run from 0 to 100 %."""


def survival_curves(arms: Mapping[str, Times], *, title: str, level: float) -> bytes:
    """Share of seeds that have learned by a step, one line an arm, with pointwise 95 % intervals.

    Args:
        arms: label to times.
        title: first line of the figure.
        level: held-out accuracy that counts as having learned.
    """
    last = max(max((*times.reached, *times.censored)) for times in arms.values())
    with _figure(9.0, 4.6) as (figure, output):
        axes = figure.add_subplot()
        for place, (label, times) in enumerate(arms.items()):
            curve = survival_curve(times)
            colour = PALETTE[place % len(PALETTE)]
            steps = np.array([0.0, *curve.steps, last])
            learned = 1.0 - np.array([1.0, *curve.share, curve.share[-1]])
            low = 1.0 - np.array([1.0, *curve.high, curve.high[-1]])
            high = 1.0 - np.array([1.0, *curve.low, curve.low[-1]])
            # Where all or none have learned the formula has no width: no band, rather than one that says nothing.
            is_known = (learned > 0.0) & (learned < 1.0)
            words = f"{label} ({len(times.reached)} of {times.total})"
            style = LINES[place // len(PALETTE) % len(LINES)]
            # Each thinner than the one before, so that equal curves all show.
            width = 5.0 - 3.2 * place / max(1, len(arms) - 1)
            axes.step(
                steps, learned, where="post", color=colour, linestyle=style, label=words, linewidth=width
            )
            axes.fill_between(
                steps, low, high, where=is_known, step="post", color=colour, alpha=0.08, linewidth=0
            )
            if times.censored:
                where = np.interp(times.censored, steps, learned)
                axes.plot(times.censored, where, "|", color=colour, markersize=9)
        _share_axis(axes)
        axes.set_xlim(0, last * 1.02)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(f"seeds at {level:g} held out")
        _headline(figure, title, "Kaplan-Meier; a bar marks seeds that stopped before they got there")
        figure.legend(loc="outside lower center", ncols=3, columnspacing=2.0)
    return output.getvalue()


def arm_curves(
    arms: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]], *, title: str
) -> bytes:
    """Held-out accuracy of every seed, a small panel an arm, with the mean over seeds.

    Args:
        arms: label to (steps, accuracy) of each seed.
        title: first line of the figure.
    """
    columns = min(3, len(arms))
    rows = -(-len(arms) // columns)
    last = max(max(steps) for runs in arms.values() for steps, _ in runs)
    grid = np.arange(last + 1)
    with _figure(9.0, 0.7 + 2.1 * rows) as (figure, output):
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[len(arms) :]:
            panel.set_visible(False)
        for panel, (label, runs) in zip(panels.flat, arms.items(), strict=False):
            curves = np.array([np.interp(grid, steps, values) for steps, values in runs])
            for curve in curves:
                panel.plot(grid, curve, color=BLUE, alpha=0.4, linewidth=1.0)
            panel.plot(grid, curves.mean(0), color=INK, linewidth=2.0)
            panel.set_title(label, fontsize=10.5, fontweight="normal")
            _share_axis(panel)
        for column in range(columns):
            # the last row may be short, and a shared axis is labelled in the last row only
            lowest = panels[(len(arms) - 1 - column) // columns, column]
            lowest.set_xlabel("optimiser step")
            lowest.tick_params(labelbottom=True)
        for row in panels:
            row[0].set_ylabel("held-out accuracy")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    return output.getvalue()


def learnability(records: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """pass@k by family with 95 % intervals over problems; where nothing passed, the exact upper bound instead.

    Args:
        records: of `family_curves`.
        title: first line of the figure.
    """
    with _figure(9.0, 5.0) as (figure, output):
        axes = figure.add_subplot()
        for place, record in enumerate(records):
            colour = PALETTE[place % len(PALETTE)]
            style = LINES[place // len(PALETTE) % len(LINES)]
            k = [row["k"] for row in record["curve"]]
            words = f"{record['family']}: {record['verdict']} at k = {record['verdict_k']}"
            if record["successes"]:
                axes.plot(k, [row["value"] for row in record["curve"]], color=colour, linestyle=style,
                          marker="o", markersize=4, label=words)  # fmt: skip
                low, high = ([row[side] for row in record["curve"]] for side in ("low", "high"))
                axes.fill_between(k, low, high, color=colour, alpha=0.12, linewidth=0)
            else:
                axes.plot(k, [row["upper95"] for row in record["curve"]], color=colour, linestyle=":",
                          marker="v", markersize=5, label=f"{words} (no success: upper bound)")  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
        _share_axis(axes)
        axes.set_xlabel("k")
        axes.set_ylabel("pass@k, mean over problems")
        axes.set_title(title, pad=8)
        figure.legend(loc="outside lower center", ncols=1 if len(records) < 4 else 2)
    return output.getvalue()


def transfer_map(
    cells: Sequence[Cell],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    asked: Collection[tuple[str, str]] | None = None,
) -> bytes:
    """Accuracy after training, row by column, with the gain over the base in words.

    Args:
        cells: of one axis.
        rows: trained on, from top to bottom.
        columns: tested on, from left to right.
        title: first line of the figure.
        asked: rows with the columns that they are to be tested on; None: each with all.
    """
    known = {(cell.row, cell.column): cell for cell in cells}
    values = np.array([[known[r, c].after if (r, c) in known else np.nan for c in columns] for r in rows])
    with _figure(2.4 + 1.75 * len(columns), 1.5 + 0.75 * len(rows)) as (figure, output):
        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.imshow(values, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=20 if len(columns) > 3 else 0)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel("tested on")
        axes.set_ylabel("trained on")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                cell = known.get((row, column))
                if cell is None:
                    words = "not run" if asked is None or (row, column) in asked else "\N{EN DASH}"
                    axes.text(x, y, words, ha="center", va="center", color=SOFT, fontsize=9)
                    continue
                colour = "white" if cell.after > 0.55 else INK
                is_sure = cell.gain_interval[0] > 0
                axes.text(x, y - 0.14, f"{cell.after:.2f}", ha="center", va="center", color=colour,
                          fontsize=12, fontweight="bold" if is_sure else "normal")  # fmt: skip
                low, high = cell.gain_interval
                axes.text(x, y + 0.2, f"{cell.gain:+.2f} [{low:+.2f}, {high:+.2f}]", ha="center",
                          va="center", color=colour, fontsize=8)  # fmt: skip
        axes.set_title(title, pad=8)
    return output.getvalue()


def diagnostics(curves: Curves, *, title: str) -> bytes:
    """Is there still something to learn from: groups without variance, entropy, distance to the gate."""
    shown = [panel for panel in PANELS if any(curves.get(name) for name in panel[1])] or PANELS[:1]
    with _figure(9.0, 0.8 + 1.7 * len(shown)) as (figure, output):
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        grid = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True))
        for axes, (heading, lines) in zip(grid, shown, strict=True):
            for name, (legend, color) in lines.items():
                _noisy_line(
                    axes,
                    curves.get(name),
                    legend,
                    color,
                    smoothing=1 if name == "gate_distance" else SMOOTHING,
                )
            axes.set_title(heading, fontsize=10.5, fontweight="normal", color=SOFT)
            axes.set_ylim(bottom=0.0)
            if len(lines) > 1 and axes.lines:
                axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
            if not SHARES.isdisjoint(lines):
                _share_axis(axes)
        _step_axis(grid[-1], curves)
        _mark_changes(grid, curves.changes, height=0.75)
    return output.getvalue()


def pass_at_k_curves(evaluations: Sequence[Mapping[str, Any]], *, title: str) -> bytes:
    """pass@k against k (logarithmic), one band a policy; the tests' verdict dashed beside the exhaustive one.

    Args:
        evaluations: entries of `evaluation.json`.
        title: of the figure.
    """
    with _figure(9.0, 4.6) as (figure, output):
        axes = figure.add_subplot()
        names = policy_names(evaluations)
        for evaluation in evaluations:
            _pass_at_k_lines(axes, evaluation, names[evaluation["label"]])
        axes.set_xscale("log", base=2)
        ks = sorted({row["k"] for evaluation in evaluations for row in evaluation["pass_at_k"]})
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        _share_axis(axes)
        axes.set_xlabel("k, completions per problem")
        axes.set_ylabel("pass@k, mean over problems")
        axes.set_title(title)
        if evaluations:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return output.getvalue()


def problem_map(curves: Curves, *, title: str) -> bytes:
    """Each held-out problem over time: share of tests passed, passed but exhaustively wrong, right."""
    rows = _ordered_problems(curves)
    steps = sorted({step for row in curves.by_problem.values() for step in row})
    with _figure(9.0, 1.3 + 0.27 * max(1, len(rows))) as (figure, output):
        axes = figure.add_subplot()
        from matplotlib.patches import Patch

        if rows:
            image = _map_colors(curves, rows, steps)
            axes.imshow(image, aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(rows)), [row.rsplit(":", 1)[-1] for row in rows], fontsize=9)
        shown = range(0, len(steps), max(1, -(-len(steps) // MAX_MAP_TICKS)))
        axes.set_xticks(list(shown), [str(steps[index]) for index in shown])
        axes.grid(False)
        axes.tick_params(length=0)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel("held-out problem")
        axes.set_title(title)
        handles = [
            Patch(color=BLUE, label="right on every short input"),
            Patch(color=ORANGE, label="passes the tests, wrong"),
            Patch(facecolor=_grey(0.9), label="90 % of the tests"),
            Patch(facecolor=_grey(0.5), edgecolor=FAINT, label="50 % of the tests"),
        ]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return output.getvalue()


LEARNED_SHARE = 0.5
"""A training problem counts as learned when half of its completions pass, at two visits in a row."""
MAX_MAP_COLUMNS = 40
"""Columns of the map of training problems; more would be thinner than a line."""
MAX_MAP_NAMES = 40
"""Rows up to which the problems' names stand beside the map."""


def training_map(curves: Curves, *, title: str) -> bytes:
    """Each training problem over time: share of its own completions that pass; white where it was not visited."""
    rows = sorted(
        curves.training, key=lambda name: (_learned_in_training(curves.training[name]), name)
    )
    last = max((step for visits in curves.training.values() for step in visits), default=1)
    width = max(1, -(-last // MAX_MAP_COLUMNS))
    image = np.full((max(1, len(rows)), -(-last // width)), np.nan)
    for row, name in enumerate(rows):
        bins: dict[int, list[int]] = {}
        for step, (passes, total) in curves.training[name].items():
            known = bins.setdefault((step - 1) // width, [0, 0])
            known[0] += passes
            known[1] += total
        for column, (passes, total) in bins.items():
            image[row, column] = passes / total
    with _figure(9.0, 1.5 + min(6.0, 0.24 * max(2, len(rows)))) as (figure, output):
        axes = figure.add_subplot()
        axes.grid(False)
        extent = (0.5, image.shape[1] * width + 0.5, len(rows) - 0.5, -0.5)
        drawn = axes.imshow(
            image, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest", extent=extent
        )
        names = [row.rsplit(":", 1)[-1] for row in rows] if len(rows) <= MAX_MAP_NAMES else []
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.tick_params(length=0)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(f"training problem ({len(rows)})")
        axes.set_title(title)
        bar = figure.colorbar(drawn, ax=axes, ticks=[0, 0.5, 1.0], pad=0.02)
        bar.ax.set_yticklabels(["0", "50 %", "100 %"])
        bar.set_label("completions that pass")
        bar.outline.set_visible(False)
    return output.getvalue()


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure in our style, in inches; rendered to the buffer on the way out."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    output = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, output
        # Without metadata the same figure gives the same bytes.
        figure.savefig(output, format="png", metadata={"Software": None})


def _share_axis(axes: Axes) -> None:
    axes.set_ylim(-0.02, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])


def _step_axis(axes: Axes, curves: Curves) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0, max(1, curves.last_step) * 1.01)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("optimiser step")


def _floor_line(axes: Axes, curves: Curves) -> None:
    """What the dense reward is worth to a program that knows nothing."""
    if curves.floor is not None:
        axes.axhline(
            curves.floor, color=SOFT, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1,
            label=f"trivial floor: {curves.floor:.2f} of the dense reward",
        )  # fmt: skip


def _training_lines(axes: Axes, curves: Curves) -> None:
    dense = curves.get("dense_reward")
    if dense:
        axes.plot(*dense, color=SOFT, linewidth=1.3, label="training: dense reward")
    _noisy_line(axes, curves.get("full_pass"), "training: full pass", GREEN)


def _noisy_line(
    axes: Axes, series: Series, label: str, color: str, smoothing: int = SMOOTHING
) -> None:
    """A centred mean over the faint raw values."""
    if not series:
        return
    axes.plot(*series, color=color, linewidth=0.8, alpha=0.3)
    axes.plot(
        series.steps,
        centred_mean(series.values, smoothing),
        color=color,
        linewidth=1.8,
        label=label,
    )


def _heldout_lines(axes: Axes, curves: Curves) -> None:
    tests, exhaustive = curves.get("heldout_full_pass"), curves.get("heldout_exhaustive")
    if tests:
        axes.plot(
            *tests, color=ORANGE, linewidth=1.8, linestyle=(0, (4, 2)), marker="o", markersize=6.5,
            markerfacecolor="white", label="held-out: passes the tests", zorder=3,
        )  # fmt: skip
    if not exhaustive:
        return
    count = curves.num_heldout
    label = "held-out: right on every short input"
    axes.plot(
        *exhaustive, color=BLUE, linewidth=2.6, marker="o", markersize=4.5, label=label, zorder=4
    )
    if count:
        ends = np.array(
            [clopper_pearson(round(share * count), count) for share in exhaustive.values]
        )
        words = f"95 % interval, {count} problems"
        axes.fill_between(
            exhaustive.steps, *ends.T, color=BLUE, alpha=0.09, linewidth=0, label=words
        )


def _mark_transition(axes: Axes, transition: Mapping[str, Any]) -> None:
    """The plateau as a bracket near the floor, the transition as a band and a line with its label."""
    step, (low, high) = transition["transition_step"], transition["transition_interval_95"]
    axes.axvspan(low, high, color=RED, alpha=0.13, linewidth=0, zorder=0)
    axes.axvline(step, color=RED, linewidth=1.5, zorder=2)
    steps = transition["plateau_steps"]
    end = transition.get("climb_start") or steps
    arrow = {"arrowstyle": "<->", "color": SOFT, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end - steps, 0.12), (end, 0.12), arrowprops=arrow)
    axes.text(
        end - steps / 2,
        0.135,
        f"plateau, {steps} steps",
        ha="center",
        va="bottom",
        color=SOFT,
        fontsize=10,
    )
    words = f"transition at step {step}\n95 %: {low} to {high}"
    left, right = axes.get_xlim()
    place = min(low, end)  # over the plateau, where no curve is behind the words
    on_left = place - left > 0.3 * (right - left)
    _flag(axes, place if on_left else high, words, RED, 0.3, on_left=on_left)


def _flag(axes: Axes, x: float, words: str, color: str, height: float, *, on_left: bool) -> None:
    """Words beside a vertical line, at a share of the axes' height."""
    axes.annotate(
        words,
        (x, height),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-6 if on_left else 6, 0),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="center",
        color=color,
        fontsize=10,
        fontweight="bold",
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5},
        zorder=5,
    )


def _mark_changes(panels: Sequence[Axes], changes: Sequence[PhaseChange], *, height: float) -> None:
    """A dotted line through all panels for each change of reward, labelled in the first."""
    for change in changes:
        for axes in panels:
            axes.axvline(change.step, color=PURPLE, linewidth=1.4, linestyle=(0, (2, 2)), zorder=2)
        words = f"{change.old} \N{RIGHTWARDS ARROW} {change.new}\nstep {change.step}"
        left, right = panels[0].get_xlim()
        on_left = change.step - left > 0.8 * (right - left)
        _flag(panels[0], change.step, words, PURPLE, height, on_left=on_left)


def _headline(figure: Figure, title: str, base: str | None) -> None:
    axes = figure.axes[0]
    axes.set_title(title, pad=24 if base else 8)
    if base:
        axes.text(0, 1.025, base, transform=axes.transAxes, color=SOFT, fontsize=10.5, va="bottom")


LEGEND_ORDER = (
    "held-out: right", "held-out: passes", "95 %", "training: full", "training: dense", "trivial floor",
)  # fmt: skip
"""How the labels of the training curve begin, most important first; two columns."""


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    shown = [
        index
        for start in LEGEND_ORDER
        for index, label in enumerate(labels)
        if label.startswith(start)
    ]
    figure.legend(
        [handles[index] for index in shown],
        [labels[index] for index in shown],
        loc="outside lower center",
        ncols=2,
        columnspacing=2.5,
    )


def policy_names(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What figures and reports call the evaluated policies, by label."""
    labels = [evaluation["label"] for evaluation in evaluations]
    known = {"base": "base policy", "policy": "trained policy" if "base" in labels else "policy"}
    return {label: known.get(label, label) for label in labels}


def _pass_at_k_lines(axes: Axes, evaluation: Mapping[str, Any], name: str) -> None:
    """The stricter verdict as a line with its band; the tests' dashed where they say something else."""
    color = ORANGE if evaluation["label"] == "base" else BLUE
    by_verdict: dict[str, list[Mapping[str, Any]]] = {}
    for row in evaluation["pass_at_k"]:
        by_verdict.setdefault(row["verdict"], []).append(row)
    tests, strict = by_verdict["tests"], by_verdict.get("exhaustive", by_verdict["tests"])
    ks = [row["k"] for row in strict]
    values = [row["value"] for row in strict]
    differs = values != [row["value"] for row in tests]
    axes.plot(
        ks, values, color=color, linewidth=2.4, marker="o", markersize=5, clip_on=False, zorder=4,
        label=f"{name}\nright on every short input" if differs else name,
    )  # fmt: skip
    lows, highs = [row["low"] for row in strict], [row["high"] for row in strict]
    axes.fill_between(ks, lows, highs, color=color, alpha=0.15, linewidth=0)
    if differs:
        axes.plot(
            ks, [row["value"] for row in tests], color=color, linewidth=1.6, linestyle=(0, (4, 2)), marker="o",
            markersize=5, markerfacecolor="white", clip_on=False, zorder=3, label=f"{name}\npasses the tests",
        )  # fmt: skip


def _ordered_problems(curves: Curves) -> list[str]:
    """Problem ids in the order in which they were learned; those that never were, by their first success, come last."""

    def learned(name: str) -> tuple[float, float, str]:
        records = sorted(curves.by_problem[name].items())
        steps = [step for step, _ in records]
        values = [float(_is_right(record)) for _, record in records]
        return (*(_or_never(first_reach(steps, values, 1.0, hold=hold)) for hold in (2, 1)), name)

    return sorted(curves.by_problem, key=learned)


def _or_never(step: float | None) -> float:
    return float("inf") if step is None else step


def _learned_in_training(visits: Mapping[int, tuple[int, int]]) -> float:
    """The first of two visits in a row at which half of a problem's completions pass; never: infinity."""
    steps = sorted(visits)
    shares = [visits[step][0] / visits[step][1] for step in steps]
    return _or_never(first_reach(steps, shares, LEARNED_SHARE, hold=2))


def _map_colors(curves: Curves, rows: Sequence[str], steps: Sequence[int]) -> np.ndarray:
    """(problems, steps, 3) colours in [0, 1]; white where there was no evaluation."""
    from matplotlib.colors import to_rgb

    image = np.ones((len(rows), len(steps), 3))
    for row, name in enumerate(rows):
        for column, step in enumerate(steps):
            record = curves.by_problem[name].get(step)
            if record is None:
                continue
            color = (
                BLUE
                if _is_right(record)
                else ORANGE
                if record["full_pass"]
                else _grey(record["pass_rate"])
            )
            image[row, column] = to_rgb(color)
    return image


def _is_right(record: Mapping[str, Any]) -> bool:
    """Right as far as it was judged."""
    return bool(record["full_pass"] if record.get("exhaustive") is None else record["exhaustive"])


def _grey(pass_rate: float) -> tuple[float, float, float]:
    """Darker for more tests passed; from white-ish at a third of the tests to mid-grey at all of them."""
    level = 0.97 - 0.42 * float(np.clip((pass_rate - 0.33) / 0.67, 0, 1)) ** 1.5
    return (level, level, level)
