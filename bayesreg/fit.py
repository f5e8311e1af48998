"""`toolkit bayes fit`, top to bottom: tables, model, posterior, draws on disk, outputs, verdict.

Orchestration only: this file sees the whole config and hands values on. Reading is in `sources.py`, the long part in
`sampling.py`, what is written beside the draws in `outputs.py`.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bayesreg import checkpoints, sampling
from bayesreg.clusters import cluster_targets
from bayesreg.compiling import CompileClock, compile_clock, configure
from bayesreg.config import FitConfig, InferenceConfig, InferenceKind, ModelConfig, SnrChoice
from bayesreg.diagnostics import Diagnosis, diagnose, invariants
from bayesreg.drawsfile import FILE_NAME, StoredFit, load_fit, save_fit
from bayesreg.inference import fit_nuts, fit_svi
from bayesreg.prepare import Prepared
from bayesreg.report import write_outputs
from bayesreg.sampling import Look, Plan, Sampled, Watch
from bayesreg.snr_choice import choose_by_cross_validation, choose_by_evidence
from bayesreg.sources import Loaded, load_source, prepare_source
from bayesreg.types import Draws, ModelSettings
from runtime.devices import DeviceClaim
from runtime.errors import CheckpointError, InputError, UntrustworthyError
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.signals import StopRequest

STOPPING = "after this block, which is then saved; another signal stops at once"
APPROXIMATE = "variational inference: its intervals are too narrow, and nothing tells by how much"


def fit(
    config: FitConfig,
    *,
    run: Run,
    view: TrainingView,
    claim: DeviceClaim,
    cache: Path,
    resume: bool = False,
) -> dict[str, Any]:
    """Fit a regression and leave everything about it in the run folder.

    Args:
        config: checked.
        run: created, or resumed when `resume`.
        view: shows progress.
        claim: the device.
        cache: the toolkit's cache folder; compiled programs are kept below it.
        resume: go on from the newest usable checkpoint.

    Returns:
        The summary, as written to `summary.json` (docs/run-folder.md).

    Raises:
        InputError: tables that cannot be used.
        ConfigError: values that the tables do not allow.
        CheckpointError: the tables are not those that the run was started with.
        KeyboardInterrupt: the user asked to stop; draws and chains are saved.
        UntrustworthyError: all is written, and the diagnostics say that the draws should not be used.
        NonFiniteError: the chains left the range of numbers.
    """
    configure(config.precision, cache / "jax")
    with compile_clock() as clock:
        loaded = _read(config, run, view)
        groups = _groups(config.model, loaded)
        settings = _settings(config, loaded, groups, run=run, view=view)
        prepared = prepare_source(loaded, settings, groups)
        found = _sample(config, prepared, clock, run=run, view=view, resume=resume)
        stored = None
        if found.draws is not None:
            stored = _stored(config, settings, loaded, prepared, groups, found)
            save_fit(run.path / FILE_NAME, stored)
        summary = _summary(config, loaded, prepared, stored, found, clock, claim)
        if stored is not None:
            with view.task("tables, figures and report", 1):
                summary |= write_outputs(run.path, stored, loaded.data)
        if found.stopped == sampling.INTERRUPTED:
            run.write_summary(_timed(summary, run))
            raise KeyboardInterrupt
    summary = _timed(summary, run)
    run.write_summary(summary)
    checkpoints.discard_parts(run.checkpoints)
    _judge(summary)
    return summary


def _read(config: FitConfig, run: Run, view: TrainingView) -> Loaded:
    with view.task("reading the tables", None) as task:
        seen = 0

        def on_rows(rows: int) -> None:
            nonlocal seen
            task.advance(rows - seen)
            seen = rows

        loaded = load_source(config.tables.source(), stream=config.tables.stream, progress=on_rows)
        on_rows(loaded.num_rows)
    run.record_data("tables", loaded.sha256)
    for text in loaded.notes:
        run.event("note", message=text)
        view.note("note", text)
    return loaded


def _groups(model: ModelConfig, loaded: Loaded) -> np.ndarray | None:
    """The cluster of each target, (K,), with group sparsity."""
    if not model.group_sparsity:
        return None
    if model.clusters is not None:
        return read_clusters(Path(model.clusters), loaded.meta.targets)
    return cluster_targets(loaded.target_correlation(), model.num_clusters)


def read_clusters(path: Path, targets: tuple[str, ...]) -> np.ndarray:
    """Clusters from a CSV or TSV file with the columns `target` and `cluster`: labels 0, 1, ... by first appearance.

    Args:
        path: the file; further targets in it are passed over.
        targets: names of the targets, in order.

    Returns:
        (K,).

    Raises:
        InputError: no such file, other columns, or a target that is missing or occurs twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            columns, rows = reader.fieldnames or [], list(reader)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("not a text file", where=path) from error
    if not {"target", "cluster"} <= set(columns):
        raise InputError(
            "the table of clusters has other columns",
            got=", ".join(columns),
            expected="target, cluster",
            where=path,
        )
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if found.setdefault(row["target"], row["cluster"]) != row["cluster"]:
            raise InputError(
                "a target is in two clusters", got=row["target"], where=f"{path}, row {number}"
            )
    absent = [name for name in targets if not found.get(name)]
    if absent:
        raise InputError(
            f"{len(absent)} target(s) without a cluster",
            got=", ".join(absent[:10]),
            expected="one row a target",
            where=path,
        )
    labels = list(dict.fromkeys(found[name] for name in targets))
    return np.array([labels.index(found[name]) for name in targets])


def _settings(
    config: FitConfig, loaded: Loaded, groups: np.ndarray | None, *, run: Run, view: TrainingView
) -> ModelSettings:
    """The model, its ratio chosen where the config asks for that; a resumed run keeps what was chosen."""
    settings = config.model.settings()
    if config.model.latent_snr_choice is SnrChoice.SAMPLED:
        return settings
    chosen = run.manifest.get("latent_snr")
    if chosen is None:
        choose = {
            SnrChoice.EVIDENCE: choose_by_evidence,
            SnrChoice.CROSS_VALIDATION: choose_by_cross_validation,
        }[config.model.latent_snr_choice]
        grid = tuple(config.model.latent_snr_grid)
        with view.task("choosing the latent signal-to-noise ratio", 1):
            scores = choose(loaded, settings, groups, grid=grid, seed=config.seed)
        chosen = grid[int(np.argmax(scores))]
        run.event(
            "latent_snr_chosen",
            by=config.model.latent_snr_choice.value,
            value=chosen,
            grid=list(grid),
            scores=[float(score) for score in scores],
        )
        run.update_manifest(latent_snr=chosen)
    return settings.with_(latent_snr=chosen)


def _sample(
    config: FitConfig,
    prepared: Prepared,
    clock: CompileClock,
    *,
    run: Run,
    view: TrainingView,
    resume: bool,
) -> Sampled:
    inference = config.inference
    if inference.kind is InferenceKind.GIBBS:
        return _gibbs(config, prepared, clock, run=run, view=view, resume=resume)
    started, compiled = time.monotonic(), clock.seconds
    if resume:
        run.rewind(0)
    if inference.kind is InferenceKind.NUTS:
        with view.task("sampling with nuts", 1):
            made = fit_nuts(
                prepared,
                seed=config.seed,
                num_chains=inference.num_chains,
                num_warmup=inference.num_warmup,
                num_draws=inference.num_draws,
            )
    else:
        with view.task("optimising with svi", 1):
            made = fit_svi(
                prepared,
                seed=config.seed,
                num_steps=inference.num_steps,
                step_size=inference.step_size,
                num_draws=inference.num_draws,
            )
    wall_s = time.monotonic() - started - (clock.seconds - compiled)
    return Sampled(made.draws, sampling.NUM_DRAWS, 0.0, max(0.0, wall_s))


def _gibbs(
    config: FitConfig,
    prepared: Prepared,
    clock: CompileClock,
    *,
    run: Run,
    view: TrainingView,
    resume: bool,
) -> Sampled:
    plan = _plan(config.inference)
    saved = None
    if resume:
        saved = checkpoints.restore(run.checkpoints, _ended(run.path))
        run.rewind(0 if saved is None else saved.progress.block)
    with (
        StopRequest(lambda: view.note("stopping", STOPPING)) as stop,
        ExitStack() as until_warm,
    ):
        warming = view.task("compiling and warming up", plan.num_warmup or None)
        warmup = until_warm.enter_context(warming)
        if saved is not None:
            warmup.advance(saved.progress.warmup)
        shown = _Shown(run, view, plan, config.name, on_first=until_warm.close)
        return sampling.sample(
            prepared,
            plan,
            seed=config.seed,
            folder=run.checkpoints,
            saved=saved,
            watch=Watch(warmup.advance, shown.on_block, shown.on_checkpoint, stop),
            clock=clock,
        )


def _ended(folder: Path) -> Draws | None:
    """The draws that an earlier part of the run ended with; None when it was killed, or damaged since."""
    try:
        return load_fit(folder).draws
    except CheckpointError:
        return None


def _plan(inference: InferenceConfig) -> Plan:
    return Plan(
        num_chains=inference.num_chains,
        num_warmup=inference.num_warmup,
        num_draws=inference.num_draws,
        thin=inference.thin,
        block=min(inference.block, inference.num_draws),
        target_ess=inference.target_ess,
        time_limit_s=inference.time_limit_s,
        checkpoint_s=inference.checkpoint_s,
    )


class _Shown:
    """Tells the run folder and the view what sampling reports."""

    def __init__(
        self,
        run: Run,
        view: TrainingView,
        plan: Plan,
        name: str,
        *,
        on_first: Callable[[], None],
    ) -> None:
        self._run, self._view, self._plan, self._name = run, view, plan, name
        self._on_first = on_first
        self._started = False

    def on_block(self, look: Look) -> None:
        """One line of metrics a block."""
        if not self._started:
            self._on_first()
            self._view.start(
                self._plan.num_blocks, f"{self._name}, {self._plan.block} draws a block"
            )
            self._started = True
        found = look.diagnosis
        values = {
            "draws": look.draws,
            "max_rhat": float(found.rhat.max()),
            "min_ess_bulk": float(found.ess_bulk.min()),
            "min_ess_tail": float(found.ess_tail.min()),
            "log_likelihood": look.log_likelihood,
        }
        self._run.metrics.log(look.block, values)
        self._view.update(look.block, {**values, "state": "sampling"})

    def on_checkpoint(self, progress: checkpoints.Progress, folder: Path) -> None:
        """The clock goes with the checkpoint."""
        self._run.save_clock()
        self._run.event("checkpoint_saved", step=progress.block, warmup=progress.warmup)


def _stored(
    config: FitConfig,
    settings: ModelSettings,
    loaded: Loaded,
    prepared: Prepared,
    groups: np.ndarray | None,
    found: Sampled,
) -> StoredFit:
    missing = prepared.missing
    draws: Draws = found.draws
    return StoredFit(
        draws=draws,
        settings=settings,
        x_scaling=prepared.x_scaling,
        z_scaling=prepared.z_scaling,
        y_scaling=prepared.y_scaling,
        meta=loaded.meta,
        rotation=np.asarray(prepared.rotation),
        covariate_gram=np.asarray(prepared.covariate_gram),
        num_rows=prepared.num_rows,
        groups=groups,
        missing_cells=missing.cells,
        missing_labels=missing_labels(loaded, missing.cells, missing.dropped_rows),
        dropped_rows=missing.dropped_rows,
        data_sha256=loaded.sha256,
        inference={
            "kind": config.inference.kind.value,
            "seed": config.seed,
            "warmup": config.inference.num_warmup,
            "thin": config.inference.thin,
            "stopped": found.stopped,
            "precision": config.precision,
        },
    )


def missing_labels(loaded: Loaded, cells: np.ndarray, dropped: np.ndarray) -> tuple[str, ...]:
    """The row of each missing cell as the user knows it: its id, or its number in the table from 1."""
    kept = np.setdiff1d(np.arange(loaded.num_rows), dropped)
    rows = kept[cells[:, 0]] if len(cells) else np.zeros(0, int)
    if loaded.ids is None:
        return tuple(str(row + 1) for row in rows)
    return tuple(str(loaded.ids[row]) for row in rows)


def _summary(
    config: FitConfig,
    loaded: Loaded,
    prepared: Prepared,
    stored: StoredFit | None,
    found: Sampled,
    clock: CompileClock,
    claim: DeviceClaim,
) -> dict[str, Any]:
    """What is known without the tables and figures: sizes, how sampling went, whether it can be trusted."""
    meta = loaded.meta
    summary: dict[str, Any] = {
        "inference": config.inference.kind.value,
        "stopped": found.stopped,
        "num_rows": prepared.num_rows,
        "num_covariates": len(meta.covariates),
        "num_targets": len(meta.targets),
        "num_confounders": len(meta.confounders),
        "num_missing_cells": len(prepared.missing.cells),
        "num_dropped_rows": len(prepared.missing.dropped_rows),
        "streamed": loaded.streamed,
        "seed": config.seed,
        "device": claim.device,
        "warmup_s": round(found.warmup_s, 3),
        "sampling_s": round(found.sampling_s, 3),
        "compile_s": round(clock.seconds, 3),
        "num_programs": clock.programs,
        "num_programs_reused": clock.reused,
    }
    if stored is not None:
        draws = stored.draws
        summary |= {"num_chains": draws.num_chains, "num_draws": draws.num_draws}
        summary |= _trust(config.inference.kind, draws)
    return summary


def _trust(kind: InferenceKind, draws: Draws) -> dict[str, Any]:
    """Diagnostics of the invariants; those of independent draws of an approximation say nothing and are left out."""
    if kind is InferenceKind.SVI:
        return {"diagnostics_passed": None, "warning": APPROXIMATE}
    found: Diagnosis = diagnose(*invariants(draws))
    worst = int(np.argmax(found.rhat))
    return {
        "max_rhat": float(found.rhat.max()),
        "worst_quantity": found.names[worst],
        "min_ess_bulk": float(found.ess_bulk.min()),
        "min_ess_tail": float(found.ess_tail.min()),
        "median_ess_bulk": float(np.median(found.ess_bulk)),
        "diagnostics_passed": found.passed,
    }


def _timed(summary: dict[str, Any], run: Run) -> dict[str, Any]:
    wall_s, cpu_s = run.clock()
    return {**summary, "wall_s": round(wall_s, 3), "cpu_s": round(cpu_s, 3)}


def _judge(summary: dict[str, Any]) -> None:
    """Raises UntrustworthyError when the chains have not converged."""
    if summary["diagnostics_passed"] is False:
        raise UntrustworthyError(
            "the chains have not converged",
            got=f"R-hat {summary['max_rhat']:.3f} ({summary['worst_quantity']}), effective sample size"
            f" {min(summary['min_ess_bulk'], summary['min_ess_tail']):.0f}",
            expected=f"at most 1.01, and at least {100 * summary['num_chains']}",
            hint="more of inference.num_draws or inference.num_warmup, or inference.thin above 1",
        )
