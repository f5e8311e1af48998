"""How programs that nobody trusts are locked in: the level that the user names, and what a manifest says of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.run import Run

VARIABLE = "TOOLKIT_SANDBOX"
"""Names a level weaker than `full`, for machines whose kernel lacks what that needs. A variable, because every command
that runs programs reads it, and so do the processes that these start."""
SANDBOXED = "bouncingsim"
"""The scope whose programs are Python."""


def name_level() -> None:
    """Pass on the level that the environment names.

    Raises:
        ConfigError: there is no such level.
    """
    text = os.environ.get(VARIABLE, "")
    if not text and "rlgrok.sandbox.naming" not in sys.modules:
        return  # `full`, and nothing to import for it
    from rlgrok.sandbox import naming

    naming.name_level(text, where=VARIABLE)


@contextmanager
def noted(config: Any, run: Run) -> Iterator[None]:  # noqa: ANN401 - the config of any command
    """Open the sandbox for a run whose programs need one, and keep in the manifest which walls held; nothing otherwise.

    Before the work, so that a machine without them refuses at once; and after it, with what failed.

    Raises:
        ConfigError: this machine cannot lock programs in.
    """
    if getattr(getattr(config, "data", None), "scope", None) != SANDBOXED:
        yield
        return
    from rlgrok.delta.bouncingsim.verdicts import shared_sandbox

    sandbox = shared_sandbox()
    run.update_manifest(sandbox=sandbox.facts())
    try:
        yield
    finally:
        run.update_manifest(sandbox=sandbox.facts())
