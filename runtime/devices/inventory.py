"""What the machine has: CPUs and memory this process may use, GPUs by NVML, what each framework sees.

Frameworks are asked in a subprocess of their own, so that looking never imports torch and JAX
together, nor takes GPU memory. A machine without NVML is normal and has no GPUs; a machine with a
GPU that NVML cannot list has a problem, and says so.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.errors import ConfigError

Framework = Literal["torch", "jax"]

_PROBE_TIMEOUT_S = 120.0  # a cold import of torch from a network disk takes a minute
_MIB = 1 << 20
_GPU_FILE = Path("/dev/nvidia0")

_PROBES: dict[str, str] = {
    "torch": (
        "import json, torch\n"
        "ok = torch.cuda.is_available()\n"
        "names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if ok else []\n"
        "build = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPU only'\n"
        "print(json.dumps({'build': build, 'gpus': names, 'backend': 'cuda' if ok else 'cpu'}))\n"
    ),
    "jax": (
        "import json, jax\n"
        "backend = jax.default_backend()\n"
        "names = [d.device_kind for d in jax.devices() if d.platform in ('gpu', 'cuda', 'rocm')]\n"
        "print(json.dumps({'build': 'jaxlib ' + jax.lib.__version__, 'gpus': names, 'backend': backend}))\n"
    ),
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or one slice of a partitioned GPU, as NVML reports it."""

    index: int
    """NVML's number: the order on the PCI bus."""
    uuid: str
    name: str
    memory_mib: int = 0
    free_mib: int = 0
    processes: tuple[int, ...] = ()
    """Processes that compute on it, by id. May be empty inside a container although there are some."""


@dataclass(frozen=True, slots=True)
class GpuList:
    """The GPUs of the machine, and why there may be more than are listed."""

    gpus: tuple[Gpu, ...] = ()
    problem: str = ""
    """Empty when the list can be trusted, an empty list included."""


@dataclass(frozen=True, slots=True)
class FrameworkInfo:
    """What a framework says of itself when asked in a fresh process."""

    name: str
    version: str | None
    """None: not installed."""
    build: str = ""
    backend: str = ""
    gpus: tuple[str, ...] = ()
    problem: str = ""
    """Why it could not be asked, empty when it answered."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machine as this process may use it."""

    cpus: int
    memory_mib: int
    gpus: GpuList
    frameworks: tuple[FrameworkInfo, ...] = ()


def inventory(*, frameworks: bool = True) -> Inventory:
    """Look at the machine.

    Args:
        frameworks: also ask torch and JAX, each in a subprocess: seconds. False takes milliseconds.
    """
    names: tuple[Framework, ...] = ("torch", "jax") if frameworks else ()
    return Inventory(
        usable_cpus(), memory_mib(), list_gpus(), tuple(probe_framework(name) for name in names)
    )


# --- CPUs and memory ------------------------------------------------------------------------------------------------


def thread_budget(requested: int | None) -> int:
    """CPU threads a run may use: what was asked for, else `OMP_NUM_THREADS`, else every CPU of this process.

    The variable is how schedulers, and we ourselves when several runs go at a time, share a machine: twice as many
    threads as CPUs can make a small model sixty times slower.

    Raises:
        ConfigError: more were asked for than the process may use; they would only wait for each
            other.
    """
    available = usable_cpus()
    if requested is None:
        # A list gives nested regions their own numbers; the first is the outermost's.
        shared = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        return min(available, int(shared)) if shared.isdecimal() and int(shared) else available
    if not 1 <= requested <= available:
        raise ConfigError(
            "this process may not use that many CPU threads",
            got=requested,
            expected=f"1 to {available}, or null",
        )
    return requested


def usable_cpus(
    *, cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int:
    """CPUs this process may use: its affinity, cut to its control group's quota, at least 1.

    Args:
        cgroups: where control groups are mounted.
        membership: the file that says which one this process is in.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        count = os.cpu_count() or 1
    quota = min(_cpu_quotas(cgroups, membership), default=float(count))
    return max(1, min(count, int(quota)))


def memory_mib(
    *, cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int:
    """Memory this process may use, in MiB: the machine's, cut to its control group's limit."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    texts = [_read(folder / "memory.max") for folder in _cgroup_folders(cgroups, membership)]
    texts.append(_read(cgroups / "memory" / "memory.limit_in_bytes"))  # control groups, version 1
    limits = [int(text) for text in texts if text.isdigit()]
    return min([total, *limits]) // _MIB


def _cpu_quotas(cgroups: Path, membership: Path) -> list[float]:
    """CPU quotas that bind this process, in CPUs."""
    pairs = [_read(folder / "cpu.max").split() for folder in _cgroup_folders(cgroups, membership)]
    version1 = cgroups / "cpu"
    pairs.append([_read(version1 / "cpu.cfs_quota_us"), _read(version1 / "cpu.cfs_period_us")])
    return [
        int(pair[0]) / int(pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[0].isdigit() and pair[1].isdigit() and int(pair[1]) > 0
    ]


def _cgroup_folders(cgroups: Path, membership: Path) -> list[Path]:
    """This process's control group (version 2) and every one above it."""
    inside = next(
        (line[3:] for line in _read(membership).splitlines() if line.startswith("0::")), "/"
    )
    folder = cgroups / inside.strip("/")
    return [
        folder,
        *(parent for parent in folder.parents if parent == cgroups or cgroups in parent.parents),
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


# --- GPUs -----------------------------------------------------------------------------------------------------------


def list_gpus() -> GpuList:
    """The GPUs by NVML, in bus order. No driver and no NVML library: no GPUs, and no problem."""
    try:
        import pynvml
    except ImportError:
        return _without_nvml("the package nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return _without_nvml(f"NVML: {error}")
    try:
        return GpuList(tuple(_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())))
    except pynvml.NVMLError as error:
        return GpuList(problem=f"NVML: {error}")
    finally:
        pynvml.nvmlShutdown()


def gpu_names() -> list[str]:
    """The GPUs' names, for the manifest."""
    return [gpu.name for gpu in list_gpus().gpus]


def _without_nvml(reason: str) -> GpuList:
    """No GPUs; a problem only if the system nevertheless has a GPU's device file."""
    return GpuList(problem=f"{reason}, although {_GPU_FILE} exists" if _GPU_FILE.exists() else "")


def _gpu(nvml: Any, index: int) -> Gpu:  # noqa: ANN401 - the pynvml module
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        processes = tuple(entry.pid for entry in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except nvml.NVMLError:  # not permitted, or not supported on this model
        processes = ()
    return Gpu(
        index,
        nvml.nvmlDeviceGetUUID(handle),
        nvml.nvmlDeviceGetName(handle),
        memory.total // _MIB,
        memory.free // _MIB,
        processes,
    )


# --- frameworks -----------------------------------------------------------------------------------------------------


def probe_framework(name: Framework) -> FrameworkInfo:
    """What torch or JAX sees, asked in a subprocess that takes no GPU memory for long."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return FrameworkInfo(name, None)
    # JAX would otherwise reserve most of the GPU for the moment that it is asked
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", _PROBES[name]],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return FrameworkInfo(name, version, problem=str(error))
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        return FrameworkInfo(
            name, version, answer["build"], answer["backend"], tuple(answer["gpus"])
        )
    except (ValueError, IndexError, KeyError):
        last = done.stderr.strip().splitlines()[-1:] or [
            f"no answer, exit status {done.returncode}"
        ]
        return FrameworkInfo(name, version, problem=last[0])
