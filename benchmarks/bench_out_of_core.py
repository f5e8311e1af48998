"""A table larger than memory through `toolkit bayes fit`: time and the largest resident set.

    python benchmarks/bench_out_of_core.py                       # 10,000,000 rows x 90 columns of Parquet
    python benchmarks/bench_out_of_core.py --rows 1000000        # a smaller one

Writes the table in chunks to a temporary folder (4 bytes a cell), fits it by the command with its defaults but for the
rank, which is the table's (docs/methods/bayes.md, section 12, says why that matters with so many rows), prints and
writes benchmarks/results/out_of_core.json, and removes both. `peak_mb` is the largest resident set of the command's own
process; for comparison, the same command on a hundredth of the rows. Time is given by the wall clock and by the
processor, of all threads together.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runtime.storage import atomic_write_json

RESULTS = Path(__file__).parent / "results" / "out_of_core.json"
NUM_COVARIATES, NUM_TARGETS, RANK = 30, 60, 3
CHUNK = 100_000


def write_table(path: Path, num_rows: int) -> None:
    """Covariates that explain 3 % of targets with correlated noise, a row group a chunk."""
    rng = np.random.default_rng(0)
    psi = 0.03 * rng.normal(size=(NUM_COVARIATES, RANK)).astype("f4")
    loadings = rng.normal(size=(RANK, NUM_TARGETS)).astype("f4")
    names = [f"x{i}" for i in range(NUM_COVARIATES)] + [f"y{i}" for i in range(NUM_TARGETS)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for first in range(0, num_rows, CHUNK):
            count = min(CHUNK, num_rows - first)
            x = rng.standard_normal((count, NUM_COVARIATES), dtype="f4")
            eta = x @ psi + 0.9 * rng.standard_normal((count, RANK), dtype="f4")
            y = eta @ loadings + 0.5 * rng.standard_normal((count, NUM_TARGETS), dtype="f4")
            columns = [pa.array(np.ascontiguousarray(c)) for c in (*x.T, *y.T)]
            writer.write_table(pa.table(columns, schema=schema))


def fit(table: Path, folder: Path) -> dict[str, Any]:
    """The command on one table, in a child that reports what it took."""
    command = [
        sys.executable, "-m", "cli.main", "bayes", "fit", "--data", str(table),
        "tables.covariates=[x*]", "tables.targets=[y*]", f"model.rank={RANK}",
        "--root", str(folder), "--quiet", "--json",
    ]  # fmt: skip
    environment = {**os.environ, "TOOLKIT_CACHE": str(folder / "cache")}
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, used.ru_maxrss, used.ru_utime + used.ru_stime, done.stdout, done.stderr]))"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    wall = time.monotonic() - start
    status, peak, seconds, out, error = json.loads(done.stdout)
    if status not in {0, 3}:
        raise SystemExit(f"the fit ended with {status}:\n{error[-3000:]}")
    summary = json.loads(out)
    return {
        "exit_status": status,
        "wall_s": round(wall, 1),
        "cpu_s": round(seconds, 1),
        "peak_mb": round(peak / 1024),
        "summary": {
            key: value
            for key, value in summary.get("summary", summary).items()
            if any(part in key for part in ("rows", "streamed", "seconds", "rhat", "ess", "ptve"))
        },
    }


def main() -> None:
    """Write, fit twice, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    found: dict[str, Any] = {"columns": NUM_COVARIATES + NUM_TARGETS}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        for rows in (max(10_000, options.rows // 100), options.rows):
            table = folder / f"{rows}.parquet"
            start = time.process_time()
            write_table(table, rows)
            made = time.process_time() - start
            row = fit(table, folder)
            row["table_mb"] = round(table.stat().st_size / 2**20)
            found[str(rows)] = row
            print(f"{rows:,} rows (written in {made:.0f} CPU s):", row, flush=True)
            table.unlink()
    found["largest resident set here, MB"] = round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )
    atomic_write_json(options.out, found)


if __name__ == "__main__":
    main()
