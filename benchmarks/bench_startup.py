"""Seconds from pressing return to the answer, for commands that do no work, and for a bare interpreter beside them.

    python benchmarks/bench_startup.py [--rounds 10]

Prints a table and writes benchmarks/results/startup.json. Commands take turns within a round, so that a machine whose
speed drifts is fair to all. Wall and processor seconds, median over rounds; the design asks for `toolkit --help` below
half a second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "startup.json"
TOOLKIT = [sys.executable, "-m", "cli.main"]
COMPLETION = {
    "_TOOLKIT_COMPLETE": "complete_zsh",
    "_TYPER_COMPLETE_ARGS": "toolkit rl train schedule=",
}

COMMANDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "python -c pass": ([sys.executable, "-c", "pass"], {}),
    "toolkit --help": ([*TOOLKIT, "--help"], {}),
    "toolkit rl train --help": ([*TOOLKIT, "rl", "train", "--help"], {}),
    "toolkit rl train --cfg job": ([*TOOLKIT, "rl", "train", "--cfg", "job"], {}),
    "toolkit runs list": ([*TOOLKIT, "runs", "list"], {}),
    "completion of schedule=": (TOOLKIT, COMPLETION),
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, (command, variables) in COMMANDS.items():
                measured = timed(command, variables, folder)
                if number:  # the first round fills the file cache
                    times[name].append(measured)
    rows = {
        name: {
            "wall_s": round(statistics.median(wall for wall, _ in values), 3),
            "cpu_s": round(statistics.median(cpu for _, cpu in values), 3),
            "wall_s_worst": round(max(wall for wall, _ in values), 3),
        }
        for name, values in times.items()
    }
    print(f"{'command':<28} {'wall s':>8} {'cpu s':>8} {'worst':>8}")
    for name, row in rows.items():
        print(f"{name:<28} {row['wall_s']:>8.3f} {row['cpu_s']:>8.3f} {row['wall_s_worst']:>8.3f}")
    RESULTS.parent.mkdir(exist_ok=True)
    facts = {"rounds": rounds, "python": platform.python_version(), "cpus": os.cpu_count()}
    RESULTS.write_text(json.dumps({**facts, "commands": rows}, indent=1) + "\n")


def timed(command: list[str], variables: dict[str, str], folder: str) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, env={**os.environ, **variables}, cwd=folder, capture_output=True, check=True
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
