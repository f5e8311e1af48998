"""Training tells nobody that it happened, unless the user says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("said", "silent"), [(None, "True"), ("0", "False")])
def test_the_libraries_telemetry_is_off_unless_asked_for(said, silent):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY")
    }
    if said is not None:
        environment["HF_HUB_DISABLE_TELEMETRY"] = said
    code = "import rlgrok; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == silent
