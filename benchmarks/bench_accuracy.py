"""How accurate the regression is on simulated sets: against itself told the true ratio, and against the baselines.

    python benchmarks/bench_accuracy.py                     # every set that is not in the results yet
    python benchmarks/bench_accuracy.py --settings small --sets 4 --out mine.json
    python benchmarks/bench_accuracy.py --table             # only print, draw and write docs/accuracy.md's table again

The sets come from the generator of `bayesreg/simulate.py` with seeds of their own, on which nothing was tuned. Every
method sees the same sets; its coefficients are scored by the share of target variance that they explain in the whole
population (`Simulated.population_ptve`), so no test rows are drawn. The results file is also the ledger: a set that is
in it is not repeated, and all settings advance together. Times are processor seconds, medians; with OMP_NUM_THREADS=1
those of one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bayesreg.baselines import POINT_METHODS, SAMPLED_METHODS
from bayesreg.diagnostics import rhat
from bayesreg.sampled import Effort, fit_sampled
from bayesreg.scoring import mean_and_error, paired_difference, relative_loss
from bayesreg.simulate import Simulated, SimulationSettings, simulate
from bayesreg.types import ModelSettings
from runtime.seeding import Stream
from runtime.storage import atomic_write_text, read_json

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results" / "accuracy.json"
FIGURES = FOLDER.parent / "docs" / "figures"
PAGE = FOLDER.parent / "docs" / "accuracy.md"
EFFORT = Effort(num_chains=2, num_warmup=300, num_draws=1000, block=100)
LARGE_EFFORT = Effort(num_chains=2, num_warmup=300, num_draws=600, block=100)
TRUE_RATIO, ORACLE = "true_ratio", "oracle"
PASSES: Sequence[tuple[float, Sequence[str]]] = (
    (1.0, (ORACLE, "latent_noise", "common_ratio", TRUE_RATIO, *POINT_METHODS)),
    (3.0, ("independent_noise", "brrr")),
)
"""Sets that have the first when one has the second, and methods: an unfinished study has what matters most."""
MAIN_SETS, CURVE_SETS = 24, 12


def _setting(rows: int, p: int, k: int, mixture: float) -> SimulationSettings:
    return SimulationSettings(
        num_rows=rows, num_test_rows=0, num_covariates=p, num_targets=k, noise_mixture=mixture
    )


SETTINGS: Mapping[str, tuple[str, SimulationSettings, int, float | None]] = {
    "small": ("(500, 30, 60), λ = 0", _setting(500, 30, 60, 0.0), MAIN_SETS, 0.06),
    "mixed": ("(500, 30, 60), λ = 0.5", _setting(500, 30, 60, 0.5), MAIN_SETS, 0.03),
    "large": ("(1000, 200, 200), λ = 0", _setting(1000, 200, 200, 0.0), MAIN_SETS, 0.08),
    "few_rows": ("N = 200", _setting(200, 30, 60, 0.0), MAIN_SETS, 0.12),
    "many_rows": ("N = 2000", _setting(2000, 30, 60, 0.0), MAIN_SETS, 0.01),
    # more sets, since coverage differs most between them here
    "lambda_0.25": ("λ = 0.25", _setting(500, 30, 60, 0.25), 2 * MAIN_SETS, None),
    "lambda_0.75": ("λ = 0.75", _setting(500, 30, 60, 0.75), CURVE_SETS, None),
    "lambda_1": ("λ = 1", _setting(500, 30, 60, 1.0), CURVE_SETS, None),
    "rows_100": ("N = 100", _setting(100, 30, 60, 0.0), CURVE_SETS, None),
    "rows_1000": ("N = 1000", _setting(1000, 30, 60, 0.0), CURVE_SETS, None),
}
"""Name to label, generator, number of sets, and the largest loss against the true ratio that is aimed at."""
LAMBDA_CURVE = {
    0.0: "small",
    0.25: "lambda_0.25",
    0.5: "mixed",
    0.75: "lambda_0.75",
    1.0: "lambda_1",
}
ROWS_CURVE = {100: "rows_100", 200: "few_rows", 500: "small", 1000: "rows_1000", 2000: "many_rows"}
LABELS = {
    "latent_noise": "latent noise (the default)",
    "common_ratio": "latent noise, one ratio for all components",
    TRUE_RATIO: "latent noise, one ratio, told the true one",
    "independent_noise": "independent-noise BRRR",
    "brrr": "BRRR without structured noise",
    "least_squares": "least squares",
    "ridge": "ridge, one penalty",
    "ridge_per_target": "ridge, a penalty a target",
    "multitask_lasso": "multi-task lasso",
    "elastic_net": "multi-task elastic net",
    "pls": "partial least squares",
    "reduced_rank": "reduced rank",
    "ridge_reduced_rank": "ridge and reduced rank",
}

Row = dict[str, dict[str, float]]


def main() -> None:
    """Run what is missing, then print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--sets", type=int, help="instead of each setting's own number")
    parser.add_argument("--minutes", type=float, help="start no set after this many minutes")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    options = parser.parse_args()
    ledger: dict[str, dict[str, Row]] = read_json(options.out) if options.out.is_file() else {}
    if not options.table:
        run_missing(ledger, options.settings, options.sets, options.minutes, options.out)
    print(table(ledger))
    draw(ledger, options.figures)
    if options.out == RESULTS:
        write_between(PAGE, "accuracy table: benchmarks/bench_accuracy.py", table(ledger))


def run_missing(
    ledger: dict[str, dict[str, Row]],
    names: Sequence[str],
    sets: int | None,
    minutes: float | None,
    out: Path,
) -> None:
    """Every method on every set that is not in the ledger, settings in step."""
    start = time.monotonic()
    numbers = {name: sets or SETTINGS[name][2] for name in names}
    work = [
        (weight * index / numbers[name], name, index, methods)
        for weight, methods in PASSES
        for name in names
        for index in range(numbers[name])
    ]
    for _, name, index, methods in sorted(work, key=lambda item: item[0]):
        row = ledger.setdefault(name, {}).setdefault(str(index), {})
        missing = [method for method in methods if method not in row]
        if not missing:
            continue
        if minutes is not None and time.monotonic() - start > 60 * minutes:
            return
        row |= one_set(name, index, missing)
        atomic_write_text(out, as_text(ledger))
        print(name, index, {m: row[m].get("ptve") for m in missing}, flush=True)


def as_text(ledger: Mapping[str, Mapping[str, Row]]) -> str:
    """JSON with a set a line."""
    parts = []
    for name, done in ledger.items():
        done = {index: row for index, row in done.items() if row}
        if not done:
            continue
        rows = ",\n".join(f'  "{index}": {json.dumps(row)}' for index, row in done.items())
        parts.append(f' "{name}": {{\n{rows}\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def one_set(name: str, index: int, methods: Sequence[str]) -> Row:
    """Some methods on one simulated set."""
    settings = SETTINGS[name][1]
    stream = Stream(0, "benchmark", "accuracy", name, index)
    data = simulate(settings, stream.seed)
    seed = stream.child("fit").seed
    effort = LARGE_EFFORT if settings.num_targets > 100 else EFFORT
    found: Row = {}
    for method in methods:
        if method == ORACLE:
            row = {"ptve": data.population_ptve(data.coef), "log_ratio": _log(data.latent_snr)}
        elif method in POINT_METHODS:
            row = _timed(partial(_point, data, method, seed))
        elif method != TRUE_RATIO:
            row = _sampled(data, SAMPLED_METHODS[method], seed, effort)
        elif np.isfinite(data.latent_snr):
            told = SAMPLED_METHODS["common_ratio"].with_(latent_snr=data.latent_snr)
            row = _sampled(data, told, seed, effort)
        else:
            row = {}  # there is no latent noise, and no ratio to be told
        found[method] = {key: _rounded(value) for key, value in row.items()}
    return found


def _point(data: Simulated, method: str, seed: int) -> dict[str, float]:
    return {"ptve": data.population_ptve(POINT_METHODS[method](data.x, data.y, seed=seed).coef)}


def _sampled(data: Simulated, model: ModelSettings, seed: int, effort: Effort) -> dict[str, float]:
    def work() -> dict[str, float]:
        fit = fit_sampled(data.x, data.y, settings=model, seed=seed, effort=effort)
        row = {
            "ptve": data.population_ptve(fit.coef),
            "rhat": rhat(fit.draws.log_likelihood),
        }
        if model.samples_snr:
            ratio = np.log(fit.draws.latent_snr)
            row |= {"log_ratio": float(ratio.mean()), "log_ratio_sd": float(ratio.std())}
        fits.append(fit)
        return row

    fits: list[Any] = []
    row = _timed(work)
    row["coverage"] = fits[0].coef_covered(data.coef)
    return row


def _timed(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    start = time.process_time()
    row = work()
    return {**row, "cpu_s": time.process_time() - start}


def _log(value: float) -> float:
    return float(np.log(value)) if np.isfinite(value) else float("nan")


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def column(done: Mapping[str, Row], method: str, key: str) -> np.ndarray:
    """One number of every set, in the order of the sets; NaN where a set lacks it."""
    rows = [done[index] for index in sorted(done, key=int)]
    values = [row.get(method, {}).get(key) for row in rows]
    return np.array([np.nan if value is None else value for value in values])


def table(ledger: Mapping[str, Mapping[str, Row]]) -> str:
    """Markdown: for each setting every method's share of variance, loss, coverage and time."""
    lines = []
    for name, (label, _, _, aim) in SETTINGS.items():
        done = ledger.get(name, {})
        if len(done) < 2:
            continue
        aimed = "" if aim is None else f"; aimed at: a loss of at most {100 * aim:.0f} %"
        lines += [
            f"**{label}**{aimed}",
            "",
            "| method | sets | PTVE | default minus it | loss against the true ratio | coverage of B, % | CPU s |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in (ORACLE, *LABELS):
            lines.append(_line(done, method))
        lines.append("")
    return "\n".join(line for line in lines if line is not None)


def _line(done: Mapping[str, Row], method: str) -> str | None:
    """One method over the sets that have it; None below two sets."""
    values, ours, told, covered, seconds = (
        column(done, *which)
        for which in (
            (method, "ptve"),
            ("latent_noise", "ptve"),
            (TRUE_RATIO, "ptve"),
            (method, "coverage"),
            (method, "cpu_s"),
        )
    )
    here = np.isfinite(values) & np.isfinite(ours)
    if here.sum() < 2:
        return None
    values, ours, told, covered, seconds = (
        part[here] for part in (values, ours, told, covered, seconds)
    )
    mean, error = mean_and_error(values)
    apart, apart_error = paired_difference(ours, values)
    lost = ""
    if method in {"latent_noise", "common_ratio"} and np.isfinite(told).all():
        loss, loss_error = relative_loss(values, told)
        if loss_error < 0.5:  # otherwise the model that is told explains nothing to compare with
            lost = f"{100 * loss:+.1f} ± {100 * loss_error:.1f} %"
    cells = [
        LABELS.get(method, "the true coefficients"),
        f"{len(values)}",
        f"{mean:.4f} ± {error:.4f}",
        "" if method == "latent_noise" else f"{apart:+.4f} ± {apart_error:.4f}",
        lost,
        "{:.1f} ± {:.1f}".format(*mean_and_error(100 * covered))
        if np.isfinite(covered).all()
        else "",
        f"{np.median(seconds):.2f}" if np.isfinite(seconds).all() else "",
    ]
    return "| " + " | ".join(cells) + " |"


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what a page has between the comments `name` and `end of name`.

    Raises:
        ValueError: the page lacks them.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    whole = page.read_text(encoding="utf-8")
    before, rest = whole.split(start)
    atomic_write_text(page, f"{before}{start}\n{text.strip()}\n\n{end}{rest.split(end)[1]}")


CURVES = {
    "latent_noise": ("#0072b2", "o", "-"),
    "common_ratio": ("#56b4e9", "D", "--"),
    TRUE_RATIO: ("#0072b2", "s", ":"),
    "independent_noise": ("#d55e00", "^", "-"),
    "ridge": ("#009e73", "v", "-"),
    "ridge_reduced_rank": ("#009e73", "P", "--"),
    "elastic_net": ("#9b4f96", "X", "-"),
    "brrr": ("#6e7681", "*", "-"),
}
"""Colour, marker and line of the methods that are drawn."""


def draw(ledger: Mapping[str, Mapping[str, Row]], folder: Path) -> None:
    """The curves over lambda and over the number of rows."""
    from matplotlib.figure import Figure

    shown = (
        (
            "accuracy_lambda.png",
            LAMBDA_CURVE,
            "share λ of structured noise with loadings of its own",
        ),
        ("accuracy_rows.png", ROWS_CURVE, "training rows N"),
    )
    for file, curve, label in shown:
        points = [(at, ledger[name]) for at, name in curve.items() if len(ledger.get(name, {})) > 1]
        if len(points) < 2:
            continue
        figure = Figure(figsize=(8.2, 4.6), dpi=140, layout="constrained")
        axes = figure.add_subplot()
        for method, (color, marker, line) in CURVES.items():
            columns = [(at, column(done, method, "ptve")) for at, done in points]
            found = [
                (at, *mean_and_error(v[np.isfinite(v)]))
                for at, v in columns
                if np.isfinite(v).sum() > 1
            ]
            if not found:
                continue
            at, mean, error = zip(*found, strict=True)
            axes.errorbar(
                at, mean, yerr=error, color=color, marker=marker, linestyle=line, markersize=5,
                capsize=2, linewidth=1.5, label=LABELS[method],
            )  # fmt: skip
        if curve is ROWS_CURVE:
            axes.set_xscale("log")
            axes.set_xticks([at for at, _ in points], [str(at) for at, _ in points])
            axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("variance explained in the population")
        axes.axhline(0.0, color="#24292f", linewidth=0.8)
        axes.set_ylim(bottom=-0.015)  # below is nothing to tell apart
        axes.grid(color="#e8ebee")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, ncols=2)
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / file)
        print(f"drawn: {file}")


if __name__ == "__main__":
    main()
