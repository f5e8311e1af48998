"""The sections with figures and tables: training curve, pass@k, verdicts, learning signal, problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlgrok import figures
from rlgrok.artefacts import Artefacts, Record
from rlgrok.report.wording import base_words, data_words, percent
from runtime.report import Report
from runtime.storage import atomic_write_bytes, storage_errors


def add_curve(report: Report, run: Artefacts, transition: Mapping[str, Any] | None) -> None:
    """Held-out accuracy and training rewards over steps, with the change of reward and the transition."""
    report.section(
        "Training curve",
        "Greedy completions on held-out problems under two verdicts, and what the policy earns on training problems.",
    )
    if not run.curves.series:
        report.text("No metrics yet.")
        return
    base = base_words(run)
    png = figures.training_curve(
        run.curves,
        title=data_words(run),
        transition=transition,
        base=f"base policy: {base}" if base else None,
    )
    _figure(
        report,
        run,
        "training-curve",
        png,
        _curve_caption(run, transition),
    )
    rows = [[change.step, change.old, change.new, change.reason] for change in run.curves.changes]
    if rows:
        report.table(["step", "from", "to", "why"], rows, "Changes of reward.")


def _curve_caption(run: Artefacts, transition: Mapping[str, Any] | None) -> str:
    """How to read the curve; only what is drawn in it is explained."""
    sentences = ["A point is one greedy completion for each held-out problem."]
    if run.curves.changes:
        sentences.append("The dotted line marks the change of reward.")
    if transition is not None and transition["transition_step"] is not None:
        sentences.append("The orange line is the transition, the band its 95 % interval.")
    if run.curves.floor is not None:
        sentences.append(
            "Trivial floor: the dense reward of the best program that does not look at the problem."
        )
    sentences.append("Training values are of drawn completions; replayed ones count as failures.")
    return " ".join(sentences)


def add_policies(report: Report, run: Artefacts) -> None:
    """pass@k of every evaluated policy."""
    both = len(run.evaluations) > 1
    report.section(
        "Base against trained policy" if both else "pass@k",
        "Unbiased pass@k, mean over held-out problems, with 95 % intervals over problems (exact where all problems are "
        "alike). See docs/methods/passk.md.",
    )
    title = "pass@k before and after training" if both else "pass@k"
    png = figures.pass_at_k_curves(run.evaluations, title=title)
    _figure(
        report,
        run,
        "pass-at-k",
        png,
        "Drawn completions. Shaded: 95 % interval of the stricter verdict.",
    )
    asked = set((run.config.get("evaluation") or {}).get("k", [])) or {1}
    names = figures.policy_names(run.evaluations)
    rows = [
        [names[evaluation["label"]], *row]
        for evaluation in run.evaluations
        for row in _pass_at_k_rows(evaluation, asked)
    ]
    header = [
        "policy",
        "k",
        "passes the tests",
        "right",
        "95 % interval",
        "exact upper bound",
        "right draws",
    ]
    words = (
        "Interval, bound and draws are of the stricter verdict. The bound is one-sided at 95 %, exact, and holds for "
        "unequal problems."
    )
    report.table(header, rows, words)


def _pass_at_k_rows(evaluation: Record, asked: set[int]) -> list[list[Any]]:
    """A row for each k: the tests' pass@k beside the exhaustive one."""
    by_verdict = {(row["verdict"], row["k"]): row for row in evaluation["pass_at_k"]}
    rows = []
    for k in sorted(k for verdict, k in by_verdict if verdict == "tests" and k in asked):
        tests, right = by_verdict["tests", k], by_verdict.get(("exhaustive", k))
        strict = right or tests
        rows.append(
            [
                k,
                round(tests["value"], 4),
                None if right is None else round(right["value"], 4),
                f"{strict['low']:.3f} to {strict['high']:.3f}",
                strict["upper95"],
                f"{strict['successes']:,} of {strict['draws']:,}",
            ]
        )
    return rows


def add_verdicts(report: Report, run: Artefacts) -> None:
    """The tests' verdict beside the exhaustive one."""
    report.section(
        "Two verdicts",
        "A program can pass every test of its problem and still be wrong. The exhaustive verdict runs it on every "
        "short input and on longer random ones.",
    )
    rows = []
    for evaluation in run.evaluations:
        name = figures.policy_names(run.evaluations)[evaluation["label"]]
        for words, kind in (("greedy", "heldout"), ("drawn", "drawn")):
            rows.append(
                [
                    name,
                    words,
                    percent(evaluation[f"{kind}_pass_rate"]),
                    percent(evaluation[f"{kind}_full_pass"]),
                    percent(evaluation[f"{kind}_exhaustive"]),
                    percent(evaluation[f"{kind}_false_pass_share"]),
                ]
            )
    header = [
        "policy",
        "completions",
        "tests passed",
        "passes all tests",
        "right on every short input",
        "false passes",
    ]
    report.table(
        header, rows, "False passes: share of the completions that pass all tests and are wrong."
    )


def add_signal(report: Report, run: Artefacts) -> None:
    """Groups without variance, entropy, distance to the gate."""
    report.section(
        "Learning signal",
        "A group whose rewards are all equal gives no gradient; a policy without entropy finds nothing new.",
    )
    if run.curves.get("zero_variance_share"):
        png = figures.diagnostics(run.curves, title="Learning signal")
        caption = (
            "Thin: every step. Thick: mean over five steps. The expected share takes each problem's success p from its "
            "earlier visits."
        )
        _figure(report, run, "diagnostics", png, caption)
    else:
        report.text("No training step yet.")


def add_training_problems(report: Report, run: Artefacts) -> None:
    """Each training problem over time; nothing where no training draw was kept."""
    if not run.curves.training:
        return
    report.section(
        "Training problems",
        "What the policy's own completions for each problem came to. What was learned first is on top: half of its "
        "completions pass, at two visits in a row.",
    )
    png = figures.training_map(run.curves, title="Training problems over training")
    _figure(report, run, "training-problems", png, "White: not visited. Replayed completions are left out.")


def add_problems(report: Report, run: Artefacts) -> None:
    """Each held-out problem: over time, and at the end."""
    subject = run.evaluations[-1] if run.evaluations else None
    if subject is None and not run.curves.by_problem:
        return
    report.section("Held-out problems" if run.summary.get("split") != "train" else "Problems")
    if run.curves.by_problem:
        png = figures.problem_map(run.curves, title="Held-out problems over training")
        _figure(
            report,
            run,
            "problems",
            png,
            "One greedy completion per problem and evaluation; what was learned first is on top.",
        )
    if subject is not None:
        k = subject["problems"][0]["k"]
        header = [
            "problem",
            "greedy",
            "draws",
            "pass the tests",
            "right",
            f"pass@{k}",
            "95 % interval",
        ]
        rows = [_problem_row(problem) for problem in subject["problems"]]
        report.table(header, rows, "Intervals are exact for each problem by itself.")


def _problem_row(problem: Record) -> list[Any]:
    is_right = problem["greedy_full_pass"] and problem["greedy_exhaustive"] is not False
    return [
        problem["problem_id"],
        "right" if is_right else "false pass" if problem["greedy_full_pass"] else "wrong",
        problem["num_draws"],
        problem["num_passes"],
        problem["num_exhaustive"],
        problem["pass_at_k"],
        "{:.3f} to {:.3f}".format(*problem["pass_at_k_interval_95"]),
    ]


def _figure(report: Report, run: Artefacts, name: str, png: bytes, caption: str) -> None:
    """Into the report, and into the run's `figures/`."""
    folder = run.path / "figures"
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    atomic_write_bytes(folder / f"{name}.png", png)
    report.figure(png, caption)
