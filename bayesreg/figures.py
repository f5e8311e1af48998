"""The figures of a fit as PNG bytes: coefficients, components, shares of variance, traces, noise, calibration.

Light background, no files. Names are cut to `NAME` characters; where names would touch each other only every n-th is
written, and where there are more rows than can be told apart the strongest are shown, which the figure says. Matplotlib
is imported on the first figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.stats import rankdata

from bayesreg.calibration import Calibration, Coverage
from bayesreg.components import Components
from runtime.plotting import BLUE, FAINT, INK, ORANGE, PALETTE, RED, SOFT, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = 22
"""Characters of a name on an axis."""
ROWS = 60
"""Covariates in the heatmap, all named; the strongest of more."""
COLUMNS = 600
"""Targets in a heatmap: two pixels each at least."""
NAMED_COLUMNS = 60
LISTED = 40
"""Rows of a list with names."""
SHOWN_COMPONENTS = 4
LEAST_SHARE = 0.01
"""Share of the signal from which a component is drawn; the first always is."""
FADED = 0.25
"""Strength of colour of a coefficient whose sign is a coin toss."""


def coefficient_heatmap(
    mean: np.ndarray,
    certainty: np.ndarray,
    covariates: Sequence[str],
    targets: Sequence[str],
    *,
    certain: float,
) -> bytes:
    """Posterior mean of B, rows and columns in the order of a hierarchical clustering; uncertain signs fade.

    Args:
        mean: (P, K), standardised.
        certainty: (P, K), posterior probability of the likelier sign.
        covariates: P names.
        targets: K names.
        certain: probability from which a colour is at full strength.
    """
    strength = np.sum(mean**2, axis=1)
    rows = _strongest(strength, ROWS)
    columns = _strongest(np.sum(mean[rows] ** 2, axis=0), COLUMNS)
    shown = mean[np.ix_(rows, columns)]
    row_order, column_order = clustered(shown), clustered(shown.T)
    rows, columns = rows[row_order], columns[column_order]
    shown, sure = mean[np.ix_(rows, columns)], certainty[np.ix_(rows, columns)]
    limit = float(np.quantile(np.abs(shown), 0.995)) or float(np.abs(shown).max()) or 1.0
    fade = FADED + (1.0 - FADED) * np.clip((sure - 0.5) / (certain - 0.5), 0.0, 1.0)
    labels = [_cut(targets[index]) for index in columns]
    note = (
        f"{_some(rows.size, mean.shape[0], 'covariates')}, {_some(columns.size, mean.shape[1], 'targets')}; similar "
        f"ones beside each other.\nPale: the sign is less than {100 * certain:.0f} % certain; "
        f"{int(np.sum(certainty >= certain)):,} of {certainty.size:,} signs are certain."
    )
    height = 1.5 + 0.17 * max(rows.size, 8) + _label_height(labels)
    with drawing(height, title="Effects of covariates on targets", note=note) as (figure, output):
        axes = figure.add_subplot()
        image = axes.imshow(_faded(shown / limit, fade), aspect="auto", interpolation="nearest")
        _name_rows(axes, [_cut(covariates[index]) for index in rows])
        _name_columns(axes, labels, "targets")
        _colour_bar(figure, axes, limit, "sd of target per sd of covariate")
        image.set_zorder(1)
    return output.getvalue()


def component_loadings(
    components: Components, covariates: Sequence[str], targets: Sequence[str]
) -> bytes:
    """Principal components of the mean signal: the covariates and targets that matter most in each.

    Left, correlations of covariates with the component's score; right, loadings of targets with 90 % intervals.
    """
    count = max(1, min(SHOWN_COMPONENTS, int(np.sum(components.share >= LEAST_SHARE))))
    listed = min(12, max(len(covariates), len(targets)))
    note = (
        "Principal components of the fitted values: identified, unlike the sampler's own. Left: correlation of "
        "covariates with the component.\nRight: loading of targets, sd of target per sd of the component, with 90 % "
        f"intervals. The {listed} largest each."
        if listed < max(len(covariates), len(targets))
        else "Principal components of the fitted values: identified, unlike the sampler's own. Left: correlation of "
        "covariates with the component.\nRight: loading of targets, sd of target per sd of the component, with 90 % "
        "intervals."
    )
    with drawing(
        1.2 + count * (0.75 + 0.19 * listed), title="Components of the signal", note=note
    ) as (figure, output):
        grid = figure.subplots(count, 2, squeeze=False)
        for index, (left, right) in enumerate(grid):
            _bars(left, components.correlation[:, index], covariates, listed)
            left.set_title(
                f"component {index + 1}: {100 * components.share[index]:.0f} % of the signal"
            )
            left.set_xlim(-1.05, 1.05)
            _intervals(right, components.loadings[:, index], targets, listed)
        grid[-1, 0].set_xlabel("correlation of the covariate")
        grid[-1, 1].set_xlabel("loading of the target")
    return output.getvalue()


def ptve_by_target(
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    targets: Sequence[str],
    *,
    total: tuple[float, float, float],
) -> bytes:
    """Share of each target's variance that the covariates explain, largest first, with 90 % intervals.

    Args:
        mean: (K,).
        low: (K,), 5 % quantile.
        high: (K,), 95 % quantile.
        targets: K names.
        total: mean, low and high over all targets together.
    """
    order = np.argsort(-mean)
    many = mean.size > LISTED
    listed = order[: 30 if many else LISTED]
    note = "Posterior mean and 90 % interval. " + (
        f"Orange: all targets together, {percent(total[0])} ({percent(total[1])} to {percent(total[2])})."
    )
    if many:
        note += f"\nLeft: the {listed.size} best explained of {mean.size:,}. Right: all of them in order."
    with drawing(
        1.5 + 0.2 * max(listed.size, 4), title="Variance explained by target", note=note
    ) as (figure, output):
        panels = figure.subplots(
            1, 2 if many else 1, squeeze=False, width_ratios=[3, 2][: 1 + many]
        )[0]
        rows = np.arange(listed.size)
        axes = panels[0]
        axes.axvspan(100 * total[1], 100 * total[2], color=ORANGE, alpha=0.15, linewidth=0)
        axes.axvline(100 * total[0], color=ORANGE, linewidth=1.4)
        axes.hlines(rows, 100 * low[listed], 100 * high[listed], color=BLUE, linewidth=1.8)
        axes.plot(100 * mean[listed], rows, "o", color=BLUE, markersize=4.5)
        _name_rows(axes, [_cut(targets[index]) for index in listed])
        axes.set_xlim(left=0)
        axes.set_xlabel("variance explained, %")
        if many:
            axes = panels[1]
            place = np.arange(1, mean.size + 1)
            axes.fill_between(
                place, 100 * low[order], 100 * high[order], color=BLUE, alpha=0.2, linewidth=0
            )
            axes.plot(place, 100 * mean[order], color=BLUE, linewidth=1.8)
            axes.axhline(100 * total[0], color=ORANGE, linewidth=1.4)
            axes.set_xlim(1, mean.size)
            axes.set_ylim(bottom=0)
            axes.set_xlabel("targets, best explained first")
    return output.getvalue()


def traces(quantities: Mapping[str, np.ndarray], rhat: Mapping[str, float]) -> bytes:
    """Trace and ranks of identified quantities, a colour a chain.

    Args:
        quantities: (chain, draw) each.
        rhat: of those that are gated; written beside the name.
    """
    chains, draws = next(iter(quantities.values())).shape
    bins = int(np.clip(draws // 25, 4, 20))
    note = (
        "Left: draws in their order, a colour a chain. Right: how often each chain has each rank among all "
        "draws;\nlevel lines within the grey band mean that the chains agree."
    )
    with drawing(1.0 + 1.25 * len(quantities), title="Traces and ranks", note=note) as (
        figure,
        output,
    ):
        grid = figure.subplots(len(quantities), 2, squeeze=False, width_ratios=[3, 2], sharex="col")
        for (name, values), (left, right) in zip(quantities.items(), grid, strict=True):
            words = f"{name}, R-hat {rhat[name]:.3f}" if name in rhat else name
            left.set_title(words, fontsize=10)
            thin = -(-draws // 1000)
            ranks = rankdata(values).reshape(values.shape)
            edges = np.linspace(0.5, values.size + 0.5, bins + 1)
            for chain in range(chains):
                colour = PALETTE[chain % len(PALETTE)]
                left.plot(
                    np.arange(draws)[::thin],
                    values[chain, ::thin],
                    color=colour,
                    linewidth=0.6,
                    alpha=0.75,
                )
                share = np.histogram(ranks[chain], edges)[0] / draws * bins
                right.stairs(
                    share, np.linspace(0, 1, bins + 1), baseline=None, color=colour, linewidth=1.4
                )
            error = 2.0 * np.sqrt(bins / draws)
            right.axhspan(1 - error, 1 + error, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
            top = max(2.0, right.get_ylim()[1])
            right.set_ylim(0, top)
            left.margins(x=0)
            right.margins(x=0)
        grid[-1, 0].set_xlabel("draw")
        grid[-1, 1].set_xlabel("rank among all draws, as a share")
    return output.getvalue()


def snr_prior_posterior(values: np.ndarray, *, location: float, scale: float) -> bytes:
    """Prior and posterior of the latent signal-to-noise ratio on a logarithmic axis.

    Args:
        values: (chain, draw) or (draws,), positive.
        location: prior mean of its natural logarithm.
        scale: prior standard deviation of the logarithm.
    """
    logs = np.log(values.ravel())
    low = min(location - 3.2 * scale, logs.min())
    high = max(location + 3.2 * scale, logs.max())
    grid = np.linspace(low, high, 400)
    prior = np.exp(-0.5 * ((grid - location) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    ends = np.exp(np.quantile(logs, [0.05, 0.95]))
    width = logs.std() / scale
    note = (
        f"Posterior median {np.exp(np.median(logs)):.3g}, 90 % interval {ends[0]:.3g} to {ends[1]:.3g}; its spread is "
        f"{100 * width:.0f} % of the prior's."
    )
    with drawing(
        3.6, title="Latent signal-to-noise ratio: what the data add to the prior", note=note
    ) as (figure, output):
        axes = figure.add_subplot()
        axes.hist(
            np.exp(logs), np.exp(np.linspace(low, high, 61)), weights=np.full(logs.size, 60 / (high - low) / logs.size),
            color=BLUE, alpha=0.55, label="posterior",
        )  # fmt: skip
        axes.plot(np.exp(grid), prior, color=ORANGE, linewidth=2, label="prior")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("latent signal-to-noise ratio")
        axes.set_ylabel("density of its logarithm")
        axes.legend()
    return output.getvalue()


def noise_correlation(
    correlation: np.ndarray, structured_share: np.ndarray, targets: Sequence[str]
) -> bytes:
    """Correlation of the noise between targets, clustered, with the share of each target's noise that is structured.

    Args:
        correlation: (K, K).
        structured_share: (K,), in [0, 1].
        targets: K names.
    """
    chosen = _strongest(np.sum(correlation**2, axis=1), COLUMNS)
    chosen = chosen[clustered(correlation[np.ix_(chosen, chosen)])]
    labels = [_cut(targets[index]) for index in chosen]
    note = (
        f"{_some(chosen.size, correlation.shape[0], 'targets')}, similar ones beside each other. What is left when the "
        "covariates' effects are taken out.\nAbove: share of a target's noise that it has in common with others."
    )
    height = 1.4 + 5.6 + _label_height(labels)
    with drawing(height, title="Correlation of the noise", note=note) as (figure, output):
        upper, axes = figure.subplots(2, 1, height_ratios=[1, 9], sharex=True)
        upper.bar(
            np.arange(chosen.size),
            structured_share[chosen],
            width=1.0 if chosen.size > 60 else 0.8,
            color=SOFT,
        )
        upper.set_ylim(0, 1)
        upper.set_yticks([0, 1], ["0", "1"])
        upper.tick_params(axis="x", length=0, labelbottom=False)
        upper.grid(False)
        shown = correlation[np.ix_(chosen, chosen)]
        axes.imshow(_faded(shown, np.ones_like(shown)), aspect="auto", interpolation="nearest")
        _name_columns(axes, labels, "targets")
        if chosen.size <= LISTED:
            _name_rows(axes, labels)
        else:
            axes.set_yticks([])
            axes.grid(False)
        _colour_bar(figure, axes, 1.0, "correlation")
    return output.getvalue()


def calibration(found: Coverage, source: Calibration) -> bytes:
    """Coverage of predictive intervals, observed against nominal, and the histogram of PIT values."""
    how = (
        "Rows that the fit has not seen."
        if source.held_out
        else "Each row is left out of its own prediction: draws reweighted by Pareto-smoothed importance sampling."
    )
    left_out = int(np.sum(~source.trusted))
    note = f"{how}\n{found.num_rows:,} rows, {found.num_cells:,} values; bands are two standard errors, by rows."
    if left_out:
        rows = "1 row is" if left_out == 1 else f"{left_out:,} rows are"
        note += f" {rows} not shown: weights there cannot be trusted."
    with drawing(4.6, title="Calibration of predictions", note=note) as (figure, output):
        left, right = figure.subplots(1, 2)
        gap, error = 100 * (found.observed - found.nominal), 200 * found.error
        left.axhline(0, color=SOFT, linewidth=1)
        left.fill_between(
            100 * found.nominal, gap - error, gap + error, color=BLUE, alpha=0.2, linewidth=0
        )
        left.plot(100 * found.nominal, gap, "o-", color=BLUE, linewidth=1.8, markersize=4)
        reach = max(6.0, 1.15 * float(np.max(np.abs(gap) + error)))
        left.set_ylim(-reach, reach)
        left.set_xlim(0, 100)
        left.set_xlabel("nominal coverage of the interval, %")
        left.set_ylabel("observed minus nominal, points")
        left.set_title("below 0: intervals are too narrow")
        bins = found.density.size
        edges = np.linspace(0, 1, bins + 1)
        right.stairs(found.density, edges, fill=True, color=BLUE, alpha=0.55)
        middle = 0.5 * (edges[1:] + edges[:-1])
        right.errorbar(
            middle, found.density, 2 * found.density_error, fmt="none", ecolor=INK, elinewidth=0.9
        )
        right.axhline(1.0, color=SOFT, linewidth=1)
        right.set_xlim(0, 1)
        right.set_ylim(0, max(1.6, 1.1 * float((found.density + 2 * found.density_error).max())))
        right.set_xlabel("predictive probability of a smaller value (PIT)")
        right.set_title("heaped at the ends: too narrow")
        right.set_ylabel("density")
    return output.getvalue()


def clustered(values: np.ndarray) -> np.ndarray:
    """An order of the rows in which similar ones are neighbours: average linkage on Euclidean distances.

    Args:
        values: (n, m), finite.

    Returns:
        (n,), a permutation; rows as they are when there are fewer than three.
    """
    if values.shape[0] < 3:
        return np.arange(values.shape[0])
    tree = linkage(values, method="average")
    # the better order of leaves costs the cube of their number
    return leaves_list(optimal_leaf_ordering(tree, values) if values.shape[0] <= 200 else tree)


def _strongest(strength: np.ndarray, count: int) -> np.ndarray:
    """Positions of the largest, in their own order."""
    return np.sort(np.argsort(-strength, kind="stable")[:count])


def _cut(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _some(shown: int, total: int, what: str) -> str:
    what = what.removesuffix("s") if total == 1 else what
    return f"{total:,} {what}" if shown == total else f"The {shown:,} strongest of {total:,} {what}"


def percent(share: float) -> str:
    """A share with two digits that count: 0.83 %, 7.6 %, 12 %, 100 %."""
    value = 100.0 * share
    return f"{value:.2g} %" if abs(value) < 9.95 else f"{value:.0f} %"


def _faded(values: np.ndarray, fade: np.ndarray) -> np.ndarray:
    """(.., 3) colours: red for positive, blue for negative, towards white as `fade` goes to 0."""
    import matplotlib

    colours = matplotlib.colormaps["RdBu_r"](0.5 + 0.5 * np.clip(values, -1.0, 1.0))[..., :3]
    return 1.0 - fade[..., None] * (1.0 - colours)


def _colour_bar(figure: Figure, axes: Axes, limit: float, label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), "RdBu_r"),
        ax=axes,
        fraction=0.035,
        pad=0.015,
        aspect=30,
    )
    bar.set_label(label, fontsize=9.5)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9)
    bar.locator = _few_ticks()
    bar.update_ticks()


def _few_ticks():  # noqa: ANN202 - matplotlib's
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, symmetric=True)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def _name_columns(axes: Axes, names: Sequence[str], what: str) -> None:
    """Every name below, or every n-th."""
    step = -(-len(names) // NAMED_COLUMNS)
    shown = range(0, len(names), step)
    axes.set_xticks(list(shown), [names[index] for index in shown], rotation=90, fontsize=8)
    axes.tick_params(axis="x", length=0 if step == 1 else 3)
    axes.set_xlabel(what if step == 1 else f"{what}; one in {step} is named")
    axes.grid(False)


def _label_height(labels: Sequence[str]) -> float:
    """Inches that upright names need."""
    return 0.075 * max(map(len, labels))


def _bars(axes: Axes, values: np.ndarray, names: Sequence[str], count: int) -> None:
    chosen = _largest(values, count)
    rows = np.arange(chosen.size)
    axes.barh(rows, values[chosen], color=np.where(values[chosen] < 0, BLUE, RED), height=0.7)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    _name_rows(axes, [_cut(names[index]) for index in chosen])


def _intervals(axes: Axes, draws: np.ndarray, names: Sequence[str], count: int) -> None:
    """(draws, K) as points with 90 % intervals."""
    mean = draws.mean(axis=0)
    chosen = _largest(mean, count)
    low, high = np.quantile(draws[:, chosen], [0.05, 0.95], axis=0)
    rows = np.arange(chosen.size)
    colours = np.where(mean[chosen] < 0, BLUE, RED)
    axes.hlines(rows, low, high, color=colours, linewidth=1.8)
    axes.scatter(mean[chosen], rows, color=colours, s=20, zorder=3)
    axes.axvline(0, color=SOFT, linewidth=0.8)
    _name_rows(axes, [_cut(names[index]) for index in chosen])


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Positions of the largest in size, from the most positive to the most negative."""
    chosen = np.argsort(-np.abs(values), kind="stable")[:count]
    return chosen[np.argsort(-values[chosen], kind="stable")]
