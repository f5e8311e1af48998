"""Throughput of the judge against a straightforward interpreter, side by side in one process on one core.

    python benchmarks/bench_judge.py [--programs 4096] [--repeats 5]

Prints a table and writes benchmarks/results/judge.json. A quarter of the programs are right, the others have wrong
routes, and every eighth is a text that does not parse. A wrong route leads further on or to NONE, never back, so that
few programs go round in circles: each costs the straightforward interpreter a thousand visits a test and the compiled
judge nothing, which flatters the ratio. Every program is parsed and judged, equal ones too, and nothing is
remembered between the timed repeats. What is asked is prepared for both alike: texts, the number of each one's set of
tests, and the sets.

Times are processor seconds. A repeat times every judge once, one after the other; a rate is the median over the
repeats, the ratio is the median of the repeats' own ratios. Compiling, half a minute once a machine, is not timed.
`counts` is what training needs: bits of the tests, counts, full passes; `counts_encoding` encodes the tests of its 64
problems anew each time. `verdicts` puts them into words, `records` is the complete record with every path, `one_by_one`
the verdict for training without compiled code. The exhaustive verdict runs on every eighth program.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import plain_manufactoria as plain
from miswired import miswired

from rlgrok.delta.manufactoria import judge as ours
from rlgrok.delta.manufactoria.batch import EncodedTests, judge_batch
from rlgrok.delta.manufactoria.complete import complete
from rlgrok.delta.manufactoria.datasets import build
from rlgrok.delta.manufactoria.dsl import format_program
from rlgrok.delta.manufactoria.exhaustive import checks_of, verify_exhaustive
from rlgrok.delta.manufactoria.solutions import oracle_program
from rlgrok.types import Problem, TestCase
from runtime.seeding import Stream

RESULTS = Path(__file__).parent / "results" / "judge.json"
NUM_TESTS = 30
COUNTS_REPEATS = 20
"""How often what takes milliseconds is done in one timing."""


@dataclass(frozen=True)
class Work:
    """Programs and what is asked of each, in the form that each judge takes."""

    texts: list[str]
    sets: list[int]
    problems: list[Problem]
    tests: list[Sequence[TestCase]]
    encoded: EncodedTests
    plain_tests: list[list[dict[str, Any]]]


def make_work(family: str, colors: str, lengths: list[int], count: int) -> Work:
    """Problems of one family with thirty tests each, and a program for each of `count` rollouts."""
    problems = list(build([family], colors, lengths, seed=0, max_problems=64).train)
    stream = Stream(0, "benchmark", "judge", family)
    texts, sets = [], []
    for index in range(count):
        sets.append(stream.below(len(problems)))
        program = oracle_program(problems[sets[-1]])
        if index % 4:
            program = miswired(program, stream)
        text = format_program(program)
        if index % 8 == 3:
            at = stream.below(len(text))
            text = text[:at] + stream.choice(["", ":", "x ", "    "]) + text[at + 1 :]
        texts.append(text)
    tests = [thirty(problem) for problem in problems]
    plain_tests = [[asdict(test) for test in one] for one in tests]
    return Work(texts, sets, problems, tests, EncodedTests(tests), plain_tests)


def thirty(problem: Problem) -> Sequence[TestCase]:
    """The problem's own tests, filled up with longer tapes from the exhaustive verdict, or cut."""
    return [*problem.tests, *checks_of(problem).longer.tests][:NUM_TESTS]


def counts(work: Work) -> list[bool]:
    """What training needs."""
    return judge_batch(work.texts, work.sets, work.encoded).full_pass.tolist()


def counts_encoding(work: Work) -> list[bool]:
    """The same for tests that were never met before."""
    return judge_batch(work.texts, work.sets, EncodedTests(work.tests)).full_pass.tolist()


def verdicts(work: Work) -> list[bool]:
    """The same in words, with the first failure of each."""
    judged = judge_batch(work.texts, work.sets, work.encoded)
    return [judged.verdict(index).full_pass for index in range(len(work.texts))]


def records(work: Work) -> list[bool]:
    """The complete record of every test, with the path."""
    return [
        complete(text, work.tests[number]).full_pass
        for text, number in zip(work.texts, work.sets, strict=True)
    ]


def one_by_one(work: Work) -> list[bool]:
    """The verdict for training, without compiled code."""
    ours.forget()
    prepared = [ours.PreparedTests(tuple(tests)) for tests in work.tests]
    return [
        ours.verify_prepared(text, prepared[number]).full_pass
        for text, number in zip(work.texts, work.sets, strict=True)
    ]


def straightforward(work: Work) -> list[bool]:
    """The plain interpreter's record."""
    return [
        plain.judge(text, work.plain_tests[number])["all_passed"]
        for text, number in zip(work.texts, work.sets, strict=True)
    ]


def exhaustive(work: Work) -> list[bool]:
    """Our exhaustive verdict of every eighth program."""
    ours.forget()
    return [
        verify_exhaustive(work.problems[number], text).full_pass
        for text, number in zip(work.texts[::8], work.sets[::8], strict=True)
    ]


JUDGES = (counts, counts_encoding, verdicts, records, one_by_one, straightforward)
NUM_RUNS = {"counts": COUNTS_REPEATS, "counts_encoding": COUNTS_REPEATS, "verdicts": 5}


def seconds(judge: Callable[[Work], object], work: Work) -> float:
    """Processor seconds of one run, the mean of several where that takes milliseconds."""
    num = NUM_RUNS.get(judge.__name__, 1)
    started = time.process_time()
    for _ in range(num):
        judge(work)
    return (time.process_time() - started) / num


def measure(name: str, work: Work, repeats: int) -> dict[str, object]:
    """Programs per second of every judge on one workload; they must agree."""
    answers = [judge(work) for judge in JUDGES]
    if any(answer != answers[0] for answer in answers):
        raise SystemExit(f"{name}: the judges disagree")
    exhaustive(work)  # what is tried is made once a problem, not once a program
    times = [
        {judge.__name__: seconds(judge, work) for judge in (*JUDGES, exhaustive)}
        for _ in range(repeats)
    ]
    num = len(work.texts)
    rates = {key: num / median(one[key] for one in times) for key in times[0]}
    rates["exhaustive"] /= 8

    def ratio(key: str) -> float:
        return median(one["straightforward"] / one[key] for one in times)

    return {
        "workload": name,
        "programs": num,
        "distinct": len(set(work.texts)),
        "full_passes": sum(answers[0]),
        "tests_per_program": sum(len(work.tests[number]) for number in work.sets) / num,
        "programs_per_s": {key: round(rate, 1) for key, rate in rates.items()},
        "counts_over_straightforward": round(ratio("counts"), 1),
        "records_over_straightforward": round(ratio("records"), 2),
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
    columns = [judge.__name__ for judge in (*JUDGES, exhaustive)]
    print(
        f"{'workload':34s} {'distinct':>8s} " + " ".join(f"{c:>15s}" for c in columns) + "  ratio"
    )
    for family, colors, lengths in workloads:
        work = make_work(family, colors, lengths, options.programs)
        row = measure(f"{family}, {colors} colours", work, options.repeats)
        rows.append(row)
        rates = row["programs_per_s"]
        cells = " ".join(f"{rates[column]:15,.0f}" for column in columns)
        ratio = row["counts_over_straightforward"]
        print(f"{row['workload']:34s} {row['distinct']:8d} {cells}  {ratio:.1f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory of the process {peak} MiB")
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    results = {"unit": "programs/s", **machine, "peak_mib": peak, "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
