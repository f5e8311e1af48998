"""GRPO through TRL's trainer: the only module that knows it.

Nothing of the trainer is overridden. It is hooked where it offers hooks: the data set (a fixed order of prompts),
`rollout_func` (our sampler and replay), the reward function (our verifier and schedule) and callbacks (metrics,
held-out evaluation, checkpoints, early stop). Every setting that defines the experiment is passed explicitly, equal
to the library's default or not, because defaults move between releases.

One thing surprises: the whole run is one epoch over a data set that already holds the prompts of every step in
order. So a resumed run only skips rows, and no shuffle has to be replayed.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from rlgrok.config import EntropyConfig, EntropyKind, OptimizerConfig, TrainingConfig
from rlgrok.policy import Policy
from rlgrok.prefixes import share_prefixes
from rlgrok.training.idle import has_advantage, skip_backward_when
from rlgrok.training.rollouts import RewardFunction, RolloutFunction
from runtime.errors import ConfigError, NonFiniteError

# Read when the trainer is built; says that we know `rollout_func` may change with a release (it is pinned).
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from trl import GRPOConfig, GRPOTrainer


@dataclass(frozen=True)
class Hooks:
    """What the orchestrator does around the trainer's steps. Steps are counted from 1."""

    before_step: Callable[[], None]
    """Called before a step's completions are drawn."""
    after_step: Callable[[int], bool]
    """Called when a step's update is done; returns True to save and stop."""
    after_log: Callable[[int, Mapping[str, float]], None]
    """Called once a step with the trainer's own numbers: loss, grad_norm, learning_rate, entropy_coef."""
    after_save: Callable[[int, Path], None]
    """Called with the folder that the trainer wrote for a step; moves it into place."""
    wants_save: Callable[[], bool] = lambda: False
    """Asked after `after_step`; True saves out of turn, and the run goes on."""


class _HookCallback(TrainerCallback):
    """Forwards the trainer's events to `Hooks`, and tells it a step's target of the entropy."""

    def __init__(self, hooks: Hooks, entropy: EntropyConfig, seed: int) -> None:
        self._hooks = hooks
        self._entropy = entropy
        self._seed = seed

    def on_step_begin(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
        args.entropy_target = self._entropy.target_at(state.global_step + 1)
        self._hooks.before_step()

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ANN001, ANN003, ANN202 - library's signature
        if self._hooks.after_step(state.global_step):
            control.should_training_stop = True
            control.should_save = True
        elif self._hooks.wants_save():
            control.should_save = True
        return control

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:  # noqa: ANN001, ANN003
        if logs and "loss" in logs:
            for name in ("loss", "grad_norm"):
                if not math.isfinite(float(logs.get(name, 0.0))):
                    raise NonFiniteError(
                        f"{name} is not finite",
                        got=str(logs[name]),
                        where=f"step {state.global_step}, seed {self._seed}",
                        hint="lower optimizer.learning_rate, or resume from the last checkpoint",
                    )
            self._hooks.after_log(state.global_step, logs)

    def on_save(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
        self._hooks.after_save(
            state.global_step, Path(args.output_dir) / f"checkpoint-{state.global_step}"
        )


def require_machine(rollout: str, device: str) -> None:
    """Refuse a machine, or a way to be started, that cannot train as the config says.

    One process trains on one device. Under a launcher of several, each would make a run folder of its own, take
    a multiple of the completions of a step, and judge its part of them.

    Args:
        rollout: `training.rollout`.
        device: `cpu` or `cuda:N`.

    Raises:
        ConfigError: started as one of several processes; or vLLM without a GPU, or without its package.
    """
    # What `torchrun` and `accelerate launch` tell every process, and what the trainer would go by.
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    if num_processes > 1:
        raise ConfigError(
            "training runs in one process on one device",
            got=f"a launcher that starts {num_processes} (WORLD_SIZE)",
            expected="`toolkit rl train` without a launcher",
            hint="runs of several seeds share a machine: --multirun seed=0,1 hydra/launcher=joblib",
        )
    if rollout != "vllm":
        return
    if device == "cpu":
        raise ConfigError(
            "vLLM needs a GPU",
            got=f"training.rollout=vllm on {device}",
            expected="cached or trl on a CPU",
            where="training.rollout",
        )
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            "training.rollout=vllm needs the package vllm",
            where="training.rollout",
            hint="pip install 'delta-toolkit[gpu]'",
        )


def build_trainer(
    *,
    policy: Policy,
    prompts: Sequence[str],
    problem_ids: Sequence[str],
    order: Sequence[int],
    training: TrainingConfig,
    optimizer: OptimizerConfig,
    entropy: EntropyConfig,
    max_new_tokens: int,
    bfloat16: bool,
    checkpoint_every: int,
    output_dir: Path,
    seed: int,
    rollout: RolloutFunction | None,
    reward: RewardFunction,
    hooks: Hooks,
) -> GRPOTrainer:
    """A trainer ready for `.train(resume_from_checkpoint=...)`.

    Args:
        policy: trained in place; its weights in float32.
        prompts: one text a problem.
        problem_ids: ids in the order of `prompts`.
        order: indices into `prompts`, `prompts_per_step` for each of `max_steps` steps.
        training: loop and GRPO settings.
        optimizer: AdamW settings.
        entropy: entropy bonus.
        max_new_tokens: longest completion.
        bfloat16: forward passes in bfloat16; weights, gradients and moments stay in the weights' own precision.
        checkpoint_every: steps between checkpoints.
        output_dir: staging folder; the trainer writes `checkpoint-<step>` below it.
        seed: of the trainer's own draws (row order within a step).
        rollout: our sampler; None leaves generation to the trainer.
        reward: judges and pays.
        hooks: see `Hooks`.
    """
    is_chat = bool(policy.tokenizer.chat_template)
    rows = {
        "prompt": [[{"role": "user", "content": text}] if is_chat else text for text in prompts],
        "problem_id": list(problem_ids),
    }
    dataset = Dataset.from_dict(rows).select(list(order))
    is_flat = False
    """No completion of the step in progress has an advantage."""

    def reward_function(
        completion_ids: list[list[int]],
        problem_id: list[str],
        trainer_state: Any,  # noqa: ANN401 - transformers' TrainerState
        source_step: list[int | None] | None = None,
        attempt_start: list[int] | None = None,
        earlier: list[list[list[int]]] | None = None,
        **_: object,
    ) -> list[float | None]:
        nonlocal is_flat
        step = trainer_state.global_step + 1
        paid = reward(completion_ids, problem_id, source_step, step, attempt_start, earlier)
        is_flat = not has_advantage(paid, trainer.num_generations)
        return paid

    def rollout_function(batch: list[Any], trainer: GRPOTrainer) -> dict[str, list[Any]]:
        texts = [item if isinstance(item, str) else item[-1]["content"] for item in batch]
        model = trainer.accelerator.unwrap_model(trainer.model)
        assert rollout is not None
        step = trainer.state.global_step + 1
        # What the trainer divides a step's rewards into; the rows it has put together are as many as ever.
        trainer.num_generations = rollout.group_size(step)
        return rollout(model, texts, step)

    trainer = GRPOTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        reward_funcs=[reward_function],
        args=_arguments(
            training,
            optimizer,
            entropy,
            on_cpu=policy.device.type == "cpu",
            max_new_tokens=max_new_tokens,
            bfloat16=bfloat16,
            checkpoint_every=checkpoint_every,
            output_dir=output_dir,
            seed=seed,
        ),
        train_dataset=dataset,
        rollout_func=None if rollout is None else rollout_function,
        callbacks=[_HookCallback(hooks, entropy, seed)],
    )
    if policy.grammar is not None:
        policy.grammar.attach_to_loss(policy.model, training.temperature)
    if training.share_prefixes:
        share_prefixes(policy.model)
    if training.kl_coef == 0.0:
        skip_backward_when(policy.model, lambda: is_flat and trainer.entropy_coef == 0.0)
    # Progress and printing are the command line's.
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    return trainer


def _arguments(
    training: TrainingConfig,
    optimizer: OptimizerConfig,
    entropy: EntropyConfig,
    *,
    on_cpu: bool,
    max_new_tokens: int,
    bfloat16: bool,
    checkpoint_every: int,
    output_dir: Path,
    seed: int,
) -> GRPOConfig:
    """Our settings in the trainer's words."""
    per_step = training.prompts_per_step * training.group_size
    micro = training.micro_batch_size or per_step
    is_adaptive = entropy.kind is EntropyKind.ADAPTIVE
    return GRPOConfig(
        output_dir=str(output_dir),
        # size of a step: one generation, one update
        max_steps=training.max_steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=per_step // micro,
        steps_per_generation=per_step // micro,
        num_iterations=1,
        num_generations=training.group_size,
        # sampling
        max_completion_length=max_new_tokens,
        temperature=training.temperature,
        top_p=training.top_p,
        top_k=0,
        min_p=None,
        repetition_penalty=1.0,
        use_vllm=training.rollout == "vllm",
        vllm_mode="colocate",
        vllm_importance_sampling_correction=True,
        vllm_importance_sampling_mode="sequence_mask",
        vllm_importance_sampling_clip_max=3.0,
        vllm_importance_sampling_clip_min=None,
        # objective
        beta=training.kl_coef,
        loss_type=training.loss_type,
        scale_rewards=training.scale_rewards,
        epsilon=training.clip_low,
        epsilon_high=training.clip_high,
        delta=None,
        off_policy_mask_threshold=None,
        use_bias_correction_kl=True,
        importance_sampling_level="token",
        multi_objective_aggregation="sum_then_normalize",
        mask_truncated_completions=False,
        top_entropy_quantile=1.0,
        entropy_coef=0.0 if entropy.kind is EntropyKind.NONE else entropy.coefficient,
        use_adaptive_entropy=is_adaptive,
        entropy_target=entropy.target,
        entropy_coef_delta=entropy.step,
        entropy_coef_min=0.0,
        entropy_coef_max=entropy.cap,
        disable_dropout=True,
        # optimiser
        optim="adamw_torch",
        learning_rate=optimizer.learning_rate,
        adam_beta1=optimizer.beta1,
        adam_beta2=optimizer.beta2,
        adam_epsilon=1e-8,
        weight_decay=optimizer.weight_decay,
        max_grad_norm=optimizer.max_grad_norm,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=optimizer.warmup_steps,
        # machine
        use_cpu=on_cpu,
        bf16=bfloat16,
        gradient_checkpointing=training.gradient_checkpointing,
        activation_checkpointing=training.gradient_checkpointing,  # its name from transformers 6 on
        dataloader_num_workers=0,
        dataloader_pin_memory=not on_cpu,
        # order, saving, logging
        shuffle_dataset=False,
        remove_unused_columns=False,
        seed=seed,
        data_seed=seed,
        save_strategy="steps",
        save_steps=checkpoint_every,
        save_total_limit=None,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        log_completions=False,
    )
