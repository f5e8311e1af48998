"""Resuming: the run's own config is used, and overrides that would change it are refused by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.schema import checked, known_keys
from runtime.errors import CheckpointError, ConfigError
from runtime.run.folder import config_differences
from runtime.settings import as_plain


def refuse_changes(
    kind: type,
    run: Path,
    saved: Mapping[str, Any],
    given: Sequence[str],
    extendable: Collection[str] = (),
) -> dict[str, Any]:
    """Compare what the given overrides ask for with what the run was started with.

    Repeating the overrides of the original line is fine. A key counts as asked for when it is named, or when it
    differs between composing with and without the given overrides; so a change of `conf/` since then is no change.

    Returns:
        The keys among `extendable` that were asked to change, with their new values.

    Raises:
        ConfigError: the first key that would change; names it, the run's value and the new one.
    """
    changed: dict[str, Any] = {}
    if not given:
        return changed
    recorded = _recorded_overrides(run)
    with_given = _composed(kind, [*recorded, *given])
    before = flatten(_composed(kind, recorded))
    after = flatten(with_given)
    named = {override.lstrip("+").partition("=")[0] for override in given}
    for key, old, new in config_differences(saved, with_given):
        asked = after.get(key) != before.get(key) or any(
            f"{key}.".startswith(f"{name}.") for name in named
        )
        if asked and key in extendable:
            changed[key] = new
        elif asked:
            raise ConfigError(
                "--resume refuses a changed config",
                got=f"{key}={_text(new)}",
                expected=f"{_text(old)} as in the run",
                where=run,
                hint="leave the override out, or start a new run without --resume",
            )
    return changed


def flatten(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one dict of dotted keys; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def as_override(key: str, value: object) -> str:
    """One `key=value` in Hydra's grammar, quoted so that any string arrives as it is."""
    return f"{key}={_quoted(value)}"


def _quoted(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(_quoted(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    # In Hydra's quotes a backslash is itself, except before a quote.
    text = re.sub(r"(\\*)('|$)", lambda end: end[1] * 2 + ("\\'" if end[2] else ""), str(value))
    return f"'{text}'"


def _text(value: object) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
    )


def _composed(kind: type, overrides: list[str]) -> dict[str, Any]:
    """Compose inside the running Hydra application."""
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig

    name = HydraConfig.get().job.config_name
    return as_plain(checked(kind, compose(config_name=name, overrides=overrides)))


def _recorded_overrides(run: Path) -> list[str]:
    path = run / "overrides.txt"
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise CheckpointError("the run's overrides cannot be read", where=path) from error


def group_of(override: str, kind: type) -> str | None:
    """The config group that an override chooses as a whole, such as `data` for `data=has`; None for a value."""
    key = override.lstrip("+").partition("=")[0]
    return key if any(known.startswith(f"{key}.") for known in known_keys(kind)) else None
