"""What every test runs under: one thread, no network, its own cache, exact JAX; and the golden-file fixture."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# Read once, when a framework is first imported: so here, before any test module is.
os.environ.update(
    {
        # Two test processes share two cores; more threads only wait for each other.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
    }
)

import pytest

REGENERATE = "--regenerate-golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        REGENERATE, action="store_true", help="rewrite golden files instead of comparing"
    )


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference policies made by tests are shared among them and never with the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["TOOLKIT_CACHE"] = str(folder)
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Any:
    """Compare a value with `tests/golden/files/<name>`: text as it is, anything else as indented JSON.

    `make golden` rewrites the files; the difference is reviewed and its reason is in the change.
    """
    folder = Path(__file__).parent / "golden" / "files"

    def check(name: str, value: Any) -> None:
        text = (
            value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True) + "\n"
        )
        path = folder / name
        if request.config.getoption(REGENERATE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing: make golden"
        assert text == path.read_text(encoding="utf-8")

    return check
