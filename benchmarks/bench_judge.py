"""Throughput of the judge against a straightforward interpreter, side by side in one process on one core.

    python benchmarks/bench_judge.py [--programs 4096] [--repeats 5]

Prints a table and writes benchmarks/results/judge.json. A quarter of the programs are right, most have rewired edges,
as a policy in training writes them, and every eighth is a text that does not parse. Every one is parsed and judged,
nothing is remembered between the timed repeats. Times are processor seconds, the best of the repeats; compiling, half a
minute once a machine, is not among them. `counts` is what training needs: bits of the tests, counts, full passes;
`counts_encoding` encodes the tests of its 64 problems anew each time. `verdicts` puts them into words, `records` is the
complete record with every path, `one_by_one` the verdict for training without compiled code. The exhaustive verdict
runs on every eighth program.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import plain_manufactoria as plain

from rlgrok.delta.manufactoria import judge as ours
from rlgrok.delta.manufactoria.batch import Batch, EncodedTests, judge_batch
from rlgrok.delta.manufactoria.complete import complete
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.exhaustive import checks_of, verify_exhaustive
from rlgrok.delta.manufactoria.solutions import oracle_program, rewire
from rlgrok.types import Problem, TestCase
from runtime.seeding import Stream

RESULTS = Path(__file__).parent / "results" / "judge.json"
REWIRED = 0.2
"""Chance of each route to be sent elsewhere: nearly every program is distinct and most are wrong."""
NUM_TESTS = 30

Work = Sequence[tuple[Problem, Sequence[TestCase], str]]


def make_work(family: str, colors: str, lengths: list[int], count: int) -> Work:
    """Problems of one family with thirty tests each, and a program for each of `count` rollouts."""
    problems = build([family], colors, lengths, seed=0, max_problems=64).train
    stream = Stream(0, "benchmark", "judge", family)
    tests = {problem.id: thirty(problem) for problem in problems}
    work = []
    for index in range(count):
        problem = stream.choice(problems)
        program = oracle_program(problem)
        if index % 4:
            program = rewire(program, stream, REWIRED)
        text = format_program(program)
        if index % 8 == 3:
            at = stream.below(len(text))
            text = text[:at] + stream.choice(["", ":", "x ", "    "]) + text[at + 1 :]
        work.append((problem, tests[problem.id], text))
    return work


def thirty(problem: Problem) -> Sequence[TestCase]:
    """The problem's own tests, filled up with longer tapes from the exhaustive verdict, or cut."""
    return [*problem.tests, *checks_of(problem).longer.tests][:NUM_TESTS]


def encoded(work: Work) -> EncodedTests:
    """The tests of all problems in the order in which they come up."""
    return EncodedTests(list({problem.id: tests for problem, tests, _ in work}.values()))


def batch(work: Work, tests: EncodedTests | None = None) -> Batch:
    """All programs at once; the tests are encoded anew, unless they are given."""
    numbers = {name: number for number, name in enumerate({p.id: None for p, _, _ in work})}
    return judge_batch(
        [text for _, _, text in work],
        [numbers[problem.id] for problem, _, _ in work],
        encoded(work) if tests is None else tests,
    )


def counts(work: Work) -> list[bool]:
    """What training needs."""
    return batch(work).full_pass.tolist()


def verdicts(work: Work) -> list[bool]:
    """The same in words, with the first failure of each."""
    judged = batch(work)
    return [judged.verdict(index).full_pass for index in range(len(work))]


def records(work: Work) -> list[bool]:
    """The complete record of every test, with the path."""
    return [complete(text, tests).full_pass for _, tests, text in work]


def one_by_one(work: Work) -> list[bool]:
    """The verdict for training, without compiled code."""
    prepared = {problem.id: ours.PreparedTests(tuple(tests)) for problem, tests, _ in work}
    return [ours.verify_prepared(text, prepared[p.id]).full_pass for p, _, text in work]


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
            for test in tests
        ]
        for problem, tests, _ in work
    }
    return [plain.judge(text, tests[problem.id])["all_passed"] for problem, _, text in work]


def exhaustive(work: Work) -> list[bool]:
    """Our exhaustive verdict."""
    return [verify_exhaustive(problem, text).full_pass for problem, _, text in work]


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
    if (
        not counts(work)
        == verdicts(work)
        == records(work)
        == one_by_one(work)
        == straightforward(work)
    ):
        raise SystemExit(f"{name}: the judges disagree")
    tests = encoded(work)
    rates = {"counts": len(work) / seconds(lambda w: batch(w, tests).full_pass, work, 9 * repeats)}
    rates["counts_encoding"] = len(work) / seconds(counts, work, 3 * repeats)
    for judge in (verdicts, records, one_by_one, straightforward):
        rates[judge.__name__] = len(work) / seconds(judge, work, repeats)
    some = work[::8]
    exhaustive(some)  # what is tried is made once a problem, not once a program
    rates["exhaustive"] = len(some) / seconds(exhaustive, some, repeats)
    return {
        "workload": name,
        "programs": len(work),
        "distinct": len({text for _, _, text in work}),
        "tests_per_program": sum(len(tests) for _, tests, _ in work) / len(work),
        "programs_per_s": {key: round(rate, 1) for key, rate in rates.items()},
        "counts_over_straightforward": round(rates["counts"] / rates["straightforward"], 1),
        "records_over_straightforward": round(rates["records"] / rates["straightforward"], 2),
        "exhaustive_ms_per_512": round(512_000 / rates["exhaustive"], 1),
    }


def main() -> None:
    """Run every workload, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--programs", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    workloads = [
        ("contains_ordered", "two", [3, 4, 5]),
        ("contains_substring", "four", [3, 4]),
        ("append_sequence", "four", [3, 4]),
        ("prepend_sequence", "two", [3, 4]),
    ]
    rows = []
    columns = (
        "counts",
        "counts_encoding",
        "verdicts",
        "records",
        "one_by_one",
        "straightforward",
        "exhaustive",
    )
    print(f"{'workload':34s} {'tests':>5s} " + " ".join(f"{c:>15s}" for c in columns) + "  ratio")
    for family, colors, lengths in workloads:
        row = measure(
            f"{family}, {colors} colours",
            make_work(family, colors, lengths, options.programs),
            options.repeats,
        )
        rows.append(row)
        rates = row["programs_per_s"]
        cells = " ".join(f"{rates[column]:15,.0f}" for column in columns)
        ratio = row["counts_over_straightforward"]
        print(
            f"{row['workload']:34s} {row['tests_per_program']:5.1f} {cells}  {ratio:.1f}",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of the process {peak} MiB")
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    results = {"unit": "programs/s", **machine, "peak_mib": peak, "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
