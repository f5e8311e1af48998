"""Public data with several responses: the comparison of `toolkit bayes compare` on five sets, with an honest table.

    pip install statsmodels rdata && apt-get download r-cran-ade4 r-cran-vegan
    python benchmarks/real_data.py --packages .            # where the two .deb files are
    python benchmarks/real_data.py --table                 # only print and draw what is in the results

Nothing is committed but the scores. Macroeconomic series come with statsmodels, linnerud with scikit-learn; three sets
of species abundances by site and environment are in R packages of Debian, unpacked to a temporary folder with dpkg and
read with `rdata`. Abundances enter as log(1 + count), species seen at fewer than a tenth of the sites are left out,
categories are coded by levels. The results file is also the ledger: a set that is in it is not repeated.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bench_accuracy import FIGURES, PAGE, write_between

from bayesreg.compare import compare, comparison_figure, make_folds
from bayesreg.compare_config import METHODS, Split
from bayesreg.sampled import Effort
from runtime.storage import atomic_write_bytes, atomic_write_json, read_json

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results" / "real_data.json"
EFFORT = Effort(num_chains=2, num_warmup=300, num_draws=1000, block=100)
NUM_FOLDS = 5
SEED = 0

Tables = tuple[np.ndarray, np.ndarray]
"""X (N, P) and Y (N, K)."""


def macrodata(_: Path) -> Tables:
    """United States, quarterly, 1959 to 2009: nine series as growth or change, from two lags of all of them."""
    from statsmodels.datasets import macrodata

    table = macrodata.load_pandas().data
    grows = ("realgdp", "realcons", "realinv", "realgovt", "realdpi", "cpi", "m1")
    series = [100.0 * np.diff(np.log(table[name].to_numpy())) for name in grows]
    series += [np.diff(table[name].to_numpy()) for name in ("tbilrate", "unemp")]
    y = np.column_stack(series)
    return np.column_stack([y[1:-1], y[:-2]]), y[2:]


def linnerud(_: Path) -> Tables:
    """Three exercises and three physiological measures of twenty men."""
    from sklearn.datasets import load_linnerud

    return load_linnerud(return_X_y=True)


def aravo(packages: Path) -> Tables:
    """Alpine plants of 75 sites and their environment (ade4)."""
    found = read_r(packages, "ade4", "aravo")["aravo"]
    return coded(found["env"]), abundances(found["spe"])


def rpjdl(packages: Path) -> Tables:
    """Birds of 182 sites and the vegetation there (ade4)."""
    found = read_r(packages, "ade4", "rpjdl")["rpjdl"]
    return coded(found["mil"]), abundances(found["fau"])


def mite(packages: Path) -> Tables:
    """Oribatid mites of 70 soil cores and their environment (vegan)."""
    environment = read_r(packages, "vegan", "mite.env")["mite.env"]
    return coded(environment), abundances(read_r(packages, "vegan", "mite")["mite"])


SETS: Mapping[str, tuple[str, Callable[[Path], Tables], Split]] = {
    "macrodata": ("macroeconomic series, two lags", macrodata, Split.TIME),
    "linnerud": ("linnerud", linnerud, Split.RANDOM),
    "aravo": ("alpine plants (aravo)", aravo, Split.RANDOM),
    "rpjdl": ("birds (rpjdl)", rpjdl, Split.RANDOM),
    "mite": ("mites (mite)", mite, Split.RANDOM),
}
"""Name to label, reader, and how rows are held out."""


def read_r(packages: Path, package: str, name: str) -> dict[str, Any]:
    """Objects of an .rda file in a Debian package.

    Raises:
        SystemExit: the package is not there.
    """
    import rdata

    found = sorted(packages.glob(f"r-cran-{package}_*.deb"))
    if not found:
        raise SystemExit(f"no r-cran-{package} in {packages}: apt-get download r-cran-{package}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes of R that mean nothing here
        subprocess.run(["dpkg", "-x", str(found[-1]), folder], check=True)
        path = Path(folder) / "usr/lib/R/site-library" / package / "data" / f"{name}.rda"
        return rdata.read_rda(path)


def coded(table: Any) -> np.ndarray:  # noqa: ANN401 - a pandas data frame
    """Covariates as numbers: categories by levels, the first left out."""
    import pandas as pd

    return pd.get_dummies(table, drop_first=True).to_numpy(dtype=float)


def abundances(table: Any) -> np.ndarray:  # noqa: ANN401 - a pandas data frame
    """log(1 + count) of the species that are seen at a tenth of the sites or more."""
    counts = table.to_numpy(dtype=float)
    return np.log1p(counts[:, (counts > 0).mean(axis=0) >= 0.1])


def main() -> None:
    """Run what is missing, then print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--packages", type=Path, default=Path(), help="folder of the .deb files")
    parser.add_argument("--table", action="store_true", help="run nothing, only print and draw")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    options = parser.parse_args()
    ledger: dict[str, Any] = read_json(options.out) if options.out.is_file() else {}
    for name in options.sets:
        if name in ledger or options.table:
            continue
        _, read, split = SETS[name]
        x, y = read(options.packages)
        folds = make_folds(len(x), NUM_FOLDS, split, SEED)
        found = compare(
            x, y, methods=METHODS, folds=folds, seed=SEED, effort=EFFORT,
            on_done=lambda method, fold, scores: print(method, fold, scores, flush=True),
        )  # fmt: skip
        ledger[name] = {
            "shape": [len(x), x.shape[1], y.shape[1]],
            "split": split.value,
            "rows": found.table(),
        }
        atomic_write_json(options.out, ledger)
    options.figures.mkdir(parents=True, exist_ok=True)
    for name, done in ledger.items():
        picture = comparison_figure(done["rows"], title=f"{SETS[name][0]}, {NUM_FOLDS} folds")
        atomic_write_bytes(options.figures / f"real_{name}.png", picture)
    print(table(ledger))
    if options.out == RESULTS:
        write_between(PAGE, "real data: benchmarks/real_data.py", table(ledger))


def table(ledger: Mapping[str, Any]) -> str:
    """Markdown: for each set and method the scores, and what the default has over it."""
    lines = []
    for name, (label, _, _) in SETS.items():
        if name not in ledger:
            continue
        n, p, k = ledger[name]["shape"]
        lines += [
            f"**{label}**: N = {n}, P = {p}, K = {k}; {ledger[name]['split']} folds",
            "",
            "| method | PTVE, held out | default minus it | log density | default minus it | coverage, % | CPU s |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in ledger[name]["rows"]:
            first = row["method"] == ledger[name]["rows"][0]["method"]
            cells = [row["method"].replace("_", " ")]
            for score in ("ptve", "log_density"):
                cells.append(f"{row[score]:.3f} ± {row[f'{score}_se']:.3f}")
                apart = f"{row[f'{score}_advantage']:+.3f} ± {row[f'{score}_advantage_se']:.3f}"
                cells.append("" if first else apart)
            cells += [f"{100 * row['coverage']:.1f}", f"{row['seconds']:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
        alt = f"Scores of every method on held-out rows, {label}"
        lines += ["", f"![{alt}](figures/real_{name}.png)", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
