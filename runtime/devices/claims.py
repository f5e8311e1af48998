"""Taking a device: one run per GPU across processes, a thread budget, and the environment that makes it so.

A claim is a lock file that dies with its holder. It must be applied before torch or JAX is
imported, because both read the environment once. What is not guaranteed: that programs which know
nothing of these locks stay off the GPU; `auto` passes over a GPU on which another program already
computes, a named one is taken as named.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from runtime.devices.inventory import Framework, Gpu, GpuList, list_gpus, thread_budget
from runtime.errors import ConfigError, DeviceError
from runtime.locks import OwnedLock, holder_of
from runtime.storage import storage_errors

CPU_HINT = "`--device cpu` runs on the CPU"

_NOTE_S = 0.5
"""Two runs that start together: the one that was refused waits this long to learn the other's name."""

_OTHER: dict[str, Framework] = {"torch": "jax", "jax": "torch"}


@dataclass
class DeviceClaim:
    """A device that is ours until `release`, or until the process dies. Also a context manager."""

    device: str
    """`cpu`, or `cuda:0`: the only GPU that the process sees once the claim is applied."""
    framework: Framework
    threads: int
    environment: dict[str, str]
    """What `apply` sets."""
    gpu: Gpu | None = None
    _lock: OwnedLock | None = field(default=None, repr=False)

    @property
    def index(self) -> int | None:
        """NVML's number of the claimed GPU; None on the CPU."""
        return None if self.gpu is None else self.gpu.index

    def apply(self) -> None:
        """Set the environment. Call it before the framework is imported.

        Raises:
            DeviceError: the other framework is imported in this process already, or this one was
                imported under a different environment and would not notice.
        """
        other = _OTHER[self.framework]
        if other in sys.modules:
            raise DeviceError(
                f"{self.framework} and {other} must not share a process",
                got=f"{other} is already imported",
            )
        changed = [key for key, value in self.environment.items() if os.environ.get(key) != value]
        decisive = [key for key in changed if key.startswith(("CUDA_", "JAX_", "XLA_"))]
        if decisive and self.framework in sys.modules and self.device != "cpu":
            raise DeviceError(
                f"{self.framework} was imported before the device was claimed",
                got=f"{decisive[0]} would not count",
            )
        os.environ.update(self.environment)

    def release(self) -> None:
        """Give the device back; a second call does nothing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> DeviceClaim:
        """The claim itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release."""
        self.release()


def claim(
    request: str,
    *,
    owner: str,
    framework: Framework,
    lock_dir: Path | None = None,
    threads: int | None = None,
    memory_fraction: float | None = None,
    gpus: GpuList | None = None,
) -> DeviceClaim:
    """Take a device for this process.

    Args:
        request: `cpu`; `cuda:N`, the N-th visible GPU; or `auto`, the first visible GPU that nobody
            uses, and the CPU only where there is no visible GPU at all.
        owner: what the device is for, shown to others who want it: a run folder, a command.
        framework: which framework will use it.
        lock_dir: where the lock files are, the same for everybody on the machine. None:
            `default_lock_dir()`.
        threads: CPU threads. None: all that this process may use.
        memory_fraction: share of the GPU's memory that JAX reserves, in (0, 1]. None: JAX's own
            default.
        gpus: the machine's GPUs. None: ask NVML.

    Returns:
        The claim, not yet applied.

    Raises:
        DeviceError: an unknown request, an absent GPU, one that is taken, all of them taken, or
            GPUs that NVML cannot list. Never answered with the CPU.
        ConfigError: too many threads, or a share of memory out of range.
        StorageError: the lock file cannot be made.
    """
    budget = thread_budget(threads)
    if memory_fraction is not None and not 0 < memory_fraction <= 1:
        raise ConfigError(
            "share of GPU memory out of range",
            got=memory_fraction,
            expected="above 0 and at most 1",
        )
    if request == "cpu":
        return _cpu_claim(framework, budget)
    number = _gpu_number(request)
    visible = _visible(list_gpus() if gpus is None else gpus)
    if number is None and not visible:
        return _cpu_claim(framework, budget)
    if number is not None and number >= len(visible):
        raise DeviceError("no such GPU", got=request, expected=_names(visible), hint=CPU_HINT)
    folder = lock_dir or default_lock_dir()
    candidates = visible if number is None else [visible[number]]
    taken = []
    for gpu in candidates:
        if number is None and gpu.processes:
            taken.append(f"GPU {gpu.index} used by process {gpu.processes[0]}")
            continue
        lock = OwnedLock(_lock_path(folder, gpu), owner=owner, mode=0o666)
        if lock.acquire():
            return DeviceClaim(
                "cuda:0",
                framework,
                budget,
                _environment(framework, budget, gpu, memory_fraction),
                gpu,
                lock,
            )
        taken.append(f"GPU {gpu.index} held by {holder_of(lock.path, wait_s=_NOTE_S) or 'another run'}")
    what = "every GPU is taken" if number is None else "the GPU is taken"
    raise DeviceError(
        what,
        got=", ".join(taken),
        expected="a free GPU",
        hint=f"wait for it to be free; {CPU_HINT}",
    )


def default_lock_dir() -> Path:
    """A folder that everybody on the machine can write to, so that one user's claim counts for another."""
    return Path(tempfile.gettempdir()) / "delta-toolkit-devices"


def verify_torch(claim: DeviceClaim) -> None:
    """Check that torch, now imported, really has the device that was claimed.

    Raises:
        DeviceError: a GPU was claimed and torch has none.
    """
    if claim.device == "cpu":
        return
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available() or torch.cuda.device_count() != 1:
        build = (
            f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        )
        raise DeviceError(
            f"torch {torch.__version__} ({build}) does not see GPU {claim.index}, which was claimed for it",
            got=f"{torch.cuda.device_count()} GPUs",
            expected="1 GPU",
            hint=f"install a torch build for this driver; {CPU_HINT}",
        )


def verify_jax(claim: DeviceClaim) -> None:
    """Check that JAX, now imported, really runs on the device that was claimed.

    Raises:
        DeviceError: JAX's default backend is another one.
    """
    jax = importlib.import_module("jax")
    expected = "cpu" if claim.device == "cpu" else "gpu"
    try:
        backend = jax.default_backend()
    except (
        RuntimeError
    ) as error:  # JAX's answer when the platform it was told to use does not start
        raise DeviceError(
            f"JAX does not start: {error}", expected=expected, hint=CPU_HINT
        ) from error
    if backend != expected:
        raise DeviceError(
            f"JAX {jax.__version__} does not run on the claimed device",
            got=backend,
            expected=expected,
            hint=CPU_HINT,
        )


def _cpu_claim(framework: Framework, threads: int) -> DeviceClaim:
    return DeviceClaim("cpu", framework, threads, _environment(framework, threads, None, None))


def _environment(
    framework: Framework, threads: int, gpu: Gpu | None, memory_fraction: float | None
) -> dict[str, str]:
    count = str(threads)
    result = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    result["TOKENIZERS_PARALLELISM"] = "false"  # its threads would come on top of the budget
    if gpu is None:
        result["CUDA_VISIBLE_DEVICES"] = ""
    else:
        result["CUDA_DEVICE_ORDER"] = (
            "PCI_BUS_ID"  # NVML's order; CUDA's own default is fastest first
        )
        result["CUDA_VISIBLE_DEVICES"] = gpu.uuid if gpu.uuid.startswith("MIG-") else str(gpu.index)
    if framework == "jax":
        # a platform that is named must start: JAX then raises instead of using the CPU
        result["JAX_PLATFORMS"] = "cpu" if gpu is None else "cuda,cpu"
        result["PJRT_NPROC"] = count
        if gpu is not None and memory_fraction is not None:
            result["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{memory_fraction:g}"
    elif gpu is not None:
        result["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS is not reproducible
    return result


def _gpu_number(request: str) -> int | None:
    """N of `cuda:N`; None for `auto`."""
    if request == "auto":
        return None
    prefix, _, number = request.partition(":")
    if prefix != "cuda" or not number.isdecimal():
        raise DeviceError(
            "unknown device", got=request, expected="auto, cpu or cuda:N", where="--device"
        )
    return int(number)


def _visible(found: GpuList) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES lets us use, in its order; all of them when it is not set."""
    if found.problem:
        raise DeviceError(f"the GPUs cannot be listed: {found.problem}", hint=CPU_HINT)
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return list(found.gpus)
    chosen = []
    for word in (part.strip() for part in setting.split(",")):
        gpu = _named(found.gpus, word)
        if gpu is None:
            break  # as CUDA does: what follows an unknown entry is not visible
        chosen.append(gpu)
    return chosen


def _named(gpus: tuple[Gpu, ...], word: str) -> Gpu | None:
    """The GPU that one entry of CUDA_VISIBLE_DEVICES names: a number, the start of a UUID, or a slice."""
    if word.startswith("MIG-"):
        return Gpu(-1, word, "MIG slice") if gpus else None
    for gpu in gpus:
        if (word.isdecimal() and gpu.index == int(word)) or (
            word.startswith("GPU-") and gpu.uuid.startswith(word)
        ):
            return gpu
    return None


def _names(gpus: list[Gpu]) -> str:
    if not gpus:
        return "cpu: no GPU is visible"
    return " or ".join(f"cuda:{number} ({gpu.name})" for number, gpu in enumerate(gpus))


def _lock_path(folder: Path, gpu: Gpu) -> Path:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # Everybody may lock. Not sticky: in a sticky folder Linux refuses to open another user's lock file.
    with contextlib.suppress(PermissionError):  # made by another user, who has done this
        folder.chmod(0o777)
    return folder / f"{gpu.uuid}.lock"
