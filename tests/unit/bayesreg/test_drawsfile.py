"""The file of draws: everything comes back, other files are refused, other programs can read it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from bayesreg import drawsfile
from bayesreg.columns import CATEGORICAL, NUMERIC, RawColumn
from bayesreg.data import make_meta
from bayesreg.drawsfile import StoredFit, load_fit, save_fit
from bayesreg.transforms import Standardisation
from bayesreg.types import Draws, ModelSettings, SignalCovariance
from runtime.errors import CheckpointError

CHAINS, COUNT, P, K, S = 2, 3, 4, 3, 2


def make_stored(*, noise_rank: int, confounders: int, cells: int, seed: int = 0) -> StoredFit:
    rng = np.random.default_rng(seed)
    sizes = {
        "covariate": P, "component": S, "component_": S, "target": K, "noise_component": noise_rank,
        "confounder": confounders, "cluster": K, "missing_cell": cells,
    }  # fmt: skip
    draws = {
        name: rng.normal(size=(CHAINS, COUNT, *(sizes[dim] for dim in dims)))
        for name, dims in drawsfile.EVENT_DIMS.items()
    }
    covariates = (
        RawColumn("age", NUMERIC),
        RawColumn("läge, °", CATEGORICAL, ("a", "b", "c"), (("läge, °[c]", "constant"),)),
        RawColumn("x", NUMERIC),
        RawColumn("y z", NUMERIC),
    )
    meta = make_meta(
        "id",
        tuple(f"t{k}" for k in range(K)),
        covariates,
        tuple(RawColumn(f"z{c}", NUMERIC) for c in range(confounders)),
    )
    scaling = [
        Standardisation(rng.normal(size=n), rng.gamma(2.0, size=n)) for n in (P, confounders, K)
    ]
    return StoredFit(
        draws=Draws(**draws),
        settings=ModelSettings(rank=S, signal_covariance=SignalCovariance.FREE),
        x_scaling=scaling[0],
        z_scaling=scaling[1],
        y_scaling=scaling[2],
        meta=meta,
        rotation=rng.normal(size=(P, 3)),
        covariate_gram=rng.gamma(2.0, size=3),
        num_rows=50,
        groups=np.array([0, 1, 0]) if confounders else None,
        missing_cells=np.array([[i, i % K] for i in range(cells)], int).reshape(cells, 2),
        missing_labels=tuple(f"row {i}" for i in range(cells)),
        dropped_rows=np.arange(cells),
        data_sha256="sha256:abc",
        inference={"kind": "gibbs", "seed": 3, "diagnostics": {"passed": True}},
    )


@pytest.mark.parametrize(("noise_rank", "confounders", "cells"), [(0, 0, 0), (2, 1, 4)])
def test_everything_comes_back(
    tmp_path: Path, noise_rank: int, confounders: int, cells: int
) -> None:
    stored = make_stored(noise_rank=noise_rank, confounders=confounders, cells=cells)
    save_fit(tmp_path / "draws.nc", stored)
    found = load_fit(tmp_path)
    for field in dataclasses.fields(Draws):
        ours, theirs = getattr(stored.draws, field.name), getattr(found.draws, field.name)
        assert theirs.dtype == np.float64
        np.testing.assert_array_equal(theirs, ours, err_msg=field.name)
    for name in ("x_scaling", "z_scaling", "y_scaling"):
        np.testing.assert_array_equal(getattr(found, name).mean, getattr(stored, name).mean)
        np.testing.assert_array_equal(getattr(found, name).scale, getattr(stored, name).scale)
    for name in ("rotation", "covariate_gram", "missing_cells", "dropped_rows", "groups"):
        np.testing.assert_array_equal(getattr(found, name), getattr(stored, name), err_msg=name)
    for name in ("settings", "meta", "num_rows", "missing_labels", "data_sha256", "inference"):
        assert getattr(found, name) == getattr(stored, name), name
    assert [path.name for path in tmp_path.iterdir()] == ["draws.nc"]


def test_every_field_of_the_draws_has_its_dimensions() -> None:
    assert set(drawsfile.EVENT_DIMS) == {field.name for field in dataclasses.fields(Draws)}


def test_an_infinite_ratio_comes_back(tmp_path: Path) -> None:
    stored = make_stored(noise_rank=1, confounders=0, cells=0)
    stored = dataclasses.replace(
        stored,
        draws=dataclasses.replace(stored.draws, latent_snr=np.full((CHAINS, COUNT), np.inf)),
    )
    save_fit(tmp_path / "draws.nc", stored)
    assert np.isinf(load_fit(tmp_path / "draws.nc").draws.latent_snr).all()


def test_writing_again_replaces_the_file_or_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "draws.nc"
    save_fit(path, make_stored(noise_rank=0, confounders=0, cells=0))
    before = path.read_bytes()
    broken = dataclasses.replace(
        make_stored(noise_rank=0, confounders=0, cells=0, seed=1), inference={"x": object()}
    )
    with pytest.raises(TypeError, match="no JSON form"):
        save_fit(path, broken)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["draws.nc"]


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "draws.nc"
    save_fit(path, make_stored(noise_rank=0, confounders=0, cells=0))
    with h5netcdf.File(path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(CheckpointError, match=r"another version.*schema version 99; expected 1"):
        load_fit(path)


@pytest.mark.parametrize("damage", ["absent", "text", "short", "flipped"])
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "draws.nc"
    save_fit(path, make_stored(noise_rank=0, confounders=0, cells=0))
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        changed = {
            "text": b"a,b\n1,2\n",
            "short": data[: len(data) // 2],
            "flipped": b"\0" * 64 + data[64:],
        }
        path.write_bytes(changed[damage])
    with pytest.raises(
        CheckpointError, match="no draws" if damage == "absent" else "cannot be read"
    ) as caught:
        load_fit(path)
    assert str(path) in caught.value.one_line()


def test_names_are_coordinates(tmp_path: Path) -> None:
    save_fit(tmp_path / "draws.nc", make_stored(noise_rank=2, confounders=1, cells=0))
    with h5netcdf.File(tmp_path / "draws.nc", "r") as file:
        posterior = file["posterior"]
        assert posterior["loadings"].dimensions == ("chain", "draw", "component", "target")
        assert [name.decode() for name in posterior["covariate"][...]] == [
            "age",
            "läge, °[b]",
            "x",
            "y z",
        ]
        assert list(posterior["draw"][...]) == [0, 1, 2]
        assert "imputed" not in posterior.variables


def test_xarray_reads_every_group_with_its_names(tmp_path: Path) -> None:
    path = tmp_path / "draws.nc"
    stored = make_stored(noise_rank=2, confounders=1, cells=4)
    save_fit(path, stored)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert tree.groups == ("/", "/posterior", "/sample_stats", "/constant_data")
    with xr.open_dataset(path, group="posterior", engine="h5netcdf") as posterior:
        scale = posterior["noise_scale"].sel(chain=1, target="t2")
        np.testing.assert_array_equal(scale, stored.draws.noise_scale[1, :, 2])
        assert list(posterior["covariate"].values) == ["age", "läge, °[b]", "x", "y z"]
        assert posterior["loadings"].dims == ("chain", "draw", "component", "target")
    with xr.open_dataset(path, group="sample_stats", engine="h5netcdf") as stats:
        assert stats["log_likelihood"].dims == ("chain", "draw")
