"""Fourteen scenes with the positions that the benchmark's own code computes for them, each query from scratch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def frozen() -> list[dict[str, Any]]:
    lines = (Path(__file__).parent / "frozen.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
