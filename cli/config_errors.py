"""Hydra's and OmegaConf's complaints, said in one line that names the key.

Both libraries raise exceptions whose messages span several lines and speak of structs and nodes. The facts are in
their attributes (`full_key`, `value`, `options`), so most of what follows reads those, not the text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from runtime.errors import ConfigError

PLUGIN_GROUPS = ("hydra/launcher", "hydra/sweeper")
PLUGIN_HINT = "joblib, submitit and optuna come with: pip install 'delta-toolkit[sweep]'"


def explain(error: BaseException, keys: Sequence[str]) -> ConfigError:
    """The error as a `ConfigError`.

    Args:
        error: raised by Hydra or OmegaConf while a config was composed.
        keys: every dotted key of the config, for suggestions.
    """
    name = type(error).__name__
    if name == "MissingConfigException":
        return _missing_option(error)
    if name == "OverrideParseException":
        text = str(getattr(error, "override", ""))
        return ConfigError(
            "not an override",
            got=text or "''",
            expected="key=value, group=option, +key=value or ~key",
        )
    inner = _omegaconf_cause(error)
    if inner is not None:
        return _bad_key_or_value(inner, keys)
    if "Ambiguous value for argument" in str(error):
        override = str(error).splitlines()[0].split("'")[1]
        key, _, value = override.partition("=")
        return ConfigError(
            "several values for one key",
            got=override,
            expected=f"{key}=[{value}] for a list, or --multirun to run each",
        )
    unmatched = re.match(
        r"Could not override '([^']+)'\. No match in the defaults list", str(error)
    )
    if unmatched:
        return unknown_key(unmatched[1].partition("@")[0], keys)
    if "Config group override must be" in str(error):
        return ConfigError(
            "a config group takes the name of an option",
            got="null",
            hint="--info defaults lists the groups",
        )
    return ConfigError(_first_line(error))


def unknown_flag(flag: str, flags: Sequence[str]) -> ConfigError:
    """An option that neither Typer nor Hydra knows."""
    near = difflib.get_close_matches(flag.partition("=")[0], flags, n=1)
    meant = f", did you mean {near[0]}?" if near else ""
    return ConfigError(f"no such option {flag}{meant}", hint="Hydra's own options: --hydra-help")


def suggestion(word: str, known: Sequence[str]) -> str | None:
    """The known key that was most likely meant: near in spelling at the same place, or elsewhere by its last part."""
    parent, _, leaf = word.rpartition(".")
    if parent in known or not parent:
        siblings = {
            key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == parent
        }
    else:  # the parent is misspelt: compare whole keys of that depth
        siblings, leaf = {key: key for key in known if key.count(".") == word.count(".")}, word
    near = difflib.get_close_matches(leaf, list(siblings), n=1, cutoff=0.75)
    if near:
        return siblings[near[0]]
    leaves: dict[str, str] = {}
    for key in known:
        leaves.setdefault(key.rpartition(".")[2], key)
    near = difflib.get_close_matches(word.rpartition(".")[2], list(leaves), n=1, cutoff=0.8)
    return leaves[near[0]] if near else None


def _missing_option(error: BaseException) -> ConfigError:
    wanted = str(getattr(error, "missing_cfg_file", "") or "")
    options = list(getattr(error, "options", None) or [])
    group, _, option = wanted.rpartition("/")
    if not group:
        return ConfigError("no such config file", got=wanted or _first_line(error))
    near = difflib.get_close_matches(option, options, n=1)
    return ConfigError(
        f"no such option, did you mean {near[0]}?" if near else "no such option",
        got=option,
        expected=", ".join(options) or None,
        where=group,
        hint=PLUGIN_HINT if group in PLUGIN_GROUPS else None,
    )


def _bad_key_or_value(error: BaseException, keys: Sequence[str]) -> ConfigError:
    key = str(getattr(error, "full_key", None) or "")
    kind = type(error).__name__
    if kind in {"ConfigKeyError", "ConfigAttributeError"}:
        return unknown_key(key, keys)
    if kind == "ConfigTypeError" and "deletion" in str(error):
        return ConfigError(
            "a key of the schema cannot be removed",
            got=f"~{key}",
            expected=f"{key}=VALUE",
            where=key,
        )
    if kind in {"InterpolationKeyError", "InterpolationResolutionError"}:
        return ConfigError(_first_line(error), where=key)
    value = getattr(error, "value", None)
    got = "null" if value is None else value or repr(value)
    return ConfigError("wrong type or value", got=got, expected=_expected(error), where=key)


def unknown_key(key: str, keys: Sequence[str]) -> ConfigError:
    """An unknown key, with the one that was likely meant or the ones at the same place."""
    meant = suggestion(key, keys)
    if meant is not None:
        return ConfigError(f"unknown key {key}, did you mean {meant}?")
    parent = key.rpartition(".")[0]
    prefix = f"{parent}." if parent else ""
    siblings = [k for k in keys if k.startswith(prefix) and "." not in k.removeprefix(prefix)]
    return ConfigError(
        f"unknown key {key}", expected="one of " + ", ".join(siblings) if siblings else None
    )


def _expected(error: BaseException) -> str:
    text = _first_line(error)
    choices = re.search(r"expected one of \[(.*)\]", text)
    if choices:
        return choices[1]
    target = re.search(r"could not be converted to (\w+)", text)
    if target:
        words = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
        return words.get(target[1], target[1].lower())
    if "is not a valid bool" in text:
        return "true or false"
    if "is not Optional" in text:
        return "a value, null is not allowed"
    if "is not a ListConfig" in text:
        return "a list, [a,b]"
    return text


def _omegaconf_cause(error: BaseException) -> BaseException | None:
    seen: BaseException | None = error
    while seen is not None:
        if any(kind.__name__ == "OmegaConfBaseException" for kind in type(seen).__mro__):
            return seen
        seen = seen.__cause__
    return None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
