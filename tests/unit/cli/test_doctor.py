"""`toolkit doctor`: facts of this machine that can be known another way."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import doctor, kernel


def test_everything_is_one_object(toolkit: Callable, tmp_path: Path) -> None:
    result = toolkit("doctor", "--json")
    assert result.code == 0
    found = result.json
    assert found["toolkit"]["python"] == platform.python_version()
    assert found["libraries"]["hydra-core"].startswith("1.3")
    assert found["libraries"]["vllm"] is None
    assert {f["name"] for f in found["machine"]["frameworks"]} == {"torch", "jax"}
    assert all(f["backend"] == "cpu" for f in found["machine"]["frameworks"])
    assert 1 <= found["machine"]["cpus"] <= (os.cpu_count() or 1)
    assert found["disk"]["runs"]["total_gib"] == round(shutil.disk_usage(tmp_path).total / 2**30, 1)
    assert found["disk"]["runs"]["writable"] is True
    assert found["kernel"]["kernel"] == platform.release()
    assert {"full", "filter", "limits"} >= set(found["sandbox"]["levels"])
    assert set(found["sandbox"]["layers"]) == {"landlock", "filter", "capabilities", "namespaces"}


GPU = {
    "index": 0, "uuid": "GPU-1", "name": "H", "memory_mib": 81920, "free_mib": 40960, "processes": [7, 8],
}  # fmt: skip


def found(**machine: object) -> dict[str, Any]:
    """What `examine` may find, with parts of the machine replaced."""
    usual = {
        "cpus": 4,
        "threads": 4,
        "memory_mib": 2048,
        "gpus": {"gpus": [], "problem": ""},
        "frameworks": [],
    }
    return {
        "toolkit": {"python": "3.x"},
        "libraries": {"torch": "2.13.0", "vllm": None},
        "machine": {**usual, **machine},
        "disk": {
            "runs": {"path": "runs", "free_gib": 1.5, "total_gib": 2.0, "writable": True},
            "cache": {"path": "/c", "free_gib": 0.0, "total_gib": 2.0, "writable": False},
        },
        "kernel": {
            "kernel": "6.1",
            "landlock_abi": None,
            "seccomp_actions": ["errno", "allow"],
            "user_namespaces": True,
        },
        "sandbox": {
            "layers": {"landlock": "not there", "filter": None},
            "levels": ["filter", "limits"],
            "named": "full",
            "problem": "",
        },
    }


def test_people_read_sentences(toolkit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda root: found())
    result = toolkit("doctor")
    assert result.out == ""
    lines = {tuple(line.split(None, 1)) for line in result.err.splitlines() if line.strip()}
    lines = {(name, rest[0].strip()) for name, *rest in lines if rest}
    assert ("python", "3.x") in lines
    assert ("vllm", "not installed") in lines
    assert ("GPUs", "none") in lines
    assert ("memory", "2.0 GiB") in lines
    assert ("runs", "1.5 of 2 GiB free, writable: runs") in lines
    assert ("cache", "0 of 2 GiB free, NOT WRITABLE: /c") in lines
    assert ("Landlock", "no") in lines
    assert ("landlock", "no: not there") in lines
    assert ("filter", "holds") in lines
    assert ("levels", "filter, limits") in lines


def test_a_sandbox_that_cannot_be_tried_is_said() -> None:
    broken = {**found(), "sandbox": {"layers": {}, "levels": [], "problem": "exit code 1"}}
    assert doctor.readable(broken)["sandbox"] == {"layers": "cannot be tried: exit code 1"}
    nothing = {
        "layers": {"filter": "only on Linux"},
        "levels": [],
        "named": "filter",
        "problem": "",
    }
    assert doctor.readable({**found(), "sandbox": nothing})["sandbox"] == {
        "filter": "no: only on Linux",
        "levels": "none: programs are not run here",
        "level in use": "filter",
    }


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ({"gpus": [], "problem": "NVML: driver mismatch"}, {"GPUs": "cannot be listed: NVML: driver mismatch"}),
        ({"gpus": [GPU], "problem": ""}, {"GPU 0": "H, 40.0 of 80.0 GiB free, used by process 7, 8"}),
        ({"gpus": [{**GPU, "processes": []}], "problem": ""}, {"GPU 0": "H, 40.0 of 80.0 GiB free, no process on it"}),
    ],
)  # fmt: skip
def test_gpus_in_words(gpus: dict[str, Any], expected: dict[str, str]) -> None:
    lines = doctor.readable(found(gpus=gpus))["machine"]
    assert {name: text for name, text in lines.items() if name.startswith("GPU")} == expected


@pytest.mark.parametrize(
    ("framework", "expected"),
    [
        ({"version": None, "problem": ""}, "not installed"),
        ({"version": "2", "problem": "no libcudart"}, "2, does not start: no libcudart"),
        ({"version": "2", "build": "CPU only", "gpus": [], "problem": ""}, "2 (CPU only), sees the CPU"),
        ({"version": "2", "build": "CUDA 12", "gpus": ["H", "H"], "problem": ""}, "2 (CUDA 12), sees H, H"),
    ],
)  # fmt: skip
def test_frameworks_in_words(framework: dict[str, Any], expected: str) -> None:
    lines = doctor.readable(found(frameworks=[{"name": "torch", **framework}]))["machine"]
    assert lines["torch"] == expected


@pytest.mark.skipif(sys.platform != "linux", reason="the features are Linux's")
def test_kernel_features_have_their_types() -> None:
    found = kernel.features()
    assert found["landlock_abi"] is None or found["landlock_abi"] >= 1
    assert found["seccomp_actions"] is None or "allow" in found["seccomp_actions"]
    assert isinstance(found["user_namespaces"], bool)


def test_a_folder_that_does_not_exist_yet_is_on_the_disk_of_its_parent(tmp_path: Path) -> None:
    found = doctor._disk(tmp_path / "a" / "b")
    assert found["total_gib"] == round(shutil.disk_usage(tmp_path).total / 2**30, 1)
    assert not (tmp_path / "a").exists()
