"""Principal components of the signal against a brute-force decomposition of fitted values."""

from __future__ import annotations

import numpy as np

from bayesreg.components import signal_components
from bayesreg.posterior import coef_mean, coef_slices


def test_components_are_those_of_the_fitted_values(make_fit) -> None:
    stored = make_fit(covariates=5, targets=7, rank=2)
    found = signal_components(stored.draws, stored.rotation, stored.covariate_gram)
    # rows whose covariance is exactly that of X
    rng = np.random.default_rng(1)
    rows, _ = np.linalg.qr(rng.normal(size=(200, 5)))
    x = rows * np.sqrt(stored.covariate_gram) @ stored.rotation.T * np.sqrt(200)
    fitted = x @ coef_mean(stored.draws)
    left, sizes, right = np.linalg.svd(fitted, full_matrices=False)
    np.testing.assert_allclose(found.share, sizes[:2] ** 2 / np.sum(sizes**2))
    scores = left[:, :2] * np.sqrt(200)  # unit mean square
    for h in range(2):
        sign = np.sign(right[h, np.abs(right[h]).argmax()])
        np.testing.assert_allclose(
            found.correlation[:, h], sign * x.T @ scores[:, h] / 200, atol=1e-12
        )
        for _, coef in coef_slices(stored.draws):  # all covariates are in one slice
            loadings = sign * np.einsum("n,np,dpk->dk", scores[:, h], x, coef) / 200
        np.testing.assert_allclose(found.loadings[:, h], loadings, atol=1e-12)
        assert found.loadings[:, h].mean(axis=0)[np.abs(right[h]).argmax()] > 0


def test_a_turned_sampler_gives_the_same_components(make_fit) -> None:
    import dataclasses

    stored = make_fit()
    rng = np.random.default_rng(2)
    turn = np.linalg.qr(rng.normal(size=(2, 60, 2, 2)))[0]  # another rotation in every draw
    draws = stored.draws
    turned = dataclasses.replace(
        draws,
        psi=draws.psi @ turn,
        psi_mean=draws.psi_mean @ turn,
        loadings=np.swapaxes(turn, -1, -2) @ draws.loadings,
    )
    ours, theirs = (
        signal_components(d, stored.rotation, stored.covariate_gram) for d in (draws, turned)
    )
    for name in ("share", "correlation", "loadings"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)


def test_there_are_no_more_components_than_targets_or_covariates(make_fit) -> None:
    stored = make_fit(covariates=1, targets=3, rank=2)
    found = signal_components(stored.draws, stored.rotation, stored.covariate_gram)
    assert found.correlation.shape == (1, 1)
    assert found.share.tolist() == [1.0]
    np.testing.assert_allclose(np.abs(found.correlation), np.sqrt(2.0))  # as X has variance 2 here
