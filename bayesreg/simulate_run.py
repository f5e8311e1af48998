"""`toolkit bayes simulate`, top to bottom: draw a data set, write its tables and its truth."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from bayesreg.simulate import Covariates, Simulated, SimulationSettings, simulate
from bayesreg.simulate_config import SimulateConfig
from runtime.run import Run
from runtime.storage import content_hash, storage_errors

TRUTH = "truth.npz"


def simulate_run(config: SimulateConfig, *, run: Run) -> dict[str, Any]:
    """Write one data set to the run folder.

    Args:
        config: checked.
        run: created; receives the tables `x`, `y`, `x_test`, `y_test` (all with a column `id`), `truth.npz` with B
            (`coef`), the noise covariance of a row, the covariance of the covariates and the latent signal-to-noise
            ratio, and `summary.json`. Hashes of the files are in the manifest.

    Returns:
        The summary, as written.

    Raises:
        StorageError: the disk refuses.
    """
    made = simulate(settings_of(config), config.seed)
    tables = {"x": made.x, "y": made.y}
    if config.num_test_rows:
        tables |= {"x_test": made.x_test, "y_test": made.y_test}
    for name, values in tables.items():
        first = config.num_rows if name.endswith("_test") else 0
        path = run.path / f"{name}.{config.format.value}"
        with storage_errors(path):
            write_table(path, values, prefix=name[0], first_id=first)
        run.record_data(path.name, content_hash(path))
    truth = run.path / TRUTH
    with storage_errors(truth):
        np.savez(
            truth,
            coef=made.coef,
            noise_covariance=made.noise_covariance,
            covariate_covariance=made.covariate_covariance,
            latent_snr=made.latent_snr,
        )
    run.record_data(truth.name, content_hash(truth))
    summary = summarise(config, made)
    run.write_summary(summary)
    return summary


def settings_of(config: SimulateConfig) -> SimulationSettings:
    """What the generator takes."""
    known = {item.name: getattr(config, item.name) for item in fields(SimulationSettings)}
    return SimulationSettings(**known | {"covariates": Covariates(config.covariates)})


def summarise(config: SimulateConfig, made: Simulated) -> dict[str, Any]:
    """Sizes, and what the best possible prediction would reach."""
    ratio = made.latent_snr if np.isfinite(made.latent_snr) else None
    return {
        "num_rows": config.num_rows,
        "num_test_rows": config.num_test_rows,
        "num_covariates": config.num_covariates,
        "num_targets": config.num_targets,
        "oracle_ptve": made.population_ptve(made.coef),
        "latent_snr": ratio,
    }


def write_table(path: Path, values: np.ndarray, *, prefix: str, first_id: int) -> None:
    """A table with a column `id` and columns `<prefix>1`, `<prefix>2`, ...; as CSV it reads back bit for bit.

    Args:
        path: its suffix, `.csv` or `.parquet`, says the format.
        values: (N, M).
        prefix: of the columns' names.
        first_id: id of the first row; the others count on.
    """
    ids = np.arange(first_id, first_id + len(values))
    names = [f"{prefix}{index}" for index in range(1, values.shape[1] + 1)]
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [pa.array(ids), *(pa.array(column) for column in values.T)]
        pq.write_table(pa.table(columns, names=["id", *names]), path)
        return
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["id", *names]) + "\n")
        for number, row in zip(ids, values.tolist(), strict=True):
            file.write(",".join([str(number), *map(_number, row)]) + "\n")


def _number(value: float) -> str:
    """The shortest text that reads back as the same number; counts without a decimal point."""
    return str(int(value)) if value.is_integer() else repr(value)
