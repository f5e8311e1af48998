"""What the machine has: control-group limits, NVML present, absent and broken, frameworks asked in a subprocess."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import types

import pytest

from runtime.devices import (
    Gpu,
    inventory,
    list_gpus,
    memory_mib,
    probe_framework,
    thread_budget,
    usable_cpus,
)
from runtime.devices import inventory as inventory_function
from runtime.errors import ConfigError

MODULE = sys.modules[inventory_function.__module__]


# --- CPUs and memory ------------------------------------------------------------------------------------------------


def make_cgroups(tmp_path, *, inside="/", files=()):
    """A fake control-group tree; `files` are (folder, name, text)."""
    root = tmp_path / "cgroup"
    root.mkdir()
    membership = tmp_path / "membership"
    membership.write_text(f"0::{inside}\n")
    for folder, name, text in files:
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / name).write_text(text)
    return {"cgroups": root, "membership": membership}


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize(
    ("inside", "files", "expected"),
    [
        ("/", [], 8),
        ("/", [(".", "cpu.max", "max 100000\n")], 8),
        ("/", [(".", "cpu.max", "250000 100000\n")], 2),
        ("/", [(".", "cpu.max", "50000 100000\n")], 1),
        ("/", [(".", "cpu.max", "1600000 100000\n")], 8),
        ("/a/b", [("a", "cpu.max", "300000 100000\n"), ("a/b", "cpu.max", "max 100000\n")], 3),
        ("/a/b", [("a", "cpu.max", "600000 100000\n"), ("a/b", "cpu.max", "200000 100000\n")], 2),
        ("/a", [("other", "cpu.max", "100000 100000\n")], 8),
        (
            "/",
            [("cpu", "cpu.cfs_quota_us", "400000\n"), ("cpu", "cpu.cfs_period_us", "100000\n")],
            4,
        ),
        ("/", [("cpu", "cpu.cfs_quota_us", "-1\n"), ("cpu", "cpu.cfs_period_us", "100000\n")], 8),
        ("/", [(".", "cpu.max", "garbage\n")], 8),
    ],
)
def test_cpus_are_cut_to_the_quota(tmp_path, inside, files, expected):
    assert usable_cpus(**make_cgroups(tmp_path, inside=inside, files=files)) == expected


def test_cpus_follow_the_affinity(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5}, raising=False)
    assert usable_cpus(**make_cgroups(tmp_path)) == 2


def test_cpus_on_a_system_without_affinity(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(**make_cgroups(tmp_path)) == 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([(".", "memory.max", f"{512 << 20}\n")], 512),
        ([("memory", "memory.limit_in_bytes", f"{256 << 20}\n")], 256),
    ],
)
def test_memory_is_cut_to_the_limit(tmp_path, files, expected):
    assert memory_mib(**make_cgroups(tmp_path, files=files)) == expected


def test_memory_without_a_limit_is_the_machines(tmp_path):
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert memory_mib(**make_cgroups(tmp_path, files=[(".", "memory.max", "max\n")])) == total


def test_thread_budget(monkeypatch):
    monkeypatch.setattr(MODULE, "usable_cpus", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [thread_budget(None), thread_budget(1), thread_budget(4)] == [4, 1, 4]
    for requested in (0, 5):
        with pytest.raises(ConfigError, match=f"got {requested}; expected 1 to 4, or null"):
            thread_budget(requested)


@pytest.mark.parametrize(
    ("value", "expected"), [("1", 1), ("3,1", 3), ("64", 4), ("0", 4), ("", 4), ("many", 4)]
)
def test_the_usual_variable_limits_threads_that_nobody_asked_for(monkeypatch, value, expected):
    monkeypatch.setattr(MODULE, "usable_cpus", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert thread_budget(None) == expected
    assert thread_budget(2) == 2


# --- GPUs -----------------------------------------------------------------------------------------------------------


class NVMLError(Exception):
    """What pynvml raises."""


def fake_nvml(*, count=2, init_error=None, processes_error=None):
    """A module with the part of pynvml's interface that is used."""
    module = types.ModuleType("pynvml")
    module.NVMLError = NVMLError
    module.closed = 0

    def init():
        if init_error:
            raise NVMLError(init_error)

    def processes(handle):
        if processes_error:
            raise NVMLError(processes_error)
        return [types.SimpleNamespace(pid=4321)] if handle == 1 else []

    def close():
        module.closed += 1

    module.nvmlInit, module.nvmlShutdown = init, close
    module.nvmlDeviceGetCount = lambda: count
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetUUID = lambda handle: f"GPU-{handle}"
    module.nvmlDeviceGetName = lambda handle: "NVIDIA H200"
    module.nvmlDeviceGetMemoryInfo = lambda handle: types.SimpleNamespace(
        total=141 << 30, free=100 << 30
    )
    module.nvmlDeviceGetComputeRunningProcesses = processes
    return module


def test_gpus_are_listed_with_their_processes(monkeypatch):
    module = fake_nvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    found = list_gpus()
    assert found.problem == ""
    assert found.gpus == (
        Gpu(0, "GPU-0", "NVIDIA H200", 141 << 10, 100 << 10),
        Gpu(1, "GPU-1", "NVIDIA H200", 141 << 10, 100 << 10, (4321,)),
    )
    assert module.closed == 1


def test_processes_that_may_not_be_seen_are_no_problem(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "pynvml", fake_nvml(processes_error="Insufficient Permissions")
    )
    assert [gpu.processes for gpu in list_gpus().gpus] == [(), ()]


def test_no_driver_is_normal(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(init_error="Driver Not Loaded"))
    monkeypatch.setattr(MODULE, "_GPU_FILE", tmp_path / "absent")
    assert list_gpus() == MODULE.GpuList()


def test_no_pynvml_is_normal(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # makes the import fail
    monkeypatch.setattr(MODULE, "_GPU_FILE", tmp_path / "absent")
    assert list_gpus() == MODULE.GpuList()


def test_a_gpu_that_cannot_be_listed_is_a_problem(monkeypatch, tmp_path):
    device = tmp_path / "nvidia0"
    device.write_text("")
    monkeypatch.setattr(MODULE, "_GPU_FILE", device)
    monkeypatch.setitem(
        sys.modules, "pynvml", fake_nvml(init_error="Driver/library version mismatch")
    )
    assert list_gpus().problem == f"NVML: Driver/library version mismatch, although {device} exists"


def test_a_gpu_that_falls_off_the_bus_is_a_problem(monkeypatch):
    module = fake_nvml()

    def lost(_index):
        raise NVMLError("GPU is lost")

    module.nvmlDeviceGetHandleByIndex = lost
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert list_gpus().problem == "NVML: GPU is lost"
    assert module.closed == 1


def test_the_real_nvml_answers_or_is_absent():
    found = list_gpus()
    assert all(gpu.uuid and gpu.name for gpu in found.gpus)


# --- frameworks -----------------------------------------------------------------------------------------------------


def test_a_framework_that_is_not_installed(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert probe_framework("torch").version is None


@pytest.mark.parametrize(
    ("code", "field", "expected"),
    [
        (
            'print(\'noise\'); print(\'{"build": "CPU only", "gpus": [], "backend": "cpu"}\')',
            "build",
            "CPU only",
        ),
        ("raise ImportError('libcuda.so missing')", "problem", "ImportError: libcuda.so missing"),
        ("import sys; sys.exit(7)", "problem", "no answer, exit status 7"),
        ("print('not json')", "problem", "no answer, exit status 0"),
    ],
)
def test_a_framework_answers_from_a_subprocess(monkeypatch, code, field, expected):
    monkeypatch.setitem(MODULE._PROBES, "torch", code)
    info = probe_framework("torch")
    assert getattr(info, field) == expected
    assert info.version == importlib.metadata.version("torch")


def test_a_framework_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setitem(MODULE._PROBES, "jax", "import time; time.sleep(60)")
    monkeypatch.setattr(MODULE, "_PROBE_TIMEOUT_S", 0.2)
    assert "timed out after 0.2 seconds" in probe_framework("jax").problem


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_the_real_frameworks_answer(name):
    info = probe_framework(name)
    assert info.problem == ""
    assert info.backend == "cpu"
    assert info.build


def test_the_inventory_without_frameworks_starts_no_process(monkeypatch):
    monkeypatch.setattr(
        subprocess, "run", lambda *_words, **_options: pytest.fail("started a process")
    )
    found = inventory(frameworks=False)
    assert found.cpus >= 1 and found.memory_mib > 0 and found.frameworks == ()
