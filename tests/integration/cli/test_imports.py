"""What a command imports: never both frameworks, and nothing heavy before there is work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app

pytestmark = pytest.mark.timeout(600)  # whole training runs, on a machine that may be busy

HEAVY = {
    "torch",
    "jax",
    "transformers",
    "trl",
    "numpyro",
    "datasets",
    "matplotlib",
    "scipy",
    "hydra",
    "omegaconf",
}

COMMANDS = [
    ["--help"],
    ["--version"],
    ["doctor", "--json"],
    ["rl", "train", "--help"],
    ["rl", "train", "--cfg", "job"],
    ["rl", "train", "training.max_steps=oops"],
    [
        "rl",
        "train",
        "debug=tiny",
        "training.max_steps=2",
        "evaluation.compare_base=false",
        "--quiet",
    ],
    ["rl", "eval", "RUN", "evaluation.draws=4", "evaluation.k=[1]", "--quiet"],
    ["rl", "reference", "debug=tiny", "--quiet"],
    ["rl", "verify", "--in", "RUN/summary.json", "--quiet"],
    ["rl", "report", "RUN"],
    ["rl", "problems", "ends", "--export", "ends.parquet"],
    ["rl", "audit", "data=contains_ordered", "--num-problems", "1", "--quiet"],
    ["rl", "serve", "--host", "no.such.host.invalid"],
    ["rl", "simulate", "--scenes", "RUN/metrics.jsonl", "--quiet"],
    ["rl", "study"],
    ["rl", "transfer"],
    ["rl", "learnability", "no_such_policy", "data=no_such_data"],
    ["rl", "trace", "--solution", "starts_with:two:RB", "RB", "--html", "run.html"],
    ["bayes", "fit", "--help"],
    [
        "bayes",
        "fit",
        "--x",
        "X.csv",
        "--y",
        "Y.csv",
        "inference.num_draws=20",
        "inference.num_warmup=10",
        "--quiet",
    ],
    ["bayes", "compare", "--x", "X.csv", "--y", "Y.csv", "methods=[ridge]", "--cv", "2", "--quiet"],
    ["bayes", "predict", "no_such_run", "--x", "X.csv"],
    ["bayes", "simulate", "num_rows=20", "num_test_rows=0", "--quiet"],
    ["bayes", "check", "joint_replicates=oops"],
    ["runs", "list"],
    ["runs", "show", "RUN"],
    ["runs", "compare", "RUN", "RUN"],
    ["runs", "report", "RUN"],
]


def leaves(command: Any, words: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The command lines of a Typer tree, without options."""
    inside = getattr(command, "commands", {})
    return (
        {line for name, child in inside.items() for line in leaves(child, (*words, name))}
        if inside
        else {words}
    )


def test_every_command_is_in_the_list() -> None:
    tree = leaves(get_command(app))
    assert ("rl", "train") in tree
    assert tree <= {tuple(command[: len(line)]) for command in COMMANDS for line in tree}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_torch_and_jax_never_share_a_process(command: list[str], trained: tuple) -> None:
    toolkit, result = trained
    used = toolkit(*[word.replace("RUN", result.json["run"]) for word in command])
    assert used.code in {0, 2}, used.err
    assert used.modules, "the command did not come back"
    assert not {"torch", "jax"} <= used.modules


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in COMMANDS
        if "--help" in command or command[0] in {"--version", "runs", "doctor"}
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_commands_without_work_import_no_framework(command: list[str], trained: tuple) -> None:
    toolkit, result = trained
    used = toolkit(*[word.replace("RUN", result.json["run"]) for word in command])
    assert used.code == 0, used.err
    allowed = {"matplotlib", "scipy"} if "report" in command else set()
    assert not used.modules & (HEAVY - allowed)


def test_help_imports_its_own_command_files_and_the_help_libraries_alone() -> None:
    """What makes it answer at once; benchmarks/bench_startup.py measures the seconds."""
    shown = modules_after(
        "import contextlib, io\n"
        "from cli.main import run\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): run(['--help'])"
    )
    libraries = {"rich", "typer", "json", "_json", "encodings", "shellingham"}
    own = {name for name in shown if name.partition(".")[0] in {"cli", "runtime"}}
    needed = modules_after("import contextlib, io, typer.rich_utils, rich.table, rich.panel, rich.markdown")
    assert {name.partition(".")[0] for name in shown - needed - own} <= libraries
    assert len(own) < 40 and len(shown - needed) < 60


def test_a_config_that_does_not_compose_loads_no_framework(toolkit: object) -> None:
    used = toolkit("rl", "train", "training.max_steps=oops")
    assert used.code == 2
    assert not used.modules & {"torch", "jax", "transformers", "trl"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["cli", "runtime"])
def test_importing_an_edge_package_imports_nothing_heavy(package: str) -> None:
    root = Path(__file__).parents[3]
    names = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((root / package).rglob("*.py"))
    ]
    heavy = HEAVY | {"numpy", "pandas"}
    assert not modules_after("import " + ", ".join(names)) & heavy


def test_checking_a_config_imports_nothing_heavy() -> None:
    checked = "import rlgrok.config, rlgrok.types, bayesreg.config"
    assert not modules_after(checked) & (HEAVY | {"numpy"})
