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
from rlgrok.evaluate import evaluate_policies
from rlgrok.evaluation.sources import (
    BASE_FOLDER,
    DRAWS_FOLDER,
    POLICY_FOLDER,
    REFERENCE,
    runs_root,
)
from rlgrok.floor import dense_floor, trivial_floor
from rlgrok.ingredients import PaidAttempts
from rlgrok.policy import (
    DTYPES,
    Policy,
    load_policy,
    load_weights,
    quiet_libraries,
    require_prompts,
    save_policy,
)
from rlgrok.problems import build_problems, require_oracle, stages_of, without_oracle
from rlgrok.reference import INFO_FILE, Proof, get_reference, load_reference
from rlgrok.report import build_report
from rlgrok.tokenizer import decisive_token_ids
from rlgrok.training import checkpoints
from rlgrok.training.curriculum import build_curriculum
from rlgrok.training.feedback import feedback_writer
from rlgrok.training.heldout import HeldoutEvaluator
from rlgrok.training.jump import JumpWatch
from rlgrok.training.order import prompt_order
from rlgrok.training.payment import Payment
from rlgrok.training.record import StepRecord
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rolloutlog import RolloutLog
from rlgrok.training.rollouts import (
    Extras,
    RewardFunction,
    RolloutFunction,
    Sampling,
    TrainingProblems,
)
from rlgrok.training.schedule import build_schedule
from rlgrok.training.session import Limits, Session
from rlgrok.training.trainer import GRPOTrainer, Hooks, build_trainer, require_machine
from rlgrok.training.verification import Verifier
from rlgrok.types import DataSet, Problem, Scope
from rlgrok.writing import library_write_errors
from runtime.devices import DeviceClaim
from runtime.errors import ConfigError
from runtime.metrics import make_trackers
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.seeding import Stream
from runtime.signals import StopRequest
from runtime.storage import content_hash, damage, read_jsonl, to_json

STOPPING = "after this step, which is then saved; another signal stops at once"
NOTHING_HELD_OUT = (
    "no problem is held out: what is called held-out is measured on the training problems"
)


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
        The summary, as written to `summary.json` (docs/run-folder.md).

    Raises:
        ConfigError: the machine or the policy cannot do what the config asks for.
        KeyboardInterrupt: the user asked to stop; the state is saved.
        UntrustworthyError: no reference policy could be proved to fail.
        NonFiniteError: the loss or the gradient went to NaN.
        InfrastructureError: our own verifier failed too often.
    """
    require_machine(config.training.rollout, claim.device)
    quiet_libraries()
    torch.set_num_threads(config.training.threads or claim.threads)
    scope, data = build_problems(config.data, seed=config.seed)
    run.record_data("problems", data_hash(data))
    problems = {problem.id: problem for problem in (*data.train, *data.heldout)}
    prompts = {
        name: scope.render_prompt(problem, config.policy.prompt)
        for name, problem in problems.items()
    }
    require_distinct(prompts)
    start = _start(run, resume=resume)
    require_oracle(config.judge, data.train)
    stages_of(config.data, config.curriculum, data.train)  # an empty stage is refused before there is a policy
    verifier = Verifier(scope, problems, judge=config.judge)
    policy, base_proof = _base(
        config,
        run=run,
        targets=tuple(problems.values()),
        prompts=list(prompts.values()),
        verifier=verifier,
        device=claim.device,
        cache=cache,
        rebuild=rebuild_reference,
        view=view,
    )
    require_prompts(policy, list(prompts.values()), config.policy.max_new_tokens)
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
    session = make_session(config, run, view, data, prompts, policy, verifier)
    if start.state is not None:
        session.load_state_dict(start.state)
    if start.step == 0:
        _tell_floor(run, config, scope, data)
    if not data.heldout and start.step == 0:
        run.event("warning", step=0, name="no_heldout_problems", message=NOTHING_HELD_OUT)
        view.note("warning", NOTHING_HELD_OUT)
    step = start.step
    if start.is_finished(config.training.max_steps):
        # Killed between the last step and the summary: the weights are all that is missing.
        load_weights(policy, start.checkpoint)
    else:
        step = _optimise(config, run, view, scope, data, prompts, policy, session, start)
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


def _tell_floor(run: Run, config: TrainConfig, scope: Scope, data: DataSet) -> None:
    """Note what programs earn on the training problems that do not look at them; the report draws it."""
    balanced = config.schedule.dense_reward is DenseReward.BALANCED
    floor = trivial_floor(scope.name, data.train, judge=config.judge, balanced=balanced)
    if floor:
        programs = {record["family"]: record["program"] for record in floor}
        run.event("trivial_floor", step=0, value=dense_floor(floor, balanced=balanced), programs=programs)


def data_hash(data: DataSet) -> str:
    """Hash of every problem and test of a data set, and of the split."""
    return content_hash(to_json([[asdict(p) for p in part] for part in (data.train, data.heldout)]))


def require_distinct(prompts: Mapping[str, str]) -> None:
    """Refuse prompts that do not tell their problems apart: a rollout knows its problem by its prompt.

    Raises:
        ConfigError: names two problems with the same prompt.
    """
    known: dict[str, str] = {}
    for name, text in prompts.items():
        other = known.setdefault(text, name)
        if other != name:
            raise ConfigError(
                "two problems have the same prompt",
                got=f"{other} and {name}",
                expected="prompts that tell the problems apart",
                where="policy.prompt",
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
    targets: Sequence[Problem],
    prompts: Sequence[str],
    verifier: Verifier,
    device: str,
    cache: Path,
    rebuild: bool,
    view: TrainingView,
) -> tuple[Policy, Proof | None]:
    """The policy before training, in float32, and what its draws on the target proved."""
    autocast = None if config.policy.dtype == "float32" else DTYPES[config.policy.dtype]
    if config.policy.source != REFERENCE:
        with view.task(f"loading {config.policy.source}", 1):
            policy = load_policy(
                config.policy.source, prompt=config.policy.prompt, device=device, dtype="float32"
            )
        policy.autocast = autocast
        return policy.restrict(config.policy.grammar), None
    kept = run.path / BASE_FOLDER
    if not kept.exists() or damage(kept) is not None:
        _keep_reference(
            config,
            kept,
            run=run,
            targets=targets,
            prompts=prompts,
            verifier=verifier,
            device=device,
            cache=cache,
            rebuild=rebuild,
            view=view,
        )
    # Read back: a resumed run cannot get another base, and a KL term makes the trainer load the same folder.
    reference = load_reference(kept, device)
    reference.policy.autocast = autocast
    return reference.policy.restrict(config.policy.grammar), reference.proof


def _keep_reference(
    config: TrainConfig,
    folder: Path,
    *,
    run: Run,
    targets: Sequence[Problem],
    prompts: Sequence[str],
    verifier: Verifier,
    device: str,
    cache: Path,
    rebuild: bool,
    view: TrainingView,
) -> None:
    """Find or make the reference policy, and put it with its proof into the run's own folder."""
    reference = get_reference(
        config.reference,
        targets=targets,
        prompts=prompts,
        verifier=verifier,
        colors=config.data.colors.value,
        max_new_tokens=config.policy.max_new_tokens,
        grammar=config.policy.grammar,
        seed=config.seed,
        device=device,
        cache=cache,
        rebuild=rebuild,
        view=view,
        on_event=run.event,
    )
    save_policy(reference.policy, folder, {INFO_FILE: reference.info})
    run.event("base_proved", **reference.proof.summary())


def make_session(
    config: TrainConfig,
    run: Run,
    view: TrainingView,
    data: DataSet,
    prompts: Mapping[str, str],
    policy: Policy,
    verifier: Verifier,
) -> Session:
    """What happens around the steps, as the config says."""
    heldout = data.heldout or data.train
    families = {problem.id: problem.family for problem in data.train}
    return Session(
        run=run,
        view=view,
        schedule=build_schedule(config.schedule, sorted(set(families.values()))),
        record=StepRecord(group_size=config.training.group_size),
        verifier=verifier,
        heldout=HeldoutEvaluator(
            policy,
            heldout,
            [prompts[problem.id] for problem in heldout],
            verifier,
            max_new_tokens=config.policy.max_new_tokens,
            batch_size=config.evaluation.batch_size,
            exhaustive=config.evaluation.exhaustive and not without_oracle(heldout),
        ),
        rollout_log=RolloutLog(run.path / ROLLOUTS, per_step=config.training.stored_rollouts),
        replay=ReplayStore(config.replay.capacity, config.replay.max_age, config.replay.rate)
        if config.replay.enabled
        else None,
        limits=Limits(
            max_steps=config.training.max_steps,
            evaluate_every=config.evaluation.every,
            stop_full_pass=config.training.stop_full_pass,
            keep_checkpoints=config.checkpoint.keep,
        ),
        balanced=config.schedule.dense_reward is DenseReward.BALANCED,
        families=families,
        should_stop=lambda: False,
        curriculum=build_curriculum(
            config.curriculum,
            stages=stages_of(config.data, config.curriculum, data.train),
            num_problems=len(data.train),
        ),
        progress=config.curriculum.progress,
        index_of={problem.id: index for index, problem in enumerate(data.train)},
        watch=JumpWatch(config.evaluation.climb_every, config.checkpoint.keep_climb),
    )


def _optimise(
    config: TrainConfig,
    run: Run,
    view: TrainingView,
    scope: Scope,
    data: DataSet,
    prompts: Mapping[str, str],
    policy: Policy,
    session: Session,
    start: _Start,
) -> int:
    """Run GRPO from `start` to the last step or an early stop; returns the step reached.

    Raises:
        KeyboardInterrupt: the user asked to stop; the state is saved.
    """
    trainer = make_trainer(config, run, scope, data, prompts, policy, session)
    view.start(config.training.max_steps, config.name)
    with StopRequest(lambda: view.note("stopping", STOPPING)) as stop:
        session.should_stop = stop
        session.start(start.step)
        with library_write_errors(run.checkpoints):
            trainer.train(
                resume_from_checkpoint=None if start.checkpoint is None else str(start.checkpoint)
            )
    checkpoints.discard_staging(run.checkpoints)
    if stop.requested:  # perhaps only after the last step; whenever it was, the trainer has saved
        raise KeyboardInterrupt
    return int(trainer.state.global_step)


def make_trainer(
    config: TrainConfig,
    run: Run,
    scope: Scope,
    data: DataSet,
    prompts: Mapping[str, str],
    policy: Policy,
    session: Session,
) -> GRPOTrainer:
    """The trainer with our rollouts, rewards and hooks, ready for `.train()`."""
    stream = Stream(config.seed, "train")
    ids = [problem.id for problem in data.train]
    texts = [prompts[name] for name in ids]
    shared = {
        "tokenizer": policy.tokenizer,
        "end_ids": policy.end_token_ids(),
        "verifier": session.verifier,
        "record": session.record,
        "payment": Payment(
            session.schedule,
            session.balanced,
            session.families,
            every_attempt=config.feedback.paid is PaidAttempts.MEAN,
        ),
    }
    rollout = None
    if config.training.rollout == "cached":
        rollout = RolloutFunction(
            problems=TrainingProblems(ids, texts),
            encode=policy.encode_prompt,
            sampling=Sampling(
                group_size=config.training.group_size,
                max_new_tokens=config.policy.max_new_tokens,
                temperature=config.training.temperature,
                top_p=config.training.top_p,
                batch_size=config.training.rollout_batch_size,
                autocast=policy.autocast,
                grammar=policy.grammar,
            ),
            stream=stream.child("rollouts"),
            replay=session.replay,
            per_group=config.replay.per_group,
            decisive_ids=decisive_token_ids(policy.tokenizer),
            extras=Extras(
                curriculum=session.curriculum,
                group_sizes=list(
                    zip(config.sampling.group_steps, config.sampling.group_sizes, strict=True)
                ),
                resample_rounds=config.sampling.resample_rounds,
                attempts=config.feedback.attempts,
                write_feedback=feedback_writer(config.feedback, scope, data.train, policy),
            ),
            **shared,
        )
    reward = RewardFunction(**shared)
    return build_trainer(
        policy=policy,
        prompts=texts,
        problem_ids=ids,
        order=prompt_order(
            len(texts),
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
        hooks=Hooks(
            session.before_step,
            session.after_step,
            session.after_log,
            session.after_save,
            wants_save=lambda: session.wants_save,
        ),
    )


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
    save_policy(policy, run.path / POLICY_FOLDER)
    policies = {"policy": policy}
    if policy.autocast is not None:
        # As `toolkit rl eval` will load it, so that both mean the same policy and share their draws.
        policies["policy"] = _reload(config, run.path / POLICY_FOLDER, policy)
        policies["policy"].source = policy.source
    if config.evaluation.compare_base:
        kept = run.path / BASE_FOLDER
        base = _reload(config, kept if kept.exists() else config.policy.source, policy)
        policies = {"base": base, **policies}
    measured = evaluate_policies(
        policies,
        data.heldout or data.train,
        run=run,
        scope=scope,
        settings=config.evaluation,
        max_new_tokens=config.policy.max_new_tokens,
        seed=config.seed,
        view=view,
        draws_folder=runs_root(run.path) / DRAWS_FOLDER,
        all_kept=False,  # the summary of a run is a function of its config
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
        "split": "heldout" if data.heldout else "train",
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


def _reload(config: TrainConfig, source: Path | str, trained: Policy) -> Policy:
    """A policy of this run as an evaluation loads it, beside the trained one."""
    policy = load_policy(
        str(source),
        prompt=config.policy.prompt,
        device=str(trained.device),
        dtype=config.policy.dtype,
    )
    return policy.restrict(config.policy.grammar)


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
