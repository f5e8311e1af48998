"""Seconds a training step and where they go: our rollouts against the trainer's own generation and a bare loop.

    python benchmarks/bench_training.py [--steps 8] [--rounds 3] [--out benchmarks/results/training.json]

Ways of doing the same step (the default experiment's: 16 prompts x 32 completions of its base policy, trained on as it
would be) take turns in one process, so that a machine whose speed drifts is fair to all of them:

* `toolkit`: TRL's trainer with our sampler behind `rollout_func`, our verifier and schedule, as in `toolkit rl train`.
* `bare`: no trainer at all; the same sampler, verdicts, shared prefixes and loss in a loop of thirty lines.
* `whole rows`: as `toolkit`, with `training.share_prefixes=false`: the update computes every row from its first token.
* `trl`: that with the trainer's own generation.

Seconds are CPU seconds of one thread. Prints a table and writes JSON. Ratios are of medians over rounds; absolute times
say little on a shared machine. The base policy comes from the cache or is made first, a minute or two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from cli.hydra_app import TRAIN, composed
from cli.paths import cache_folder
from rlgrok.config import DenseReward, TrainConfig
from rlgrok.policy import Policy, quiet_libraries
from rlgrok.prefixes import share_prefixes
from rlgrok.problems import build_problems
from rlgrok.reference import get_reference
from rlgrok.rewards import dense_reward
from rlgrok.sampling import sample_tokens
from rlgrok.tokenizer import decisive_token_ids
from rlgrok.training import rollouts
from rlgrok.training.payment import Payment
from rlgrok.training.record import StepRecord
from rlgrok.training.replay import ReplayStore
from rlgrok.training.rollouts import (
    RewardFunction,
    RolloutFunction,
    Sampling,
    TrainingProblems,
)
from rlgrok.training.schedule import Schedule
from rlgrok.training.trainer import Hooks, build_trainer
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, DataSet, PromptStyle, Scope
from runtime.progress import SilentView
from runtime.seeding import Stream

WARM_UP = 2
"""Steps of each part that are not counted: first allocations, first judgements."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=8, help="counted steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training.json"))
    arguments = parser.parse_args()
    quiet_libraries()
    rollouts.time = SimpleNamespace(perf_counter=time.thread_time)  # its parts of a step in CPU seconds, too
    config = default_config()
    torch.set_num_threads(config.training.threads or 1)
    scope, data = build_problems(config.data, seed=0)
    ways: dict[str, Callable[..., list[dict[str, float]]]] = {
        "toolkit": through_trainer,
        "bare": bare_loop,
        "whole rows": through_trainer,
        "trl": through_trainer,
    }
    steps: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(arguments.rounds):
        for way, run in ways.items():
            steps[way] += run(config, scope, data, way=way, num_steps=arguments.steps, seed=number)
    table = {way: medians(found) for way, found in steps.items()}
    for part in ("generate", "update"):
        del table["trl"][part]  # its generation and update cannot be told apart from outside
    report(table)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "completions_per_step": per_step(config),
        "threads": torch.get_num_threads(),
        "median": table,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def default_config() -> TrainConfig:
    """The default experiment, as `toolkit rl train` composes it."""
    return composed(TRAIN, [])


def per_step(config: TrainConfig) -> int:
    """Completions of a step."""
    return config.training.prompts_per_step * config.training.group_size


def base_policy(config: TrainConfig, scope: Scope, data: DataSet) -> Policy:
    """A fresh copy of what a default run of seed 0 begins with."""
    targets = [*data.train, *data.heldout]
    return get_reference(
        config.reference,
        targets=targets,
        prompts=[scope.render_prompt(problem, PromptStyle.COMPACT) for problem in targets],
        verifier=Verifier(scope, {problem.id: problem for problem in targets}),
        colors=config.data.colors.value,
        max_new_tokens=config.policy.max_new_tokens,
        grammar=config.policy.grammar,
        seed=0,
        device="cpu",
        cache=cache_folder(),
        rebuild=False,
        view=SilentView(),
        on_event=lambda *_, **__: None,
    ).policy


def through_trainer(
    config: TrainConfig, scope: Scope, data: DataSet, *, way: str, num_steps: int, seed: int
) -> list[dict[str, float]]:
    """Steps of TRL's trainer, with our rollouts or its own."""
    policy = base_policy(config, scope, data)
    record = StepRecord(group_size=config.training.group_size)
    verifier = Verifier(scope, {problem.id: problem for problem in data.train})
    prompts = [scope.render_prompt(problem, PromptStyle.COMPACT) for problem in data.train]
    ids = [problem.id for problem in data.train]
    shared: dict[str, Any] = {
        "tokenizer": policy.tokenizer,
        "end_ids": policy.end_token_ids(),
        "verifier": verifier,
        "record": record,
        "payment": Payment(
            Schedule(config.schedule),
            is_balanced(config),
            {problem.id: problem.family for problem in data.train},
        ),
    }
    rollout = RolloutFunction(
        problems=TrainingProblems(ids, prompts),
        encode=policy.encode_prompt,
        sampling=sampling(config),
        stream=Stream(seed, "rollouts"),
        replay=ReplayStore(config.replay.capacity),
        per_group=config.replay.per_group,
        decisive_ids=decisive_token_ids(policy.tokenizer),
        **shared,
    )
    reward = RewardFunction(**shared)
    times: list[dict[str, float]] = []
    started = [0.0]

    def after_step(step: int) -> bool:
        total = time.thread_time() - started[0]
        generate = 0.0 if way == "trl" else record.generate_s
        times.append({"total": total, "generate": generate, "judge": record.judge_s})
        return False

    def before_step() -> None:
        started[0] = time.thread_time()

    config.training.max_steps = WARM_UP + num_steps
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build_trainer(
            policy=policy,
            prompts=prompts,
            problem_ids=ids,
            order=order(config, len(prompts), WARM_UP + num_steps),
            training=replace(config.training, share_prefixes=way == "toolkit"),
            optimizer=config.optimizer,
            entropy=config.entropy,
            max_new_tokens=config.policy.max_new_tokens,
            bfloat16=False,
            checkpoint_every=10_000,
            output_dir=Path(scratch),
            seed=seed,
            rollout=None if way == "trl" else rollout,
            reward=reward,
            hooks=Hooks(before_step, after_step, lambda step, logs: None, lambda step, path: None),
        )
        trainer.train()
    return times[WARM_UP:]


def bare_loop(
    config: TrainConfig, scope: Scope, data: DataSet, *, way: str, num_steps: int, seed: int
) -> list[dict[str, float]]:
    """The same generation, verdicts and loss without any trainer: what a step must cost at least."""
    del way
    policy = base_policy(config, scope, data)
    share_prefixes(policy.model)
    model, tokenizer, size = policy.model, policy.tokenizer, config.training.group_size
    verifier = Verifier(scope, {problem.id: problem for problem in data.train})
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.optimizer.learning_rate)
    indices = order(config, len(data.train), WARM_UP + num_steps)
    times = []
    for step in range(WARM_UP + num_steps):
        started = time.thread_time()
        problems = [
            data.train[index]
            for index in indices[
                step * config.training.prompts_per_step : (step + 1)
                * config.training.prompts_per_step
            ]
        ]
        prompt_ids = [
            policy.encode_prompt(scope.render_prompt(problem, PromptStyle.COMPACT))
            for problem in problems
        ]
        sampled = sample_tokens(
            model,
            prompt_ids,
            num_per_prompt=size,
            max_new_tokens=config.policy.max_new_tokens,
            end_ids=policy.end_token_ids(),
            pad_id=tokenizer.pad_token_id,
            seed=step,
            batch_size=config.training.rollout_batch_size,
        )
        generated = time.thread_time()
        texts = tokenizer.batch_decode(sampled.token_ids, skip_special_tokens=True)
        rewards = torch.tensor(
            [
                dense_reward(
                    verifier.verify(problems[index // size].id, Completion((), text)),
                    balanced=is_balanced(config),
                    is_truncated=truncated,
                )
                for index, (text, truncated) in enumerate(
                    zip(texts, sampled.truncated, strict=True)
                )
            ]
        )
        judged = time.thread_time()
        update(model, optimizer, prompt_ids, sampled.token_ids, rewards, size)
        times.append(
            {
                "total": time.thread_time() - started,
                "generate": generated - started,
                "judge": judged - generated,
            }
        )
    return times[WARM_UP:]


def update(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    prompt_ids: list[list[int]],
    completion_ids: list[list[int]],
    rewards: torch.Tensor,
    size: int,
) -> None:
    """One GRPO update with an entropy bonus, in the fewest tensor operations."""
    groups = rewards.view(-1, size)
    advantages = (
        (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)
    ).flatten()
    start = len(prompt_ids[0])
    width = max(len(row) for row in completion_ids)
    ids = torch.zeros((len(completion_ids), start + width), dtype=torch.long)
    mask = torch.zeros((len(completion_ids), width))
    for index, row in enumerate(completion_ids):
        ids[index, :start] = torch.tensor(prompt_ids[index // size])
        ids[index, start : start + len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1.0
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=width + 1).logits[:, :-1]
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(-1, ids[:, start:, None]).squeeze(-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    ratio = torch.exp(chosen - chosen.detach())
    loss = -((ratio * advantages[:, None] + 0.05 * entropy) * mask).sum() / mask.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def sampling(config: TrainConfig) -> Sampling:
    """The sampler's settings of a config."""
    return Sampling(
        group_size=config.training.group_size,
        max_new_tokens=config.policy.max_new_tokens,
        temperature=config.training.temperature,
        top_p=config.training.top_p,
        batch_size=config.training.rollout_batch_size,
    )


def is_balanced(config: TrainConfig) -> bool:
    """Which dense reward is paid."""
    return config.schedule.dense_reward is DenseReward.BALANCED


def order(config: TrainConfig, num_problems: int, num_steps: int) -> list[int]:
    """A plain round of the problems."""
    return [index % num_problems for index in range(num_steps * config.training.prompts_per_step)]


def medians(steps: list[dict[str, float]]) -> dict[str, float]:
    """Median seconds of every part; `update` is what generation and judging leave."""
    for step in steps:
        step["update"] = step["total"] - step["generate"] - step["judge"]
    return {name: statistics.median(step[name] for step in steps) for name in steps[0]}


def report(table: dict[str, dict[str, float]]) -> None:
    """Print the table; a dash where a part cannot be told apart."""
    base = table["bare"]["total"]
    print(f"{'':12}{'s/step':>9}{'x bare':>9}{'generate':>10}{'judge':>8}{'update':>8}")
    for way, row in table.items():
        parts = [
            f"{row[name] / row['total']:.0%}" if name in row else "-"
            for name in ("generate", "judge", "update")
        ]
        print(
            f"{way:12}{row['total']:9.3f}{row['total'] / base:9.2f}{parts[0]:>10}{parts[1]:>8}{parts[2]:>8}"
        )


if __name__ == "__main__":
    main()
