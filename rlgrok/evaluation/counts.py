"""What an evaluation counted, and the numbers made of it: accuracies, pass@k with intervals, false passes.

Plain records and arithmetic, no model and no file. A *pass* satisfies the problem's own tests and ended by itself; an
*exhaustive* pass is one that is also right on every short input; a *false pass* is a pass that is not. Shares over no
cases are None, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rlgrok.passk import (
    clopper_pearson,
    mean_pass_at_k,
    pass_at_k,
    pass_at_k_interval,
    pooled_upper,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One completion with both verdicts."""

    problem_id: str
    text: str
    status: str
    """Of the problem's own tests, see `types.Status`."""
    pass_rate: float
    full_pass: bool
    exhaustive: bool | None
    """None where it was not judged. A completion that fails a test is exhaustively wrong without being judged."""
    is_truncated: bool


@dataclass(frozen=True)
class ProblemCounts:
    """One problem: its greedy completion, and counts over the drawn ones."""

    problem_id: str
    greedy: Judged
    num_draws: int
    num_passes: int
    num_exhaustive: int | None
    mean_pass_rate: float
    """Over the drawn completions, share of tests passed."""


@dataclass(frozen=True)
class Evaluation:
    """One policy on a set of problems."""

    label: str
    """`policy`, the subject, or `base`, what it was trained from."""
    source: str
    policy: str
    """Identity, `sha256:...`."""
    problems: tuple[ProblemCounts, ...]

    @property
    def is_exhaustive(self) -> bool:
        """True when the exhaustive verdict was taken."""
        return all(problem.num_exhaustive is not None for problem in self.problems)


def count_problem(greedy: Judged, drawn: Sequence[Judged]) -> ProblemCounts:
    """Count one problem's completions.

    Raises:
        ValueError: no draw.
    """
    if not drawn:
        raise ValueError(f"no draws for {greedy.problem_id}")
    judged = [draw.exhaustive for draw in drawn]
    return ProblemCounts(
        problem_id=greedy.problem_id,
        greedy=greedy,
        num_draws=len(drawn),
        num_passes=sum(draw.full_pass for draw in drawn),
        num_exhaustive=None if None in judged else sum(bool(verdict) for verdict in judged),
        mean_pass_rate=sum(draw.pass_rate for draw in drawn) / len(drawn),
    )


def accuracy(evaluation: Evaluation) -> dict[str, Any]:
    """Greedy and drawn accuracies under both verdicts, flat.

    `heldout_*` are of the greedy completions, as during training, with exact intervals over problems; `drawn_*`
    are means over all drawn completions. `*_false_pass_share` is the share of passes that are exhaustively wrong.
    """
    problems = evaluation.problems
    count = len(problems)
    greedy_passes = sum(problem.greedy.full_pass for problem in problems)
    greedy_right = sum(problem.greedy.exhaustive is True for problem in problems)
    draws = sum(problem.num_draws for problem in problems)
    passes = sum(problem.num_passes for problem in problems)
    right = sum(problem.num_exhaustive or 0 for problem in problems)
    exhaustive = evaluation.is_exhaustive
    return {
        "num_problems": count,
        "heldout_pass_rate": sum(problem.greedy.pass_rate for problem in problems) / count,
        "heldout_full_pass": greedy_passes / count,
        "heldout_full_pass_interval_95": list(clopper_pearson(greedy_passes, count)),
        "heldout_exhaustive": greedy_right / count if exhaustive else None,
        "heldout_exhaustive_interval_95": list(clopper_pearson(greedy_right, count))
        if exhaustive
        else None,
        "heldout_false_pass_share": _false_share(greedy_passes, greedy_right, exhaustive),
        "num_draws": draws,
        "drawn_pass_rate": sum(p.mean_pass_rate * p.num_draws for p in problems) / draws,
        "drawn_full_pass": passes / draws,
        "drawn_exhaustive": right / draws if exhaustive else None,
        "drawn_false_pass_share": _false_share(passes, right, exhaustive),
    }


def pass_at_k_table(
    evaluation: Evaluation, ks: Sequence[int], *, seed: int
) -> list[dict[str, Any]]:
    """pass@k for each k and verdict: value, 95 % interval over problems, and the exact one-sided bound of the mean.

    Rows: `verdict` ("tests" or "exhaustive"), `k`, `value`, `low`, `high`, `method`, `upper95` (docs/methods/passk.md,
    eq. 6), `draws`, `successes`. A k above the fewest draws of a problem is left out.
    """
    fewest = min(problem.num_draws for problem in evaluation.problems)
    draws = [problem.num_draws for problem in evaluation.problems]
    verdicts = {"tests": [problem.num_passes for problem in evaluation.problems]}
    if evaluation.is_exhaustive:
        verdicts["exhaustive"] = [problem.num_exhaustive or 0 for problem in evaluation.problems]
    rows = []
    for verdict, successes in verdicts.items():
        for k in sorted({k for k in ks if k <= fewest}):
            estimate = mean_pass_at_k(successes, draws, k, seed=seed)
            rows.append(
                {
                    "verdict": verdict,
                    "k": k,
                    **estimate._asdict(),
                    "upper95": pooled_upper(successes, draws, k),
                    "draws": sum(draws),
                    "successes": sum(successes),
                }
            )
    return rows


def log_spaced_ks(num_draws: int) -> list[int]:
    """1, 2, 4, ... and `num_draws` itself: the k of a pass@k curve."""
    powers = [2**exponent for exponent in range(num_draws.bit_length()) if 2**exponent <= num_draws]
    return sorted({*powers, num_draws})


def as_record(evaluation: Evaluation, ks: Sequence[int], *, seed: int) -> dict[str, Any]:
    """Everything about an evaluation as JSON-able data: one entry of `evaluation.json`."""
    fewest = min(problem.num_draws for problem in evaluation.problems)
    return {
        "label": evaluation.label,
        "source": evaluation.source,
        "policy": evaluation.policy,
        **accuracy(evaluation),
        "pass_at_k": pass_at_k_table(evaluation, sorted({*ks, *log_spaced_ks(fewest)}), seed=seed),
        "problems": [_problem_record(problem, min(ks)) for problem in evaluation.problems],
    }


def _problem_record(problem: ProblemCounts, k: int) -> dict[str, Any]:
    """One problem's counts, with its own pass@k and exact interval under the stricter verdict there is."""
    successes = problem.num_passes if problem.num_exhaustive is None else problem.num_exhaustive
    return {
        **{name: value for name, value in asdict(problem).items() if name != "greedy"},
        "greedy_full_pass": problem.greedy.full_pass,
        "greedy_exhaustive": problem.greedy.exhaustive,
        "greedy_pass_rate": problem.greedy.pass_rate,
        "k": k,
        "pass_at_k": pass_at_k(problem.num_draws, successes, k),
        "pass_at_k_interval_95": list(pass_at_k_interval(problem.num_draws, successes, k)),
    }


def _false_share(passes: int, right: int, is_exhaustive: bool) -> float | None:
    return 1.0 - right / passes if passes and is_exhaustive else None
