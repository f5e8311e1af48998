"""Claims on an injected inventory: who gets what, who is refused and why, and the environment that follows."""

from __future__ import annotations

import os
import sys
import types

import pytest

from runtime.devices import (
    DeviceClaim,
    Gpu,
    GpuList,
    claim,
    default_lock_dir,
    verify_jax,
    verify_torch,
)
from runtime.errors import ConfigError, DeviceError
from runtime.locks import is_held

TWO = GpuList((Gpu(0, "GPU-aa", "H200"), Gpu(1, "GPU-bb", "H200")))
NONE = GpuList()


@pytest.fixture(autouse=True)
def all_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def take(tmp_path):
    """Claims that are released when the test ends."""
    claims = []

    def call(
        request="auto", *, gpus=TWO, framework="torch", owner="rl train", **options
    ) -> DeviceClaim:
        options.setdefault("threads", 1)
        claims.append(
            claim(
                request,
                owner=owner,
                framework=framework,
                lock_dir=tmp_path / "locks",
                gpus=gpus,
                **options,
            )
        )
        return claims[-1]

    yield call
    for found in claims:
        found.release()


# --- who gets what --------------------------------------------------------------------------------------------------


def test_auto_takes_the_cpu_only_where_there_is_no_gpu(take):
    found = take(gpus=NONE)
    assert (found.device, found.index) == ("cpu", None)


def test_auto_takes_the_first_free_gpu(take):
    first, second = take(), take()
    assert [(found.device, found.index) for found in (first, second)] == [
        ("cuda:0", 0),
        ("cuda:0", 1),
    ]


def test_auto_with_every_gpu_taken_names_the_holders_and_never_takes_the_cpu(take):
    take(owner="runs/a")
    take(owner="runs/b")
    with pytest.raises(
        DeviceError,
        match=r"every GPU is taken; got GPU 0 held by .*runs/a.*, GPU 1 held by .*runs/b",
    ) as caught:
        take()
    assert "--device cpu" in caught.value.hint


def test_a_released_gpu_is_free_again(take):
    with take("cuda:1") as found:
        assert found.index == 1
    found.release()
    assert take("cuda:1").index == 1


def test_auto_passes_over_a_gpu_that_another_program_uses(take):
    used = Gpu(0, "GPU-aa", "H200", processes=(77,))
    gpus = GpuList((used, TWO.gpus[1]))
    assert take(gpus=gpus).index == 1
    with pytest.raises(DeviceError, match="GPU 0 used by process 77, GPU 1 held by"):
        take(gpus=gpus)
    assert take("cuda:0", gpus=gpus).index == 0  # named, so meant


@pytest.mark.parametrize(
    ("request_text", "gpus", "message"),
    [
        ("cuda:2", TWO, r"no such GPU; got cuda:2; expected cuda:0 \(H200\) or cuda:1 \(H200\)"),
        ("cuda:0", NONE, "no such GPU; got cuda:0; expected cpu: no GPU is visible"),
        ("auto", GpuList(problem="NVML: mismatch"), "the GPUs cannot be listed: NVML: mismatch"),
        ("cuda:0", GpuList(problem="NVML: mismatch"), "the GPUs cannot be listed"),
        ("gpu", TWO, "unknown device; got gpu; expected auto, cpu or cuda:N"),
        ("cuda", TWO, "unknown device"),
        ("cuda:-1", TWO, "unknown device"),
        ("cuda:x", TWO, "unknown device"),
    ],
)
def test_what_cannot_be_had_is_refused(take, request_text, gpus, message):
    with pytest.raises(DeviceError, match=message):
        take(request_text, gpus=gpus)


def test_a_named_gpu_that_is_taken_is_refused_although_another_is_free(take):
    take("cuda:0", owner="runs/a")
    with pytest.raises(DeviceError, match="the GPU is taken; got GPU 0 held by process"):
        take("cuda:0")


def test_the_cpu_needs_neither_nvml_nor_a_lock(take, tmp_path):
    assert take("cpu", gpus=GpuList(problem="broken")).device == "cpu"
    assert not (tmp_path / "locks").exists()


def test_too_many_threads_are_refused_before_anything_is_taken(take, tmp_path):
    with pytest.raises(ConfigError, match="CPU threads; got 10000"):
        take(threads=10_000)
    assert not (tmp_path / "locks").exists()


def test_locks_are_for_everybody(take, tmp_path):
    take()
    assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o777
    assert (tmp_path / "locks" / "GPU-aa.lock").stat().st_mode & 0o666 == 0o666
    assert is_held(tmp_path / "locks" / "GPU-aa.lock")
    assert default_lock_dir().is_absolute()


# --- CUDA_VISIBLE_DEVICES -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visible", "request_text", "index"),
    [
        ("1", "auto", 1),
        ("1", "cuda:0", 1),
        ("1,0", "cuda:0", 1),
        ("GPU-b", "auto", 1),
        ("1,7,0", "cuda:0", 1),
    ],
)
def test_only_visible_gpus_count_in_their_order(take, monkeypatch, visible, request_text, index):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = take(request_text)
    assert found.index == index
    assert found.environment["CUDA_VISIBLE_DEVICES"] == str(index)


@pytest.mark.parametrize("visible", ["", "-1", "7", "NoDevFiles"])
def test_hidden_gpus_are_no_gpus(take, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert take().device == "cpu"
    with pytest.raises(DeviceError, match="no GPU is visible"):
        take("cuda:0")


def test_what_follows_an_unknown_entry_is_hidden(take, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,7,0")
    with pytest.raises(DeviceError, match="no such GPU; got cuda:1"):
        take("cuda:1")


def test_a_slice_of_a_gpu_is_named_as_it_was(take, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1234")
    assert take().environment["CUDA_VISIBLE_DEVICES"] == "MIG-1234"
    with pytest.raises(DeviceError, match="every GPU is taken"):
        take()


# --- the environment ------------------------------------------------------------------------------------------------


def test_the_environment_of_a_cpu(take):
    assert take("cpu", threads=1).environment == {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
    }
    jax = take("cpu", framework="jax").environment
    assert (jax["JAX_PLATFORMS"], jax["PJRT_NPROC"]) == ("cpu", "1")


def test_the_environment_of_a_gpu(take):
    torch = take("cuda:1").environment
    assert (torch["CUDA_VISIBLE_DEVICES"], torch["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")
    assert torch["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    jax = take("cuda:0", framework="jax", memory_fraction=0.4).environment
    assert (jax["JAX_PLATFORMS"], jax["XLA_PYTHON_CLIENT_MEM_FRACTION"]) == ("cuda,cpu", "0.4")
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in torch


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01])
def test_a_memory_fraction_out_of_range_is_refused(take, fraction):
    with pytest.raises(ConfigError, match=r"above 0 and at most 1"):
        take("cuda:0", framework="jax", memory_fraction=fraction)


def without_frameworks(monkeypatch):
    for name in ("torch", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_applying_sets_the_environment(take, monkeypatch):
    without_frameworks(monkeypatch)
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "64", "HOME": "/"})
    found = take("cuda:1")
    found.apply()
    assert os.environ == {"HOME": "/"} | found.environment


@pytest.mark.parametrize(("framework", "other"), [("torch", "jax"), ("jax", "torch")])
def test_torch_and_jax_never_share_a_process(take, monkeypatch, framework, other):
    without_frameworks(monkeypatch)
    monkeypatch.setitem(sys.modules, other, types.ModuleType(other))
    with pytest.raises(
        DeviceError,
        match=f"{framework} and {other} must not share a process; got {other} is already",
    ):
        take("cpu", framework=framework).apply()


def test_a_framework_imported_too_early_is_refused_for_a_gpu(take, monkeypatch):
    without_frameworks(monkeypatch)
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setattr(os, "environ", {})
    with pytest.raises(
        DeviceError, match="torch was imported before the device was claimed; got CUDA_"
    ):
        take("cuda:0").apply()
    take("cpu").apply()


# --- after the import -----------------------------------------------------------------------------------------------


def fake_torch(monkeypatch, *, available, count=1, build="12.8"):
    torch = types.ModuleType("torch")
    torch.__version__ = "2.13.0"
    torch.version = types.SimpleNamespace(cuda=build)
    torch.cuda = types.SimpleNamespace(is_available=lambda: available, device_count=lambda: count)
    monkeypatch.setitem(sys.modules, "torch", torch)


def fake_jax(monkeypatch, backend):
    def default_backend():
        if isinstance(backend, Exception):
            raise backend
        return backend

    jax = types.ModuleType("jax")
    jax.__version__, jax.default_backend = "0.10.2", default_backend
    monkeypatch.setitem(sys.modules, "jax", jax)


def test_torch_that_sees_the_claimed_gpu_is_fine(take, monkeypatch):
    fake_torch(monkeypatch, available=True)
    verify_torch(take("cuda:1"))


def test_torch_without_cuda_is_never_silently_on_the_cpu(take, monkeypatch):
    fake_torch(monkeypatch, available=False, count=0, build=None)
    with pytest.raises(
        DeviceError, match=r"torch 2.13.0 \(built without CUDA\) does not see GPU 1"
    ) as caught:
        verify_torch(take("cuda:1"))
    assert "--device cpu" in caught.value.hint


def test_torch_that_sees_more_than_was_claimed_is_refused(take, monkeypatch):
    fake_torch(monkeypatch, available=True, count=2)
    with pytest.raises(DeviceError, match="got 2 GPUs; expected 1 GPU"):
        verify_torch(take("cuda:0"))


def test_torch_on_the_cpu_needs_no_check(take, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would fail
    verify_torch(take("cpu"))


@pytest.mark.parametrize(("request_text", "backend"), [("cpu", "cpu"), ("cuda:0", "gpu")])
def test_jax_on_the_claimed_device_is_fine(take, monkeypatch, request_text, backend):
    fake_jax(monkeypatch, backend)
    verify_jax(take(request_text, framework="jax"))


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("cpu", "JAX 0.10.2 does not run on the claimed device; got cpu; expected gpu"),
        (
            RuntimeError("Unable to initialize backend 'cuda'"),
            "JAX does not start: Unable to initialize",
        ),
    ],
)
def test_jax_elsewhere_is_refused(take, monkeypatch, backend, message):
    fake_jax(monkeypatch, backend)
    with pytest.raises(DeviceError, match=message):
        verify_jax(take("cuda:0", framework="jax"))
