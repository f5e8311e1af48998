"""Where things are kept that outlive a run. The only place that reads the environment for folders."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of reference policies: `TOOLKIT_CACHE`, or `delta-toolkit` in the user's cache folder."""
    own = os.environ.get("TOOLKIT_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "delta-toolkit"
