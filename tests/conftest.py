"""What every test runs under: one thread, no network, its own cache, exact JAX; and the golden-file fixture.

Files in folders named `bayesreg` import JAX, the others PyTorch, and one process never has both. So when a session
collects more than the former, each such file is one test that runs the file in a process of its own, with the quick and
the slow tests apart. `pytest tests/unit/bayesreg` runs them directly, one by one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
)

import pytest

REGENERATE = "--regenerate-golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        REGENERATE, action="store_true", help="rewrite golden files instead of comparing"
    )


APART = "TOOLKIT_TESTS_APART"


class ApartFile(pytest.File):
    """A file of tests that import JAX, seen from a session that may import PyTorch."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ApartItem.from_parent(self, name="quick", expression="not slow and not gpu")
        if "mark.slow" in self.path.read_text(encoding="utf-8"):
            slow = ApartItem.from_parent(self, name="slow", expression="slow and not gpu")
            slow.add_marker(pytest.mark.slow)
            yield slow


class ApartItem(pytest.Item):
    """Runs one file's tests of one kind in a child process."""

    def __init__(self, *, expression: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.expression = expression
        self.add_marker(pytest.mark.timeout(3600))  # the child has its own limit for each test

    def runtest(self) -> None:
        limit = self.config.getoption("timeout") or self.config.getini("timeout")
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={limit}"]
        command = [sys.executable, "-m", "pytest", *options, "-m", self.expression, str(self.path)]
        done = subprocess.run(
            command,
            cwd=self.config.rootpath,
            env={**os.environ, APART: "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            pytest.fail(done.stdout[-20_000:] + done.stderr[-5_000:], pytrace=False)


def runs_apart(path: Path, config: pytest.Config) -> bool:
    """Whether a file goes to a child: it needs JAX, and this session is neither the child nor only about JAX."""
    named = [Path(str(argument).split("::")[0]).parts for argument in config.args]
    return (
        "bayesreg" in path.parent.parts
        and APART not in os.environ
        and not all("bayesreg" in parts for parts in named)
    )


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    if runs_apart(module_path, parent.config):
        return ApartFile.from_parent(parent, path=module_path)
    return None


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
