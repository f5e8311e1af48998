"""Throughput of the sandbox: programs a second on all cores, against one fresh `python -I` process for every test.

    python benchmarks/bench_sandbox.py [--programs 400] [--plain 40] [--repeats 3]

Prints a table and writes benchmarks/results/sandbox.json. Programs are those for BouncingSim scenes of families B, C,
D, F and G at levels 0 to 2, fifteen tests each: of twenty, four find every impact, four take small steps and see a
disc in place of a polygon, seven fly through walls, two stay where they are, one does not parse, one raises, one
returns no positions. None runs for ever: that would measure time limits. Both ways keep all cores busy, and the
script stops where their verdicts differ. What the programs themselves compute is the same in both, and is in both.

`programs_per_s` is by the clock, so it depends on what else the machine does. Both ways take turns in every repeat, on
their own share of the programs, and the ratios are medians of the repeats' own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from rlgrok.delta.bouncingsim.datasets import scene_problem
from rlgrok.delta.bouncingsim.judging import Task, judge_tasks
from rlgrok.delta.bouncingsim.programs import baseline, oracle_text
from rlgrok.delta.bouncingsim.tasks import queries_of, scene_of, setting_of
from rlgrok.sandbox.pool import Sandbox

RESULTS = Path(__file__).parent / "results" / "sandbox.json"
FAMILIES, LEVELS, SEED = "BCDFG", range(3), 42
PARTS = 4 * ["oracle"] + 4 * ["disc reflection"] + 7 * ["free flight"] + 2 * ["static"]
BROKEN = [
    "def predict_position(t:",
    "def predict_position(t):\n    return 1 / 0",
    "predict_position = list",
]
RUNNER = """
import json, math, sys
program, test = json.load(sys.stdin)
def check_distance(found, wanted):
    return round(sum(math.dist(a[:2], b) for a, b in zip(found, wanted, strict=True)) / len(wanted), 3)
names = {"check_distance": check_distance}
exec(program, names)
exec(test, names)
"""
Way = Callable[[Sequence[tuple[Task, list[str]]]], list[list[bool]]]


def tasks(count: int) -> list[tuple[Task, list[str]]]:
    """So many programs of the mix, shuffled, each with its tests as text."""
    names = [(family, level, index) for family in FAMILIES for level in LEVELS for index in (1, 2)]
    problems = [found for name in names if (found := scene_problem(name, SEED, False)) is not None]
    kinds = PARTS + BROKEN
    made = []
    for place in range(count):
        problem, kind = problems[place // len(kinds) % len(problems)], kinds[place % len(kinds)]
        if kind == "oracle":
            text = oracle_text(scene_of(problem))
        else:
            text = kind if kind in BROKEN else baseline(kind, scene_of(problem))
        task = Task(text, setting_of(problem), tuple(queries_of(problem)))
        made.append((task, [test.description for test in problem.tests]))
    random.Random(SEED).shuffle(made)
    return made


def plain(asked: Sequence[tuple[Task, list[str]]]) -> list[list[bool]]:
    """A fresh interpreter for every test, as many at a time as there are cores."""

    def passes(pair: tuple[str, str]) -> bool:
        command = [sys.executable, "-I", "-c", RUNNER]
        text = json.dumps(pair)
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        return done.returncode == 0

    pairs = [(task.program, test) for task, tests in asked for test in tests]
    with ThreadPoolExecutor(_cores()) as pool:
        found = iter(list(pool.map(passes, pairs)))
    return [[next(found) for _ in tests] for _, tests in asked]


def sandboxed(sandbox: Sandbox) -> Way:
    """All tests of a program in one locked process, as many at a time as there are cores."""

    def run(asked: Sequence[tuple[Task, list[str]]]) -> list[list[bool]]:
        found = judge_tasks([task for task, _ in asked], sandbox)
        return [[one.passed for one in judgement.results] for judgement in found]

    return run


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=int, default=400, help="for the sandbox, in each repeat")
    parser.add_argument("--plain", type=int, default=40, help="of them, for fresh interpreters")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    asked = tasks(given.programs)
    rates: dict[str, list[tuple[float, float]]] = {"fresh interpreter": [], "sandbox": []}
    with Sandbox() as sandbox:
        ways = {
            "fresh interpreter": (plain, asked[: given.plain]),
            "sandbox": (sandboxed(sandbox), asked),
        }
        sandbox.run([])
        for _ in range(given.repeats):
            verdicts = []
            for name, (way, some) in ways.items():
                began, spent = time.perf_counter(), _cpu_s(sandbox)
                verdicts.append(way(some))
                seconds, cpu_s = time.perf_counter() - began, _cpu_s(sandbox) - spent
                rates[name].append((len(some) / seconds, cpu_s / len(some)))
            if verdicts[0] != verdicts[1][: given.plain]:
                raise SystemExit("the two do not give the same verdicts")
        facts = sandbox.facts()
    base, own = rates.values()
    rows = [
        {
            "way": name,
            "num_programs": len(ways[name][1]),
            "programs_per_s": median(rate for rate, _ in found),
            "cpu_ms_each": 1000 * median(cpu for _, cpu in found),
        }
        for name, found in rates.items()
    ]
    result = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": _cores(),
        "repeats": given.repeats,
        "level": facts["level"],
        "layers": facts["layers"],
        "rows": rows,
        "ratio": median(b[0] / a[0] for a, b in zip(base, own, strict=True)),
        "ratio_cpu": median(a[1] / b[1] for a, b in zip(base, own, strict=True)),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{'way':<18} {'programs':>8} {'programs/s':>11} {'CPU ms each':>12}")
    for row in rows:
        print(
            f"{row['way']:<18} {row['num_programs']:>8} {row['programs_per_s']:>11.1f} {row['cpu_ms_each']:>12.1f}"
        )
    print(f"ratio {result['ratio']:.1f} by the clock, {result['ratio_cpu']:.1f} by processor time")


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _cpu_s(sandbox: Sandbox) -> float:
    """Processor time of this process, its ended children, and the zygotes with all that they have buried."""
    own = sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    tick = os.sysconf("SC_CLK_TCK")
    for process in sandbox.processes:
        fields = (
            Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
        own += sum(map(int, fields[11:15])) / tick
    return own


if __name__ == "__main__":
    main()
