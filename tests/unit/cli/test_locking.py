"""The level of the sandbox that the user names, and what a manifest says of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.locking import VARIABLE
from rlgrok.delta.bouncingsim import verdicts
from rlgrok.sandbox import naming
from rlgrok.sandbox.types import Level
from runtime.errors import ConfigError

SCENES = ("rl", "eval", "oracle", "scope=bouncingsim", "--out", "run", "--json")


@pytest.fixture(autouse=True)
def level_of_its_own() -> Iterator[None]:
    """Other tests of this process have a sandbox of their own, at the full level."""
    verdicts.shared_sandbox.cache_clear()
    yield
    verdicts.shared_sandbox.cache_clear()
    naming.name_level("", where="")


@pytest.mark.parametrize(
    ("text", "level"), [("", Level.FULL), (" Filter ", Level.FILTER), ("limits", Level.LIMITS)]
)
def test_names(text: str, level: Level) -> None:
    naming.name_level(text, where=VARIABLE)
    assert naming.named_level() is level


def test_an_unknown_level_is_refused_by_every_command(
    toolkit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "filtre")
    result = toolkit("runs", "list")
    assert result.code == 2
    assert (
        "no such level of the sandbox; got filtre; expected full, filter, limits; at TOOLKIT_SANDBOX"
        in result.err
    )
    assert "did you mean filter?" in result.err


@pytest.mark.parametrize("named", ["", "limits"])
def test_the_manifest_says_which_walls_held(
    named: str,
    toolkit: Callable,
    work: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(VARIABLE, named)
    seen: list[dict[str, Any]] = []

    def judge(call: SimpleNamespace) -> dict[str, Any]:
        seen.append(json.loads((tmp_path / "run" / "manifest.json").read_text())["sandbox"])
        verdicts.shared_sandbox().counts.programs += 7
        return {}

    work.does = judge
    with caplog.at_level(logging.WARNING):
        result = toolkit(*SCENES)
    assert result.code == 0, result.err
    facts = json.loads((tmp_path / "run" / "manifest.json").read_text())["sandbox"]
    assert facts["level"] == (named or "full")
    assert ({"landlock", "filter"} <= set(facts["layers"])) is (not named)
    assert [facts[key] for key in ("programs", "retried", "infrastructure_errors")] == [7, 0, 0]
    assert seen == [{**facts, "programs": 0}]
    assert ("weaker than full" in caplog.text) is bool(named)


def test_a_machine_without_walls_refuses_before_the_work(
    toolkit: Callable, work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ConfigError("this machine cannot lock programs in at the level full")

    monkeypatch.setattr(verdicts, "shared_sandbox", refuse)
    result = toolkit(*SCENES)
    assert result.code == 2
    assert "cannot lock programs in" in result.json["error"]["message"]
    assert work.calls == []


def test_other_scopes_need_no_sandbox(toolkit: Callable, work: Any, tmp_path: Path) -> None:
    result = toolkit("rl", "eval", "oracle", "--out", "run", "--json")
    assert result.code == 0, result.err
    assert "sandbox" not in json.loads((tmp_path / "run" / "manifest.json").read_text())
