"""Does the default climb on every seed, and what does each ingredient do? The README's table and figure.

    python benchmarks/grokking.py                     # everything that is not in the results yet
    python benchmarks/grokking.py --arms staged --seeds 7 8 --out /tmp/mine.json --figure /tmp/mine.png
    python benchmarks/grokking.py --table             # only print, draw and write the README's table again

Each run is `toolkit rl train` in a process of its own with one override an arm; seeds, base policy and split vary
together. The results file is also the ledger: a run that is in it is not repeated, and a broken command goes on where
it stopped. Runs of one seed share the reference policy through the cache where its recipe is the same. Two runs at a
time, one thread each, on two cores; CPU seconds include the reference policy where the run made it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FRESH = range(100, 120)
FEW = range(100, 105)
SOLVED = 0.9
"""Held-out accuracy, under the exhaustive verdict, from which on a seed counts as learned."""
ARMS: Mapping[str, tuple[str, tuple[str, ...], Sequence[int]]] = {
    "staged": ("**staged (the default)**", (), FRESH),
    "dense": ("dense only", ("schedule=dense",), FRESH),
    "binary": ("binary only", ("schedule=binary",), FRESH),
    "binary_plain": ("binary only, no entropy bonus", ("schedule=binary", "entropy=none"), FEW),
    "delta_staged": ("DELTA's tests, staged", ("data.tests=delta",), FEW),
    "delta_dense": ("DELTA's tests, dense only", ("data.tests=delta", "schedule=dense"), FEW),
    "delta_binary": ("DELTA's tests, binary only", ("data.tests=delta", "schedule=binary"), FEW),
    "no_replay": ("no replay", ("replay=none",), FEW),
    "no_canonical": ("no canonical corpus", ("reference.canonical=false",), FEW),
    "grammar": ("grammar mask", ("policy.grammar=acceptor",), FEW),
    "no_entropy": ("no entropy bonus", ("entropy=none",), FEW),
    "no_scale": ("rewards not divided by their spread", ("training.scale_rewards=none",), FEW),
    "slow": ("learning rate 3e-4", ("optimizer.learning_rate=3e-4",), FEW),
    "small_groups": ("groups of 16", ("training.group_size=16",), FEW),
}
"""Name to label, overrides and seeds."""
FINAL = ("evaluation.draws=64", "evaluation.k=[1,64]", "evaluation.compare_base=false")
"""The table asks for greedy accuracy alone, and the base is proved before training."""
START, END = "<!-- grokking table: benchmarks/grokking.py -->", "<!-- end of the table -->"


def main() -> None:
    """Run what is missing, then print, draw and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, help="instead of each arm's own")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/grokking.json")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs/figures/grokking.png")
    parser.add_argument("--readme", type=Path, help="file whose table is replaced")
    parser.add_argument("--keep", type=Path, help="folder for the run folders, <arm>/seed-<n>; else deleted")
    arguments = parser.parse_args()
    rows = json.loads(arguments.out.read_text())["runs"] if arguments.out.exists() else []
    if not arguments.table:
        known = {(row["arm"], row["seed"]) for row in rows}
        wanted = [
            (arm, seed)
            for arm in arguments.arms
            for seed in (ARMS[arm][2] if arguments.seeds is None else arguments.seeds)
            if (arm, seed) not in known
        ]
        run_all(wanted, rows, arguments)
    table = markdown(rows)
    print(table)
    staged = [row for row in rows if row["arm"] == "staged"]
    if staged:
        arguments.figure.write_bytes(draw(staged))
    if arguments.readme is not None:
        text = arguments.readme.read_text()
        before, rest = text.split(START)
        arguments.readme.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}")


def run_all(
    wanted: Sequence[tuple[str, int]], rows: list[dict[str, Any]], arguments: argparse.Namespace
) -> None:
    """Run every (arm, seed), as many at a time as asked for; each result is written as soon as it is there."""
    order, out = list(ARMS), arguments.out
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = {pool.submit(train, *which, arguments.keep): which for which in wanted}
        for done, future in enumerate(as_completed(running), start=1):
            row = future.result()
            rows.append(row)
            rows.sort(key=lambda row: (order.index(row["arm"]), row["seed"]))
            partial = out.with_suffix(".partial")
            partial.write_text(json.dumps({"runs": rows}, separators=(",", ":")) + "\n")
            partial.replace(out)
            print(
                f"{done}/{len(running)} {row['arm']} seed {row['seed']}: exhaustive {row['exhaustive']:.2f}, "
                f"transition {row['transition_step']}, {row['cpu_s']:.0f} CPU s",
                file=sys.stderr,
                flush=True,
            )


def train(arm: str, seed: int, keep: Path | None) -> dict[str, Any]:
    """One run of the command line, as a row of the results."""
    temporary = Path(tempfile.mkdtemp(prefix="grokking-"))
    folder = (temporary if keep is None else keep.absolute()) / arm / f"seed-{seed}"
    command = [sys.executable, "-m", "cli.main", "rl", "train", *ARMS[arm][1], f"seed={seed}"]
    command += [*FINAL, "--out", str(folder), "--quiet", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ended.stderr}")
    summary = json.loads(ended.stdout)["summary"]
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    curve = [
        [line["step"], line["heldout_full_pass"], line["heldout_exhaustive"]]
        for line in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        if "heldout_exhaustive" in line
    ]
    shared = yaml.safe_load((folder / "config.yaml").read_text())["training"]["share_prefixes"]
    shutil.rmtree(temporary)
    return {
        "arm": arm,
        "seed": seed,
        "share_prefixes": shared,
        "base": summary["base_pass_at_k"],
        "bases_refused": sum(event["kind"] == "base_refused" for event in events),
        "switch_step": summary["phase_change_step"],
        "transition_step": summary["transition_step"],
        "transition_interval": summary["transition_interval_95"],
        "first_solved": next((step for step, _, right in curve if right >= SOLVED), None),
        "steps": summary["steps"],
        "test": summary["heldout_full_pass"],
        "exhaustive": summary["heldout_exhaustive"],
        "warnings": sorted({event["name"] for event in events if event["kind"] == "warning"}),
        "wall_s": summary["wall_s"],
        "cpu_s": summary["cpu_s"],
        "curve": curve,
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line an arm."""
    lines = [
        "| | seeds | base pass@512, 95 % bound | reached .9 | transition, median [range] | test | exhaustive | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for arm, (label, _, _) in ARMS.items():
        own = [row for row in rows if row["arm"] == arm]
        if not own:
            continue
        found = [row["transition_step"] for row in own if row["transition_step"] is not None]
        step = "none"
        if found:
            step = f"{statistics.median(found):.0f} [{min(found):.0f}, {max(found):.0f}], {len(found)} of {len(own)}"
        successes = sum(row["base"]["successes"] for row in own)
        bound = max(row["base"]["upper95"] for row in own)
        reached = sum(row["exhaustive"] >= SOLVED for row in own)
        lines.append(
            f"| {label} | {len(own)} | {successes} hits, < {bound:.3f} | {reached} of {len(own)} | {step} "
            f"| {_mean(own, 'test')} | {_mean(own, 'exhaustive')} "
            f"| {statistics.median(row['cpu_s'] for row in own):.0f} |"
        )
    whole = [row for row in rows if not row["share_prefixes"]]
    if whole:
        arms = ", ".join(
            f"{sum(row['arm'] == arm for row in whole)} of {ARMS[arm][0].strip('*')}"
            for arm in ARMS
            if any(row["arm"] == arm for row in whole)
        )
        lines += ["", f"*With `training.share_prefixes=false`, which differs by rounding and takes longer: {arms}.*"]
    return "\n".join(lines)


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    """Mean and smallest of a share."""
    values = [row[key] for row in rows]
    return f"{statistics.mean(values):.2f} (min {min(values):.2f})"


def draw(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Every seed's held-out accuracy, the switches and the transitions marked."""
    from rlgrok.figures import seed_curves

    return seed_curves(
        [
            {
                "seed": row["seed"],
                "steps": [point[0] for point in row["curve"]],
                "accuracy": [point[2] for point in row["curve"]],
                "switch": row["switch_step"],
                "transition": row["transition_step"],
            }
            for row in rows
        ],
        title=f"Held-out accuracy of {len(rows)} seeds, every tape judged",
    )


if __name__ == "__main__":
    main()
