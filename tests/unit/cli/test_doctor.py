"""`toolkit doctor`: facts of this machine that can be known another way."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

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


def test_people_see_the_same(toolkit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor,
        "examine",
        lambda root: {
            "toolkit": {"python": "3.x"},
            "machine": {"gpus": [{"name": "H"}], "none": None},
        },
    )
    result = toolkit("doctor")
    assert result.out == ""
    assert "3.x" in result.err and "name H" in result.err


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
