"""`toolkit doctor`: versions, devices, threads, memory, disk, kernel features, sandbox. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Say what this machine offers: versions, devices, threads, memory, disk, kernel features, sandbox."""
    from cli import output

    found = examine(root)
    if as_json:
        output.emit({"command": "doctor", "status": "done", "run": None, **found})
        return
    for title, part in readable(found).items():
        output.facts(title, part)


def examine(root: Path) -> dict[str, Any]:
    """Everything that `doctor` shows, JSON-able."""
    import dataclasses
    import platform
    import sys

    from cli import kernel, paths
    from runtime.devices import inventory, thread_budget

    machine = {"threads": thread_budget(None), **dataclasses.asdict(inventory())}
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
        "sandbox": _sandbox(),
    }


def readable(found: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What `examine` found, one line a fact, in words."""
    from cli.output import shown

    machine, disk, kernel = found["machine"], found["disk"], found["kernel"]
    return {
        "toolkit": found["toolkit"],
        "libraries": {
            name: version or "not installed" for name, version in found["libraries"].items()
        },
        "machine": {
            "CPUs": f"{machine['cpus']} that this process may use",
            "threads": f"{machine['threads']} for a run, unless training.threads says less",
            "memory": f"{machine['memory_mib'] / 1024:.1f} GiB",
            **_gpu_lines(machine["gpus"]),
            **{one["name"]: _framework_line(one) for one in machine["frameworks"]},
        },
        "disk": {
            name: f"{place['free_gib']:g} of {place['total_gib']:g} GiB free, "
            f"{'writable' if place['writable'] else 'NOT WRITABLE'}: {place['path']}"
            for name, place in disk.items()
        },
        "kernel": {
            "release": kernel["kernel"],
            "Landlock": "no" if kernel["landlock_abi"] is None else f"ABI {kernel['landlock_abi']}",
            "seccomp filters": " ".join(kernel["seccomp_actions"] or ["no"]),
            "user namespaces": shown(kernel["user_namespaces"]),
        },
        "sandbox": _sandbox_lines(found["sandbox"]),
    }


def _gpu_lines(gpus: Mapping[str, Any]) -> dict[str, str]:
    """A line a GPU; one line when there is none, or when they cannot be listed."""
    if gpus["problem"]:
        return {"GPUs": f"cannot be listed: {gpus['problem']}"}
    lines = {}
    for gpu in gpus["gpus"]:
        users = ", ".join(map(str, gpu["processes"]))
        memory = f"{gpu['free_mib'] / 1024:.1f} of {gpu['memory_mib'] / 1024:.1f} GiB free"
        use = f"used by process {users}" if users else "no process on it"
        lines[f"GPU {gpu['index']}"] = f"{gpu['name']}, {memory}, {use}"
    return lines or {"GPUs": "none"}


def _sandbox() -> dict[str, Any]:
    """What programs that nobody trusts can be locked in with; tried out, not looked up."""
    from rlgrok.sandbox.naming import named_level
    from rlgrok.sandbox.pool import capabilities
    from runtime.errors import InfrastructureError

    try:
        return {**capabilities(), "named": named_level(), "problem": ""}
    except InfrastructureError as error:
        return {
            "layers": {},
            "levels": [],
            "named": named_level(),
            "problem": error.one_line(),
        }


def _sandbox_lines(sandbox: Mapping[str, Any]) -> dict[str, str]:
    """A line a layer, and the levels that can be had."""
    if sandbox["problem"]:
        return {"layers": f"cannot be tried: {sandbox['problem']}"}
    layers = {
        name: "holds" if why is None else f"no: {why}" for name, why in sandbox["layers"].items()
    }
    levels = ", ".join(sandbox["levels"]) or "none: programs are not run here"
    return {**layers, "levels": levels, "level in use": sandbox["named"]}


def _framework_line(framework: Mapping[str, Any]) -> str:
    if framework["version"] is None:
        return "not installed"
    if framework["problem"]:
        return f"{framework['version']}, does not start: {framework['problem']}"
    seen = ", ".join(framework["gpus"]) or "the CPU"
    return f"{framework['version']} ({framework['build']}), sees {seen}"


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
