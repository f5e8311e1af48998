"""The mirror of the config dataclasses that Hydra composes against, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cli.schema import allowed_values, checked, from_saved, known_keys, mirror
from runtime.errors import ConfigError
from runtime.settings import MANDATORY, setting


class Kind(Enum):
    FIRST = "first"
    SECOND = "second"


@dataclass
class Part:
    kind: Kind = MANDATORY  # type: ignore[assignment]
    kinds: list[Kind] = field(default=MANDATORY)  # type: ignore[assignment]
    word: str = setting(choices=("a", "b"))
    flag: bool = MANDATORY  # type: ignore[assignment]
    share: float | None = setting(low=0, high=1)


@dataclass
class Whole:
    name: str = field(default=MANDATORY)
    part: Part = MANDATORY  # type: ignore[assignment]

    def check(self) -> None:
        if self.name == self.part.word:
            raise ConfigError("the same word twice", where="name")


PART = {"kind": "second", "kinds": ["first"], "word": "a", "flag": True, "share": 1}
PLAIN = {"name": "x", "part": PART}


def test_values_become_the_real_dataclass_with_the_real_enums() -> None:
    assert checked(Whole, PLAIN) == Whole("x", Part(Kind.SECOND, [Kind.FIRST], "a", True, 1.0))


def test_the_mirror_prints_values() -> None:
    node = OmegaConf.merge(OmegaConf.structured(mirror(Whole)), PLAIN)
    assert OmegaConf.to_yaml(node).startswith(
        "name: x\npart:\n  kind: second\n  kinds:\n  - first\n"
    )


def test_mirroring_twice_gives_one_class() -> None:
    assert mirror(Whole) is mirror(Whole)


@pytest.mark.parametrize(
    "part",
    [
        {**PART, "kind": "FIRST"},
        {**PART, "kinds": ["third"]},
        {**PART, "extra": 1},
        {**PART, "flag": "maybe"},
        {**PART, "flag": None},
    ],
)
def test_types_and_keys_are_checked(part: dict) -> None:
    with pytest.raises(OmegaConfBaseException):
        checked(Whole, {"name": "x", "part": part})
    with pytest.raises(
        ConfigError, match=r"the saved config does not fit this version; got .*; at run/config.yaml"
    ):
        from_saved(Whole, {"name": "x", "part": part}, "run/config.yaml")


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"name": "x"}, "a value is missing; expected part=VALUE on the command line; at part"),
        ({"name": "x", "part": {**PART, "word": "???"}}, "a value is missing; .* at part.word"),
        ({"name": "x", "part": {**PART, "share": 2}}, "out of range; got 2.0; .*; at part.share"),
        (
            {"name": "x", "part": {**PART, "word": "c"}},
            "not one of the choices; got c; expected a, b; at part.word",
        ),
        ({"name": "a", "part": PART}, "the same word twice; at name"),
        ({"name": "../x", "part": PART}, "cannot be part of a folder's name"),
        ({"name": ".x", "part": PART}, "cannot be part of a folder's name"),
    ],
)
def test_values_are_checked(plain: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(Whole, plain)


def test_known_keys_are_dotted_and_nested() -> None:
    assert known_keys(Whole) == [
        "name",
        "part",
        *[f"part.{k}" for k in ("kind", "kinds", "word", "flag", "share")],
    ]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("part.kind", ["first", "second"]),
        ("part.word", ["a", "b"]),
        ("part.flag", ["true", "false"]),
        ("part.share", []),
        ("part", []),
        ("part.absent", []),
        ("name.below", []),
    ],
)
def test_allowed_values(key: str, values: list[str]) -> None:
    assert allowed_values(Whole, key) == values
