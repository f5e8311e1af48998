"""From the config dataclasses to what Hydra composes against, and back to a checked config.

Hydra reads and prints enum members by *name*; ours are written by value (`kind: staged`), so each dataclass is
mirrored with enums whose names are those values. `known_keys` is what suggestions and completion draw on.
"""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from runtime.errors import ConfigError
from runtime.settings import check_ranges, from_plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

T = TypeVar("T")


def register(kind: type, name: str) -> None:
    """Store the mirrored schema of a config dataclass in Hydra's ConfigStore under `name`."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=name, node=mirror(kind), provider="toolkit")


@cache
def mirror(kind: type) -> type:
    """The same dataclass with every enum replaced by one whose member names are its values."""
    hints = get_type_hints(kind)
    fields = [
        (item.name, _mirror_type(hints[item.name]), dataclasses.field(default=item.default))
        for item in dataclasses.fields(kind)
    ]
    return dataclasses.make_dataclass(kind.__name__, fields, namespace={"__doc__": kind.__doc__})


@cache
def _mirror_enum(kind: type[Enum]) -> type[Enum]:
    return Enum(kind.__name__, {str(member.value): str(member.value) for member in kind})  # type: ignore[return-value]


def _mirror_type(hint: Any) -> Any:  # noqa: ANN401 - any annotation of a config field
    if get_origin(hint) is list:
        return list[_mirror_type(get_args(hint)[0])]  # type: ignore[misc]
    if dataclasses.is_dataclass(hint):
        return mirror(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _mirror_enum(hint)
    return hint


def checked(kind: type[T], composed: DictConfig | dict[str, Any]) -> T:
    """The typed config of a composed one, its keys, ranges and cross-field rules checked.

    Keys and types are checked again: `+key=value` gets an unknown key past Hydra.

    Raises:
        ConfigError: a missing value, a value out of range, or values that do not go together.
        OmegaConfBaseException: an unknown key or a wrong type, for `config_errors.explain`.
    """
    from omegaconf import OmegaConf

    plain = (
        composed
        if isinstance(composed, dict)
        else OmegaConf.to_container(composed, enum_to_str=True)
    )
    strict = OmegaConf.merge(OmegaConf.structured(mirror(kind)), plain)
    missing = sorted(OmegaConf.missing_keys(strict))
    if missing:
        raise ConfigError(
            "a value is missing",
            expected=f"{missing[0]}=VALUE on the command line",
            where=missing[0],
        )
    config = from_plain(kind, OmegaConf.to_container(strict, resolve=True, enum_to_str=True))
    check_ranges(config)
    _check_name(config.name)
    config.check()
    return config


def _check_name(name: str) -> None:
    """The name is a part of the run folder's."""
    if not re.fullmatch(r"[\w.+=,-]+", name) or name.startswith("."):
        raise ConfigError(
            "the name cannot be part of a folder's name",
            got=repr(name),
            expected="letters, digits, - _ . + = ,",
            where="name",
        )


def from_saved(kind: type[T], plain: dict[str, Any], where: str) -> T:
    """The typed config of a `config.yaml` that an earlier run wrote, checked like a composed one.

    Raises:
        ConfigError: the file is not a config of this kind, or of another version of it.
    """
    from omegaconf.errors import OmegaConfBaseException

    try:
        return checked(kind, plain)
    except OmegaConfBaseException as error:
        raise ConfigError(
            "the saved config does not fit this version",
            got=str(error).splitlines()[0],
            where=where,
        ) from error


def known_keys(kind: type, prefix: str = "") -> list[str]:
    """Every dotted key of a config, nested ones after their parent."""
    keys: list[str] = []
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        keys.append(prefix + item.name)
        if dataclasses.is_dataclass(hints[item.name]):
            keys.extend(known_keys(hints[item.name], f"{prefix}{item.name}."))
    return keys


def allowed_values(kind: type, key: str) -> list[str]:
    """The words that a key accepts, for a choice, an enum or a boolean; empty for anything else or no such key."""
    head, _, rest = key.partition(".")
    hint = get_type_hints(kind).get(head)
    if hint is None:
        return []
    if rest:
        return allowed_values(hint, rest) if dataclasses.is_dataclass(hint) else []
    item = next(item for item in dataclasses.fields(kind) if item.name == head)
    choices = item.metadata.get("bounds", {}).get("choices")
    if choices:
        return list(choices)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    return ["true", "false"] if hint is bool else []
