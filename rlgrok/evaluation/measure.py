"""Measures a policy on problems: draws what is missing, judges everything, counts.

One greedy completion a problem, decoded anew each time, and as many drawn ones as asked for, kept in a `DrawStore`
when one is given. Draws are made in portions small enough that a kill loses seconds of work. A failure of our own
verifier raises; it is never counted as a wrong program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlgrok.evaluation.counts import Evaluation, Judged, count_problem
from rlgrok.evaluation.draws import Draw, DrawIdentity, DrawStore, data_identity
from rlgrok.evaluation.solver import SolverPolicy
from rlgrok.policy import Policy
from rlgrok.rewards import is_success, require_verdict
from rlgrok.sampling import complete
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Judge, Problem, Scope
from runtime.progress import TrainingView
from runtime.seeding import Stream


@dataclass(frozen=True)
class DrawSettings:
    """How completions are drawn."""

    num_draws: int
    """Per problem."""
    temperature: float
    max_new_tokens: int
    batch_size: int
    """Completions decoded at once."""
    seed: int
    top_p: float = 1.0
    all_kept: bool = True
    """Use kept draws beyond `num_draws` too. False: the first `num_draws`, whatever other calls have added."""


@dataclass(frozen=True)
class Measured:
    """The counts, and every completion behind them in the order of the problems."""

    evaluation: Evaluation
    greedy: tuple[Judged, ...]
    drawn: tuple[Judged, ...]
    num_new_draws: int
    """Draws made by this call; the others were kept from earlier ones."""


def measure(
    policy: Policy | SolverPolicy,
    problems: Sequence[Problem],
    *,
    scope: Scope,
    label: str,
    settings: DrawSettings,
    exhaustive: bool,
    view: TrainingView,
    draws_folder: Path | None = None,
    decides: Judge = Judge.TESTS,
) -> Measured:
    """Draw, judge and count.

    Args:
        policy: in evaluation mode; or the oracle.
        problems: at least one; ids must differ.
        scope: of all the problems.
        label: what reports call the policy.
        settings: of the drawn completions.
        exhaustive: also take the exhaustive verdict of every completion that passes the tests.
        view: progress.
        draws_folder: where draws are kept between calls; None: they are not.
        decides: whose verdict says what passed, and gives the pass rate.

    Raises:
        InputError: the kept draws are damaged or in use.
        InfrastructureError: our own verifier failed on a completion.
    """
    prompts = {
        problem.id: scope.render_prompt(problem, policy.prompt_style) for problem in problems
    }
    verifier = Verifier(scope, {problem.id: problem for problem in problems}, judge=decides)
    identity = policy.identity()
    greedy = _decode_greedily(policy, prompts, settings, view)
    kept, num_new = _drawn(policy, identity, prompts, settings, view, draws_folder)
    with view.task(f"judging ({label})", len(greedy) + sum(map(len, kept.values()))) as task:
        judge = _judge(verifier, exhaustive, task.advance)
        judged_greedy = {draw.problem_id: judge(draw) for draw in greedy}
        judged = {name: [judge(draw) for draw in draws] for name, draws in kept.items()}
    counts = tuple(count_problem(judged_greedy[name], judged[name]) for name in prompts)
    return Measured(
        Evaluation(label, policy.source, identity, counts),
        tuple(judged_greedy[name] for name in prompts),
        tuple(draw for name in prompts for draw in judged[name]),
        num_new,
    )


def _decode_greedily(
    policy: Policy, prompts: dict[str, str], settings: DrawSettings, view: TrainingView
) -> list[Draw]:
    with view.task("decoding greedily", len(prompts)) as task:
        rows = _sample(
            policy, list(prompts.values()), 1, settings, seed=0, greedy=True, on_batch=task.advance
        )
    return [
        Draw(name, 0, text, size, cut)
        for name, (text, size, cut) in zip(prompts, rows, strict=True)
    ]


def _drawn(
    policy: Policy | SolverPolicy,
    policy_identity: str,
    prompts: dict[str, str],
    settings: DrawSettings,
    view: TrainingView,
    folder: Path | None,
) -> tuple[dict[str, Sequence[Draw]], int]:
    """Draws of every problem, kept ones first, and how many are new."""
    if folder is None:
        memory: dict[str, Sequence[Draw]] = {}
        total = settings.num_draws * len(prompts)
        with view.task("drawing", total) as task:
            for part in portions(
                dict.fromkeys(prompts, 0), settings.num_draws, settings.batch_size
            ):
                for draw in _draw(policy, prompts, part, settings, task.advance):
                    memory.setdefault(draw.problem_id, []).append(draw)  # type: ignore[attr-defined]
        return memory, total
    identity = DrawIdentity(
        policy=policy_identity,
        data=data_identity(prompts),
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
        seed=settings.seed,
    )

    def tell(holder: str) -> None:
        view.note("waiting", f"for the draws that {holder} is adding to")

    # Runs of one seed that end together share the draws of their base policy.
    with DrawStore(folder, identity, on_wait=tell) as store:
        kept = {name: store.count(name) for name in prompts}
        missing = sum(max(0, settings.num_draws - count) for count in kept.values())
        if missing:
            with view.task("drawing", missing) as task:
                for part in portions(kept, settings.num_draws, settings.batch_size):
                    store.add(_draw(policy, prompts, part, settings, task.advance))
        end = None if settings.all_kept else settings.num_draws
        return {name: store.draws(name)[:end] for name in prompts}, missing


@dataclass(frozen=True)
class Portion:
    """Draws to make in one go: the same number, from the same index on, for each of some problems."""

    problem_ids: tuple[str, ...]
    first: int
    count: int


def portions(kept: dict[str, int], num_draws: int, batch_size: int) -> list[Portion]:
    """What is missing up to `num_draws` a problem, in portions of at most `batch_size` completions.

    Problems with equally many kept draws are drawn together; the plan depends on the counts alone, so that a call
    interrupted and repeated makes the rest of the same portions where they had been finished.
    """
    by_count: dict[int, list[str]] = {}
    for name, count in kept.items():
        if count < num_draws:
            by_count.setdefault(count, []).append(name)
    plan = []
    for first, names in sorted(by_count.items()):
        width = min(num_draws - first, batch_size)
        together = max(1, batch_size // width)
        for start in range(0, len(names), together):
            chunk = tuple(names[start : start + together])
            for index in range(first, num_draws, width):
                plan.append(Portion(chunk, index, min(width, num_draws - index)))
    return plan


def _draw(
    policy: Policy | SolverPolicy,
    prompts: dict[str, str],
    part: Portion,
    settings: DrawSettings,
    on_batch: Callable[[int], None],
) -> list[Draw]:
    """One portion. Its seed is named by what is drawn, so a later call never repeats an earlier one's stream."""
    seed = Stream(settings.seed, "evaluation", "draws", part.first, *part.problem_ids).seed
    texts = [prompts[name] for name in part.problem_ids]
    rows = _sample(policy, texts, part.count, settings, seed=seed, greedy=False, on_batch=on_batch)
    return [
        Draw(part.problem_ids[place // part.count], part.first + place % part.count, *row)
        for place, row in enumerate(rows)
    ]


def _sample(
    policy: Policy | SolverPolicy,
    prompts: Sequence[str],
    num_per_prompt: int,
    settings: DrawSettings,
    *,
    seed: int,
    greedy: bool,
    on_batch: Callable[[int], None],
) -> list[tuple[str, int, bool]]:
    """Text, number of tokens and whether it was cut off, for each completion in order."""
    if isinstance(policy, SolverPolicy):
        answers = [policy.answers[prompt] for prompt in prompts for _ in range(num_per_prompt)]
        on_batch(len(answers))
        return [(answer, 0, False) for answer in answers]
    completions = complete(
        policy,
        prompts,
        num_per_prompt=num_per_prompt,
        max_new_tokens=settings.max_new_tokens,
        seed=seed,
        temperature=settings.temperature,
        top_p=settings.top_p,
        greedy=greedy,
        batch_size=settings.batch_size,
        on_batch=on_batch,
    )
    return [(made.text, len(made.token_ids), made.is_truncated) for made in completions]


def _judge(
    verifier: Verifier, exhaustive: bool, on_done: Callable[[int], None]
) -> Callable[[Draw], Judged]:
    """A function that judges one draw; the verifier remembers, so repeated programs cost nothing."""

    def judge(draw: Draw) -> Judged:
        completion = Completion((), draw.text, is_truncated=draw.is_truncated)
        where = f"{draw.problem_id}, draw {draw.index}"
        verdict = require_verdict(verifier.decide(draw.problem_id, completion), where)
        passed = is_success(verdict, is_truncated=draw.is_truncated)
        is_right: bool | None = None
        if exhaustive:
            is_right = (
                passed
                and require_verdict(
                    verifier.verify_exhaustive(draw.problem_id, completion), where
                ).full_pass
            )
        on_done(1)
        return Judged(
            draw.problem_id,
            draw.text,
            verdict.status.value,
            verdict.pass_rate,
            passed,
            is_right,
            draw.is_truncated,
        )

    return judge
