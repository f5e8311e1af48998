"""One step's rollouts: draw completions, judge them, replay stored successes, pay rewards.

Two callables that the trainer calls in turn: `RolloutFunction` draws (and substitutes replayed completions),
`RewardFunction` judges and pays. Neither knows the trainer's library; both share a `StepRecord` that the metrics are
read from. With the trainer's own generation only the reward function runs, and nothing is replayed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlgrok.grammar import Grammar
from rlgrok.rewards import is_success
from rlgrok.sampling import Sampled, sample_tokens
from rlgrok.training.batch import StepBatch
from rlgrok.training.curriculum import Curriculum
from rlgrok.training.feedback import FeedbackLoop
from rlgrok.training.payment import Payment
from rlgrok.training.record import Outcome, StepRecord, decisive_mean, mean, outcome_of
from rlgrok.training.replay import ReplayStore
from rlgrok.training.verification import Verifier
from rlgrok.types import Completion, Rollout
from runtime.seeding import Stream


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


@dataclass(frozen=True)
class TrainingProblems:
    """What the rollouts need to know of the training problems; entries in one order."""

    ids: Sequence[str]
    texts: Sequence[str]
    """Prompts; all different."""


@dataclass(frozen=True)
class Extras:
    """What may be added to plain sampling; the defaults add nothing."""

    curriculum: Curriculum | None = None
    """Chooses a step's problems; None: those that the trainer's rows name."""
    group_sizes: Sequence[tuple[int, int]] = ()
    """(first step, completions a problem), steps increasing; empty: `Sampling.group_size`."""
    resample_rounds: int = 0
    """Times that groups of equal rewards make room for others."""
    attempts: int = 1
    """Attempts of a completion; more than one with feedback."""
    write_feedback: Callable[[str, str], str] | None = None
    """(problem id, text of a failed attempt) -> what it is told."""


TEXTS_ENCODED = 10_000
"""Feedback texts whose tokens are remembered: there are few, and tokenising one takes as long as judging a program."""
MIN_ATTEMPT_SHARE = 0.25
"""A further attempt begins only when this share of `max_new_tokens` is left."""


class RolloutFunction:
    """Draws one step's completions and substitutes replayed ones; called with each prompt repeated G times.

    Args:
        problems: to train on.
        encode: prompt text to token ids.
        tokenizer: for decoding and the padding token.
        end_ids: tokens that end a completion.
        sampling: sizes and temperature.
        stream: the run's rollout stream; step t draws from its child t, whatever happened before.
        verifier: asked only when something depends on a verdict before the reward: replay, feedback, resampling.
        payment: what a completion would earn; for resampling.
        record: filled in.
        replay: None for no replay.
        per_group: completions replaced in a group without a success.
        decisive_ids: tokens after which a program's decisive choice is made; None for an unknown vocabulary.
        extras: curriculum, sizes of groups, resampling and feedback.
    """

    def __init__(
        self,
        *,
        problems: TrainingProblems,
        encode: Callable[[str], list[int]],
        tokenizer: PreTrainedTokenizerBase,
        end_ids: Sequence[int],
        sampling: Sampling,
        stream: Stream,
        verifier: Verifier,
        payment: Payment,
        record: StepRecord,
        replay: ReplayStore | None,
        per_group: int,
        decisive_ids: Sequence[int] | None,
        extras: Extras = Extras(),
    ) -> None:
        self._problems = problems
        self._id_of = dict(zip(problems.texts, problems.ids, strict=True))
        self._encode = encode
        self._tokenizer = tokenizer
        self._end_ids = list(end_ids)
        self._sampling = sampling
        self._stream = stream
        self._verifier = verifier
        self._payment = payment
        self._record = record
        self._replay = replay
        self._per_group = per_group
        self._decisive_ids = decisive_ids
        self._extras = extras
        self._encode_text = lru_cache(maxsize=TEXTS_ENCODED)(
            lambda text: tokenizer.encode(text, add_special_tokens=False)
        )

    def group_size(self, step: int) -> int:
        """Completions a problem at a step."""
        size = self._sampling.group_size
        for first, later in self._extras.group_sizes:
            if step >= first:
                size = later
        return size

    def __call__(
        self, model: PreTrainedModel, prompts: Sequence[str], step: int
    ) -> dict[str, list[Any]]:
        """A step's completions; as many as `prompts`, each of which stands G times in a row.

        Returns:
            `prompt_ids`, `completion_ids`, `logprobs`, `source_step`, `problem_id` and `attempt_start`, each one entry
            a completion (see `StepBatch`), and `env_mask` and `earlier` where a verifier's text stands in a completion.
        """
        started = time.perf_counter()
        self._record.known.clear()
        size = self.group_size(step)
        if self._extras.curriculum is None and size == self._sampling.group_size:
            texts = list(prompts[::size])
            ids = [self._id_of[text] for text in texts]
        else:
            chosen = self._choose(len(prompts) // size, self._stream.child("problems", step))
            ids = [self._problems.ids[index] for index in chosen]
            texts = [self._problems.texts[index] for index in chosen]
        batch, sampled = self._draw(model, ids, texts, size, self._stream.child("sample", step))
        self._record.entropy = mean([value for row in sampled.entropies for value in row])
        self._record.decisive_entropy = decisive_mean(sampled, self._decisive_ids)
        self._record.group_size = size
        self._record.further_attempts = 0
        self._record.first_full_pass = None
        if self._extras.attempts > 1:
            self._give_feedback(model, batch, step)
        self._record.resampled = 0
        self._record.dropped = []
        if self._extras.resample_rounds:
            self._resample(model, batch, step)
        drawn = time.perf_counter()
        if self._replay is not None:
            self._substitute(batch, step)
        self._record.generate_s = drawn - started
        self._record.replay_s = time.perf_counter() - drawn
        return batch.outputs()

    def _choose(self, count: int, stream: Stream) -> list[int]:
        """Problems of a step: the curriculum's, or any."""
        if self._extras.curriculum is not None:
            return self._extras.curriculum.choose(count, stream)
        everything = range(len(self._problems.ids))
        chosen: list[int] = []
        while len(chosen) < count:
            chosen += stream.pick(everything, min(count - len(chosen), len(everything)))
        return chosen

    def _draw(
        self,
        model: PreTrainedModel,
        ids: Sequence[str],
        texts: Sequence[str],
        size: int,
        stream: Stream,
    ) -> tuple[StepBatch, Sampled]:
        """One completion of every place, all of the present policy."""
        prompt_ids = [self._encode(text) for text in texts]
        sampled = self._sample(model, prompt_ids, size, self._sampling.max_new_tokens, stream)
        batch = StepBatch(
            group_size=size,
            problem_ids=[name for name in ids for _ in range(size)],
            prompt_ids=[tokens for tokens in prompt_ids for _ in range(size)],
            completion_ids=sampled.token_ids,
            logprobs=sampled.logprobs,
        )
        return batch, sampled

    def _sample(
        self,
        model: PreTrainedModel,
        prompt_ids: Sequence[Sequence[int]],
        size: int,
        limit: int,
        stream: Stream,
    ) -> Sampled:
        return sample_tokens(
            model,
            prompt_ids,
            num_per_prompt=size,
            max_new_tokens=limit,
            end_ids=self._end_ids,
            pad_id=self._tokenizer.pad_token_id,
            seed=stream.seed,
            temperature=self._sampling.temperature,
            top_p=self._sampling.top_p,
            batch_size=self._sampling.batch_size,
            autocast=self._sampling.autocast,
            grammar=self._sampling.grammar,
        )

    def _give_feedback(self, model: PreTrainedModel, batch: StepBatch, step: int) -> None:
        """Let failed completions try again, told why."""
        assert self._extras.write_feedback is not None
        stream = self._stream.child("feedback", step)

        def draw(
            prompts: Sequence[Sequence[int]], limit: int, name: str
        ) -> tuple[list[list[int]], list[list[float]]]:
            sampled = self._sample(model, prompts, 1, limit, stream.child(name))
            return sampled.token_ids, sampled.logprobs

        budget = self._sampling.max_new_tokens
        loop = FeedbackLoop(
            attempts=self._extras.attempts,
            max_new_tokens=budget,
            min_left=max(1, int(MIN_ATTEMPT_SHARE * budget)),
            write=self._extras.write_feedback,
            encode=self._encode_text,
            is_success=lambda name, tokens: _is_passed(self._verifier, name, self._read(tokens)),
            decode=lambda tokens: self._read(tokens).text,
            draw=draw,
            end_ids=frozenset(self._end_ids),
        )
        passed = [
            _is_passed(self._verifier, name, completion)
            for name, completion in zip(
                batch.problem_ids, self._read_all(batch, range(len(batch))), strict=True
            )
        ]
        self._record.first_full_pass = mean(list(map(float, passed)))
        self._record.further_attempts = loop(batch)

    def _resample(self, model: PreTrainedModel, batch: StepBatch, step: int) -> None:
        """Put other problems' groups in the place of groups whose rewards are all equal."""
        stream = self._stream.child("resample", step)
        for attempt in range(self._extras.resample_rounds):
            equal = [
                group
                for group in range(batch.num_groups)
                if len(set(self._rewards(batch, group, step))) <= 1
            ]
            if not equal:
                return
            present = set(batch.problem_ids)
            chosen = [
                index
                for index in self._choose(len(equal), stream.child("problems", attempt))
                if self._problems.ids[index] not in present
            ]
            chosen = list(dict.fromkeys(chosen))
            if not chosen:
                return
            ids = [self._problems.ids[index] for index in chosen]
            texts = [self._problems.texts[index] for index in chosen]
            other, _ = self._draw(
                model, ids, texts, batch.group_size, stream.child("sample", attempt)
            )
            self._record.resampled += len(other)
            places = iter(equal)
            for group in range(other.num_groups):
                if len(set(self._rewards(other, group, step))) > 1:
                    place = next(places)
                    self._record.dropped.append(self._outcome(batch, place))
                    batch.replace_group(place, other, group)
                else:
                    self._record.dropped.append(self._outcome(other, group))

    def _rewards(self, batch: StepBatch, group: int, step: int) -> list[float]:
        """What the group's completions would earn; those that our own failure hit are left out."""
        rewards = []
        for place in batch.places(group):
            name = batch.problem_ids[place]
            earlier = batch.earlier[place] if self._payment.every_attempt else []
            attempts = self._read_rows([*earlier, batch.attempt(place)])
            judged = [(self._verifier.decide(name, attempt), attempt) for attempt in attempts]
            rewards.append(self._payment.of_attempts(name, judged, step))
        return [reward for reward in rewards if reward is not None]

    def _outcome(self, batch: StepBatch, group: int) -> Outcome:
        """What became of a group that is not trained on."""
        places = batch.places(group)
        name = batch.problem_ids[places[0]]
        completions = self._read_all(batch, places)
        verdicts = [self._verifier.decide(name, completion) for completion in completions]
        return outcome_of(name, verdicts, completions)

    def _substitute(self, batch: StepBatch, step: int) -> None:
        """Store new successes; give each group without one the problem's stored successes, in its last places."""
        assert self._replay is not None
        self._replay.expire(step)
        for group in range(batch.num_groups):
            places = batch.places(group)
            problem_id = batch.problem_ids[places[0]]
            passed = [
                place
                for place, completion in zip(places, self._read_all(batch, places), strict=True)
                if _is_passed(self._verifier, problem_id, completion)
            ]
            for place in passed:
                self._replay.add(problem_id, batch.attempt(place), step)
            if passed:
                continue
            stream = self._stream.child("replay", step, problem_id, group)
            for offset, entry in enumerate(self._replay.draw(problem_id, self._per_group, stream)):
                batch.replay(places[-1 - offset], entry.token_ids, entry.step)

    def _read(self, tokens: Sequence[int]) -> Completion:
        return self._read_rows([tokens])[0]

    def _read_all(self, batch: StepBatch, places: range) -> list[Completion]:
        """The last attempts of some places, as texts."""
        return self._read_rows([batch.attempt(place) for place in places])

    def _read_rows(self, rows: Sequence[Sequence[int]]) -> list[Completion]:
        return _read(self._record, self._tokenizer, self._end_ids, rows)


class RewardFunction:
    """Judges one step's completions and pays for them.

    Returns None, which the trainer leaves out of the group, for a verdict that our own failure produced.
    """

    def __init__(
        self,
        *,
        tokenizer: PreTrainedTokenizerBase,
        end_ids: Sequence[int],
        payment: Payment,
        verifier: Verifier,
        record: StepRecord,
    ) -> None:
        self._tokenizer = tokenizer
        self._end_ids = list(end_ids)
        self._payment = payment
        self._verifier = verifier
        self._record = record

    def __call__(
        self,
        completion_ids: Sequence[Sequence[int]],
        problem_ids: Sequence[str],
        source_steps: Sequence[int | None] | None,
        step: int,
        attempt_starts: Sequence[int] | None = None,
        earlier: Sequence[Sequence[Sequence[int]]] | None = None,
    ) -> list[float | None]:
        """One reward a completion, in the order given; groups of G stand together.

        Args:
            completion_ids: token ids of each completion.
            problem_ids: of each completion.
            source_steps: see `RolloutFunction`; None: nothing is replayed.
            step: the step in progress.
            attempt_starts: where the attempt that is judged begins; None: at the completion's start.
            earlier: each completion's attempts before that one, which `Payment` may count; None: there are none.
        """
        started = time.perf_counter()
        starts = attempt_starts or [0] * len(completion_ids)
        judged = self._read(
            [tokens[start:] for tokens, start in zip(completion_ids, starts, strict=True)]
        )
        later = [index for index, start in enumerate(starts) if start]
        # Of several attempts, the verifier's texts included.
        whole = dict(zip(later, self._read([completion_ids[index] for index in later]), strict=True))
        rewards: list[float | None] = []
        rollouts: list[Rollout] = []
        for index, attempt in enumerate(judged):
            name = problem_ids[index]
            verdict = self._verifier.decide(name, attempt)
            counts = earlier is not None and self._payment.every_attempt
            before = self._read(earlier[index]) if counts else []
            attempts = [(self._verifier.decide(name, other), other) for other in before]
            reward = self._payment.of_attempts(name, [*attempts, (verdict, attempt)], step)
            source = None if source_steps is None else source_steps[index]
            rollouts.append(
                Rollout(
                    step=step,
                    problem_id=name,
                    completion=whole.get(index, attempt),
                    verdict=verdict,
                    reward=0.0 if reward is None else reward,
                    policy_step=step if source is None else source,
                    is_replayed=source is not None,
                )
            )
            rewards.append(reward)
        self._record.step = step
        self._record.rollouts = rollouts
        self._record.known.clear()
        self._record.judge_s = self._record.replay_s + time.perf_counter() - started
        return rewards

    def _read(self, rows: Sequence[Sequence[int]]) -> list[Completion]:
        return _read(self._record, self._tokenizer, self._end_ids, rows)


def _is_passed(verifier: Verifier, problem_id: str, completion: Completion) -> bool:
    """Passed by the verdict that pays, and ended by itself."""
    verdict = verifier.decide(problem_id, completion)
    return is_success(verdict, is_truncated=completion.is_truncated)


def _read(
    record: StepRecord,
    tokenizer: PreTrainedTokenizerBase,
    end_ids: Sequence[int],
    rows: Sequence[Sequence[int]],
) -> list[Completion]:
    """Tokens as completions; a step decodes each distinct row once."""
    known = record.known
    keys = [tuple(row) for row in rows]
    new = [key for key in dict.fromkeys(keys) if key not in known]
    if new:
        texts = tokenizer.batch_decode([list(key) for key in new], skip_special_tokens=True)
        for key, text in zip(new, texts, strict=True):
            known[key] = Completion(key, text, is_truncated=not key or key[-1] not in end_ids)
    return [known[key] for key in keys]
