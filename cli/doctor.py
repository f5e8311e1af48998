"""`toolkit doctor`: versions, devices, threads, memory, disk, kernel features. Facts only, nothing is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

GIB = 1 << 30

LIBRARIES = (
    "torch", "transformers", "trl", "tokenizers", "jax", "jaxlib", "numpyro", "numpy", "scipy", "hydra-core",
    "omegaconf", "typer", "rich", "vllm", "tensorboard", "mlflow-skinny", "wandb",
)  # fmt: skip


def doctor(
    root: Annotated[
        Path, typer.Option("--root", help="The folder of the runs, for its disk.")
    ] = Path("runs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Say what this machine offers: versions, devices, threads, memory, disk, kernel features."""
    from cli import output

    found = examine(root)
    if as_json:
        output.emit({"command": "doctor", "status": "done", "run": None, **found})
        return
    for title, part in found.items():
        if isinstance(part, dict):
            output.facts(title, part)
        elif part:
            output.table(
                title,
                tuple(part[0]),
                [tuple(output.shown(value) for value in row.values()) for row in part],
            )


def examine(root: Path) -> dict[str, Any]:
    """Everything that `doctor` shows, JSON-able."""
    import dataclasses
    import platform
    import sys

    from cli import kernel, paths
    from runtime.devices import inventory

    machine = dataclasses.asdict(inventory())
    return {
        "toolkit": {
            "version": _version("delta-toolkit"),
            "python": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
        },
        "libraries": {name: _version(name) for name in LIBRARIES},
        "machine": machine,
        "disk": {"runs": _disk(root), "cache": _disk(paths.cache_folder())},
        "kernel": kernel.features(),
    }


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _disk(folder: Path) -> dict[str, Any]:
    """Free space where a folder is or would be, and whether it can be written."""
    import os
    import shutil

    place = folder.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    return {
        "path": str(folder),
        "free_gib": round(usage.free / GIB, 1),
        "total_gib": round(usage.total / GIB, 1),
        "writable": os.access(place, os.W_OK | os.X_OK),
    }
