"""`toolkit rl eval`, top to bottom: problems, policy, draws, verdicts, pass@k, files. Also the end of a training run.

Orchestration only: drawing and judging are in `evaluation/measure.py`, counting in `evaluation/counts.py`, the
statistics in `passk.py`. What surprises: draws are kept outside the evaluation's own run folder, so that a later
evaluation of the same policy on the same prompts adds to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlgrok.artefacts import RESULTS, ROLLOUTS
from rlgrok.config import EvalConfig, EvaluationConfig
from rlgrok.evaluation.counts import accuracy, as_record, pass_at_k_table
from rlgrok.evaluation.gzip_lines import encode_lines
from rlgrok.evaluation.measure import DrawSettings, Measured, measure
from rlgrok.evaluation.solver import ORACLE, SolverPolicy, solver_policy
from rlgrok.evaluation.sources import DRAWS_FOLDER, resolve, runs_root, trained_on
from rlgrok.policy import Policy, load_policy, quiet_libraries, require_prompts
from rlgrok.problems import build_problems, require_oracle, without_oracle
from rlgrok.types import Judge, Problem, Scope
from runtime.devices import DeviceClaim
from runtime.metrics import make_trackers
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.seeding import Stream
from runtime.storage import atomic_write_bytes, atomic_write_json, content_hash, to_json

FORMAT = 1
"""Of `evaluation.json`."""
SMALL = 1_000_000
"""Parameters below which a policy decodes on one thread: more gain little, and wait when a CPU is not free."""


def evaluate(
    config: EvalConfig,
    *,
    run: Run,
    view: TrainingView,
    claim: DeviceClaim,
    draws_folder: Path | None = None,
    on_measured: Callable[[Mapping[str, Measured]], object] | None = None,
) -> dict[str, Any]:
    """Evaluate a policy on the held-out problems, or on all of them when none is held out.

    Args:
        config: checked. When `policy.source` is the folder of a training run and `evaluation.compare_base` is set, what
            training started from is measured too.
        run: created; receives `evaluation.json`, `rollouts.jsonl.gz`, `summary.json`, figures and `report.html`.
        view: shows progress.
        claim: the device, and the threads of a policy that is not small.
        draws_folder: where draws are kept between calls; None: `draws` in the folder of all runs.
        on_measured: given the counts by label, the subject's last.

    Returns:
        The summary, as written to `summary.json`.

    Raises:
        ConfigError: `policy.source=reference`, which only a training run can build.
        InputError: the policy cannot be loaded, or the kept draws are damaged or in use.
    """
    import torch

    quiet_libraries()
    scope, data = build_problems(config.data, seed=config.seed, training=False)
    problems = data.heldout or data.train
    run.record_data("problems", content_hash(to_json([asdict(problem) for problem in problems])))
    num_trained_on = _num_trained_on(config.policy.source, problems, run, view)
    policies: Mapping[str, Policy] | Mapping[str, SolverPolicy]
    if config.policy.source == ORACLE:
        policies = {"policy": solver_policy(problems, scope)}
    else:
        policies = _policies(config, claim.device, view)
        is_small = all(policy.num_parameters() < SMALL for policy in policies.values())
        torch.set_num_threads(1 if is_small else claim.threads)
    summary = {
        "data": data.name,
        "split": "heldout" if data.heldout else "train",
        "num_trained_on": num_trained_on,
        "seed": config.seed,
        **evaluate_policies(
            policies,
            problems,
            run=run,
            scope=scope,
            settings=config.evaluation,
            max_new_tokens=config.policy.max_new_tokens,
            seed=config.seed,
            view=view,
            draws_folder=draws_folder or runs_root(run.path) / DRAWS_FOLDER,
            all_kept=True,
            rollouts=ROLLOUTS,
            decides=config.judge,
            on_measured=on_measured,
        ),
        "policy": config.policy.source,
    }
    summary["wall_s"], summary["cpu_s"] = (round(seconds, 3) for seconds in run.clock())
    _track(config, run, summary)
    run.write_summary(summary)
    from rlgrok.report import build_report

    with view.task("writing the report", 1) as task:
        build_report(run.path)
        task.advance(1)
    return summary


def evaluate_policies(
    policies: Mapping[str, Policy] | Mapping[str, SolverPolicy],
    problems: Sequence[Problem],
    *,
    run: Run,
    scope: Scope,
    settings: EvaluationConfig,
    max_new_tokens: int,
    seed: int,
    view: TrainingView,
    draws_folder: Path,
    all_kept: bool,
    rollouts: str,
    decides: Judge = Judge.TESTS,
    on_measured: Callable[[Mapping[str, Measured]], object] | None = None,
) -> dict[str, Any]:
    """Measure policies the same way and leave the results in the run folder.

    Args:
        policies: by label; the last one is the subject of the summary, the keys of the others are prefixed by
            their label, as in `base_heldout_exhaustive`.
        problems: at least one.
        run: held.
        scope: of the problems.
        settings: draws, k, temperature, exhaustive or not; problems without parameters are judged by tests alone.
        max_new_tokens: longest completion.
        seed: root of the draws and of the bootstrap.
        view: shows progress.
        draws_folder: where draws are kept between calls.
        all_kept: use every draw kept there; False: as many as `settings.draws`, so that the result is a function of
            the arguments, not of what was evaluated before.
        rollouts: name of the file in the run folder that gets every judged completion; written whole.
        decides: whose verdict says what passed, and gives the pass rate.
        on_measured: given the counts by label, the subject's last.

    Returns:
        Flat numbers for `summary.json`: `counts.accuracy` and, for each k, `pass_at_<k>` with its interval, under
        the stricter verdict there is.

    Raises:
        ConfigError: a policy cannot read the prompts, or has no room to complete them; or the exhaustive verdict is to
            decide on problems that have none.
    """
    draws = DrawSettings(
        num_draws=settings.draws,
        temperature=settings.temperature,
        max_new_tokens=max_new_tokens,
        batch_size=settings.batch_size,
        seed=seed,
        all_kept=all_kept,
    )
    require_oracle(decides, problems)
    exhaustive = settings.exhaustive
    missing = without_oracle(problems)
    if exhaustive and missing:
        exhaustive = False
        text = f"{missing} of {len(problems)} problems name no parameters: there is no exhaustive verdict"
        run.event("warning", name="no_exhaustive_verdict", message=text)
        view.note("warning", text)
    bootstrap_seed = Stream(seed, "evaluation", "bootstrap").seed
    measured: dict[str, Measured] = {}
    for policy in policies.values():
        prompts = [scope.render_prompt(problem, policy.prompt_style) for problem in problems]
        if not isinstance(policy, SolverPolicy):
            require_prompts(policy, prompts, max_new_tokens)
    for label, policy in policies.items():
        measured[label] = measure(
            policy,
            problems,
            scope=scope,
            label=label,
            settings=draws,
            exhaustive=exhaustive,
            view=view,
            draws_folder=draws_folder,
            decides=decides,
        )
        run.event("evaluated", policy=label, new_draws=measured[label].num_new_draws)
    records = [
        as_record(result.evaluation, settings.k, seed=bootstrap_seed)
        for result in measured.values()
    ]
    atomic_write_bytes(run.path / rollouts, encode_lines(_rollouts(measured)))
    atomic_write_json(run.path / RESULTS, {"format": FORMAT, "evaluations": records})
    if on_measured is not None:
        on_measured(measured)
    subject = list(measured)[-1]
    summary: dict[str, Any] = {}
    for label, result in measured.items():
        numbers = _flat(result, settings.k, bootstrap_seed)
        summary |= numbers if label == subject else {f"{label}_{k}": v for k, v in numbers.items()}
    return summary


def _num_trained_on(
    source: str, problems: Sequence[Problem], run: Run, view: TrainingView
) -> int | None:
    """How many of the problems the policy has been trained on, with a warning; None where nobody can tell."""
    known = trained_on(source)
    count = None if known is None else sum(problem.id in known for problem in problems)
    text = f"{count} of these {len(problems)} problems were trained on"
    if count is None:
        text = "the records that the policy was trained on cannot be read: some may be among these problems"
    if count != 0:
        run.event("warning", name="trained_on", message=text)
        view.note("warning", text)
    return count


def _policies(config: EvalConfig, device: str, view: TrainingView) -> dict[str, Policy]:
    """Policies by label, the subject last."""
    source = resolve(config.policy.source)
    names = {"base": source.base} if source.base and config.evaluation.compare_base else {}
    policies = {}
    for label, name in {**names, "policy": source.policy}.items():
        with view.task(f"loading {name}", 1):
            policies[label] = load_policy(
                name, prompt=config.policy.prompt, device=device, dtype=config.policy.dtype
            ).restrict(config.policy.grammar)
    return policies


def _flat(result: Measured, ks: Sequence[int], seed: int) -> dict[str, Any]:
    evaluation = result.evaluation
    verdict = "exhaustive" if evaluation.is_exhaustive else "tests"
    numbers: dict[str, Any] = {
        "policy": evaluation.source,
        "policy_identity": evaluation.policy,
        "pass_at_k_verdict": verdict,
        **accuracy(evaluation),
    }
    for row in pass_at_k_table(evaluation, ks, seed=seed):
        if row["verdict"] == verdict:
            numbers[f"pass_at_{row['k']}"] = row["value"]
            numbers[f"pass_at_{row['k']}_interval_95"] = [row["low"], row["high"]]
            numbers[f"pass_at_{row['k']}_upper95"] = row["upper95"]
    return numbers


def _rollouts(measured: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """One record a completion; `kind` is the policy's label, with `_greedy` for the greedy ones."""
    records = []
    for label, result in measured.items():
        for kind, judged in ((f"{label}_greedy", result.greedy), (label, result.drawn)):
            records.extend(
                {"kind": kind, "step": None, **asdict(completion)} for completion in judged
            )
    return records


def _track(config: EvalConfig, run: Run, summary: Mapping[str, Any]) -> None:
    """One metrics line, so that trackers and `metrics.jsonl` have the result too."""
    run.metrics.attach(
        make_trackers(
            [tracker.value for tracker in config.tracking.trackers],
            run_path=run.path,
            project=config.tracking.project,
            uri=config.tracking.uri,
            name=config.name,
            config=run.config,
        )
    )
    numbers = {name: value for name, value in summary.items() if isinstance(value, float)}
    run.metrics.log(0, numbers)
    run.metrics.flush()
