"""Throughput of ground truth: every query time from scratch, one pass, one pass with free flight in machine code.

    python benchmarks/bench_simulate.py [--scenes 2] [--repeats 3]

Prints a table and writes benchmarks/results/simulate.json. Scenes are of every type of one family and the fifteen
published pairs, at levels 0 to 3, so many of each; fifteen times of each, 0.1 to 1.5 s. All three give the same
numbers, and the script stops where they do not.

Times are processor seconds of one process, the three one after the other in every repeat; a ratio is the median of the
repeats' own ratios. `processes` is what `toolkit rl simulate --workers N` takes for all scenes in all its processes
together, starting them included: the share of that which one process needs is the share of the processors that comes
out as speed, so N free processors are N times that share faster.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rlgrok.delta.bouncingsim.datasets import MAX_ATTEMPTS
from rlgrok.delta.bouncingsim.families import PAIRS, SINGLES
from rlgrok.delta.bouncingsim.flight import simulate
from rlgrok.delta.bouncingsim.generator import SceneName, make_scene
from rlgrok.delta.bouncingsim.scene import Scene, read_scene
from rlgrok.delta.bouncingsim.truth import DEFAULT_TIMES
from rlgrok.delta.bouncingsim.world import Point, simulate_stepwise
from rlgrok.simulate import simulate_lines

RESULTS = Path(__file__).parent / "results" / "simulate.json"
LEVELS = range(4)


def from_scratch(scene: Scene) -> list[list[Point]]:
    """As the benchmark's own generator does it: a new world for every time."""
    return [simulate_stepwise(scene, [time])[0] for time in DEFAULT_TIMES]


def one_pass(scene: Scene) -> list[list[Point]]:
    """The engine alone, all times on the way."""
    return simulate_stepwise(scene, DEFAULT_TIMES)


def with_flight(scene: Scene) -> list[list[Point]]:
    """What ground truth is made by."""
    return simulate(scene, DEFAULT_TIMES)


WAYS: dict[str, Callable[[Scene], list[list[Point]]]] = {
    "from scratch": from_scratch,
    "one pass": one_pass,
    "one pass, flight": with_flight,
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=2, help="of each type and level")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    kinds = [
        (letters, level, index)
        for letters in (*SINGLES, *PAIRS)
        for level in LEVELS
        for index in range(1, given.scenes + 1)
    ]
    raw = {
        kind: made.scene
        for kind in kinds
        if (made := make_scene(SceneName(*kind), max_attempts=MAX_ATTEMPTS)).scene is not None
    }
    scenes = {kind: read_scene(scene) for kind, scene in raw.items()}
    with_flight(next(iter(scenes.values())))  # compiles
    seconds: dict[str, dict[str, list[float]]] = {}
    for _ in range(given.repeats):
        results = []
        for name, way in WAYS.items():
            spent: dict[str, float] = {"singles": 0.0, "pairs": 0.0}
            found = []
            for (letters, _, _), scene in scenes.items():
                began = time.process_time()
                found.append(way(scene))
                spent["singles" if len(letters) == 1 else "pairs"] += time.process_time() - began
            results.append(found)
            for group, value in spent.items():
                seconds.setdefault(group, {}).setdefault(name, []).append(value)
        if any(found != results[0] for found in results):
            raise SystemExit("the three do not give the same numbers")
    num = {
        "singles": sum(len(kind[0]) == 1 for kind in scenes),
        "pairs": sum(len(kind[0]) == 2 for kind in scenes),
    }
    seconds["all"] = {
        name: [sum(pair) for pair in zip(*(seconds[g][name] for g in num), strict=True)]
        for name in WAYS
    }
    num["all"] = len(scenes)
    rows = [
        {
            "scenes": group,
            "num": num[group],
            "way": name,
            "scenes_per_s": num[group] / median(times[name]),
            "ratio": median(
                base / own for base, own in zip(times["from scratch"], times[name], strict=True)
            ),
        }
        for group, times in seconds.items()
        for name in WAYS
    ]
    lines = [
        json.dumps({"id": str(kind), "scene": scene, "timestamps": DEFAULT_TIMES})
        for kind, scene in raw.items()
    ] * 20
    workers = len(os.sched_getaffinity(0))
    alone, together = (_all_processes(lines, count) for count in (1, workers))
    result = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "repeats": given.repeats,
        "rows": rows,
        "processes": {
            "workers": workers,
            "num_scenes": len(lines),
            "cpu_s_one": alone,
            "cpu_s_all": together,
            "share": alone / together,
        },
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{'scenes':<9} {'num':>4}  {'way':<17} {'scenes / CPU s':>14} {'ratio':>7}")
    for row in rows:
        print(
            f"{row['scenes']:<9} {row['num']:>4}  {row['way']:<17} {row['scenes_per_s']:>14.1f} {row['ratio']:>6.1f}x"
        )
    print(
        f"{workers} processes, {len(lines)} scenes: {together:.2f} CPU s together, {alone:.2f} in one; "
        f"{alone / together:.0%} of each processor comes out as speed"
    )


def _all_processes(lines: list[str], workers: int) -> float:
    """Processor seconds of this process and its children for a batch."""
    began = _spent()
    simulate_lines(lines, lambda _: None, num_workers=workers)
    return _spent() - began


def _spent() -> float:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
