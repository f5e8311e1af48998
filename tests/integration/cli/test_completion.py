"""Completion through the protocols that the shells speak, in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import conf

CONF = Path(conf.__file__).parent
MAX_STEPS = yaml.safe_load((CONF / "training" / "tiny.yaml").read_text())["max_steps"]
DRAWS = yaml.safe_load((CONF / "evaluation" / "tiny.yaml").read_text())["draws"]

TOOLKIT = [sys.executable, "-m", "cli.main"]


def bash(*words: str, folder: Path) -> list[str]:
    """What bash would offer: it splits words at `=` and hands over the index of the last."""
    return ask(
        "complete_bash",
        folder,
        COMP_WORDS="\n".join(["toolkit", *words]),
        COMP_CWORD=str(len(words)),
    )


def zsh(line: str, folder: Path) -> list[str]:
    """What zsh would offer: it hands over the line as typed."""
    found = ask("complete_zsh", folder, _TYPER_COMPLETE_ARGS=line)
    return [line.split('"')[1] for line in found if '"' in line]


def ask(protocol: str, folder: Path, **variables: str) -> list[str]:
    environment = {**os.environ, "_TOOLKIT_COMPLETE": protocol, **variables}
    done = subprocess.run(
        TOOLKIT, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["r"], ["rl", "runs"]),
        (["rl", "tr"], ["trace", "train", "transfer"]),
        (["rl", "train", "--de"], ["--device"]),
        (["rl", "train", "--device", "a"], ["auto"]),
        (["rl", "verify", "--scope", ""], ["bouncingsim", "manufactoria"]),
        (["runs", "list", "--status", "r"], ["running"]),
        (["rl", "train", "sched"], ["schedule.", "schedule="]),
        (["rl", "train", "experiment", "=", ""], ["grok_four", "grok_tiny", "has_staged"]),
        (["rl", "train", "experiment", "="], ["grok_four", "grok_tiny", "has_staged"]),
        (["rl", "train", "schedule", "=", "st"], ["staged", "staged_families", "staged_plateau"]),
        (["rl", "train", "schedule.kind", "=", "b"], ["binary"]),
        (["rl", "train", "replay.enabled", "="], ["false", "true"]),
        (["rl", "train", "hydra/launcher", "=", "jo"], ["joblib"]),
        (["rl", "train", "hydra/launcher", "="], ["basic", "joblib"]),
        (["rl", "train", "training.max_st"], ["training.max_steps=", f"training.max_steps={MAX_STEPS}"]),
        (
            ["rl", "train", "experiment", "=", "has_staged", "training.max_st"],
            ["training.max_steps=", "training.max_steps=1302"],
        ),
        (["rl", "train", "training.loss_type", "=", "d"], ["dr_grpo", "dapo"]),
        (["rl", "train", "data.lengths", "="], []),
        (["rl", "train", "nonsense", "=", ""], []),
        (["rl", "train", "experiment", "=", "nope", "seed"], []),
        (["rl", "train", "--multirun", "see"], ["seed=", "seed=0"]),
        (["rl", "eval", "some/model", "evaluation.dr"], ["evaluation.draws=", f"evaluation.draws={DRAWS}"]),
    ],
)  # fmt: skip
def test_bash(words: list[str], expected: list[str], tmp_path: Path) -> None:
    assert sorted(bash(*words, folder=tmp_path)) == sorted(expected)


def test_every_top_level_key_is_offered(tmp_path: Path) -> None:
    offered = bash("rl", "train", "", folder=tmp_path)
    assert {"seed=", "training.", "training=", "experiment=", "debug="} <= set(offered)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("toolkit rl train schedule=staged_p", ["schedule=staged_plateau"]),
        ("toolkit rl train schedule=binary tracking=ten", ["tracking=tensorboard"]),
        ("toolkit rl eval data.colors=", ["data.colors=two", "data.colors=four"]),
    ],
)
def test_zsh(line: str, expected: list[str], tmp_path: Path) -> None:
    assert zsh(line, tmp_path) == expected


def test_runs_are_offered_newest_first(tmp_path: Path) -> None:
    from runtime.run import Run

    for day in ("2026-01-01", "2026-01-02"):
        path = tmp_path / "runs" / day / "100000-rl-train-x"
        Run.create(
            path, command="rl train", name="x", argv=[], config={}, overrides=[], seeds={}
        ).finish("done")
    names = ["latest", "2026-01-02/100000-rl-train-x", "2026-01-01/100000-rl-train-x"]
    assert bash("runs", "show", "", folder=tmp_path) == names
    assert bash("rl", "train", "--resume", "", folder=tmp_path) == names
    assert bash("rl", "eval", "2026-01-02", folder=tmp_path) == names[1:2]
    assert bash("rl", "eval", "", folder=tmp_path)[:3] == names


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_works_in_a_real_bash(tmp_path: Path) -> None:
    """The script that `--show-completion` prints, driven as bash drives it."""
    program = tmp_path / "bin" / "toolkit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    program.chmod(0o755)
    script = subprocess.run(
        TOOLKIT,
        env={**os.environ, "_TOOLKIT_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    drive = (
        f"{script}\nfunction=$(complete -p toolkit | grep -o '_[a-z_]*completion')\n"
        "COMP_WORDS=(toolkit rl train schedule = staged_p); COMP_CWORD=5\n"
        '"$function" toolkit; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", drive],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["staged_plateau"]
