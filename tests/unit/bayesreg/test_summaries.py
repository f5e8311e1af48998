"""Tables: every number against its definition, units against rescaled data, large ones in slices."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from bayesreg import posterior, summaries
from bayesreg.calibration import Calibration
from bayesreg.drawsfile import StoredFit
from bayesreg.posterior import pooled
from bayesreg.transforms import Standardisation
from bayesreg.types import ModelSettings
from runtime.errors import InputError, StorageError


def columns(table: pa.Table) -> dict[str, np.ndarray]:
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def coefficients(stored: StoredFit) -> dict[str, np.ndarray]:
    summary = summaries.summarise(stored)
    return columns(pa.concat_tables(summaries.coefficient_tables(stored, summary)))


def in_units(stored: StoredFit) -> np.ndarray:
    """Draws of B in original units, (draws, P, K), by the definition of a slope."""
    coef = pooled(stored.draws.psi) @ pooled(stored.draws.loadings)
    return coef / stored.x_scaling.scale[:, None] * stored.y_scaling.scale


def test_coefficients_are_those_of_the_draws_in_original_units(make_fit, monkeypatch) -> None:
    stored = make_fit(covariates=6, targets=5)
    monkeypatch.setattr(summaries, "_ROWS_AT_ONCE", 10)  # two covariates at a time
    found = coefficients(stored)
    draws = in_units(stored)
    assert found["covariate"].reshape(6, 5)[:, 0].tolist() == list(stored.meta.covariates)
    assert found["target"].reshape(6, 5)[3].tolist() == list(stored.meta.targets)
    np.testing.assert_allclose(found["sd"], draws.std(axis=0, ddof=1).ravel())
    np.testing.assert_allclose(found["q05"], np.quantile(draws, 0.05, axis=0).ravel())
    np.testing.assert_allclose(found["q95"], np.quantile(draws, 0.95, axis=0).ravel())
    np.testing.assert_allclose(found["probability_positive"], (draws > 0).mean(axis=0).ravel())
    ratio = stored.x_scaling.scale[:, None] / stored.y_scaling.scale
    for name in ("mean", "sd", "q05", "q95"):
        np.testing.assert_allclose(
            found[f"{name}_standardised"], found[name] * ratio.ravel(), rtol=1e-12
        )


def test_imputed_cells_are_told_in_the_units_of_their_targets(make_fit) -> None:
    stored = make_fit(targets=3)
    draws = np.random.default_rng(0).normal(size=(2, 60, 2))
    stored = dataclasses.replace(
        stored,
        draws=dataclasses.replace(stored.draws, imputed=draws),
        missing_cells=np.array([[7, 2], [9, 0]]),
        missing_labels=("anna", "otto"),
    )
    found = columns(summaries.imputed_table(stored))
    assert found["row"].tolist() == ["anna", "otto"]
    assert found["target"].tolist() == [stored.meta.targets[2], stored.meta.targets[0]]
    scale, mean = stored.y_scaling.scale[[2, 0]], stored.y_scaling.mean[[2, 0]]
    cells = draws.reshape(-1, 2) * scale + mean
    np.testing.assert_allclose(found["mean"], cells.mean(axis=0))
    np.testing.assert_allclose(found["sd"], cells.std(axis=0, ddof=1))
    np.testing.assert_allclose(found["q05"], np.quantile(cells, 0.05, axis=0))


def test_rescaled_data_give_rescaled_coefficients_and_the_same_shares(make_fit) -> None:
    """Standardised data do not change when columns are shifted and scaled, so neither do the draws."""
    stored = make_fit(covariates=3, targets=2)
    times, plus = np.array([1e-3, 2.0, 1e6]), np.array([4.0, 0.0, -9.0])
    other = dataclasses.replace(
        stored,
        x_scaling=Standardisation(
            stored.x_scaling.mean * times + plus, stored.x_scaling.scale * times
        ),
        y_scaling=Standardisation(stored.y_scaling.mean * 1e6 - 3.0, stored.y_scaling.scale * 1e6),
    )
    ours, theirs = coefficients(stored), coefficients(other)
    factor = np.repeat(1e6 / times, 2)
    np.testing.assert_allclose(theirs["mean"], ours["mean"] * factor, rtol=1e-12)
    np.testing.assert_allclose(theirs["q05"], ours["q05"] * factor, rtol=1e-12)
    assert np.array_equal(theirs["probability_positive"], ours["probability_positive"])
    tables = [
        columns(summaries.ptve_table(fit, summaries.summarise(fit))) for fit in (stored, other)
    ]
    np.testing.assert_array_equal(tables[0]["mean"], tables[1]["mean"])


def test_intercepts_and_coefficients_give_the_predictions(make_fit) -> None:
    stored = make_fit(confounders=2)
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(4, 6)), rng.normal(size=(4, 2))
    summary = summaries.summarise(stored)
    slopes = coefficients(stored)["mean"].reshape(6, 5)
    confounding = columns(summaries.confounders_table(stored))["mean"].reshape(2, 5)
    intercept = columns(summaries.targets_table(stored, summary))["intercept"]
    # psi_mean stands for psi, because means are Rao-Blackwellised
    draws = dataclasses.replace(stored.draws, psi=stored.draws.psi_mean)
    means = posterior.predictive_means(draws, stored.x_scaling.apply(x), stored.z_scaling.apply(z))
    expected = stored.y_scaling.undo(means.mean(axis=0))
    np.testing.assert_allclose(intercept + x @ slopes + z @ confounding, expected, rtol=1e-10)


def test_shares_add_up_and_follow_the_definitions(make_fit) -> None:
    stored = make_fit(noise_rank=2)
    summary = summaries.summarise(stored)
    found = summary.quantities
    shares = ("ptve", "share_structured_noise", "share_idiosyncratic_noise")
    np.testing.assert_allclose(sum(found[name] for name in shares), 1.0)
    covariance = stored.rotation * stored.covariate_gram @ stored.rotation.T
    d = stored.draws
    coef = d.psi[1, 7] @ d.loadings[1, 7]
    signal = np.trace(coef.T @ covariance @ coef)
    latent = d.latent_variance[1, 7] * np.sum(d.loadings[1, 7] ** 2)
    own, other = np.sum(d.noise_scale[1, 7] ** 2), np.sum(d.noise_loadings[1, 7] ** 2)
    np.testing.assert_allclose(found["ptve"][1, 7], signal / (signal + latent + own + other))
    np.testing.assert_allclose(
        found["share_structured_noise"][1, 7], (latent + other) / (signal + latent + own + other)
    )
    np.testing.assert_allclose(found["signal_to_latent_noise"][1, 7], signal / latent)
    values = np.linalg.svd(np.linalg.cholesky(covariance).T @ coef, compute_uv=False)[:2] ** 2
    share = values / values.sum()
    np.testing.assert_allclose(
        found["effective_rank"][1, 7], np.exp(-np.sum(share * np.log(share)))
    )


def test_ptve_table_names_total_targets_and_components(make_fit) -> None:
    stored = make_fit()
    summary = summaries.summarise(stored)
    table = columns(summaries.ptve_table(stored, summary))
    assert table["part"].tolist() == ["total"] + ["target"] * 5 + ["component"] * 2
    assert table["name"][[0, 1, 7]].tolist() == ["all targets", "target 0", "2"]
    np.testing.assert_allclose(table["mean"][0], table["mean"][6:].sum())
    np.testing.assert_allclose(table["q95"][2], np.quantile(summary.ptve.per_target[..., 1], 0.95))


def test_noise_table_has_each_pair_once_in_original_units(make_fit) -> None:
    stored = make_fit(targets=4, noise_rank=1)
    summary = summaries.summarise(stored)
    table = columns(summaries.noise_table(stored, summary))
    assert len(table["target"]) == 10
    expected = posterior.noise_covariance(stored.draws) * np.outer(*[stored.y_scaling.scale] * 2)
    pairs = np.triu_indices(4)
    np.testing.assert_allclose(table["covariance"], expected[pairs])
    np.testing.assert_allclose(table["structured"] + table["idiosyncratic"], table["covariance"])
    assert np.all(table["idiosyncratic"][pairs[0] != pairs[1]] == 0)
    deviation = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        table["correlation"], (expected / np.outer(deviation, deviation))[pairs]
    )


def test_diagnostics_table_says_which_quantity_fails(make_fit) -> None:
    stored = make_fit(chains=2, draws=400)
    apart = np.array([0.0, 50.0])[:, None]
    stored = dataclasses.replace(
        stored,
        draws=dataclasses.replace(stored.draws, log_likelihood=stored.draws.log_likelihood + apart),
    )
    summary = summaries.summarise(stored)
    table = columns(summaries.diagnostics_table(summary))
    assert table["quantity"][0] == "log likelihood"
    assert not table["passed"][0]
    assert table["passed"][1:].mean() > 0.8  # independent draws
    assert summaries.headline(summary)["max_rhat"] == table["rhat"][0]
    assert summaries.headline(summary)["diagnostics_passed"] is False


def test_components_table_has_intervals_of_targets_only(make_fit) -> None:
    stored = make_fit()
    summary = summaries.summarise(stored)
    table = summaries.components_table(stored, summary).to_pylist()
    assert len(table) == 2 * (6 + 5)
    assert {row["sd"] is None for row in table if row["kind"] == "covariate"} == {True}
    target = next(row for row in table if row["kind"] == "target" and row["name"] == "target 3")
    loadings = summary.components.loadings[:, 0, 3]
    assert target["component"] == 1
    np.testing.assert_allclose(
        [target["mean"], target["q05"]], [loadings.mean(), np.quantile(loadings, 0.05)]
    )


def test_without_latent_noise_there_is_no_ratio(make_fit) -> None:
    stored = make_fit(settings=ModelSettings(rank=2, latent_noise=False))
    summary = summaries.summarise(stored)
    assert "latent_snr" not in summary.quantities
    np.testing.assert_array_equal(summary.structured, 0.0)


def test_certain_signs_are_counted(make_fit) -> None:
    stored = make_fit(spread=1e-6)
    found = summaries.headline(summaries.summarise(stored))
    assert found["num_certain_signs"] == found["num_coefficients"] == 30


def test_files_are_csv_or_parquet_by_size(make_fit, tmp_path: Path, monkeypatch) -> None:
    stored = make_fit(confounders=1)
    summary = summaries.summarise(stored)
    names = {path.name for path in summaries.write_tables(tmp_path, stored, summary)}
    assert names == {
        "coefficients.csv", "ptve.csv", "quantities.csv", "targets.csv", "components.csv",
        "noise_covariance.csv", "diagnostics.csv", "confounders.csv",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    small = pa.csv.read_csv(tmp_path / "coefficients.csv")
    monkeypatch.setattr(summaries, "LARGE", 20)
    monkeypatch.setattr(summaries, "_ROWS_AT_ONCE", 10)
    summaries.write_tables(tmp_path, stored, summary)
    assert not (tmp_path / "coefficients.csv").exists()  # no stale copy in the other format
    large = pa.parquet.read_table(tmp_path / "coefficients.parquet")
    for name in small.column_names:
        assert large[name].to_pylist() == small[name].to_pylist()


def test_spread_of_very_many_coefficients_is_of_thinned_draws(make_fit, monkeypatch) -> None:
    stored = make_fit(draws=50)
    monkeypatch.setattr(summaries, "FULL_CELLS", 10)
    monkeypatch.setattr(summaries, "THINNED_DRAWS", 25)
    coef = summaries.summarise(stored).coef
    draws = pooled(stored.draws.psi) @ pooled(stored.draws.loadings)
    np.testing.assert_allclose(coef.sd, draws[::4].std(axis=0, ddof=1))
    np.testing.assert_allclose(coef.mean, posterior.coef_mean(stored.draws))


def test_calibration_comes_back(make_fit, tmp_path: Path) -> None:
    stored = make_fit(targets=2)
    made = Calibration(
        pit=np.array([[0.25, np.nan], [0.5, 0.125]]),
        pareto=np.array([0.75, -np.inf]),
        rows=np.array([0, 3]),
        held_out=False,
    )
    assert summaries.read_calibration(tmp_path, stored) is None
    ids = np.array(["a", "b", "c", "ä, d"])
    path = summaries.write_calibration(tmp_path, stored, made, ids)
    assert pa.csv.read_csv(path)["row"].to_pylist() == ["a", "a", "ä, d", "ä, d"]
    found = summaries.read_calibration(tmp_path, stored)
    np.testing.assert_array_equal(found.pit, made.pit)
    np.testing.assert_array_equal(found.pareto, made.pareto)
    assert found.held_out is False
    held = dataclasses.replace(made, pareto=np.full(2, np.nan), held_out=True)
    summaries.write_calibration(tmp_path, stored, held, None)
    found = summaries.read_calibration(tmp_path, stored)
    assert found.held_out and found.trusted.all()


def test_a_damaged_calibration_is_an_input_error(make_fit, tmp_path: Path) -> None:
    (tmp_path / "calibration.csv").write_text("row,pit\n1,0.5\n", encoding="utf-8")
    with pytest.raises(InputError, match="calibration cannot be read"):
        summaries.read_calibration(tmp_path, make_fit())


def test_a_disk_that_refuses_is_named(make_fit, tmp_path: Path) -> None:
    stored = make_fit()
    with pytest.raises(StorageError):
        summaries.write_tables(tmp_path / "absent", stored, summaries.summarise(stored))
