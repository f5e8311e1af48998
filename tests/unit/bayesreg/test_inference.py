"""Chains that continue bit for bit, the NumPyro kernel, refusals: the plumbing, not the distribution."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import random
from numpyro.infer import MCMC

from bayesreg import inference
from bayesreg.prepare import Prepared, prepare
from bayesreg.types import CONFIGURATIONS, ModelSettings
from runtime.errors import CheckpointError, ConfigError, InputError

pytestmark = pytest.mark.timeout(900)  # compilation, on a machine that may be busy

SETTINGS = ModelSettings(rank=2)


def make_data(rows: int = 30, p: int = 3, k: int = 4, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, p))
    return x, x @ rng.normal(size=(p, k)) + rng.normal(size=(rows, k))


def make_prepared(**changes) -> Prepared:
    return prepare(*make_data(**changes), settings=SETTINGS)


def test_a_saved_chain_continues_bit_for_bit() -> None:
    prepared = make_prepared()
    chains = inference.start_chains(prepared, seed=1, num_chains=2)
    whole = inference.advance_chains(prepared, chains, 7)
    part = inference.advance_chains(prepared, chains, 3)
    saved = inference.chains_to_arrays(part)
    assert all(isinstance(array, np.ndarray) for array in saved.values())
    resumed = inference.advance_chains(prepared, inference.chains_from_arrays(saved), 4)
    first, second = (inference.chains_to_arrays(c) for c in (whole, resumed))
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    with pytest.raises(CheckpointError, match=r"lacks an array; got parameters.loadings"):
        inference.chains_from_arrays({n: a for n, a in saved.items() if n != "parameters.loadings"})


@pytest.mark.slow
@pytest.mark.parametrize("missing", [False, True])
def test_two_runs_are_one_longer_run(missing: bool) -> None:
    x, y = make_data()
    if missing:
        y[3, 1] = np.nan
    prepared = prepare(
        x, y, settings=CONFIGURATIONS["information_sharing"].with_(group_sparsity=False, rank=2)
    )
    chains = inference.start_chains(prepared, seed=1, num_chains=2)
    end, whole = inference.draw_chains(prepared, chains, 5, thin=2)
    middle, first = inference.draw_chains(prepared, chains, 2, thin=2)
    last, second = inference.draw_chains(prepared, middle, 3, thin=2)
    joined = type(whole).concatenate([first, second])
    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(whole, name), getattr(joined, name), err_msg=name)
    for a, b in zip(jax.tree.leaves(end.parameters), jax.tree.leaves(last.parameters), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_fit_stops_when_its_caller_says_so_and_draws_have_documented_shapes() -> None:
    prepared = make_prepared()
    seen = []

    def stop_after_two(draws, chains) -> bool:
        seen.append(draws.num_draws)
        return len(seen) < 2

    sizes = {"num_chains": 3, "num_warmup": 5, "num_draws": 50, "block": 5}
    fit = inference.fit_gibbs(prepared, seed=0, on_block=stop_after_two, **sizes)
    assert seen == [5, 5]
    draws = fit.draws
    assert draws.psi.shape == (3, 10, 3, 2)
    assert draws.loadings.shape == (3, 10, 2, 4)
    assert draws.noise_loadings.shape == (3, 10, 0, 4)
    assert draws.imputed.shape == (3, 10, 0)
    assert all(np.isfinite(getattr(draws, name)).all() for name in draws.__dataclass_fields__)


@pytest.mark.parametrize(
    "key", [random.PRNGKey(0), random.key(0, impl="rbg")], ids=["raw", "another generator's"]
)
def test_the_kernel_takes_any_kind_of_key(key: jax.Array) -> None:
    x, y = make_data()
    run = MCMC(
        inference.LatentNoiseGibbs(SETTINGS), num_warmup=2, num_samples=5, progress_bar=False
    )
    run.run(key, x, y)
    assert np.isfinite(run.get_samples()["coef"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("chain_method", ["vectorized", "sequential"])
def test_numpyro_runs_the_kernel(chain_method: str) -> None:
    x, y = make_data()
    kernel = inference.LatentNoiseGibbs(SETTINGS)
    sizes = {"num_warmup": 20, "num_samples": 30, "num_chains": 2}
    run = MCMC(kernel, chain_method=chain_method, progress_bar=False, **sizes)
    run.run(random.key(0), x, y)
    draws = run.get_samples(group_by_chain=True)
    assert draws["coef"].shape == (2, 30, 3, 4)
    np.testing.assert_allclose(draws["coef"], draws["psi"] @ draws["loadings"], atol=1e-12)
    assert not np.allclose(draws["coef"][0], draws["coef"][1])
    assert len(np.unique(draws["latent_snr"])) > 10


@pytest.mark.parametrize(("rows", "p", "k"), [(8, 12, 3), (2, 1, 1), (30, 3, 1), (12, 3, 4)])
def test_every_shape_has_a_layout_that_adds_up(rows: int, p: int, k: int) -> None:
    prepared = make_prepared(rows=rows, p=p, k=k)
    problem, layout = prepared.problem, prepared.layout
    left_out = float(problem.remainder_dof)
    assert layout.num_rows + left_out == rows - 1
    assert layout.has_remainder == (left_out > 0)
    assert left_out == 0 or left_out >= layout.rank + 2
    np.testing.assert_allclose(np.sum(problem.y**2, axis=0), rows - 1.0)


def test_missing_cells_go_row_by_row_and_empty_rows_are_dropped() -> None:
    x, y = make_data()
    y[3, 1] = np.nan
    y[5] = np.nan
    prepared = prepare(x, y, settings=SETTINGS)
    assert prepared.by_rows
    assert prepared.missing.cells.tolist() == [[3, 1]]
    assert prepared.missing.dropped_rows.tolist() == [5]
    assert prepared.num_rows == 29
    with pytest.raises(ConfigError, match=r"nuts needs complete targets; got 1 missing cell"):
        inference.fit_nuts(prepared, seed=0)


def test_input_that_cannot_be_used_is_named() -> None:
    x, y = make_data()
    bad = x.copy()
    bad[[0, 4], 1] = np.nan
    with pytest.raises(
        InputError, match=r"X has missing or infinite values; got columns \(count\): 1 \(2\)"
    ):
        prepare(bad, y, settings=SETTINGS)
    with pytest.raises(InputError, match="different numbers of rows; got 29, 30 and 29"):
        prepare(x[1:], y, settings=SETTINGS)
    with pytest.raises(InputError, match="too few rows; got 1"):
        prepare(x[:1], y[:1], settings=SETTINGS)
    with pytest.raises(InputError, match="Y is not a table"):
        prepare(x, y[:, 0], settings=SETTINGS)
    with pytest.raises(ConfigError, match="needs the cluster of each target"):
        prepare(x, y, settings=CONFIGURATIONS["information_sharing"])
    with pytest.raises(ConfigError, match="not labelled 0, 1"):
        prepare(x, y, settings=CONFIGURATIONS["information_sharing"], groups=np.array([0, 2, 2, 0]))
