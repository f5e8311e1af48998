"""Importing the runtime is cheap: nothing heavy before it is used, whatever the command."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("rich", "typer", "hydra", "omegaconf", "yaml", "jinja2", "filelock", "pynvml", "numpy", "torch", "jax",
         "mlflow", "tensorboard", "wandb")  # fmt: skip


@pytest.mark.parametrize(
    "module",
    [
        "runtime.devices",
        "runtime.errors",
        "runtime.locks",
        "runtime.metrics",
        "runtime.progress",
        "runtime.report",
        "runtime.run",
        "runtime.seeding",
        "runtime.settings",
        "runtime.storage",
        "runtime.trackers",
    ],
)
def test_importing_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
