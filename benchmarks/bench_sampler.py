"""Speed of the sampler, beside the authors' R scripts on the same data.

    apt-get install r-base-core r-cran-mass libopenblas0-pthread
    git clone https://github.com/lgillber/latent-noise
    python benchmarks/bench_sampler.py --scripts latent-noise
    python benchmarks/bench_sampler.py --parts mixing rows compile        # these need no R

Prints tables and writes benchmarks/results/sampler.json, part by part:

* speed: processor seconds per 1,000 iterations of one chain at rank 3, the difference of a long and a short run of each
  so that what is done once (an eigendecomposition there, compiling here) does not count; in turn, medians.
* accuracy: their scripts as in their demonstration (hand-set ratio 1/7.5, rank adapted), but averaged over the draws
  that were kept, on sets of bench_accuracy.py; and effective draws per processor second.
* rows: the time of an iteration with 10,000 and with 1,000,000 rows.
* compile: what compiling costs in a process with an empty cache of programs, and in the next one.
* mixing: effective draws with and without the moves of scale between latent rows and loadings.

Everything runs on one thread. Nothing of the scripts is copied: they are read where they lie.
"""

from __future__ import annotations

import os

os.environ.update(
    {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
)

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import bench_accuracy
import jax
import numpy as np
from jax import numpy as jnp

from bayesreg import diagnostics, inference
from bayesreg.compiling import compile_clock, configure
from bayesreg.compression import compress
from bayesreg.gibbs import rescale
from bayesreg.prepare import Prepared, prepare, prepare_compressed
from bayesreg.simulate import Simulated, SimulationSettings, simulate
from bayesreg.types import ModelSettings
from runtime.seeding import Stream
from runtime.storage import atomic_write_json, read_json

RESULTS = Path(__file__).parent / "results" / "sampler.json"
RANK = 3
REPEATS = 5
SHAPES: Mapping[str, tuple[tuple[int, int, int], int, int, float]] = {
    "small": ((500, 30, 60), 400, 4000, 40.0),
    "large": ((1000, 200, 200), 60, 2000, 40.0),
    "wide": ((2000, 1000, 100), 16, 2000, 200.0),
}
"""Shape, iterations timed there and here, and how many times faster is aimed at."""
ACCURACY_SETS = {"small": 4, "mixed": 4, "large": 2}
ITERATIONS = {"small": 2000, "mixed": 2000, "large": 1000}
THIN = 5

DRIVER = r"""
arguments <- commandArgs(trailingOnly = TRUE)
scripts <- arguments[1]; folder <- arguments[2]
sizes <- as.integer(arguments[3:5]); seed <- as.integer(arguments[6])
rank <- as.integer(arguments[7]); thin <- as.integer(arguments[8])
lengths <- as.integer(strsplit(arguments[9], ",")[[1]])
suppressMessages(library(MASS))
for (part in c("full_low_rank_brr", "infinite_brr", "sparse_fa", "common"))
  for (file in sort(dir(file.path(scripts, "codes", part), "\\.[rR]$", full.names = TRUE))) source(file)
n <- sizes[1]; p <- sizes[2]; k <- sizes[3]
table_of <- function(name, columns)
  matrix(readBin(file.path(folder, name), "double", n * columns), nrow = n, ncol = columns)
# an absent confounder is NA to the scripts, a matrix of one cell
data <- list(genotypes = table_of("x", p), phenotypes = table_of("y", k), confounders = NA)
start <- function(iterations) {
  set.seed(seed)
  model <- initialize.from.prior(n.pheno = k, n.snps = p, n.patients = n, fa.rank = 3, brr.rank = 3,
                                 a.sigma = 2.2, b.sigma = 0.5)
  model$brr$prior$alpha0 <- -2
  model$brr$prior$alpha1 <- (log(0.1) + 2) / (iterations / 2)
  model$brr$context$a3a4 <- c(10, 4.1)
  variance <- 7.5 * sum(data$genotypes^2) / n
  model$brr$context$latent.noise.var <- variance
  model$brr$context$Omega <- matrix(rnorm(3 * n, sd = sqrt(variance)), nrow = n)
  model$brr$context$Psi[, ] <- rnorm(3 * p)
  model$brr$context$Gamma[, ] <- rnorm(3 * k)
  model
}
seconds <- c()
for (iterations in lengths) {
  model <- start(iterations)
  before <- proc.time()
  capture.output(found <- gibbs.full.low.rank.brr(
    model = model, data = data, n.iter = iterations, thin = thin,
    fixed.brr.rank = if (rank > 0) rank else NULL,
    fa.vars.to.record = c("variances")), file = nullfile())
  spent <- proc.time() - before
  seconds <- c(seconds, spent[[1]] + spent[[2]])
}
kept <- length(found$traces$Psi)
out <- file(file.path(folder, "coef"), "wb")
for (index in seq_len(kept))
  writeBin(as.double(found$traces$Psi[[index]] %*% found$traces$Gamma[[index]]), out)
close(out)
blas <- tryCatch(extSoftVersion()[["BLAS"]], error = function(e) "unknown")
cat(jsonlike <- paste0('{"seconds": [', paste(seconds, collapse = ", "), '], "kept": ', kept,
    ', "blas": "', basename(blas), '", "r": "', R.version.string, '"}'))
"""


def run_scripts(
    scripts: Path,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int,
    rank: int,
    thin: int,
    lengths: list[int],
) -> tuple[dict[str, Any], np.ndarray]:
    """The authors' scripts on one set: their seconds, and the recorded draws of B of the last run, (kept, P, K).

    Args:
        scripts: their checkout.
        x: (N, P), as it is: their demonstration does not centre it.
        y: (N, K).
        seed: of R.
        rank: fixed; 0 lets them adapt it.
        thin: iterations a recorded draw.
        lengths: iterations of each run.
    """
    (n, p), k = x.shape, y.shape[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, values in (("x", x), ("y", y)):
            (folder / file).write_bytes(np.asfortranarray(values).tobytes(order="F"))
        (folder / "driver.R").write_text(DRIVER, encoding="utf-8")
        arguments = [scripts, folder, n, p, k, seed, rank, thin, ",".join(map(str, lengths))]
        done = subprocess.run(
            ["Rscript", str(folder / "driver.R"), *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"the R scripts stopped:\n{done.stderr[-2000:]}")
        found = json.loads(done.stdout[done.stdout.rindex('{"seconds"') :])
        coef = np.fromfile(folder / "coef").reshape(found["kept"], k, p)
    return found, np.swapaxes(coef, 1, 2)


def data_of(shape: tuple[int, int, int], seed: int) -> Simulated:
    """A set of the papers' generator."""
    n, p, k = shape
    settings = SimulationSettings(
        num_rows=n, num_test_rows=0, num_covariates=p, num_targets=k, rank=RANK
    )
    return simulate(settings, Stream(0, "benchmark", "sampler", seed).seed)


def seconds_of(prepared: Prepared, chains: inference.Chains, sweeps: int) -> float:
    """Processor seconds of `sweeps` sweeps of a program that is compiled."""
    start = time.process_time()
    jax.block_until_ready(inference.advance_chains(prepared, chains, sweeps).parameters.loadings)
    return time.process_time() - start


def per_thousand(prepared: Prepared, chains: inference.Chains, sweeps: int) -> float:
    """Processor seconds per 1,000 sweeps of a chain, from a long run less a short one."""
    short = max(1, sweeps // 4)
    long = seconds_of(prepared, chains, sweeps) - seconds_of(prepared, chains, short)
    return 1000.0 * long / (sweeps - short) / chains.parameters.loadings.shape[0]


def warm(prepared: Prepared, num_chains: int) -> inference.Chains:
    """Chains that have been compiled for and have moved."""
    chains = inference.start_chains(prepared, seed=1, num_chains=num_chains)
    return inference.advance_chains(prepared, chains, 50)


def speed(scripts: Path | None) -> dict[str, Any]:
    """Processor seconds per 1,000 iterations, theirs and ours, one after the other in every repeat."""
    found: dict[str, Any] = {}
    for name, (shape, theirs, ours, aim) in SHAPES.items():
        made = data_of(shape, 0)
        prepared = prepare(made.x, made.y, settings=ModelSettings(rank=RANK))
        one, four = warm(prepared, 1), warm(prepared, 4)
        rows = []
        for repeat in range(REPEATS):
            row = {
                "ours": per_thousand(prepared, one, ours),
                "ours, of four": per_thousand(prepared, four, ours),
            }
            if scripts is not None:
                short = max(2, theirs // 4)
                timed, _ = run_scripts(
                    scripts,
                    made.x,
                    made.y,
                    seed=repeat,
                    rank=RANK,
                    thin=10,
                    lengths=[short, theirs],
                )
                row["theirs"] = (
                    1000.0 * (timed["seconds"][1] - timed["seconds"][0]) / (theirs - short)
                )
                row["ratio"] = row["theirs"] / row["ours"]
                found["r"], found["blas"] = timed["r"], timed["blas"]
            rows.append(row)
            print(name, row, flush=True)
        found[name] = {"shape": shape, "aim": aim} | {
            key: median(row[key] for row in rows) for key in rows[0]
        }
    return found


def effective(values: np.ndarray, seconds: float) -> float:
    """Median over 200 entries of B of the effective draws per second; values (chain, draw, entries)."""
    return float(
        np.median([diagnostics.ess_bulk(values[..., i]) for i in range(values.shape[-1])]) / seconds
    )


def accuracy(scripts: Path | None) -> dict[str, Any]:
    """Their accuracy, coverage, time and effective draws on sets of the accuracy study."""
    if scripts is None:
        raise SystemExit("accuracy: --scripts is needed")
    found: dict[str, Any] = {}
    for name, sets in ACCURACY_SETS.items():
        rows = []
        for index in range(sets):
            settings = bench_accuracy.SETTINGS[name][1]
            made = simulate(settings, Stream(0, "benchmark", "accuracy", name, index).seed)
            timed, coef = run_scripts(
                scripts, made.x, made.y, seed=index, rank=0, thin=THIN, lengths=[ITERATIONS[name]]
            )
            kept = coef[len(coef) // 2 :]
            low, high = np.quantile(kept, [0.05, 0.95], axis=0)
            chosen = np.random.default_rng(0).choice(made.coef.size, 200, replace=False)
            # only half the time goes into draws that are kept, there as here
            entries = kept.reshape(1, len(kept), -1)[..., chosen]
            row = {
                "ptve": made.population_ptve(kept.mean(axis=0)),
                "ptve as they average": made.population_ptve(kept.sum(axis=0) / len(coef)),
                "coverage": float(np.mean((low <= made.coef) & (made.coef <= high))),
                "cpu_s": timed["seconds"][0],
                "ess_per_s": effective(entries, timed["seconds"][0] / 2),
            }
            prepared = prepare(made.x, made.y, settings=ModelSettings())
            chains = warm(prepared, 4)
            inference.draw_chains(prepared, chains, 500)
            start = time.process_time()
            _, draws = inference.draw_chains(prepared, chains, 500)
            spent = time.process_time() - start
            names, values = diagnostics.invariants(draws, num_entries=200)
            ours = [at for at, label in enumerate(names) if label.startswith("B[")]
            row["our ess_per_s"] = effective(values[..., ours], spent)
            rows.append(row)
            print(name, index, row, flush=True)
        found[name] = rows
    return found


def chunks(num_rows: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of a model with P = 30, K = 60 and three components, 10,000 at a time."""
    rng = np.random.default_rng(seed)
    psi, loadings = 0.03 * rng.normal(size=(30, RANK)), rng.normal(size=(RANK, 60))
    for first in range(0, num_rows, 10_000):
        count = min(10_000, num_rows - first)
        x = rng.normal(size=(count, 30))
        eta = x @ psi + 0.9 * rng.normal(size=(count, RANK))
        yield x, np.zeros((count, 0)), eta @ loadings + 0.5 * rng.normal(size=(count, 60))


def rows(_: Path | None) -> dict[str, Any]:
    """The time of an iteration against the number of rows, alternating."""
    prepared, passes = {}, {}
    for count in (10_000, 1_000_000):
        start = time.process_time()
        compressed = compress(chunks(count, 0))
        passes[count] = time.process_time() - start
        prepared[count] = prepare_compressed(compressed, settings=ModelSettings())
    chains = {count: warm(data, 1) for count, data in prepared.items()}
    timed = [
        {count: per_thousand(data, chains[count], 2000) for count, data in prepared.items()}
        for _ in range(7)
    ]
    ratio = median(row[1_000_000] / row[10_000] for row in timed)
    print(f"1,000,000 rows against 10,000: {ratio:.3f}", flush=True)
    return {
        "per 1,000 iterations": {str(n): median(row[n] for row in timed) for n in prepared},
        "ratio": ratio,
        "pass, made rows included": {str(n): passes[n] for n in passes},
    }


def compile_once(cache: Path) -> None:
    """What compiling costs this process: start, warm-up and draws at (500, 30, 60)."""
    configure("float64", cache)
    made = data_of(SHAPES["small"][0], 0)
    prepared = prepare(made.x, made.y, settings=ModelSettings())
    with compile_clock() as clock:
        start = time.process_time()
        inference.draw_chains(prepared, warm(prepared, 4), 100)
        spent = time.process_time() - start
    print(
        json.dumps({"compiling_s": clock.seconds, "cpu_s": spent, "programs": clock.programs,
                    "reused": clock.reused})
    )  # fmt: skip


def compiling(_: Path | None) -> dict[str, Any]:
    """Two processes, one after the other, with one cache."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("empty cache", "next process"):
            command = [sys.executable, __file__, "--compile-once", cache]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[name] = json.loads(done.stdout.splitlines()[-1])
            print(name, found[name], flush=True)
    return found


def mixing(_: Path | None) -> dict[str, Any]:
    """Effective draws of the structured noise in 4 x 1,000, with and without the moves of scale."""
    made = data_of(SHAPES["small"][0], 1)
    found = {}

    def no_scales(standard: rescale.Standard, *_: Any) -> jnp.ndarray:  # noqa: ANN401
        return jnp.ones_like(standard.uniforms)

    def study() -> dict[str, float]:
        jax.clear_caches()
        prepared = prepare(made.x, made.y, settings=ModelSettings())
        chains = inference.start_chains(prepared, seed=3, num_chains=4)
        chains = inference.advance_chains(prepared, chains, 500)
        _, draws = inference.draw_chains(prepared, chains, 1000)
        names, values = diagnostics.invariants(draws, num_entries=1)
        column = values[..., [names.index("structured noise")]]
        seen = diagnostics.diagnose(("structured noise",), column)
        return {"ess": float(seen.ess_bulk[0]), "rhat": float(seen.rhat[0])}

    found["with"] = study()
    with patch.object(rescale, "draw_scales", no_scales):
        found["without"] = study()
    jax.clear_caches()
    print(found, flush=True)
    return found


PARTS = {
    "speed": speed,
    "accuracy": accuracy,
    "rows": rows,
    "compile": compiling,
    "mixing": mixing,
}


def main() -> None:
    """Run the parts that were asked for, then print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scripts", type=Path, help="checkout of lgillber/latent-noise")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--compile-once", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compile_once:
        compile_once(options.compile_once)
        return
    found: dict[str, Any] = read_json(options.out) if options.out.is_file() else {}
    for name in options.parts:
        found[name] = PARTS[name](options.scripts)
        atomic_write_json(options.out, found)
    print(table(found))


def table(found: Mapping[str, Any]) -> str:
    """Markdown of the speed and of the accuracy side by side."""
    lines = []
    if "speed" in found:
        lines += [
            "| (N, P, K) | theirs, CPU s per 1,000 | ours | ours, a chain of four | ratio | aimed at |",
            "|---|---|---|---|---|---|",
        ]
        for name in SHAPES:
            row = found["speed"][name]
            lines.append(
                f"| {tuple(row['shape'])} | {row.get('theirs', float('nan')):.2f} | {row['ours']:.3f} "
                f"| {row['ours, of four']:.3f} | {row.get('ratio', float('nan')):.0f} | {row['aim']:.0f} |"
            )
        lines.append("")
    if "accuracy" in found and bench_accuracy.RESULTS.is_file():
        ledger = read_json(bench_accuracy.RESULTS)
        lines += [
            "| setting | sets | PTVE theirs | PTVE ours | coverage theirs, % | ours, % | CPU s theirs | ours "
            "| ESS of B per s theirs | ours |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for name, done in found["accuracy"].items():
            ours = [
                ledger.get(name, {}).get(str(i), {}).get("latent_noise") for i in range(len(done))
            ]
            if None in ours:
                continue
            theirs_mean, ours_mean = (
                {
                    key: float(np.mean([row[key] for row in part]))
                    for key in ("ptve", "coverage", "cpu_s")
                }
                for part in (done, ours)
            )
            lines.append(
                f"| {bench_accuracy.SETTINGS[name][0]} | {len(done)} "
                f"| {theirs_mean['ptve']:.4f} | {ours_mean['ptve']:.4f} "
                f"| {100 * theirs_mean['coverage']:.1f} | {100 * ours_mean['coverage']:.1f} "
                f"| {theirs_mean['cpu_s']:.1f} | {ours_mean['cpu_s']:.2f} "
                f"| {median(r['ess_per_s'] for r in done):.1f} | {median(r['our ess_per_s'] for r in done):.0f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
