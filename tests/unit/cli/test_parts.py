"""The small parts of the bridge: the line, the flags on their way, quoting, exit codes, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from cli import output, paths
from cli.hydra_app import read_line, worst
from cli.invocation import VARIABLE, Invocation
from cli.resume import as_override, flatten
from runtime.errors import ConfigError, InputError


class TestLine:
    def test_overrides_and_flags_are_told_apart_in_any_order(self) -> None:
        line = read_line(["a=1", "--multirun", "b=2", "--config-dir", "x", "~c"])
        assert line.overrides == ["a=1", "b=2", "~c"]
        assert line.flags == ["--multirun", "--config-dir", "x"]
        assert line.runs and line.is_sweep

    @pytest.mark.parametrize("shown", [["--cfg", "job"], ["--info", "plugins"], ["--hydra-help"]])
    def test_showing_something_runs_nothing(self, shown: list[str]) -> None:
        line = read_line(["a=1", *shown])
        assert not line.runs and not line.is_sweep
        assert line.overrides == ["a=1"]

    def test_a_sweep_may_be_asked_for_by_override(self) -> None:
        assert read_line(["hydra.mode=MULTIRUN"]).is_sweep

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--cfg", "jobb"], "invalid choice: 'jobb'"),
            (["--cfg"], "expected one argument"),
            (["--quiett"], "no such option --quiett, did you mean --quiet?"),
        ],
    )
    def test_a_wrong_flag_is_a_config_error(self, words: list[str], message: str) -> None:
        with pytest.raises(ConfigError) as caught:
            read_line(words, ["--quiet"])
        assert message in str(caught.value)


class TestInvocation:
    def test_the_flags_arrive_through_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(VARIABLE, "")
        sent = Invocation(
            "rl train", ["toolkit", "é"], ["a=1"], device="cuda:1", as_json=True, out="x"
        )
        sent.publish()
        assert Invocation.current() == sent

    @pytest.mark.parametrize("text", ["", "{", '{"unknown": 1}', "[]"])
    def test_without_them_a_job_says_so(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(InputError, match="outside the command line"):
            Invocation.current()


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "it's",
        'a "b"',
        "back\\slash",
        "end\\",
        "\\'",
        "'",
        "a=b,c",
        "[x]",
        "ä ö",
        "",
        True,
        None,
        3,
        2.5,
        ["a,b", "c"],
        [1, 2],
    ],
)
def test_any_value_survives_the_grammar(value: object) -> None:
    parsed = OverridesParser.create().parse_override(as_override("key", value))
    found = parsed.value()
    plain = (
        [getattr(item, "text", item) for item in found]
        if isinstance(found, list)
        else getattr(found, "text", found)
    )
    assert plain == value


def test_flatten_keeps_lists_whole() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None}) == {
        "a.b.c": 1,
        "a.d": [1, 2],
        "e": None,
    }


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 2], 2), ([2, 1], 1), ([1, 130], 130)],
)
def test_the_exit_code_of_several_jobs(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (None, "-"),
        (0.123456, "0.1235"),
        (3, "3"),
        ([0.5, None], "0.5, -"),
        ({"k": 512, "value": 0.0}, "k 512, value 0"),
        ("[bold]", "[bold]"),
    ],
)
def test_what_people_are_shown(value: object, text: str) -> None:
    assert output.shown(value) == text


def test_markup_in_values_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts("title", {"key": "[red]x[/red]"})
    assert "[red]x[/red]" in capsys.readouterr().err


def test_the_end_of_a_run_shows_what_answers_its_question(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.result(
        "run", {"heldout_exhaustive": 0.5, "pass_at_8": 0.25, "policy_identity": "sha256:0"}
    )
    shown = capsys.readouterr().err
    assert "heldout_exhaustive" in shown and "pass_at_8" in shown and "sha256" not in shown


def test_where_reference_policies_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", "/own")
    assert paths.cache_folder() == Path("/own")
    monkeypatch.delenv("TOOLKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert paths.cache_folder() == Path("/xdg/delta-toolkit")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert paths.cache_folder() == Path("/home/somebody/.cache/delta-toolkit")
