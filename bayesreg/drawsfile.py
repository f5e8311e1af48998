"""A fit on disk: one netCDF-4 file with the draws and everything that reading them takes. User's page: docs/draws.md.

The layout is ArviZ's (`posterior`, `sample_stats`, `constant_data`, each with named dimensions), so that xarray and
ArviZ read it as it is. Neither is needed to write or to load it, nor is JAX.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesreg.data import TableMeta
from bayesreg.transforms import Standardisation
from bayesreg.types import Draws, ModelSettings
from runtime.errors import CheckpointError, StorageError
from runtime.settings import as_plain, from_plain
from runtime.storage import storage_errors, sync_directory, to_json

if TYPE_CHECKING:
    import h5netcdf

SCHEMA_VERSION = 1
"""Of the file. A file of another version is refused, never guessed at."""

FILE_NAME = "draws.nc"
"""In a run folder."""

EVENT_DIMS: dict[str, tuple[str, ...]] = {
    "psi": ("covariate", "component"),
    "psi_mean": ("covariate", "component"),
    "loadings": ("component", "target"),
    "noise_loadings": ("noise_component", "target"),
    "confounder_coef": ("confounder", "target"),
    "noise_scale": ("target",),
    "latent_snr": (),
    "latent_variance": (),
    "signal_shape": ("component", "component_"),
    "log_likelihood": (),
    "local_scale": ("component", "cluster"),
    "shrinkage": ("component",),
    "imputed": ("missing_cell",),
    "intercept": ("target",),
}
"""Dimensions of every field of `Draws` after chain and draw. A field with an empty dimension is not written."""

_LEAD = ("chain", "draw")
_STATISTICS = ("log_likelihood",)
_SCALINGS = {"x": "covariate", "z": "confounder", "y": "target"}


@dataclass(frozen=True)
class StoredFit:
    """Draws with all that summaries, predictions and reports need; independent of the sampler."""

    draws: Draws
    settings: ModelSettings
    x_scaling: Standardisation
    z_scaling: Standardisation
    y_scaling: Standardisation
    meta: TableMeta
    rotation: np.ndarray
    """(P, r), right singular vectors of the standardised X."""
    covariate_gram: np.ndarray
    """(r,): with `rotation` the sample covariance of X."""
    num_rows: int
    """N, rows that were used."""
    groups: np.ndarray | None = None
    """(K,), cluster of each target, with group sparsity."""
    missing_cells: np.ndarray | None = None
    """(M, 2), row among those used and target of each imputed cell, in the order of `Draws.imputed`; None: no cell."""
    missing_labels: tuple[str, ...] = ()
    """(M,), the row of each imputed cell as the user knows it: its id, or its number in the table from 1."""
    dropped_rows: np.ndarray | None = None
    """Positions in the table of rows without any observed target; None: none."""
    data_sha256: str = ""
    """Of the files that were read."""
    inference: Mapping[str, Any] | None = None
    """JSON-able facts: kind, seed, warmup, thin, stopped, diagnostics."""


def save_fit(path: Path | str, stored: StoredFit) -> None:
    """Write the file aside, sync it and rename it: a reader sees the old one or the whole new one.

    Raises:
        StorageError: the disk refused.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with storage_errors(path):
            _write(temporary, stored)
            descriptor = os.open(temporary, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
            sync_directory(path.parent)
    except RuntimeError as error:  # HDF5's word for a disk that filled up while the file was closed
        raise StorageError(f"the draws cannot be written: {error}", where=path) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_fit(path: Path | str) -> StoredFit:
    """The fit that `save_fit` wrote.

    Args:
        path: the file, or the run folder that holds it.

    Raises:
        CheckpointError: no such file, not one of ours, damaged, or of another version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    with _opened(path) as file:
        version = file.attrs.get("schema_version")
        if version is None or int(version) != SCHEMA_VERSION:
            raise CheckpointError(
                "the draws were written by another version of the toolkit",
                got="no schema version" if version is None else f"schema version {int(version)}",
                expected=str(SCHEMA_VERSION),
                where=path,
            )
        return _read(file)


@contextmanager
def _opened(path: Path) -> Iterator[h5netcdf.File]:
    import h5netcdf

    if not path.is_file():
        raise CheckpointError("there are no draws", where=path, hint="fit first, or name the run")
    try:
        with h5netcdf.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        # what HDF5 says to other formats, to a file cut short, and to bytes that changed
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"the draws cannot be read ({text})", where=path) from error


def _write(path: Path, stored: StoredFit) -> None:
    import h5netcdf

    draws = stored.draws
    with h5netcdf.File(path, "w") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["title"] = "posterior draws of a latent-noise regression"
        file.attrs["settings"] = to_json(as_plain(stored.settings))
        file.attrs["meta"] = to_json(stored.meta.to_json())
        file.attrs["inference"] = to_json(dict(stored.inference or {}))
        file.attrs["num_rows"] = int(stored.num_rows)
        file.attrs["data_sha256"] = stored.data_sha256
        names = _coordinates(stored)
        posterior = _group(file, "posterior", _dims_of(draws, exclude=_STATISTICS), names)
        lead = dict(zip(_LEAD, draws.loadings.shape, strict=False))
        statistics = _group(file, "sample_stats", lead, names)
        for field in fields(Draws):
            group = statistics if field.name in _STATISTICS else posterior
            _put(group, field.name, (*_LEAD, *EVENT_DIMS[field.name]), getattr(draws, field.name))
        _write_constants(file, stored, names)


def _write_constants(file: h5netcdf.File, stored: StoredFit, names: dict[str, list[str]]) -> None:
    """Scalings, geometry of X, clusters and the places of imputed cells."""
    cells = np.zeros((0, 2), int) if stored.missing_cells is None else stored.missing_cells
    dropped = np.zeros(0, int) if stored.dropped_rows is None else stored.dropped_rows
    sizes = {name: len(values) for name, values in names.items() if name in _SCALINGS.values()}
    sizes |= {
        "direction": stored.covariate_gram.size,
        "missing_cell": len(cells),
        "dropped_row": len(dropped),
    }
    group = _group(file, "constant_data", sizes, names)
    for role, dim in _SCALINGS.items():
        scaling = getattr(stored, f"{role}_scaling")
        _put(group, f"{dim}_mean", (dim,), scaling.mean)
        _put(group, f"{dim}_scale", (dim,), scaling.scale)
    _put(group, "rotation", ("covariate", "direction"), np.asarray(stored.rotation))
    _put(group, "covariate_gram", ("direction",), stored.covariate_gram)
    _put(group, "missing_row", ("missing_cell",), cells[:, 0])
    _put(group, "missing_target", ("missing_cell",), cells[:, 1])
    _put_text(group, "missing_label", "missing_cell", list(stored.missing_labels))
    _put(group, "dropped", ("dropped_row",), dropped)
    if stored.groups is not None:
        _put(group, "target_cluster", ("target",), np.asarray(stored.groups))


def _read(file: h5netcdf.File) -> StoredFit:
    settings, meta = _settings(file), TableMeta.from_json(json.loads(file.attrs["meta"]))
    posterior, constants = file["posterior"], file["constant_data"]
    lead = posterior.variables["loadings"].shape[:2]
    counts = {
        "covariate": len(meta.covariates), "target": len(meta.targets), "confounder": len(meta.confounders),
        "component": settings.rank,
    }  # fmt: skip

    def draws_of(name: str) -> np.ndarray:
        group = file["sample_stats"] if name in _STATISTICS else posterior
        if name in group.variables:
            return np.asarray(group.variables[name][...], dtype=np.float64)
        return np.zeros((*lead, *(counts.get(dim, 0) for dim in EVENT_DIMS[name])))

    def constant(name: str) -> np.ndarray:
        return (
            np.asarray(constants.variables[name][...])
            if name in constants.variables
            else np.zeros(0)
        )

    labels = constant("missing_label")
    return StoredFit(
        draws=Draws(**{field.name: draws_of(field.name) for field in fields(Draws)}),
        settings=settings,
        **{
            f"{role}_scaling": Standardisation(constant(f"{dim}_mean"), constant(f"{dim}_scale"))
            for role, dim in _SCALINGS.items()
        },
        meta=meta,
        rotation=constant("rotation"),
        covariate_gram=constant("covariate_gram"),
        num_rows=int(file.attrs["num_rows"]),
        groups=constant("target_cluster") if "target_cluster" in constants.variables else None,
        missing_cells=np.stack(
            [constant("missing_row"), constant("missing_target")], axis=1
        ).astype(int),
        missing_labels=tuple(
            label.decode() if isinstance(label, bytes) else str(label) for label in labels
        ),
        dropped_rows=constant("dropped").astype(int),
        data_sha256=str(file.attrs["data_sha256"]),
        inference=json.loads(file.attrs["inference"]),
    )


def _settings(file: h5netcdf.File) -> ModelSettings:
    return from_plain(ModelSettings, json.loads(file.attrs["settings"]))


def _coordinates(stored: StoredFit) -> dict[str, list[str]]:
    """Names along the dimensions that have any."""
    return {
        "covariate": list(stored.meta.covariates),
        "target": list(stored.meta.targets),
        "confounder": list(stored.meta.confounders),
    }


def _dims_of(draws: Draws, exclude: tuple[str, ...]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for field in fields(Draws):
        if field.name not in exclude:
            dims = (*_LEAD, *EVENT_DIMS[field.name])
            sizes |= dict(zip(dims, getattr(draws, field.name).shape, strict=True))
    return sizes


def _group(
    file: h5netcdf.File, name: str, sizes: Mapping[str, int], names: Mapping[str, list[str]]
) -> h5netcdf.Group:
    """A group with its dimensions; those with names get them as coordinates, the others their positions."""
    group = file.create_group(name)
    group.dimensions = {dim: size for dim, size in sizes.items() if size}
    for dim in group.dimensions:
        if dim in names:
            _put_text(group, dim, dim, names[dim])
        else:
            _put(group, dim, (dim,), np.arange(sizes[dim]))
    return group


def _put(group: h5netcdf.Group, name: str, dims: tuple[str, ...], values: np.ndarray) -> None:
    """A variable; left out when it has no cell, because a netCDF dimension of length 0 means an unlimited one."""
    values = np.asarray(values)
    if not values.size:
        return
    kind = np.int64 if values.dtype.kind in "iu" else np.float64
    group.create_variable(name, dims, kind, data=values.astype(kind))


def _put_text(group: h5netcdf.Group, name: str, dim: str, values: list[str]) -> None:
    import h5py

    if values:
        made = group.create_variable(name, (dim,), h5py.string_dtype())
        made[...] = np.array(values, dtype=object)
