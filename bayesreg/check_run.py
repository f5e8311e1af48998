"""`toolkit bayes check`, top to bottom: tests, negative controls, calibration, table, figures, verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayesreg.check_figures import rank_figure, z_figure
from bayesreg.checks import (
    DEFECTS,
    Calibration,
    JointTest,
    joint_distribution_test,
    row_joint_distribution_test,
    simulation_based_calibration,
)
from bayesreg.compiling import configure
from bayesreg.simulate_config import CheckConfig
from bayesreg.types import ModelSettings
from runtime.errors import UntrustworthyError
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.storage import atomic_write_bytes, atomic_write_text

TABLE, Z_FIGURE, RANK_FIGURE = "checks.csv", "z_scores.png", "ranks.png"

_ALTERNATIONS_OF_ROWS = 15
"""Of two sweeps each, at most: as many sweeps as the rotated sampler's test makes by default."""


@dataclass(frozen=True)
class Checked:
    """Everything that was found."""

    tests: dict[str, JointTest]
    """Of the sampler as it is, by name; these must pass."""
    controls: dict[str, JointTest]
    """Of samplers with one known mistake; these must fail."""
    calibration: Calibration | None

    def failures(self, *, bound: float, least_p: float) -> list[str]:
        """One sentence for each thing that is wrong; none when the sampler passes and every mistake was seen."""
        found = [
            f"{name}: |z| = {test.largest:.1f} for {test.worst}"
            for name, test in self.tests.items()
            if not test.largest < bound
        ]
        found += [
            f"the mistake {name!r} was not seen: |z| = {test.largest:.1f}"
            for name, test in self.controls.items()
            if not test.largest > bound
        ]
        if self.calibration is not None:
            p = self.calibration.p_values()
            found += [
                f"ranks of {name} are not uniform: p = {value:.1g}"
                for name, value in zip(self.calibration.names, p, strict=True)
                if value < least_p
            ]
        return found


def check_run(config: CheckConfig, *, run: Run, view: TrainingView, cache: Path) -> dict[str, Any]:
    """Check the sampler of a configuration.

    Args:
        config: checked.
        run: created; receives `checks.csv` (a row a quantity), figures and `summary.json`.
        view: shows progress.
        cache: the toolkit's cache folder; compiled programs are kept below it.

    Returns:
        The summary, as written.

    Raises:
        ConfigError: a model that cannot be checked.
        UntrustworthyError: all is written, and the sampler failed or a mistake was not seen.
    """
    configure("float64", cache / "jax")
    found = run_checks(config, config.model.settings(), view)
    failures = found.failures(bound=config.bound, least_p=config.least_p)
    summary = summarise(found, failures)
    atomic_write_text(run.path / TABLE, table_of(found))
    atomic_write_bytes(
        run.figures / Z_FIGURE, z_figure(found.tests, found.controls, bound=config.bound)
    )
    if found.calibration is not None:
        atomic_write_bytes(run.figures / RANK_FIGURE, rank_figure(found.calibration))
    for failure in failures:
        run.event("warning", name="check", message=failure)
    run.write_summary(summary)
    if failures:
        raise UntrustworthyError(
            "the check failed", got="; ".join(failures[:3]), where=run.path / TABLE
        )
    return summary


def run_checks(config: CheckConfig, settings: ModelSettings, view: TrainingView) -> Checked:
    """Everything that the config asks for, in the order of the table."""
    replicates, seed = config.joint_replicates, config.seed
    # the defect acts on fixed shapes only
    defects = [d for d in DEFECTS if not (d == "jacobian" and settings.sample_shrinkage)]

    def rotated(defect: str | None = None) -> JointTest:
        return joint_distribution_test(
            settings, seed=seed, num_replicates=replicates, num_sweeps=config.joint_sweeps,
            defect=defect,
        )  # fmt: skip

    def by_rows(*, wrong_order: bool = False) -> JointTest:
        return row_joint_distribution_test(
            settings, seed=seed, num_missing=config.missing_cells, num_replicates=replicates,
            num_sweeps=min(config.joint_sweeps, _ALTERNATIONS_OF_ROWS), wrong_order=wrong_order,
        )  # fmt: skip

    tests: dict[str, Callable[[], JointTest]] = {"rotated": rotated}
    controls: dict[str, Callable[[], JointTest]] = {}
    if config.missing_cells:
        tests["row by row"] = by_rows
    if config.controls:
        controls = {name: lambda name=name: rotated(name) for name in defects}
        if config.missing_cells and settings.latent_noise:
            controls["wrong order"] = lambda: by_rows(wrong_order=True)
    with view.task("joint-distribution tests", len(tests) + len(controls)) as task:

        def done(test: Callable[[], JointTest]) -> JointTest:
            found = test()
            task.advance(1)
            return found

        tested = {name: done(test) for name, test in tests.items()}
        controlled = {name: done(test) for name, test in controls.items()}
    calibration = None
    if config.calibration_replicates:
        with view.task("simulation-based calibration", 1) as task:
            calibration = simulation_based_calibration(
                settings, seed=seed, num_replicates=config.calibration_replicates,
                num_warmup=config.calibration_warmup, thin=config.calibration_thin,
            )  # fmt: skip
            task.advance(1)
    return Checked(tested, controlled, calibration)


def table_of(found: Checked) -> str:
    """CSV with a row a quantity: the test, whether it is a control, the quantity, z or p."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["check", "control", "quantity", "z", "p"])
    for kind, tests in (("no", found.tests), ("yes", found.controls)):
        for name, test in tests.items():
            for quantity, z in zip(test.names, test.z.tolist(), strict=True):
                writer.writerow([name, kind, quantity, z, ""])
    if found.calibration is not None:
        for quantity, p in zip(
            found.calibration.names, found.calibration.p_values().tolist(), strict=True
        ):
            writer.writerow(["calibration", "no", quantity, "", p])
    return text.getvalue()


def summarise(found: Checked, failures: list[str]) -> dict[str, Any]:
    """Flat numbers: the largest |z| of every test and control, the smallest p."""
    summary: dict[str, Any] = {"passed": not failures}
    for name, test in found.tests.items():
        key = name.replace(" ", "_")
        summary |= {f"{key}_largest_z": test.largest, f"{key}_quantities": len(test.names)}
    for name, test in found.controls.items():
        summary[f"control_{name.replace(' ', '_')}_largest_z"] = test.largest
    if found.calibration is not None:
        p = found.calibration.p_values()
        summary["calibration_smallest_p"] = float(np.min(p))
        summary["calibration_quantities"] = len(found.calibration.names)
    return summary
