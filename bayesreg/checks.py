"""Is the sampler exact? The joint-distribution test and simulation-based calibration, for any configuration.

Both run thousands of tiny data sets at once, each replicate independent of the others, so that their standard errors
need no autocorrelation estimate. What they do not show: how fast the sampler mixes, and anything about data of another
kind than the prior's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from scipy.stats import chi2

from bayesreg.gibbs import rowwise, sampler
from bayesreg.gibbs.rowwise import RowProblem, RowState
from bayesreg.gibbs.state import (
    Array,
    Layout,
    Parameters,
    Problem,
    State,
    cut,
    draw_prior,
    latent_variances,
    make_hyper,
    make_layout,
    with_rows,
)
from bayesreg.types import ModelSettings
from runtime.errors import ConfigError
from runtime.seeding import Stream

DEFECTS = ("variance_dof", "remainder_dof", "jacobian")
"""Negative controls that are other data for the same program; `rowwise.py` has the wrong sweep order."""

BATCH = 500
"""Replicates at a time. With thousands in one batch XLA's threads were seen to wait for each other for ever."""


@dataclass(frozen=True)
class CheckSizes:
    """The tiny data set of a check: rows, covariates, targets, confounders, clusters."""

    num_rows: int = 14
    num_covariates: int = 2
    num_targets: int = 3
    num_confounders: int = 0
    num_groups: int | None = None


class Design(NamedTuple):
    """Covariates with the orthogonal change of rows that the sampler works in."""

    x: Array
    """(N, P)."""
    z: Array
    """(N, C)."""
    basis: Array
    """(N, N), orthogonal: left singular vectors of X, what Z adds to them, the rest."""
    rotation: Array
    """(P, r), right singular vectors of X."""
    problem: Problem
    """Everything but the targets, in the kept rows: without a basis, and `y` is zero."""


Alternation = tuple[State, Array, Array, Array, Array]
"""Chain, its Psi, the targets that it saw, and both at the start."""
RowAlternation = tuple[RowState, Array, Array, Array]
"""Chain with its Psi, the targets that it saw, and both at the start."""


@dataclass(frozen=True)
class JointTest:
    """One joint-distribution test: standardised differences between the prior and the chain."""

    names: tuple[str, ...]
    z: np.ndarray
    """One per name: mean difference over its standard error."""
    num_replicates: int
    num_sweeps: int

    @property
    def largest(self) -> float:
        """Largest |z|."""
        return float(np.max(np.abs(self.z)))

    @property
    def worst(self) -> str:
        """The name of the quantity with the largest |z|."""
        return self.names[int(np.argmax(np.abs(self.z)))]


def make_design(settings: ModelSettings, sizes: CheckSizes, seed: int) -> tuple[Design, Layout]:
    """A random design with its rotation, in the layout that compression gives to data of that shape.

    Raises:
        ConfigError: too few rows for any to be left out.
    """
    n, p, c, k = sizes.num_rows, sizes.num_covariates, sizes.num_confounders, sizes.num_targets
    rng = np.random.default_rng(Stream(seed, "check", "design").seed)
    x = rng.normal(size=(n, p))
    z = rng.normal(size=(n, c))
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    basis = np.linalg.qr(np.concatenate([left, z, rng.normal(size=(n, n - p - c))], axis=1))[0]
    kept = p + c + k
    depth = settings.rank + (settings.noise_rank if settings.independent_noise else 0)
    if n - kept < depth + 2:
        raise ConfigError(
            "too few rows for a check of the rotated sampler",
            got=n,
            expected=f"at least {kept + depth + 2}",
            where="num_rows",
        )
    layout = make_layout(
        settings, num_rows=kept, num_signal_rows=p, num_targets=k, num_confounders=c,
        num_groups=sizes.num_groups, has_remainder=True,
        num_directions=k + c if settings.independent_noise else 0,
    )  # fmt: skip
    groups = np.arange(k) % layout.num_groups
    problem = Problem(
        y=jnp.zeros((kept, k)),
        z=jnp.asarray(np.concatenate([basis.T @ z, np.zeros((k, c))])[:kept]),
        energy=jnp.asarray(np.concatenate([singular**2, np.zeros(kept - p)])),
        covariate_variance=jnp.asarray(np.sum(x * x) / n),
        total_rows=jnp.asarray(float(n)),
        remainder_dof=jnp.asarray(float(n - kept)),
        groups=jnp.asarray(groups),
        hyper=make_hyper(settings),
    )
    # the SVD's signs survive the QR only up to sign: take what the basis really does to X
    rotation = (basis[:, :p].T @ x) / singular[:, None]
    return Design(
        jnp.asarray(x), jnp.asarray(z), jnp.asarray(basis), jnp.asarray(rotation.T), problem
    ), layout


def with_defect(problem: Problem, defect: str | None) -> Problem:
    """The problem as a sampler with one known mistake would see it.

    Raises:
        ConfigError: the name is not one of `DEFECTS`.
    """
    if defect is None:
        return problem
    if defect == "variance_dof":  # N/2 with the wrong N in the noise variances' shape
        shape = problem.hyper.noise_precision_shape + 0.5
        return problem._replace(hyper=problem.hyper._replace(noise_precision_shape=shape))
    if defect == "remainder_dof":
        return problem._replace(remainder_dof=problem.remainder_dof + 1.0)
    if (
        defect == "jacobian"
    ):  # log density in log delta without the logarithm's Jacobian: one less in the exponent
        shapes = problem.hyper.shrinkage - 1.0
        return problem._replace(hyper=problem.hyper._replace(shrinkage=shapes))
    raise ConfigError("unknown defect", got=defect, expected=", ".join(DEFECTS), where="defect")


def simulate_targets(
    key: Array, p: Parameters, design: Design, layout: Layout
) -> tuple[Array, Array]:
    """Psi and Y given the parameters, in the original rows: (P, S) and (N, K)."""
    psi, y, _ = simulate_rows(key, p, design, layout)
    return psi, y


def simulate_rows(
    key: Array, p: Parameters, design: Design, layout: Layout
) -> tuple[Array, Array, Array]:
    """Psi, Y and [Omega, H] given the parameters, straight from eq. 1: (P, S), (N, K) and (N, S + R)."""
    kappa, omega_variance = latent_variances(design.problem, layout, p.log_snr)
    n, k = design.x.shape[0], layout.num_targets
    shapes = {
        "psi": (design.x.shape[1], layout.rank), "omega": (n, layout.rank),
        "noise_factors": (n, layout.noise_rank), "noise": (n, k),
    }  # fmt: skip
    total = sum(math.prod(shape) for shape in shapes.values())
    normals = cut(random.normal(key, (total,)), shapes)
    psi = jnp.sqrt(kappa) * normals["psi"] @ p.signal_factor.T
    omega = jnp.sqrt(omega_variance) * normals["omega"]
    eta = design.x @ psi + omega
    y = (
        eta @ p.loadings
        + design.z @ p.confounder_coef
        + normals["noise_factors"] @ p.noise_loadings
    )
    y = y + normals["noise"] * jnp.sqrt(p.noise_variance)[None, :]
    return psi, y, jnp.concatenate([omega, normals["noise_factors"]], axis=1)


def rotate_targets(y: Array, design: Design, layout: Layout) -> Array:
    """Y in the kept rows: rotate, then a QR of the rows that neither X nor Z reaches. (n, K)."""
    reached = layout.num_rows - layout.num_targets
    rotated = design.basis.T @ y
    return jnp.concatenate([rotated[:reached], jnp.linalg.qr(rotated[reached:], mode="r")])


def quantities(
    p: Parameters, psi: Array, y: Array, design: Design, layout: Layout
) -> dict[str, Array]:
    """What is compared: scalars that see every parameter, with light tails. Signs and rotations included on purpose."""
    problem = design.problem
    omega_variance = latent_variances(problem, layout, p.log_snr)[1]
    coef = psi @ p.loadings
    fitted = design.x @ coef
    squash = lambda value: jnp.arcsinh(3.0 * value)  # noqa: E731
    structured = omega_variance * p.loadings.T @ p.loadings + p.noise_loadings.T @ p.noise_loadings
    found = {
        "noise": jnp.mean(jnp.log(p.noise_variance)),
        "noise of target 1": jnp.log(p.noise_variance[0]),
        "coefficient": squash(coef[0, 0]),
        "signal size": jnp.log(jnp.sum(coef * coef)),
        "signal of target 1": squash(jnp.sum(coef[:, 0] ** 2)),
        "structured covariance": squash(structured[0, 1]),
        "structured size": jnp.log1p(jnp.trace(structured)),
        "targets": jnp.log(jnp.sum(y * y)),
        "target times fit": squash(jnp.sum(y * fitted)),
        "target covariance": squash(jnp.sum(y[:, 0] * y[:, 1])),
        "target covariance times structured": squash(jnp.sum(y[:, 0] * y[:, 1]) * structured[0, 1]),
        "misfit": jnp.log(jnp.sum((y - fitted) ** 2)),
    }
    for h in range(layout.rank):
        found[f"delta {h + 1}"] = jnp.log(p.shrinkage[h])
        found[f"phi {h + 1}"] = jnp.mean(jnp.log(p.local_scale[h]))
        found[f"loadings {h + 1}"] = squash(jnp.sum(p.loadings[h] ** 2))
        found[f"psi {h + 1}"] = jnp.log(jnp.sum(psi[:, h] ** 2))
    for r in range(layout.noise_rank):
        found[f"noise delta {r + 1}"] = jnp.log(p.noise_shrinkage[r])
        found[f"noise phi {r + 1}"] = jnp.mean(jnp.log(p.noise_local_scale[r]))
        found[f"noise loadings {r + 1}"] = squash(jnp.sum(p.noise_loadings[r] ** 2))
    if layout.sample_snr:
        found["log beta"] = p.log_snr
        found["log beta squared"] = p.log_snr**2
    if layout.sample_shrinkage:
        found |= {"a1": jnp.log(p.shrinkage_shape[0]), "a2": jnp.log(p.shrinkage_shape[1])}
    if layout.sample_noise_shrinkage:
        shapes = jnp.log(p.noise_shrinkage_shape)
        found |= {"noise a1": shapes[0], "noise a2": shapes[1]}
    if layout.num_confounders:
        adjusted = design.z @ p.confounder_coef
        found["confounder"] = squash(p.confounder_coef[0, 0])
        found["target times confounder"] = squash(jnp.sum(y * adjusted))
    if layout.free_signal:
        log_diagonal = jnp.log(jnp.diag(p.signal_factor))
        found["concentration"] = p.signal_dof.astype(y.dtype)
        found["signal shape"] = log_diagonal[0]
        found["signal determinant"] = jnp.sum(log_diagonal)
        found["signal correlation"] = squash(jnp.sum(jnp.tril(p.signal_factor, -1)))
    return found


@partial(jax.jit, static_argnames=("layout", "num_sweeps"))
def _joint_replicates(
    keys: Array, design: Design, sampled: Problem, layout: Layout, num_sweeps: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The quantities at the start and after `num_sweeps` alternations, each (replicates,).

    One call site for each step, in the loop: compiling a generator costs more than running it here.
    """
    n = design.x.shape[0]

    def replicate(key: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        prior_key, chain_key = random.split(key)
        p = draw_prior(prior_key, design.problem, layout)
        start = (
            p if layout.sample_shrinkage else p._replace(shrinkage_shape=sampled.hyper.shrinkage)
        )
        blank = (jnp.zeros((design.x.shape[1], layout.rank)), jnp.zeros((n, layout.num_targets)))

        def alternate(index: Array, carry: Alternation) -> Alternation:
            state, _, _, first_psi, first_y = carry
            key, data_key, psi_key = random.split(state.key, 3)
            prior_psi, y = simulate_targets(data_key, state.parameters, design, layout)
            problem = with_rows(sampled, rotate_targets(y, design, layout), sampled.z, layout)
            state, found = sampler.sweep(State(key, state.parameters), problem, layout)
            normals = random.normal(psi_key, (layout.num_signal_rows + design.x.shape[1], layout.rank))
            psi = sampler.draw_psi(
                normals, found.eta, state.parameters, problem, design.rotation, layout
            )
            first = index == 0
            first_psi, first_y = (
                jnp.where(first, prior_psi, first_psi),
                jnp.where(first, y, first_y),
            )
            return state, psi, y, first_psi, first_y

        carry = (State(chain_key, start), *blank, *blank)
        state, psi, y, first_psi, first_y = lax.fori_loop(0, num_sweeps, alternate, carry)
        return (
            quantities(p, first_psi, first_y, design, layout),
            quantities(state.parameters, psi, y, design, layout),
        )

    return lax.map(replicate, keys, batch_size=BATCH)


@partial(jax.jit, static_argnames=("layout", "num_sweeps", "order"))
def _row_replicates(
    keys: Array,
    design: Design,
    problem: RowProblem,
    layout: Layout,
    num_sweeps: int,
    order: tuple[str, ...],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """As `_joint_replicates` for the row-by-row sampler; two sweeps an alternation, so that imputed cells are used."""
    n, k = problem.y.shape

    def compare(p: Parameters, psi: Array, y: Array) -> dict[str, Array]:
        cells = y[problem.missing_rows, problem.missing_columns]
        found = quantities(p, psi, y, design, layout)
        if cells.shape[0]:
            found["missing cells"] = jnp.arcsinh(jnp.sum(cells))
            found["missing cells squared"] = jnp.log(jnp.sum(cells * cells))
        return found

    def replicate(key: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        prior_key, chain_key = random.split(key)
        p = draw_prior(prior_key, design.problem, layout)
        blank_psi, blank_y = jnp.zeros((design.x.shape[1], layout.rank)), jnp.zeros((n, k))

        def alternate(index: Array, carry: RowAlternation) -> RowAlternation:
            state, _, first_psi, first_y = carry
            key, data_key = random.split(state.key)
            psi, y, factors = simulate_rows(data_key, state.parameters, design, layout)
            observed = problem._replace(y=y)
            imputed = y[problem.missing_rows, problem.missing_columns]
            state = state._replace(key=key, psi=psi, factors=factors, imputed=imputed)
            state = lax.fori_loop(
                0, 2, lambda _, s: rowwise.sweep(s, observed, layout, order), state
            )
            first = index == 0
            first_psi, first_y = jnp.where(first, psi, first_psi), jnp.where(first, y, first_y)
            return state, y, first_psi, first_y

        factors = jnp.zeros((n, layout.rank + layout.noise_rank))
        imputed = jnp.zeros(problem.missing_rows.shape)
        state = RowState(chain_key, p, blank_psi, factors, imputed, jnp.zeros(k))
        carry = (state, blank_y, blank_psi, blank_y)
        state, y, first_psi, first_y = lax.fori_loop(0, num_sweeps, alternate, carry)
        y = rowwise.completed(problem._replace(y=y), state.imputed)
        return compare(p, first_psi, first_y), compare(state.parameters, state.psi, y)

    return lax.map(replicate, keys, batch_size=BATCH)


def row_joint_distribution_test(
    settings: ModelSettings,
    sizes: CheckSizes | None = None,
    *,
    seed: int,
    num_missing: int,
    num_replicates: int = 4000,
    num_sweeps: int = 15,
    wrong_order: bool = False,
) -> JointTest:
    """The joint-distribution test of the row-by-row sampler, with missing target cells and without an intercept.

    Args:
        settings: the model.
        sizes: of the tiny data set.
        seed: root of all randomness.
        num_missing: missing cells, spread over the table.
        num_replicates: independent chains.
        num_sweeps: alternations of each, of two sweeps.
        wrong_order: use the order of `rowwise.WRONG_ORDER`, to see the test fail.

    Raises:
        ConfigError: sizes that cannot be used.
    """
    sizes = sizes or default_sizes(settings)
    design, layout = make_design(settings, sizes, seed)
    n, k = sizes.num_rows, sizes.num_targets
    layout = layout._replace(num_rows=n, num_directions=0, has_remainder=False)
    left, singular, right = np.linalg.svd(np.asarray(design.x), full_matrices=False)
    rng = np.random.default_rng(Stream(seed, "check", "missing").seed)
    cells = np.sort(rng.choice(n * k, size=num_missing, replace=False))
    problem = RowProblem(
        x=design.x, z=design.z, y=jnp.zeros((n, k)),
        missing_rows=jnp.asarray(cells // k), missing_columns=jnp.asarray(cells % k),
        left=jnp.asarray(left), singular=jnp.asarray(singular), rotation=jnp.asarray(right.T),
        covariate_variance=design.problem.covariate_variance, intercept=jnp.asarray(False),
        groups=design.problem.groups, hyper=design.problem.hyper,
    )  # fmt: skip
    keys = random.split(random.key(Stream(seed, "check", "row joint").seed32), num_replicates)
    order = rowwise.WRONG_ORDER if wrong_order else rowwise.ORDER
    before, after = _row_replicates(keys, design, problem, layout, num_sweeps, order)
    return compare_quantities(before, after, num_sweeps)


def joint_distribution_test(
    settings: ModelSettings,
    sizes: CheckSizes | None = None,
    *,
    seed: int,
    num_replicates: int = 4000,
    num_sweeps: int = 30,
    defect: str | None = None,
) -> JointTest:
    """Start from the prior, alternate sweeps with new data: the parameters must keep the prior's distribution.

    Args:
        settings: the model; every switch is allowed.
        sizes: of the tiny data set; a default that suits the settings when None.
        seed: root of all randomness.
        num_replicates: independent chains; the standard error goes down with their square root.
        num_sweeps: alternations of each; a wrong sampler drifts further with more.
        defect: one of `DEFECTS`, to see the test fail.

    Returns:
        z of every quantity: mean difference between the end and the start of the replicates, in standard errors.

    Raises:
        ConfigError: sizes, settings or defect that cannot be used.

    Source:
        Geweke, "Getting It Right", JASA 99(467), 2004, with independent replicates in place of one long chain.
    """
    sizes = sizes or default_sizes(settings)
    if defect == "jacobian" and settings.sample_shrinkage:
        raise ConfigError(
            "this defect acts on fixed shapes",
            got=True,
            expected="false",
            where="sample_shrinkage",
        )
    design, layout = make_design(settings, sizes, seed)
    keys = random.split(random.key(Stream(seed, "check", "joint").seed32), num_replicates)
    sampled = with_defect(design.problem, defect)
    before, after = _joint_replicates(keys, design, sampled, layout, num_sweeps)
    return compare_quantities(before, after, num_sweeps)


def compare_quantities(
    before: dict[str, Array], after: dict[str, Array], num_sweeps: int
) -> JointTest:
    """Paired z of each quantity over replicates; a value that is not finite is an infinite z."""
    names = tuple(before)
    differences = np.stack([np.asarray(after[n]) - np.asarray(before[n]) for n in names])
    replicates = differences.shape[1]
    finite = np.isfinite(differences).all(axis=1)
    safe = np.where(np.isfinite(differences), differences, 0.0)
    spread = safe.std(axis=1, ddof=1)
    z = np.sqrt(replicates) * safe.mean(axis=1) / np.where(spread > 0, spread, 1.0)
    return JointTest(names, np.where(finite, z, np.inf), replicates, num_sweeps)


def default_sizes(settings: ModelSettings) -> CheckSizes:
    """Sizes that let every switch of the settings act: two clusters of two targets with group sparsity."""
    depth = settings.rank + (settings.noise_rank if settings.independent_noise else 0)
    targets = 4 if settings.group_sparsity else 3
    return CheckSizes(
        num_rows=max(14, 2 + targets + depth + 4),
        num_targets=targets,
        num_groups=2 if settings.group_sparsity else None,
    )


@dataclass(frozen=True)
class Calibration:
    """Simulation-based calibration: ranks of the true quantities among posterior draws."""

    names: tuple[str, ...]
    ranks: np.ndarray
    """(Q, replicates), in 0 .. num_draws; uniform when the sampler is exact and has mixed."""
    num_draws: int

    def p_values(self, num_bins: int = 16) -> np.ndarray:
        """Chi-square p-value of uniformity for every quantity, (Q,).

        Raises:
            ValueError: the bins do not divide the number of possible ranks.
        """
        if (self.num_draws + 1) % num_bins:
            raise ValueError(f"{num_bins} bins do not divide {self.num_draws + 1} ranks")
        width = (self.num_draws + 1) // num_bins
        counts = np.stack([np.bincount(row // width, minlength=num_bins) for row in self.ranks])
        expected = self.ranks.shape[1] / num_bins
        return chi2.sf(np.sum((counts - expected) ** 2, axis=1) / expected, num_bins - 1)


@partial(jax.jit, static_argnames=("layout", "num_draws"))
def _rank_replicates(
    keys: Array,
    design: Design,
    sampled: Problem,
    num_warmup: Array,
    thin: Array,
    layout: Layout,
    num_draws: int,
) -> dict[str, Array]:
    """Ranks of the true quantities among draws of a chain that starts at another draw from the prior."""

    def replicate(key: Array) -> dict[str, Array]:
        keys = random.split(key, 4)
        both = jax.vmap(lambda k: draw_prior(k, design.problem, layout))(keys[:2])
        truth, start = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
        if not layout.sample_shrinkage:
            start = start._replace(shrinkage_shape=sampled.hyper.shrinkage)
        psi, y = simulate_targets(keys[2], truth, design, layout)
        problem = with_rows(sampled, rotate_targets(y, design, layout), sampled.z, layout)
        target = quantities(truth, psi, y, design, layout)
        blank = jnp.zeros((layout.num_rows, layout.rank))

        def many(state: State, count: Array) -> tuple[State, Array]:
            def once(_: int, carry: tuple[State, Array]) -> tuple[State, Array]:
                state, found = sampler.sweep(carry[0], problem, layout)
                return state, found.eta

            return lax.fori_loop(0, count, once, (state, blank))

        def keep(carry: tuple[State, dict[str, Array]], index: Array) -> tuple:
            state, ranks = carry
            state, eta = many(state, jnp.where(index == 0, num_warmup, thin))
            key, own = random.split(state.key)
            state = state._replace(key=key)
            normals = random.normal(own, (layout.num_signal_rows + design.x.shape[1], layout.rank))
            p = state.parameters
            psi = sampler.draw_psi(normals, eta, p, problem, design.rotation, layout)
            found = quantities(p, psi, y, design, layout)
            return (state, {n: ranks[n] + (found[n] < target[n]) for n in ranks}), None

        zero = {name: jnp.zeros((), dtype=int) for name in target}
        first = (State(keys[3], start), zero)
        return lax.scan(keep, first, jnp.arange(num_draws))[0][1]

    return lax.map(replicate, keys, batch_size=BATCH)


def simulation_based_calibration(
    settings: ModelSettings,
    sizes: CheckSizes | None = None,
    *,
    seed: int,
    num_replicates: int = 800,
    num_draws: int = 63,
    num_warmup: int = 300,
    thin: int = 10,
    defect: str | None = None,
) -> Calibration:
    """Ranks of the truth among posterior draws, over data sets simulated from the prior.

    Unlike the joint-distribution test it also sees a chain that does not reach the posterior: chains start elsewhere.

    Args:
        settings: the model.
        sizes: of the tiny data set.
        seed: root of all randomness.
        num_replicates: data sets.
        num_draws: draws a chain; ranks run from 0 to this.
        num_warmup: sweeps before the first.
        thin: sweeps between draws: ranks are uniform only for nearly independent ones.
        defect: one of `DEFECTS`, to see the test fail.

    Raises:
        ConfigError: sizes or defect that cannot be used.

    Source:
        Talts et al., "Validating Bayesian Inference Algorithms with Simulation-Based Calibration", arXiv:1804.06788.
    """
    sizes = sizes or default_sizes(settings)
    design, layout = make_design(settings, sizes, seed)
    keys = random.split(random.key(Stream(seed, "check", "ranks").seed32), num_replicates)
    sampled = with_defect(design.problem, defect)
    found = _rank_replicates(
        keys, design, sampled, jnp.asarray(num_warmup), jnp.asarray(thin), layout, num_draws
    )
    varying = tuple(name for name in found if name not in DATA_QUANTITIES)
    return Calibration(varying, np.stack([np.asarray(found[n]) for n in varying]), num_draws)


DATA_QUANTITIES = ("targets", "target covariance", "concentration")
"""Left out of the ranks: functions of the data alone, and a discrete one whose ties would not be uniform."""
