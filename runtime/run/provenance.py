"""Where a result comes from: the code's commit, the versions, the machine. Facts for the manifest.

Nothing here imports a framework, and nothing here fails: a fact that cannot be found is None or
absent.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DISTRIBUTIONS = (
    "delta-toolkit", "torch", "transformers", "tokenizers", "trl", "datasets", "accelerate", "safetensors", "vllm",
    "jax", "jaxlib", "numpyro", "numpy", "scipy", "hydra-core", "omegaconf", "typer", "rich", "matplotlib",
)  # fmt: skip
"""Distributions whose versions can change a result, plus what drives the command line."""

_GIT_TIMEOUT_S = 5.0


def now() -> str:
    """The time in UTC to the millisecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def versions() -> dict[str, str]:
    """Python's version and that of every known distribution that is installed."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """The machine in a few words: system, processor, usable CPUs, memory, GPUs by name."""
    from runtime.devices import gpu_names, memory_mib, usable_cpus

    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": usable_cpus(),
        "memory_mib": memory_mib(),
        "gpus": gpu_names(),
    }


def git_state(package: Path, working: Path) -> dict[str, Any] | None:
    """The commit that the code, or else the working folder, is at.

    Args:
        package: a folder of this package. Counts when its files are tracked, so that an
            installation inside somebody's repository is not taken for that repository's code.
        working: the folder the command runs in.

    Returns:
        `{"commit", "dirty", "of"}`, where `of` is `package` or `working folder`; `dirty` says that
        tracked files differ from the commit, or None when git did not answer. None when neither is
        in a repository.
    """
    if _git(package, "ls-files", "--error-unmatch", ".") is not None:
        return _commit(package, "package")
    return _commit(working, "working folder")


def _commit(folder: Path, of: str) -> dict[str, Any] | None:
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes), "of": of}


def _git(folder: Path, *arguments: str) -> str | None:
    """Git's answer; None when git is absent, slow, or says no."""
    environment = {
        **os.environ,
        "GIT_OPTIONAL_LOCKS": "0",
    }  # looking must not disturb a running git
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
