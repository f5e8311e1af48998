"""Throughput of the judge against a straightforward interpreter, side by side in one process on one core.

    python benchmarks/bench_judge.py [--programs 2048] [--repeats 3]

Prints a table and writes benchmarks/results/judge.json. The programs are oracle solutions with rewired edges, as a
policy in training writes them; every one is parsed and judged, nothing is remembered between the timed repeats. Times
are processor seconds, the best of the repeats. The exhaustive verdict runs on every tenth program: a program with
painters is simulated on each of its thousands of tapes.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import plain_manufactoria as plain

from rlgrok.delta.manufactoria import judge as ours
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program, parse
from rlgrok.delta.manufactoria.exhaustive import behaviour, checks_of, verify_exhaustive
from rlgrok.delta.manufactoria.solutions import oracle_program, rewire
from rlgrok.types import Problem, TestSource
from runtime.seeding import Stream

RESULTS = Path(__file__).parent / "results" / "judge.json"
REWIRED = 0.3
"""Chance of each route to be sent elsewhere: nearly every program is distinct and most are wrong."""

Work = Sequence[tuple[Problem, str]]


def make_work(family: str, colors: str, lengths: list[int], tests: TestSource, count: int) -> Work:
    """Problems of one family with a rewired solution each."""
    problems = build([family], colors, lengths, tests=tests, seed=0, max_problems=200).train
    stream = Stream(0, "benchmark", "judge", family)
    work = []
    for _ in range(count):
        problem = stream.choice(problems)
        work.append((problem, format_program(rewire(oracle_program(problem), stream, REWIRED))))
    return work


def fast(work: Work) -> list[bool]:
    """Our verdict for training: counts only."""
    prepared = {problem.id: ours.PreparedTests(problem.tests) for problem, _ in work}
    return [ours.verify_prepared(text, prepared[problem.id]).full_pass for problem, text in work]


def complete(work: Work) -> list[bool]:
    """Our complete record of every test, with the path."""
    return [ours.judge(text, problem.tests, keep_paths=True).full_pass for problem, text in work]


def straightforward(work: Work) -> list[bool]:
    """The plain interpreter's record."""
    tests = {
        problem.id: [
            {
                "input": test.input,
                "expected_output": test.expected_output,
                "expected_accepted": test.expected_accepted,
                "check_output": test.check_output,
                "description": test.description,
            }
            for test in problem.tests
        ]
        for problem, _ in work
    }
    return [plain.judge(text, tests[problem.id])["all_passed"] for problem, text in work]


def exhaustive(work: Work) -> list[bool]:
    """Our exhaustive verdict."""
    return [verify_exhaustive(problem, text).full_pass for problem, text in work]


def behaviours(work: Work) -> list[bytes]:
    """What the supervised corpus is filtered by: acceptance of every tape up to nine (six) symbols."""
    sizes = {"two": ("RB", 9), "four": ("RBYG", 6)}
    return [behaviour(parse(text), *sizes[problem.colors]) for problem, text in work]


def seconds(judge: Callable[[Work], object], work: Work, repeats: int) -> float:
    """Processor seconds of the best repeat, every memo empty at its start."""
    best = float("inf")
    for _ in range(repeats):
        ours.forget()
        started = time.process_time()
        judge(work)
        best = min(best, time.process_time() - started)
    return best


def measure(name: str, work: Work, repeats: int) -> dict[str, object]:
    """Programs per second of every judge on one workload; they must agree."""
    if not fast(work) == complete(work) == straightforward(work):
        raise SystemExit(f"{name}: the judges disagree")
    rates = {
        judge.__name__: len(work) / seconds(judge, work, repeats)
        for judge in (fast, complete, straightforward, behaviours)
    }
    some = work[::10]
    for problem in {problem.id: problem for problem, _ in some}.values():
        checks_of(problem)  # made once a problem, not once a program
    rates["exhaustive"] = len(some) / seconds(exhaustive, some, 1)
    return {
        "workload": name,
        "programs": len(work),
        "tests_per_program": sum(len(problem.tests) for problem, _ in work) / len(work),
        "programs_per_s": {key: round(rate, 1) for key, rate in rates.items()},
        "fast_over_straightforward": round(rates["fast"] / rates["straightforward"], 2),
    }


def main() -> None:
    """Run every workload, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--programs", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    workloads = [
        ("contains_ordered", "two", [3, 4, 5], TestSource.DELTA),
        ("contains_ordered", "two", [3, 4, 5], TestSource.LADDER),
        ("contains_substring", "four", [3, 4], TestSource.DELTA),
        ("append_sequence", "four", [3, 4], TestSource.DELTA),
    ]
    rows = []
    columns = ("fast", "complete", "straightforward", "exhaustive", "behaviours")
    print(f"{'workload':44s} {'tests':>5s} " + " ".join(f"{c:>15s}" for c in columns) + "  ratio")
    for family, colors, lengths, tests in workloads:
        work = make_work(family, colors, lengths, tests, options.programs)
        row = measure(f"{family}, {colors} colours, {tests} tests", work, options.repeats)
        rows.append(row)
        rates = row["programs_per_s"]
        cells = " ".join(f"{rates[column]:15,.0f}" for column in columns)
        print(
            f"{row['workload']:44s} {row['tests_per_program']:5.1f} {cells}"
            f"  {row['fast_over_straightforward']:.1f}"
        )
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"unit": "programs/s", **machine, "rows": rows}, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
