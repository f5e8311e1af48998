"""The section of a learnability run: a verdict and a curve a family, and what programs earn that do not look."""

from __future__ import annotations

from rlgrok import figures
from rlgrok.artefacts import LEARNABILITY, Artefacts
from rlgrok.report.wording import percent
from runtime.report import Report
from runtime.storage import atomic_write_bytes, read_json, storage_errors


def add_learnability(report: Report, run: Artefacts) -> None:
    """Nothing where the run was no `toolkit rl learnability`."""
    path = run.path / LEARNABILITY
    if not path.exists():
        return
    found = read_json(path)
    report.section(
        "Learnability",
        "Solved: the mean pass@k over a family's problems is at least 90 %, unsolved: at most 10 %, both from exact "
        "bounds at 95 % confidence. The verdict is the one at the largest k at which the bounds decide.",
    )
    png = figures.learnability(found["families"], title="pass@k by family")
    folder = run.path / "figures"
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    atomic_write_bytes(folder / "learnability.png", png)
    report.figure(
        png,
        "Shaded: 95 % bootstrap over problems. Dotted: the exact upper bound of a family without any success.",
    )
    floor = {row["family"]: row for row in found["floor"]}
    rows = []
    for family in found["families"]:
        last = family["curve"][-1]
        best = floor.get(family["family"])
        rows.append(
            [
                family["family"],
                f"{family['verdict']} at k = {family['verdict_k']}",
                f"{family['successes']:,} of {family['draws']:,}",
                last["k"],
                round(last["value"], 4),
                f"{last['lower95']:.3f} to {last['upper95']:.3f}",
                family["draws_needed"] or None,
                "-" if best is None else f"{percent(best['pass_rate'])} ({best['program']})",
            ]
        )
    report.table(
        [
            "family", "verdict", "right draws", "k", "pass@k", "exact bounds", "draws to prove unsolved",
            "best trivial program, tests passed",
        ],
        rows,
        "Bounds: one-sided, 95 % each.",
    )  # fmt: skip
