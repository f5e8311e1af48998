"""`toolkit rl train`, top to bottom: problems, base policy and its proof, GRPO, final evaluation, summary.

Orchestration only: this file sees the whole config and hands values on. The pieces are in `delta/` (problems and
verdicts), `reference.py` (the tiny base), `training/` (the recipe) and `evaluation/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rlgrok.artefacts import FINAL_ROLLOUTS, ROLLOUTS
from rlgrok.config import DenseReward, TrainConfig
from rlgrok.curves import find_transition, read_curves
from rlgrok.delta import SCOPES
from rlgrok.evaluate import evaluate_policies, runs_root
from rlgrok.policy import Policy, load_policy, load_weights, quiet_libraries, save_policy
from rlgrok.reference import INFO_FILE, Proof, get_reference, load_reference
from rlgrok.report import build_report
from rlgrok.tokenizer import decisive_token_ids
from rlgrok.training import checkpoints
from rlgrok.training.heldout import HeldoutEvaluator
from rlgrok.training.order import prompt_order
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.training.rollouts import RewardFunction, RolloutFunction, Sampling, StepRecord
from rlgrok.training.schedule import Schedule
from rlgrok.training.session import Limits, Session
from rlgrok.training.trainer import Hooks, build_trainer
from rlgrok.training.verification import Verifier
from rlgrok.types import DataSet, Problem, Scope
from rlgrok.writing import library_write_errors
from runtime.devices import DeviceClaim
from runtime.metrics import make_trackers
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.seeding import Stream
from runtime.signals import StopRequest
from runtime.storage import content_hash, damage, read_jsonl, to_json

ROLLOUT_BATCH = 2048
"""Completions decoded at once by our own sampler; a bound on memory that no tiny run reaches."""
STOPPING = "after this step, which is then saved; another signal stops at once"


@dataclass(frozen=True)
class _Start:
    """Where a process begins: step 0 with the base policy, or a checkpoint."""

    step: int = 0
    checkpoint: Path | None = None
    state: dict[str, Any] | None = None

    def is_finished(self, max_steps: int) -> bool:
        """The checkpoint is of the run's last step."""
        return self.state is not None and (self.step >= max_steps or self.state["is_finished"])


def train(
    config: TrainConfig,
    *,
    run: Run,
    view: TrainingView,
    claim: DeviceClaim,
    cache: Path,
    resume: bool = False,
    rebuild_reference: bool = False,
) -> dict[str, Any]:
    """Train a policy and leave everything about it in the run folder.

    Args:
        config: checked.
        run: created, or resumed when `resume`.
        view: shows progress.
        claim: the device, and the threads when the config leaves them open.
        cache: folder of cached reference policies.
        resume: continue from the newest usable checkpoint.
        rebuild_reference: ignore a cached reference policy.

    Returns:
        The summary, as written to `summary.json` (docs/summary.md).

    Raises:
        KeyboardInterrupt: the user asked to stop; the state is saved.
        UntrustworthyError: no reference policy could be proved to fail.
        NonFiniteError: the loss or the gradient went to NaN.
    """
    quiet_libraries()
    torch.set_num_threads(config.training.threads or claim.threads)
    scope = SCOPES[config.data.scope]
    data = _problems(config, scope)
    run.record_data("problems", data_hash(data))
    start = _start(run, resume=resume)
    problems = {problem.id: problem for problem in (*data.train, *data.heldout)}
    verifier = Verifier(scope, problems)
    policy, base_proof = _base(
        config,
        run=run,
        scope=scope,
        targets=tuple(problems.values()),
        verifier=verifier,
        device=claim.device,
        cache=cache,
        rebuild=rebuild_reference,
        view=view,
    )
    run.metrics.attach(
        make_trackers(
            [tracker.value for tracker in config.tracking.trackers],
            run_path=run.path,
            project=config.tracking.project,
            uri=config.tracking.uri,
            name=config.name,
            config=run.config,
            resume_step=start.step if resume else None,
        )
    )
    session = _session(config, run, view, scope, data, policy, verifier)
    if start.state is not None:
        session.load_state_dict(start.state)
    step = start.step
    if start.is_finished(config.training.max_steps):
        # Killed between the last step and the summary: the weights are all that is missing.
        load_weights(policy, start.checkpoint)
    else:
        step = _optimise(config, run, view, scope, data, policy, session, start)
    if session.stopped_early == "interrupted":
        raise KeyboardInterrupt
    return _conclude(
        config,
        run=run,
        view=view,
        scope=scope,
        data=data,
        policy=policy,
        session=session,
        step=step,
        proof=base_proof,
    )


def data_hash(data: DataSet) -> str:
    """Hash of every problem and test of a data set, and of the split."""
    return content_hash(to_json([[asdict(p) for p in part] for part in (data.train, data.heldout)]))


def _problems(config: TrainConfig, scope: Scope) -> DataSet:
    return scope.build(
        families=config.data.families,
        colors=config.data.colors.value,
        lengths=config.data.lengths,
        heldout_share=config.data.heldout_share,
        max_problems=config.data.max_problems,
        tests=config.data.tests,
        seed=config.seed,
    )


def _start(run: Run, *, resume: bool) -> _Start:
    """Find the checkpoint to continue from, and forget what the run folder knows beyond it."""
    log = RolloutLog(run.path / ROLLOUTS, per_step=None)
    if not resume:
        return _Start()
    if not checkpoints.list_checkpoints(run.checkpoints):
        # Killed before the first checkpoint: everything before it is a pure function of the config.
        run.rewind(-1)
        log.cut_after(-1)
        return _Start()
    checkpoint, state, passed_over = checkpoints.newest_usable(run.checkpoints)
    run.rewind(checkpoint.step)
    log.cut_after(checkpoint.step)
    for text in passed_over:
        run.event("warning", step=checkpoint.step, name="checkpoint_passed_over", message=text)
    return _Start(checkpoint.step, checkpoint.path, state)


def _base(
    config: TrainConfig,
    *,
    run: Run,
    scope: Scope,
    targets: Sequence[Problem],
    verifier: Verifier,
    device: str,
    cache: Path,
    rebuild: bool,
    view: TrainingView,
) -> tuple[Policy, Proof | None]:
    """The policy before training, and what its draws on the target proved."""
    if config.policy.source != "reference":
        policy = load_policy(
            config.policy.source,
            prompt=config.policy.prompt,
            device=device,
            dtype=config.policy.dtype,
        )
        return policy, None
    kept = run.path / "base"
    if kept.exists() and damage(kept) is None:
        # A resumed run keeps its own base: it needs no cache and cannot get another one.
        reference = load_reference(kept, device)
        return reference.policy, reference.proof
    reference = get_reference(
        config.reference,
        targets=targets,
        prompts=[scope.render_prompt(problem, config.policy.prompt) for problem in targets],
        verifier=verifier,
        colors=config.data.colors.value,
        max_new_tokens=config.policy.max_new_tokens,
        seed=config.seed,
        device=device,
        cache=cache,
        rebuild=rebuild,
        view=view,
        on_event=run.event,
    )
    save_policy(reference.policy, kept, {INFO_FILE: reference.info})
    run.event("base_proved", **reference.proof.summary())
    # Read back rather than kept: a KL term makes the trainer load the same folder again.
    return load_reference(kept, device).policy, reference.proof


def _session(
    config: TrainConfig,
    run: Run,
    view: TrainingView,
    scope: Scope,
    data: DataSet,
    policy: Policy,
    verifier: Verifier,
) -> Session:
    heldout = data.heldout or data.train
    return Session(
        run=run,
        view=view,
        schedule=Schedule(config.schedule),
        record=StepRecord(group_size=config.training.group_size),
        verifier=verifier,
        heldout=HeldoutEvaluator(
            policy,
            heldout,
            [scope.render_prompt(problem, config.policy.prompt) for problem in heldout],
            verifier,
            max_new_tokens=config.policy.max_new_tokens,
            batch_size=config.evaluation.batch_size,
            exhaustive=config.evaluation.exhaustive,
        ),
        rollout_log=RolloutLog(run.path / ROLLOUTS, per_step=config.training.stored_rollouts),
        replay=ReplayStore(config.replay.capacity) if config.replay.enabled else None,
        limits=Limits(
            max_steps=config.training.max_steps,
            evaluate_every=config.evaluation.every,
            stop_full_pass=config.training.stop_full_pass,
            keep_checkpoints=config.checkpoint.keep,
        ),
        balanced=config.schedule.dense_reward is DenseReward.BALANCED,
        should_stop=lambda: False,
    )


def _optimise(
    config: TrainConfig,
    run: Run,
    view: TrainingView,
    scope: Scope,
    data: DataSet,
    policy: Policy,
    session: Session,
    start: _Start,
) -> int:
    """Run GRPO from `start` to the last step, an early stop or an interruption; returns the step reached."""
    stream = Stream(config.seed, "train")
    prompts = [scope.render_prompt(problem, config.policy.prompt) for problem in data.train]
    ids = [problem.id for problem in data.train]
    shared = {
        "tokenizer": policy.tokenizer,
        "end_ids": policy.end_token_ids(),
        "verifier": session.verifier,
        "record": session.record,
    }
    rollout = None
    if config.training.rollout == "cached":
        rollout = RolloutFunction(
            problem_ids=dict(zip(prompts, ids, strict=True)),
            encode=policy.encode_prompt,
            sampling=Sampling(
                group_size=config.training.group_size,
                max_new_tokens=config.policy.max_new_tokens,
                temperature=config.training.temperature,
                top_p=config.training.top_p,
                batch_size=ROLLOUT_BATCH,
            ),
            stream=stream.child("rollouts"),
            replay=session.replay,
            per_group=config.replay.per_group,
            decisive_ids=decisive_token_ids(policy.tokenizer),
            **shared,
        )
    reward = RewardFunction(
        schedule=session.schedule,
        group_size=config.training.group_size,
        balanced=session.balanced,
        **shared,
    )
    trainer = build_trainer(
        policy=policy,
        prompts=prompts,
        problem_ids=ids,
        order=prompt_order(
            len(prompts),
            per_step=config.training.prompts_per_step,
            num_steps=config.training.max_steps,
            stream=stream.child("order"),
        ),
        training=config.training,
        optimizer=config.optimizer,
        entropy=config.entropy,
        max_new_tokens=config.policy.max_new_tokens,
        bfloat16=config.policy.dtype == "bfloat16",
        checkpoint_every=config.checkpoint.every,
        output_dir=checkpoints.staging_folder(run.checkpoints),
        seed=stream.child("trainer").seed32,
        rollout=rollout,
        reward=reward,
        hooks=Hooks(session.before_step, session.after_step, session.after_log, session.after_save),
    )
    view.start(config.training.max_steps, config.name)
    with StopRequest(lambda: view.note("stopping", STOPPING)) as stop:
        session.should_stop = stop
        session.start(start.step)
        with library_write_errors(run.checkpoints):
            trainer.train(
                resume_from_checkpoint=None if start.checkpoint is None else str(start.checkpoint)
            )
    return int(trainer.state.global_step)


def _conclude(
    config: TrainConfig,
    *,
    run: Run,
    view: TrainingView,
    scope: Scope,
    data: DataSet,
    policy: Policy,
    session: Session,
    step: int,
    proof: Proof | None,
) -> dict[str, Any]:
    """Save the policy, measure it beside its base, look for the transition, write the summary and the report."""
    policy.model.eval()
    save_policy(policy, run.path / "policy")
    policies = {"policy": policy}
    if config.evaluation.compare_base:
        policies = {"base": _reload_base(config, run, policy), **policies}
    measured = evaluate_policies(
        policies,
        data.heldout or data.train,
        run=run,
        scope=scope,
        settings=config.evaluation,
        max_new_tokens=config.policy.max_new_tokens,
        seed=config.seed,
        view=view,
        draws_folder=runs_root(run.path) / "draws",
        rollouts=FINAL_ROLLOUTS,
    )
    run.metrics.flush()
    transition = find_transition(
        read_curves(read_jsonl(run.metrics_path)),
        num_heldout=len(data.heldout or data.train),
        seed=Stream(config.seed, "transition").seed,
    )
    change = session.schedule.change
    summary = {
        **measured,
        **transition.summary(),
        "outcome": "transition" if transition.found else "no transition",
        "base_pass_at_k": _base_pass_at_k(proof, measured, config.evaluation.k),
        "schedule": config.schedule.kind.value,
        "phase_change_step": None if change is None else change.step,
        "seed": config.seed,
        "data": data.name,
        "tests": config.data.tests.value,
        "num_train": len(data.train),
        "num_heldout": len(data.heldout),
        "steps": step,
        "stopped": session.stopped_early or "max_steps",
        "num_parameters": policy.num_parameters(),
    }
    summary["wall_s"], summary["cpu_s"] = (round(seconds, 3) for seconds in run.clock())
    run.write_summary(summary)
    with view.task("writing the report", 1) as task:
        build_report(run.path)
        task.advance(1)
    return summary


def _reload_base(config: TrainConfig, run: Run, policy: Policy) -> Policy:
    """The policy as it was before training, beside the trained one."""
    kept = run.path / "base"
    return load_policy(
        str(kept) if kept.exists() else config.policy.source,
        prompt=config.policy.prompt,
        device=str(policy.device),
        dtype=config.policy.dtype,
    )


def _base_pass_at_k(
    proof: Proof | None, measured: Mapping[str, Any], ks: Sequence[int]
) -> dict[str, Any] | None:
    """The proof of a reference policy; for any other what the final evaluation drew from it; None when it did not."""
    if proof is not None:
        return proof.summary()
    measured_ks = [k for k in ks if f"base_pass_at_{k}" in measured]
    if not measured_ks:
        return None
    k = max(measured_ks)
    return {
        "k": k,
        "draws": measured["base_num_draws"],
        "successes": round(measured["base_drawn_full_pass"] * measured["base_num_draws"]),
        "value": measured[f"base_pass_at_{k}"],
        "upper95": measured[f"base_pass_at_{k}_upper95"],
        "problems": measured["base_num_problems"],
    }
