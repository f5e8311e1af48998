"""What a fit says, in tables beside the draws. Columns: docs/bayes-outputs.md.

`summarise` makes everything that tables, figures and the report share; `write_tables` writes the files. CSV, or Parquet
for tables of more than `LARGE` rows. NumPy and pyarrow only: neither the sampler nor JAX is needed. Coefficients are
formed and written in slices of covariates, so memory does not grow with draws x P x K.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from bayesreg.calibration import Calibration
from bayesreg.components import Components, signal_components
from bayesreg.diagnostics import ESS_PER_CHAIN, RHAT_LIMIT, Diagnosis, diagnose, invariants
from bayesreg.drawsfile import StoredFit
from bayesreg.posterior import (
    CoefficientSummary,
    Ptve,
    coef_mean,
    noise_variance,
    pooled,
    ptve,
    structured_covariance,
    summarise_coef,
)
from bayesreg.transforms import coefficients_in_units
from runtime.errors import InputError
from runtime.storage import storage_errors

LEVEL = 0.9
"""Of every interval: q05 to q95."""
CERTAIN = 0.95
"""Posterior probability of its sign from which a coefficient's sign counts as certain."""
CALIBRATION = "calibration"
LARGE = 100_000
"""Rows from which a table is Parquet: a CSV file of that length is about 10 MB."""
FULL_CELLS = 200_000
"""Coefficients up to which their spread comes from all draws; beyond, from `THINNED_DRAWS` of them."""
THINNED_DRAWS = 1000
_ROWS_AT_ONCE = 500_000


@dataclass(frozen=True)
class Spread:
    """Posterior of an array of numbers; all arrays of one shape."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    """5 % quantile."""
    high: np.ndarray
    """95 % quantile."""


@dataclass(frozen=True)
class Summary:
    """Of one fit, on the standardised scale."""

    coef: CoefficientSummary
    ptve: Ptve
    components: Components
    quantities: Mapping[str, np.ndarray]
    """Single numbers that are identified, (chain, draw) each."""
    structured: np.ndarray
    """(K, K): posterior mean of the noise covariance that targets share."""
    idiosyncratic: np.ndarray
    """(K,): posterior mean of each target's own noise variance."""
    diagnosis: Diagnosis
    """Of the quantities and of monitored entries of B."""
    monitored: np.ndarray
    """(chain, draw, Q), what `diagnosis.names` names."""

    @property
    def certainty(self) -> np.ndarray:
        """(P, K): posterior probability of the likelier sign."""
        return np.maximum(self.coef.positive, 1.0 - self.coef.positive)


def spread(values: np.ndarray) -> Spread:
    """Mean, sd and 90 % interval over (chain, draw, ..) or over the pooled first axis of (draws, ..)."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail], axis=0)
    return Spread(values.mean(axis=0), values.std(axis=0, ddof=1), low, high)


def summarise(stored: StoredFit) -> Summary:
    """Everything that tables, figures and the report say, computed once."""
    draws = stored.draws
    cells = len(stored.meta.covariates) * len(stored.meta.targets)
    explained = ptve(draws, stored.rotation, stored.covariate_gram)
    names, values = invariants(draws)
    return Summary(
        coef=summarise_coef(
            draws, level=LEVEL, max_draws=THINNED_DRAWS if cells > FULL_CELLS else None
        ),
        ptve=explained,
        components=signal_components(draws, stored.rotation, stored.covariate_gram),
        quantities=_quantities(stored, explained),
        structured=structured_covariance(draws),
        idiosyncratic=np.mean(pooled(draws.noise_scale) ** 2, axis=0),
        diagnosis=diagnose(names, values),
        monitored=values,
    )


def _quantities(stored: StoredFit, explained: Ptve) -> dict[str, np.ndarray]:
    """Shares are of the targets' total variance, each target in units of its standard deviation."""
    draws = stored.draws
    noise = noise_variance(draws).sum(axis=-1)
    total = noise / (1.0 - explained.total)
    own = np.sum(draws.noise_scale**2, axis=-1)
    latent = draws.latent_variance * np.sum(draws.loadings**2, axis=(-2, -1))
    found = {
        "ptve": explained.total,
        "share_structured_noise": (noise - own) / total,
        "share_idiosyncratic_noise": own / total,
        "effective_rank": explained.effective_rank,
    }
    if stored.settings.latent_noise:
        found["latent_snr"] = draws.latent_snr
        found["signal_to_latent_noise"] = explained.total * total / latent
    found["log_likelihood"] = draws.log_likelihood
    return found


def headline(summary: Summary) -> dict[str, float]:
    """The flat keys of summary.json."""
    found: dict[str, float] = {}
    for name, values in summary.quantities.items():
        it = spread(values.reshape(-1))
        found |= {name: float(it.mean), f"{name}_q05": float(it.low), f"{name}_q95": float(it.high)}
    diagnosis = summary.diagnosis
    return found | {
        "num_coefficients": summary.certainty.size,
        "num_certain_signs": int(np.sum(summary.certainty >= CERTAIN)),
        "max_rhat": float(diagnosis.rhat.max()),
        "min_ess_bulk": float(diagnosis.ess_bulk.min()),
        "min_ess_tail": float(diagnosis.ess_tail.min()),
        "diagnostics_passed": diagnosis.passed,
    }


def write_tables(folder: Path, stored: StoredFit, summary: Summary) -> list[Path]:
    """Write every table.

    Args:
        folder: exists.
        stored: the fit.
        summary: of it.

    Returns:
        The files that were written.

    Raises:
        StorageError: the disk refused.
    """
    k = len(stored.meta.targets)
    tables: dict[str, tuple[int, Iterable[pa.Table]]] = {
        "coefficients": (summary.certainty.size, coefficient_tables(stored, summary)),
        "ptve": (0, [ptve_table(stored, summary)]),
        "quantities": (0, [quantities_table(summary)]),
        "targets": (0, [targets_table(stored, summary)]),
        "components": (0, [components_table(stored, summary)]),
        "noise_covariance": (k * (k + 1) // 2, [noise_table(stored, summary)]),
        "diagnostics": (0, [diagnostics_table(summary)]),
    }
    if stored.meta.confounders:
        size = len(stored.meta.confounders) * k
        tables["confounders"] = (size, [confounders_table(stored)])
    if stored.draws.imputed.shape[-1]:
        tables["imputed"] = (stored.draws.imputed.shape[-1], [imputed_table(stored)])
    return [_write(folder, name, rows, parts) for name, (rows, parts) in tables.items()]


def coefficient_tables(stored: StoredFit, summary: Summary) -> Iterator[pa.Table]:
    """B in target units per covariate unit and standardised, covariates in order, a part at a time."""
    covariates, targets = np.array(stored.meta.covariates), np.array(stored.meta.targets)
    coef = summary.coef
    unit = coefficients_in_units(np.ones_like(coef.mean), stored.x_scaling, stored.y_scaling)
    step = max(1, _ROWS_AT_ONCE // targets.size)
    for start in range(0, covariates.size, step):
        rows = slice(start, start + step)
        plain = {"mean": coef.mean, "sd": coef.sd, "q05": coef.low, "q95": coef.high}
        columns = {name: (value[rows] * unit[rows]).ravel() for name, value in plain.items()}
        columns["probability_positive"] = coef.positive[rows].ravel()
        columns |= {f"{name}_standardised": value[rows].ravel() for name, value in plain.items()}
        count = covariates[rows].size
        yield pa.table(
            {
                "covariate": _repeated(covariates[rows], targets.size),
                "target": _tiled(targets, count),
                **columns,
            }
        )


def imputed_table(stored: StoredFit) -> pa.Table:
    """Predictive distribution of every missing target cell, all noise included, in the units of the target."""
    row, target = np.transpose(stored.missing_cells)
    names = np.array(stored.meta.targets)
    scaling = stored.y_scaling
    draws = pooled(stored.draws.imputed) * scaling.scale[target] + scaling.mean[target]
    labels = list(stored.missing_labels) or [str(number + 1) for number in row]
    return pa.table({"row": labels, "target": names[target].tolist(), **_columns(spread(draws))})


def ptve_table(stored: StoredFit, summary: Summary) -> pa.Table:
    """Shares of variance explained: in total, of every target, by every principal component of the signal."""
    explained = summary.ptve
    parts = [
        ("total", ["all targets"], pooled(explained.total)[:, None]),
        ("target", list(stored.meta.targets), pooled(explained.per_target)),
        ("component", _numbers(explained.per_component.shape[-1]), pooled(explained.per_component)),
    ]
    return pa.concat_tables(
        pa.table({"part": [part] * len(names), "name": names, **_columns(spread(values))})
        for part, names, values in parts
    )


def quantities_table(summary: Summary) -> pa.Table:
    """Single numbers: shares of variance, effective rank, signal-to-noise, log likelihood."""
    values = np.stack([value.reshape(-1) for value in summary.quantities.values()], axis=-1)
    found = _columns(spread(values))
    found["median"] = np.median(values, axis=0)
    return pa.table({"quantity": list(summary.quantities), **found})


def targets_table(stored: StoredFit, summary: Summary) -> pa.Table:
    """Per target, original units: intercept, standard deviation, noise; and its share of variance explained."""
    scale = stored.y_scaling.scale
    share = spread(pooled(summary.ptve.per_target))
    return pa.table(
        {
            "target": list(stored.meta.targets),
            "intercept": intercepts(stored),
            "sd": scale,
            "structured_noise_sd": np.sqrt(np.diag(summary.structured)) * scale,
            "idiosyncratic_noise_sd": np.sqrt(summary.idiosyncratic) * scale,
            **{f"ptve_{name}": value for name, value in _columns(share).items()},
        }
    )


def intercepts(stored: StoredFit) -> np.ndarray:
    """(K,): posterior mean of a target where every covariate and confounder is 0, original units."""
    draws, unit = stored.draws, stored.y_scaling
    shift = pooled(draws.intercept).mean(axis=0)
    shift = shift - (stored.x_scaling.mean / stored.x_scaling.scale) @ coef_mean(draws)
    if stored.meta.confounders:
        coef = pooled(draws.confounder_coef).mean(axis=0)
        shift = shift - (stored.z_scaling.mean / stored.z_scaling.scale) @ coef
    return unit.mean + shift * unit.scale


def components_table(stored: StoredFit, summary: Summary) -> pa.Table:
    """Principal components of the signal: correlations with covariates, loadings on targets, standardised."""
    parts, found = [], summary.components
    for index in range(found.share.size):
        of_targets = spread(found.loadings[:, index])
        correlation = found.correlation[:, index]
        fixed = Spread(correlation, *(np.full_like(correlation, np.nan) for _ in range(3)))
        for kind, names, values in (
            ("covariate", stored.meta.covariates, fixed),
            ("target", stored.meta.targets, of_targets),
        ):
            columns = {name: pa.array(v, from_pandas=True) for name, v in _columns(values).items()}
            lead = {
                "component": [index + 1] * len(names),
                "share_of_signal": [found.share[index]] * len(names),
                "kind": [kind] * len(names),
                "name": list(names),
            }
            parts.append(pa.table(lead | columns))
    return pa.concat_tables(parts)


def noise_table(stored: StoredFit, summary: Summary) -> pa.Table:
    """Noise covariance of every pair of targets, the diagonal too: original units, and the correlation."""
    targets = np.array(stored.meta.targets)
    first, second = np.triu_indices(targets.size)
    unit = (stored.y_scaling.scale[:, None] * stored.y_scaling.scale)[first, second]
    own = np.diag(summary.idiosyncratic)
    return pa.table(
        {
            "target": targets[first],
            "other": targets[second],
            "structured": summary.structured[first, second] * unit,
            "idiosyncratic": own[first, second] * unit,
            "covariance": (summary.structured + own)[first, second] * unit,
            "correlation": noise_correlation(summary)[first, second],
        }
    )


def noise_correlation(summary: Summary) -> np.ndarray:
    """(K, K): of the posterior mean of the noise covariance."""
    covariance = summary.structured + np.diag(summary.idiosyncratic)
    deviation = np.sqrt(np.diag(covariance))
    found = covariance / (deviation[:, None] * deviation)
    np.fill_diagonal(found, 1.0)
    return found


def diagnostics_table(summary: Summary) -> pa.Table:
    """R-hat and effective sizes of every monitored invariant; `B[i,j]` counts covariates and targets from 0."""
    found = summary.diagnosis
    least = ESS_PER_CHAIN * found.num_chains
    passed = (found.rhat <= RHAT_LIMIT) & (np.minimum(found.ess_bulk, found.ess_tail) >= least)
    return pa.table(
        {
            "quantity": list(found.names),
            "rhat": found.rhat,
            "ess_bulk": found.ess_bulk,
            "ess_tail": found.ess_tail,
            "passed": passed,
        }
    )


def confounders_table(stored: StoredFit) -> pa.Table:
    """A in target units per confounder unit."""
    names, targets = np.array(stored.meta.confounders), np.array(stored.meta.targets)
    coef = pooled(stored.draws.confounder_coef)
    found = spread(coefficients_in_units(coef, stored.z_scaling, stored.y_scaling))
    return pa.table(
        {
            "confounder": _repeated(names, targets.size),
            "target": _tiled(targets, names.size),
            **{name: value.ravel() for name, value in _columns(found).items()},
        }
    )


def write_calibration(
    folder: Path, stored: StoredFit, found: Calibration, ids: np.ndarray | None
) -> Path:
    """PIT values by row and target; rows are named by id, or numbered from 1 as in the table.

    Raises:
        StorageError: the disk refused.
    """
    targets = np.array(stored.meta.targets)
    names = np.array([str(row + 1) for row in found.rows] if ids is None else ids[found.rows], str)
    table = pa.table(
        {
            "row": _repeated(names, targets.size),
            "target": _tiled(targets, names.size),
            "pit": pa.array(found.pit.ravel(), from_pandas=True),
            "pareto_shape": pa.array(np.repeat(found.pareto, targets.size), from_pandas=True),
            "held_out": np.full(found.pit.size, found.held_out),
        }
    )
    return _write(folder, CALIBRATION, table.num_rows, [table])


def read_calibration(folder: Path, stored: StoredFit) -> Calibration | None:
    """What `write_calibration` left; None when there is none.

    Raises:
        InputError: the table does not belong to the fit, or cannot be read.
    """
    paths = [folder / f"{CALIBRATION}.{ending}" for ending in ("csv", "parquet")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    try:
        table = (
            pa.csv.read_csv(path) if path.suffix == ".csv" else pa.parquet.read_table(path)
        ).select(["pit", "pareto_shape", "held_out"])
        pit, pareto = (
            np.asarray(table[name].cast(pa.float64()).to_numpy(), float).reshape(
                -1, len(stored.meta.targets)
            )
            for name in ("pit", "pareto_shape")
        )
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise InputError(
            f"the table of calibration cannot be read ({str(error).splitlines()[0]})", where=path
        ) from error
    held_out = bool(table["held_out"][0].as_py())
    return Calibration(pit, pareto[:, 0], np.arange(pit.shape[0]), held_out)


def _columns(values: Spread) -> dict[str, np.ndarray]:
    return {"mean": values.mean, "sd": values.sd, "q05": values.low, "q95": values.high}


def _numbers(count: int) -> list[str]:
    return [str(index + 1) for index in range(count)]


def _repeated(names: np.ndarray, times: int) -> pa.Array:
    """Each name in a row of its own `times` over, as codes: names are long and many."""
    codes = np.repeat(np.arange(names.size, dtype=np.int32), times)
    return pa.DictionaryArray.from_arrays(codes, pa.array(names.tolist()))


def _tiled(names: np.ndarray, times: int) -> pa.Array:
    codes = np.tile(np.arange(names.size, dtype=np.int32), times)
    return pa.DictionaryArray.from_arrays(codes, pa.array(names.tolist()))


def _write(folder: Path, name: str, rows: int, parts: Iterable[pa.Table]) -> Path:
    """Write a table part by part, aside, and rename it; a copy in the other format is removed."""
    is_large = rows > LARGE
    path = folder / f"{name}.{'parquet' if is_large else 'csv'}"
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    writer = None
    try:
        with storage_errors(path):
            for part in parts:
                table = part if is_large else _plain(part)
                if writer is None:
                    kind = pa.parquet.ParquetWriter if is_large else pa.csv.CSVWriter
                    writer = kind(aside, table.schema)
                writer.write_table(table)
            if writer is not None:
                writer.close()
            os.replace(aside, path)
            path.with_suffix(".csv" if is_large else ".parquet").unlink(missing_ok=True)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _plain(table: pa.Table) -> pa.Table:
    """Codes written out: CSV has none."""
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
