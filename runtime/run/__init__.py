"""Run folders: created once, never overwritten, held by one process, resumable, and the list of them."""

from runtime.run.catalog import (
    Difference,
    RunComparison,
    RunInfo,
    compare_runs,
    find_run,
    list_runs,
    run_info,
)
from runtime.run.differences import ABSENT, config_differences
from runtime.run.folder import SCHEMA_VERSION, Run

__all__ = [
    "ABSENT",
    "SCHEMA_VERSION",
    "Difference",
    "Run",
    "RunComparison",
    "RunInfo",
    "compare_runs",
    "config_differences",
    "find_run",
    "list_runs",
    "run_info",
]
