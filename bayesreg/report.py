"""What a person opens after a fit: tables, figures and `report.html`. User's page: docs/bayes-outputs.md.

Made from `draws.nc` and the run folder's files alone: nothing is sampled and JAX is not imported. Calibration needs the
rows themselves, so it is computed where they are at hand, kept as a table, and drawn from that table afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayesreg import figures, summaries
from bayesreg.calibration import Calibration, calibrate, coverage
from bayesreg.data import RegressionData
from bayesreg.diagnostics import ESS_PER_CHAIN, RHAT_LIMIT, rhat
from bayesreg.drawsfile import StoredFit, load_fit
from bayesreg.figures import percent
from bayesreg.posterior import pooled
from bayesreg.summaries import CERTAIN, Summary, spread, summarise
from runtime.report import Report, Tone
from runtime.run import Run
from runtime.settings import as_plain
from runtime.storage import atomic_write_bytes, read_jsonl, storage_errors

TOP = 25
"""Rows of the table of coefficients."""
WORST = 8
"""Rows of the table of diagnostics."""
NOTE_KINDS = ("note", "warning", "error", "resumed", "latent_snr_chosen")

WORDS = {
    "ptve": "variance explained",
    "share_structured_noise": "share of structured noise",
    "share_idiosyncratic_noise": "share of idiosyncratic noise",
    "effective_rank": "effective rank",
    "latent_snr": "latent signal-to-noise ratio",
    "signal_to_latent_noise": "signal to latent noise, in the targets",
    "log_likelihood": "log likelihood",
}


def write_outputs(
    folder: Path,
    stored: StoredFit,
    data: RegressionData | None = None,
    *,
    held_out: bool = False,
) -> dict[str, float | None]:
    """Tables, figures and report of a fit.

    Args:
        folder: the run folder; existing outputs are replaced.
        stored: the fit.
        data: rows to check the predictions on, original units: those of the fit, or others. None: when there is a
            calibration table from before it is kept, otherwise calibration is left out.
        held_out: whether the fit has not seen these rows.

    Returns:
        Keys for summary.json (docs/bayes-outputs.md).

    Raises:
        StorageError: the disk refused.
    """
    summary = summarise(stored)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    summaries.write_tables(folder, stored, summary)
    if data is not None:
        found = _calibrated(stored, data, held_out)
        summaries.write_calibration(folder, stored, found, data.ids)
    source = summaries.read_calibration(folder, stored)
    _write_report(folder, stored, summary, source)
    keys = summaries.headline(summary)
    if _is_approximate(
        stored
    ):  # draws of an approximation are independent: their R-hat says nothing
        keys = {key: value for key, value in keys.items() if not key.startswith(("max_", "min_"))}
        keys["diagnostics_passed"] = None
    if source is not None and source.trusted.any():
        inside = np.abs(source.pit[source.trusted] - 0.5) <= summaries.LEVEL / 2.0
        seen = ~np.isnan(source.pit[source.trusted])
        keys["predictive_coverage_90"] = float(inside[seen].mean())
        keys["num_untrusted_rows"] = int(np.sum(~source.trusted))
    return keys


def build_report(path: Path) -> Path:
    """Write `report.html` and `figures/*.png` of a finished run again.

    Args:
        path: the run folder.

    Returns:
        The report's path.

    Raises:
        CheckpointError: there are no draws, or they cannot be read.
        StorageError: the disk refused.
    """
    stored = load_fit(path)
    return _write_report(path, stored, summarise(stored), summaries.read_calibration(path, stored))


def _calibrated(stored: StoredFit, data: RegressionData, held_out: bool) -> Calibration:
    z = stored.z_scaling.apply(data.z) if stored.meta.confounders else None
    return calibrate(
        stored.draws,
        stored.x_scaling.apply(data.x),
        stored.y_scaling.apply(data.y),
        z,
        held_out=held_out,
    )


def _is_approximate(stored: StoredFit) -> bool:
    return (stored.inference or {}).get("kind") == "svi"


@dataclass(frozen=True)
class _Page:
    """What every section gets."""

    report: Report
    folder: Path
    stored: StoredFit
    summary: Summary

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Into the report and into `figures/`."""
        folder = self.folder / "figures"
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
        atomic_write_bytes(folder / f"{name}.png", png)
        self.report.figure(png, caption)


def _write_report(
    folder: Path, stored: StoredFit, summary: Summary, source: Calibration | None
) -> Path:
    name, run = folder.name, _run_of(folder)
    if run is not None:
        name = run.manifest["name"]
    page = _Page(Report(f"Regression: {name}", _subtitle(stored)), folder, stored, summary)
    _add_headline(page)
    _add_explained(page)
    _add_coefficients(page)
    _add_components(page)
    _add_noise(page)
    _add_calibration(page, source)
    _add_convergence(page)
    _add_settings(page)
    if run is not None:
        _add_origin(page.report, run)
    return page.report.write(folder / "report.html")


def _run_of(folder: Path) -> Run | None:
    """The run whose folder this is; None for a plain folder, as the estimator's users may have."""
    return Run.open(folder) if (folder / "manifest.json").is_file() else None


def _subtitle(stored: StoredFit) -> str:
    meta = stored.meta
    words = (
        f"{_count(len(meta.targets), 'target')} on {_count(len(meta.covariates), 'covariate')}, "
        f"{_count(stored.num_rows, 'row')}"
    )
    if meta.confounders:
        words += f", {_count(len(meta.confounders), 'confounder')}"
    return f"{words}."


def _add_headline(page: _Page) -> None:
    """What was found, in words, and whether it can be trusted."""
    report, summary, stored = page.report, page.summary, page.stored
    total = spread(summary.ptve.total.reshape(-1))
    certain = int(np.sum(summary.certainty >= CERTAIN))
    report.callout(
        f"The covariates explain {percent(total.mean)} of the targets' variance (90 % interval {percent(total.low)} "
        f"to {percent(total.high)}). {certain:,} of {summary.certainty.size:,} coefficients have a sign that is at "
        f"least {100 * CERTAIN:.0f} % certain."
    )
    words, tone = trust_words(stored, summary)
    report.callout(words, tone)
    draws, facts = stored.draws, {}
    for name in ("effective_rank", "latent_snr", "share_structured_noise"):
        if name in summary.quantities:
            facts[WORDS[name]] = _with_interval(summary.quantities[name])
    if stored.missing_cells is not None and len(stored.missing_cells):
        facts["missing target cells"] = len(stored.missing_cells)
    facts["chains \N{MULTIPLICATION SIGN} draws"] = (
        f"{draws.num_chains} \N{MULTIPLICATION SIGN} {draws.num_draws:,}"
    )
    report.facts(facts)


def trust_words(stored: StoredFit, summary: Summary) -> tuple[str, Tone]:
    """Whether the draws can be used, and what to do if not."""
    found = summary.diagnosis
    if _is_approximate(stored):
        return (
            "Variational inference is a quick look: its intervals are too narrow, and nothing here tells by how much. "
            "Fit with inference=gibbs before you rely on them.",
            "warning",
        )
    least = ESS_PER_CHAIN * found.num_chains
    size = float(np.minimum(found.ess_bulk, found.ess_tail).min())
    if found.passed:
        return (
            f"The chains agree: over {len(found.names)} monitored quantities R-hat is at most {found.rhat.max():.3f} "
            f"and the effective sample size at least {size:,.0f}.",
            "good",
        )
    worst = found.names[int(np.argmax(found.rhat))]
    reason = f"R-hat is up to {found.rhat.max():.3f} ({_entry(worst, stored)}; at most {RHAT_LIMIT} is asked for)"
    if size < least:
        reason += f", the effective sample size as small as {size:,.0f} (at least {least:,.0f} is asked for)"
    return (
        f"Do not rely on these numbers yet: the chains have not converged. {reason}. Go on with more draws "
        "(toolkit bayes fit --resume RUN) or fit again with a larger inference.num_warmup; if the traces below stay "
        "apart, with a smaller model.rank.",
        "bad",
    )


def _add_explained(page: _Page) -> None:
    stored, summary = page.stored, page.summary
    page.report.section(
        "Variance explained",
        "In a population whose covariates vary as in the rows of the fit; each target counts in units of its own "
        "standard deviation.",
    )
    per_target, total = (
        spread(pooled(summary.ptve.per_target)),
        spread(summary.ptve.total.reshape(-1)),
    )
    page.figure(
        "ptve",
        figures.ptve_by_target(
            per_target.mean,
            per_target.low,
            per_target.high,
            stored.meta.targets,
            total=(float(total.mean), float(total.low), float(total.high)),
        ),
        "Table: ptve.csv.",
    )
    rows = [
        [WORDS[name], *_numbers(values)]
        for name, values in summary.quantities.items()
        if name != "log_likelihood"
    ]
    page.report.table(["", "mean", "sd", "q05", "q95"], rows, "Table: quantities.csv.")


def _add_coefficients(page: _Page) -> None:
    stored, summary = page.stored, page.summary
    page.report.section("Coefficients")
    page.figure(
        "coefficients",
        figures.coefficient_heatmap(
            summary.coef.mean,
            summary.certainty,
            stored.meta.covariates,
            stored.meta.targets,
            certain=CERTAIN,
        ),
        "Standardised posterior means; rows and columns by hierarchical clustering with average linkage.",
    )
    page.report.table(
        ["covariate", "target", "mean", "sd", "q05", "q95", "probability above 0", "standardised"],
        top_coefficients(stored, summary, TOP),
        f"The {min(TOP, summary.certainty.size)} largest standardised coefficients, those with a certain sign first; "
        "target units per covariate unit. All of them: coefficients.csv or coefficients.parquet.",
    )


def top_coefficients(stored: StoredFit, summary: Summary, count: int) -> list[list[Any]]:
    """The largest standardised coefficients, those with a certain sign before the others."""
    coef, meta = summary.coef, stored.meta
    size = np.abs(coef.mean) + np.where(summary.certainty >= CERTAIN, np.abs(coef.mean).max(), 0.0)
    places = np.argsort(-size, axis=None, kind="stable")[:count]
    unit = stored.y_scaling.scale[None, :] / stored.x_scaling.scale[:, None]
    rows = []
    for p, k in zip(*np.unravel_index(places, size.shape), strict=True):
        values = [
            float(part[p, k] * unit[p, k]) for part in (coef.mean, coef.sd, coef.low, coef.high)
        ]
        rows.append(
            [
                meta.covariates[p],
                meta.targets[k],
                *values,
                float(coef.positive[p, k]),
                float(coef.mean[p, k]),
            ]
        )
    return rows


def _add_components(page: _Page) -> None:
    meta, found = page.stored.meta, page.summary.components
    page.report.section(
        "Components of the signal",
        "Weighted sums of the covariates through which they act on the targets: the principal components of the fitted "
        "values, largest first.",
    )
    page.figure(
        "components",
        figures.component_loadings(found, meta.covariates, meta.targets),
        "The sampler's own components are identified only up to rotation and sign and are not shown. Table: "
        "components.csv.",
    )


def _add_noise(page: _Page) -> None:
    stored, summary = page.stored, page.summary
    page.report.section("Signal against noise")
    settings = stored.settings
    if settings.samples_snr:
        page.figure(
            "latent-snr",
            figures.snr_prior_posterior(
                stored.draws.latent_snr,
                location=settings.latent_snr_location,
                scale=settings.latent_snr_scale,
            ),
            "A posterior that is the prior says that the data are silent about how much of the shared variance is "
            "signal; then the prior decides how far coefficients are shrunk.",
        )
    elif settings.latent_noise:
        page.report.text(f"The latent signal-to-noise ratio is fixed at {settings.latent_snr:.4g}.")
    if len(stored.meta.targets) > 1:
        shared = np.diag(summary.structured)
        page.figure(
            "noise",
            figures.noise_correlation(
                summaries.noise_correlation(summary),
                shared / (shared + summary.idiosyncratic),
                stored.meta.targets,
            ),
            "Table: noise_covariance.csv or noise_covariance.parquet.",
        )


def _add_calibration(page: _Page, source: Calibration | None) -> None:
    page.report.section(
        "Calibration of predictions",
        "Whether values fall into their predictive intervals as often as the intervals say.",
    )
    if source is None:
        page.report.text("Not computed: there were no rows at hand, as when tables are streamed.")
        return
    untrusted = int(np.sum(~source.trusted))
    if not source.trusted.any():
        page.report.callout(
            "Not shown: leaving a row out by reweighting the draws fails for every row. Check predictions on rows that "
            "the fit has not seen.",
            "warning",
        )
        return
    if untrusted > 0.1 * source.trusted.size:
        page.report.callout(
            f"For {untrusted:,} of {source.trusted.size:,} rows the weights have too heavy a tail. What is shown is of "
            "the other rows, which are the easier ones: check predictions on rows that the fit has not seen.",
            "warning",
        )
    page.figure(
        "calibration",
        figures.calibration(coverage(source), source),
        "Single targets, all noise included. Table: calibration.csv or calibration.parquet.",
    )


def _add_convergence(page: _Page) -> None:
    summary, stored = page.summary, page.stored
    if _is_approximate(stored):
        return
    page.report.section("Convergence", "Only quantities that are identified are monitored.")
    shown = {
        WORDS[name]: values for name, values in summary.quantities.items() if np.ptp(values) > 0
    }
    numbers = {name: rhat(values) for name, values in shown.items()}
    page.figure("traces", figures.traces(shown, numbers), "")
    found = summary.diagnosis
    order = np.argsort(-found.rhat, kind="stable")[:WORST]
    rows = [
        [
            _entry(found.names[q], stored),
            float(found.rhat[q]),
            float(found.ess_bulk[q]),
            float(found.ess_tail[q]),
        ]
        for q in order
    ]
    page.report.table(
        ["quantity", "R-hat", "effective size, bulk", "effective size, tail"],
        rows,
        f"The {len(rows)} largest R-hat of {len(found.names)}. Table: diagnostics.csv.",
    )


def _entry(name: str, stored: StoredFit) -> str:
    """`B[2,5]` as the names of its covariate and target."""
    if not name.startswith("B["):
        return name.replace("latent_snr", "latent signal-to-noise ratio")
    p, k = map(int, name[2:-1].split(","))
    return f"effect of {stored.meta.covariates[p]} on {stored.meta.targets[k]}"


def _add_settings(page: _Page) -> None:
    stored = page.stored
    page.report.section("Settings")
    settings = as_plain(stored.settings)
    if stored.settings.samples_snr:
        settings["latent_snr"] = "sampled"
    rows = [[key.replace("_", " "), _plain(value)] for key, value in settings.items()]
    page.report.table(["model", ""], rows)
    rows = [
        [key.replace("_", " "), _plain(value)] for key, value in (stored.inference or {}).items()
    ]
    if rows:
        page.report.table(["inference", ""], rows)


def _add_origin(report: Report, run: Run) -> None:
    """What was left out of the tables, and what ran."""
    report.section("Data and origin")
    events = read_jsonl(run.events_path) if run.events_path.exists() else []
    for event in events:
        if event.get("kind") in NOTE_KINDS:
            words = event.get("message") or ", ".join(
                f"{key} {_plain(value)}"
                for key, value in event.items()
                if key not in ("kind", "time")
            )
            report.text(f"{event['kind'].replace('_', ' ').capitalize()}: {words}")
    manifest = run.manifest
    git = manifest.get("git") or {}
    rows = [
        ["command line", " ".join(manifest["argv"])],
        ["started", manifest["started_at"]],
        [
            "commit",
            f"{git['commit']}{' with local changes' if git.get('dirty') else ''}" if git else None,
        ],
        ["seeds", _plain(manifest.get("seeds"))],
        ["data", _plain(manifest.get("data_hashes"))],
        ["versions", _plain(manifest.get("versions"))],
    ]
    report.table(["", ""], [row for row in rows if row[1] is not None])
    report.code((run.path / "config.yaml").read_text(encoding="utf-8"))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """A value as a cell of a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or None
    if isinstance(value, list | tuple):
        return ", ".join(str(_plain(item)) for item in value) or None
    return value


def _numbers(values: np.ndarray) -> list[float]:
    it = spread(values.reshape(-1))
    return [float(it.mean), float(it.sd), float(it.low), float(it.high)]


def _with_interval(values: np.ndarray) -> str:
    mean, _, low, high = _numbers(values)
    if low == high:
        return f"{mean:.3g}"
    return f"{mean:.2g} ({low:.2g} to {high:.2g})"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
