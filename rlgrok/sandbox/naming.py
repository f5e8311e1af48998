"""The level that programs of this process are locked in at: `full`, until the edge passes on what the user named.

A level belongs to a machine and not to an experiment, and the sandbox of a process is opened at its first verdict, deep
inside training; so it is one value of the process, set before anything runs.
"""

from __future__ import annotations

from difflib import get_close_matches

from rlgrok.sandbox.types import Level
from runtime.errors import ConfigError

_named: list[Level] = [Level.FULL]


def name_level(text: str, *, where: str) -> None:
    """Set the level, by its name; nothing, or blanks, mean `full`.

    Args:
        text: as the user wrote it.
        where: it was written, for the message.

    Raises:
        ConfigError: there is no such level.
    """
    word = text.strip().lower() or Level.FULL.value
    if word not in list(Level):
        near = get_close_matches(word, list(Level), n=1)
        raise ConfigError(
            "no such level of the sandbox",
            got=text,
            expected=", ".join(Level),
            where=where,
            hint=f"did you mean {near[0]}?" if near else None,
        )
    _named[0] = Level(word)


def named_level() -> Level:
    """The level of this process."""
    return _named[0]
