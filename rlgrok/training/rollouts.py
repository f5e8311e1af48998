"""One step's rollouts: draw completions, judge them, replay stored successes, pay rewards, count.

Two callables that the trainer calls in turn: `RolloutFunction` draws (and substitutes replayed completions),
`RewardFunction` judges and pays. Neither knows the trainer's library; both share a `StepRecord` that the metrics are
read from. With the trainer's own generation only the reward function runs, and nothing is replayed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlgrok.grammar import Grammar
from rlgrok.rewards import binary_reward, dense_reward, is_success
from rlgrok.sampling import Sampled, sample_tokens
from rlgrok.training.replay import ReplayStore
from rlgrok.training.schedule import Phase, Schedule
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Rollout, Status, Verdict
from runtime.seeding import Stream


@dataclass
class StepRecord:
    """What one step saw; the trainer's callback turns it into metrics and stored rollouts."""

    step: int = 0
    rollouts: list[Rollout] = field(default_factory=list)
    group_size: int = 1
    entropy: float | None = None
    """Mean entropy of the sampled tokens' distributions, in nats."""
    decisive_entropy: float | None = None
    """The same over the tokens that decide a program (see `decisive_mean`), in nats."""
    generate_s: float | None = None
    """Seconds of drawing; None when the trainer draws, which cannot be told from its update."""
    replay_s: float = 0.0
    """Seconds of judging, and of looking into the store, that replay took before the reward function was asked."""
    judge_s: float = 0.0
    """Seconds of all judging, `replay_s` included."""


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn in training."""

    group_size: int
    max_new_tokens: int
    temperature: float
    top_p: float
    batch_size: int
    """Completions decoded at once."""
    autocast: torch.dtype | None = None
    """Precision to compute in; None: that of the weights."""
    grammar: Grammar | None = None
    """What may be written; None: anything."""


class RolloutFunction:
    """Draws one step's completions and substitutes replayed ones; called with each prompt repeated G times.

    Args:
        problem_ids: problem id by prompt text.
        encode: prompt text to token ids.
        tokenizer: for decoding and the padding token.
        end_ids: tokens that end a completion.
        sampling: sizes and temperature.
        stream: the run's rollout stream; step t draws from its child t, whatever happened before.
        verifier: asked only when a replay store is given.
        record: filled in.
        replay: None for no replay.
        per_group: completions replaced in a group without a success.
        decisive_ids: tokens after which a program's decisive choice is made; None for an unknown vocabulary.
    """

    def __init__(
        self,
        *,
        problem_ids: Mapping[str, str],
        encode: Callable[[str], list[int]],
        tokenizer: PreTrainedTokenizerBase,
        end_ids: Sequence[int],
        sampling: Sampling,
        stream: Stream,
        verifier: Verifier,
        record: StepRecord,
        replay: ReplayStore | None,
        per_group: int,
        decisive_ids: Sequence[int] | None,
    ) -> None:
        self._problem_ids = problem_ids
        self._encode = encode
        self._tokenizer = tokenizer
        self._end_ids = list(end_ids)
        self._sampling = sampling
        self._stream = stream
        self._verifier = verifier
        self._record = record
        self._replay = replay
        self._per_group = per_group
        self._decisive_ids = decisive_ids

    def __call__(
        self, model: PreTrainedModel, prompts: Sequence[str], step: int
    ) -> dict[str, list[Any]]:
        """Completions for `prompts`, each prompt G times in a row.

        Returns:
            `prompt_ids`, `completion_ids`, `logprobs` and `source_step`, each one entry a completion. `source_step` is
            the step whose policy drew a replayed completion, None for one drawn now.
        """
        started = time.perf_counter()
        size = self._sampling.group_size
        texts = list(prompts[::size])
        prompt_ids = [self._encode(text) for text in texts]
        sampled = sample_tokens(
            model,
            prompt_ids,
            num_per_prompt=size,
            max_new_tokens=self._sampling.max_new_tokens,
            end_ids=self._end_ids,
            pad_id=self._tokenizer.pad_token_id,
            seed=self._stream.child("sample", step).seed,
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            batch_size=self._sampling.batch_size,
            autocast=self._sampling.autocast,
            grammar=self._sampling.grammar,
        )
        self._record.entropy = _mean([value for row in sampled.entropies for value in row])
        self._record.decisive_entropy = decisive_mean(sampled, self._decisive_ids)
        completion_ids, logprobs = sampled.token_ids, sampled.logprobs
        source_step: list[int | None] = [None] * len(prompts)
        drawn = time.perf_counter()
        if self._replay is not None:
            self._substitute(texts, completion_ids, logprobs, source_step, step)
        self._record.generate_s = drawn - started
        self._record.replay_s = time.perf_counter() - drawn
        return {
            "prompt_ids": [ids for ids in prompt_ids for _ in range(size)],
            "completion_ids": completion_ids,
            "logprobs": logprobs,
            "source_step": source_step,
        }

    def _substitute(
        self,
        texts: Sequence[str],
        completion_ids: list[list[int]],
        logprobs: list[list[float]],
        source_step: list[int | None],
        step: int,
    ) -> None:
        """Store new successes; give each group without one the problem's stored successes, in its last places."""
        size = self._sampling.group_size
        assert self._replay is not None
        for group, text in enumerate(texts):
            problem_id = self._problem_ids[text]
            places = range(group * size, (group + 1) * size)
            passed = [
                place
                for place, completion in zip(
                    places,
                    _decode(self._tokenizer, completion_ids, places, self._end_ids),
                    strict=True,
                )
                if is_success(
                    self._verifier.decide(problem_id, completion),
                    is_truncated=completion.is_truncated,
                )
            ]
            for place in passed:
                self._replay.add(problem_id, completion_ids[place], step)
            if passed:
                continue
            stream = self._stream.child("replay", step, problem_id, group)
            for offset, entry in enumerate(self._replay.draw(problem_id, self._per_group, stream)):
                place = places[-1 - offset]
                completion_ids[place] = list(entry.token_ids)
                logprobs[place] = [0.0] * len(entry.token_ids)
                source_step[place] = entry.step


class RewardFunction:
    """Judges one step's completions and pays the reward of the schedule's phase.

    Returns None, which the trainer leaves out of the group, for a verdict that our own failure produced.
    """

    def __init__(
        self,
        *,
        tokenizer: PreTrainedTokenizerBase,
        end_ids: Sequence[int],
        schedule: Schedule,
        verifier: Verifier,
        record: StepRecord,
        group_size: int,
        balanced: bool,
    ) -> None:
        self._tokenizer = tokenizer
        self._end_ids = list(end_ids)
        self._schedule = schedule
        self._verifier = verifier
        self._record = record
        self._group_size = group_size
        self._balanced = balanced

    def __call__(
        self,
        completion_ids: Sequence[Sequence[int]],
        problem_ids: Sequence[str],
        source_steps: Sequence[int | None] | None,
        step: int,
    ) -> list[float | None]:
        """One reward a completion, in the order given; groups of G stand together.

        Args:
            completion_ids: token ids of each completion.
            problem_ids: of each completion.
            source_steps: see `RolloutFunction`; None: nothing is replayed.
            step: the step in progress.
        """
        started = time.perf_counter()
        completions = _decode(
            self._tokenizer, completion_ids, range(len(completion_ids)), self._end_ids
        )
        rewards: list[float | None] = []
        rollouts: list[Rollout] = []
        for index, completion in enumerate(completions):
            verdict = self._verifier.decide(problem_ids[index], completion)
            reward = self._pay(verdict, completion)
            source = None if source_steps is None else source_steps[index]
            rollouts.append(
                Rollout(
                    step=step,
                    problem_id=problem_ids[index],
                    completion=completion,
                    verdict=verdict,
                    reward=0.0 if reward is None else reward,
                    policy_step=step if source is None else source,
                    is_replayed=source is not None,
                )
            )
            rewards.append(reward)
        self._record.step = step
        self._record.rollouts = rollouts
        self._record.group_size = self._group_size
        self._record.judge_s = self._record.replay_s + time.perf_counter() - started
        return rewards

    def _pay(self, verdict: Verdict, completion: Completion) -> float | None:
        if verdict.status is Status.INFRASTRUCTURE_ERROR:
            return None
        if self._schedule.phase is Phase.BINARY:
            return binary_reward(verdict, is_truncated=completion.is_truncated)
        return dense_reward(verdict, balanced=self._balanced, is_truncated=completion.is_truncated)


def step_metrics(record: StepRecord, *, balanced: bool) -> dict[str, float]:
    """The numbers of a step, from its rollouts; replayed completions count only where it says so.

    `full_pass` and `dense_reward` describe the policy: a replayed completion stands for one that failed, so it counts
    as a failure in the first and is left out of the second. `reward` and the group shares describe what was
    trained on, replayed ones included. Where the verifier failed, a completion counts in none of these.
    """
    rollouts = record.rollouts
    groups = [
        [r for r in rollouts[start : start + record.group_size] if _is_judged(r)]
        for start in range(0, len(rollouts), record.group_size)
    ]
    judged = [rollout for group in groups for rollout in group]
    own = [rollout for rollout in judged if not rollout.is_replayed]
    dense = [
        dense_reward(r.verdict, balanced=balanced, is_truncated=r.completion.is_truncated)
        for r in own
    ]
    equal = sum(len({rollout.reward for rollout in group}) <= 1 for group in groups)
    values = {
        "reward": _mean([rollout.reward for rollout in judged]),
        "dense_reward": _mean(dense),
        "full_pass": sum(map(_is_own_success, judged)) / max(1, len(judged)),
        "pass_at_group": _mean([float(any(map(_is_own_success, group))) for group in groups]),
        "zero_variance_share": equal / len(groups),
        "informative_share": 1.0 - equal / len(groups),
        "replayed": float(sum(rollout.is_replayed for rollout in rollouts)),
        "verifier_failures": float(len(rollouts) - len(judged)),
        "parse_error_share": _mean([float(r.verdict.status is Status.PARSE_ERROR) for r in own]),
        "truncated_share": _mean([float(r.completion.is_truncated) for r in own]),
        "completion_length": _mean([float(len(r.completion.token_ids)) for r in own]),
        "num_completions": float(len(rollouts)),
        "num_tokens": float(sum(len(r.completion.token_ids) for r in rollouts)),
        "judge_s": record.judge_s,
    }
    if record.generate_s is not None:
        values["generate_s"] = record.generate_s
    if record.entropy is not None:
        values["entropy"] = record.entropy
    if record.decisive_entropy is not None:
        values["decisive_entropy"] = record.decisive_entropy
    return values


def _is_judged(rollout: Rollout) -> bool:
    """Our own verifier said something of the completion."""
    return rollout.verdict.status is not Status.INFRASTRUCTURE_ERROR


def _is_own_success(rollout: Rollout) -> bool:
    return not rollout.is_replayed and is_success(
        rollout.verdict, is_truncated=rollout.completion.is_truncated
    )


TOP_ENTROPY_SHARE = 0.2
"""Where the vocabulary does not tell which tokens decide, the fifth with the highest entropy stands for them.

Source: "Beyond the 80/20 Rule", arXiv 2506.01939, which finds policy gradients carried by that share.
"""


def decisive_mean(sampled: Sampled, decisive_ids: Sequence[int] | None) -> float | None:
    """Mean entropy, in nats, of the tokens that decide a program.

    With `decisive_ids`, the tokens right after one of them (the targets of a program's edges); otherwise the
    `TOP_ENTROPY_SHARE` of all tokens with the highest entropy. None when there is no such token.
    """
    if decisive_ids is None:
        values = sorted((value for row in sampled.entropies for value in row), reverse=True)
        values = values[: max(1, int(TOP_ENTROPY_SHARE * len(values)))]
    else:
        wanted = set(decisive_ids)
        values = [
            entropies[index]
            for tokens, entropies in zip(sampled.token_ids, sampled.entropies, strict=True)
            for index in range(1, len(tokens))
            if tokens[index - 1] in wanted
        ]
    return _mean(values) if values else None


def _decode(
    tokenizer: PreTrainedTokenizerBase,
    completion_ids: Sequence[Sequence[int]],
    places: range,
    end_ids: Sequence[int],
) -> list[Completion]:
    rows = [list(completion_ids[place]) for place in places]
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [
        Completion(tuple(row), text, is_truncated=not row or row[-1] not in end_ids)
        for row, text in zip(rows, texts, strict=True)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
