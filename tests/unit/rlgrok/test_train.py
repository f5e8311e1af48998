"""What a training run refuses before it starts."""

from __future__ import annotations

import importlib.util

import pytest

from rlgrok.train import require_distinct
from rlgrok.training.trainer import require_machine
from runtime.errors import ConfigError


def test_prompts_must_tell_their_problems_apart() -> None:
    require_distinct({"a": "one", "b": "two"})
    with pytest.raises(ConfigError, match=r"two problems have the same prompt; got a and c;"):
        require_distinct({"a": "one", "b": "two", "c": "one"})


def test_a_launcher_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    require_machine("cached", "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"one process on one device; got a launcher that starts 2"):
        require_machine("cached", "cuda:0")


def test_vllm_wants_a_gpu_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ConfigError, match=r"vLLM needs a GPU; got training.rollout=vllm on cpu"):
        require_machine("vllm", "cpu")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package vllm; at training.rollout") as caught:
        require_machine("vllm", "cuda:0")
    assert caught.value.hint == "pip install 'delta-toolkit[gpu]'"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    require_machine("vllm", "cuda:0")
