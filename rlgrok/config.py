"""The typed configuration of `toolkit rl train` and `toolkit rl eval`: types, ranges and cross-field rules.

Values live in YAML under `conf/`; a field here has no default. Imports nothing heavy: composing and checking a
config must not load torch. Only orchestration (`train.py`, `evaluate.py`) sees a whole config; everything else
takes values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from rlgrok.ingredients import (
    CurriculumConfig,
    CurriculumKind,
    FeedbackConfig,
    SamplingConfig,
    StageBy,
    check_curriculum,
    check_sampling,
    needs_own_sampler,
)
from rlgrok.types import GrammarRules, Judge, PromptStyle, TestSource
from runtime.errors import ConfigError
from runtime.settings import MANDATORY, setting


class Colors(Enum):
    """Alphabet of a problem: R B, or R B Y G."""

    TWO = "two"
    FOUR = "four"


class ScheduleKind(Enum):
    """Which reward is paid when."""

    DENSE = "dense"
    BINARY = "binary"
    STAGED = "staged"
    MIXED = "mixed"


class DenseReward(Enum):
    """The dense reward: share of tests passed, or the mean of the shares over accepting and rejecting tests."""

    PASS_RATE = "pass_rate"
    BALANCED = "balanced"


class SwitchOn(Enum):
    """What ends the dense phase of a staged schedule."""

    STEP = "step"
    PLATEAU = "plateau"
    FULL_PASS = "full_pass"
    DENSE_REWARD = "dense_reward"


class EntropyKind(Enum):
    """How entropy is kept up: not at all, a fixed bonus, or a bonus steered to a target."""

    NONE = "none"
    FIXED = "fixed"
    ADAPTIVE = "adaptive"


class Tracker(Enum):
    """Where metrics go besides the run folder."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


@dataclass
class DataConfig:
    """Which problems: named data sets or records, a difficulty of some families, or families with their lengths.

    The fields that came later default to what a config without them meant.
    """

    scope: str = setting(choices=("manufactoria", "bouncingsim"))
    """Which part of the benchmark."""
    sets: list[str] | None = None
    """Data sets to train on, by name, or files, folders and hub ids of records. None: the problems of `families`."""
    test: list[str] | None = None
    """Data sets whose test problems are held out, or records; `has:50` takes the last 50. None: `heldout_share`."""
    families: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Families of the scope, each named once. With `sets`: those to keep, all where the list is empty."""
    colors: Colors = MANDATORY  # type: ignore[assignment]
    """Symbols on the tape: R B, or R B Y G. With `sets`: the larger alphabet of the problems."""
    difficulty: str | None = None
    """Level of the families' difficulty tables to enumerate. None: `lengths`."""
    lengths: list[int] = setting(low=1, high=12)
    """Sequence lengths to enumerate, in symbols. With `sets` or `difficulty`: the sizes to keep, all where empty."""
    heldout_share: float = setting(low=0.0, below=1.0)
    """Share of the problems of each length kept out of training, drawn from the seed."""
    max_problems: int | None = setting(low=2)
    """Take at most this many problems, drawn from the seed; with `test`, of either part. None: all."""
    tests: TestSource = MANDATORY  # type: ignore[assignment]
    """`delta`: the benchmark's own; `ladder`: ours, which pay for every right edge (docs/methods/ladder.md)."""
    compat: bool = False
    """Split named data sets as the reference does: test problems may repeat training problems (docs/data.md)."""


@dataclass
class PolicyConfig:
    """The language model that is trained or evaluated."""

    source: str = field(default=MANDATORY)
    """`reference` (the tiny policy, built on first use and cached), a model folder, or a hub id."""
    prompt: PromptStyle = MANDATORY  # type: ignore[assignment]
    """`compact`: nine words, for the tiny policy; `full`: a text that explains the language and the task."""
    dtype: str = setting(choices=("float32", "bfloat16"))
    """What is computed in. Training keeps float32 weights whatever this is: AdamW's small steps would vanish in the
    rounding of bfloat16 ones. A policy that is only evaluated is loaded in it."""
    max_new_tokens: int = setting(low=4, high=65536)
    """Longest completion, in tokens."""
    grammar: GrammarRules = MANDATORY  # type: ignore[assignment]
    """A mask on the tiny policy's tokens. `none`, the default: a general policy has no such crutch. `acceptor` or
    `program`: only canonical programs can be written (docs/methods/grammar.md)."""


@dataclass
class ReferenceConfig:
    """The tiny reference policy: its shape, its supervised corpus and the proof that it fails on the target."""

    hidden_size: int = setting(low=8, high=1024)
    """Width; a multiple of `num_heads`."""
    num_layers: int = setting(low=1, high=24)
    """Transformer blocks."""
    num_heads: int = setting(low=1, high=32)
    """Attention heads."""
    families: list[str] = field(default=MANDATORY)  # type: ignore[assignment]
    """Families whose oracle solutions may be taught. None of them may be a target family."""
    max_length: int = setting(low=1, high=6)
    """Longest sequence taught, in symbols. A compact prompt has room for six."""
    steps: int = setting(low=1)
    """Optimiser steps of supervised fine-tuning."""
    batch_size: int = setting(low=1)
    """Solutions a step."""
    learning_rate: float = setting(above=0, high=1)
    """Reached after a short warm-up, then falling linearly to 0."""
    rewired_share: float = setting(low=0, high=0.9)
    """Share of the accepting families' programs that get rewired routes, under the name of a family not taught."""
    rewire_probability: float = setting(low=0, high=1)
    """Chance that a rejecting route of such a program leads to a node instead."""
    canonical: bool = MANDATORY  # type: ignore[assignment]
    """Teach only canonical programs: breadth-first node names, one R and one B edge a puller, no optional edge."""
    proof_draws: int = setting(low=1)
    """Completions drawn on target problems to prove pass@k = 0."""
    proof_k: int = setting(low=1)
    """The k of that pass@k."""
    max_rebuilds: int = setting(low=0, high=100)
    """A base with a success among its proof draws is refused and rebuilt from the next seed, this many times."""
    feedback_share: float = 0.0
    """Share of the corpus that shows a wrong attempt, what it is told, and the right program; in [0, 0.9]. Above 0 the
    tiny policy has words for feedback."""


@dataclass
class ScheduleConfig:
    """Reward schedule. `switch_*` and `fallback_step` matter only to `staged`."""

    kind: ScheduleKind = MANDATORY  # type: ignore[assignment]
    """`dense` or `binary` throughout; `staged`: dense first, then binary; `mixed`: in small steps from one to the
    other."""
    dense_reward: DenseReward = MANDATORY  # type: ignore[assignment]
    """What the dense phase pays: see `DenseReward`."""
    switch_on: SwitchOn = MANDATORY  # type: ignore[assignment]
    """What ends the dense phase."""
    switch_step: int | None = setting(low=2)
    """For `switch_on=step`: the first binary step. Binary from step 1 on is `kind=binary`."""
    switch_threshold: float = setting(low=0, high=1)
    """For `full_pass` and `dense_reward`: the running mean that opens the gate."""
    switch_patience: int = setting(low=1)
    """Hysteresis: the gate must stay open this many consecutive steps; for `plateau`, steps without improvement."""
    running_window: int = setting(low=1)
    """Steps in the running means."""
    plateau_delta: float = setting(above=0, high=1)
    """For `plateau`: smallest rise of the running dense reward that counts as improvement."""
    fallback_step: int | None = setting(low=2)
    """The first binary step at the latest. None: never forced."""
    mix_steps: list[int] | None = None
    """For `mixed`: the last step that is all dense and the first that is all binary; linear in between."""
    per_family: bool = False
    """For `staged`: each family turns by its own running means, not by the mean over all."""


@dataclass
class ReplayConfig:
    """Replay of stored successes into groups without a success. Only with `training.rollout=cached`."""

    enabled: bool = MANDATORY  # type: ignore[assignment]
    """False: every completion is drawn from the present policy."""
    capacity: int = setting(low=1)
    """Successes kept per problem; the oldest leaves first."""
    per_group: int = setting(low=1)
    """Completions of a failed group replaced by stored successes; below `training.group_size`."""
    max_age: int | None = None
    """Steps after which a stored success is stale and leaves. None: never."""
    rate: float = 1.0
    """Chance, above 0, that a failed group with stored successes gets any."""


@dataclass
class EntropyConfig:
    """Entropy control. For `adaptive`, the coefficient moves by `step` towards `target` within [0, cap]."""

    kind: EntropyKind = MANDATORY  # type: ignore[assignment]
    """`none`, a `fixed` coefficient, or an `adaptive` one."""
    coefficient: float = setting(low=0)
    """Weight of the bonus; where `adaptive` starts."""
    target: float = setting(low=0)
    """Mean entropy per completion token to hold, in nats."""
    step: float = setting(low=0)
    """For `adaptive`: change of the coefficient per optimiser step."""
    cap: float = setting(low=0)
    """For `adaptive`: largest coefficient."""
    final_target: float | None = None
    """For `adaptive`: the target at step `anneal_steps` and after it; before, it moves there in a straight line from
    `target`. None: `target` throughout."""
    anneal_steps: int = 0
    """Steps in which the target moves; at least 1 where it does."""

    def target_at(self, step: int) -> float:
        """The entropy to hold at a step, counted from 1, in nats a token."""
        if self.final_target is None:
            return self.target
        share = min(1.0, step / self.anneal_steps)
        return self.target + share * (self.final_target - self.target)


@dataclass
class OptimizerConfig:
    """AdamW."""

    learning_rate: float = setting(above=0, high=1)
    """Constant after the warm-up."""
    beta1: float = setting(low=0, below=1)
    """Decay of the mean gradient."""
    beta2: float = setting(low=0, below=1)
    """Decay of the mean squared gradient."""
    weight_decay: float = setting(low=0)
    """Decoupled from the gradient; per unit of learning rate."""
    max_grad_norm: float = setting(above=0)
    """Longer gradients are shortened to this norm."""
    warmup_steps: int = setting(low=0)
    """Steps over which the rate rises linearly from 0."""


@dataclass
class TrainingConfig:
    """The loop: sizes, GRPO's own settings, and what is saved when."""

    max_steps: int = setting(low=1)
    """Optimiser steps at most."""
    stop_full_pass: float | None = setting(low=0, high=1)
    """Stop once the running training full-pass and the held-out exhaustive accuracy both reach this. None: never."""
    prompts_per_step: int = setting(low=1)
    """Problems a step, B."""
    group_size: int = setting(low=2)
    """Completions per prompt, G."""
    temperature: float = setting(above=0)
    """Of the draws to train on; dimensionless."""
    top_p: float = setting(above=0, high=1)
    """Share of the probability that draws come from. 1: all of it."""
    kl_coef: float = setting(low=0)
    """Weight of KL(policy || policy before training). 0: no second model is held."""
    loss_type: str = setting(choices=("grpo", "bnpo", "dr_grpo", "dapo"))
    """How token losses become one number. `dapo`: mean over the step's tokens; `bnpo`: over each micro-batch's, which
    is the same with one micro-batch a step; `grpo`: mean over completions of means over tokens."""
    scale_rewards: str = setting(choices=("group", "batch", "none"))
    """What centred rewards are divided by: the standard deviation of the `group`, of the `batch`, or nothing."""
    clip_low: float = setting(above=0)
    """The importance ratio is clipped at 1 minus this."""
    clip_high: float = setting(above=0)
    """The importance ratio is clipped at 1 plus this."""
    micro_batch_size: int | None = setting(low=1)
    """Completions per forward pass, a divisor of the step's. None: the whole step at once."""
    gradient_checkpointing: bool = MANDATORY  # type: ignore[assignment]
    """Compute activations again in the backward pass instead of keeping them: less memory, more time."""
    share_prefixes: bool = MANDATORY  # type: ignore[assignment]
    """Compute what completions have in common once in the update: the same loss and gradient in less than half the time
    where programs are short and alike. Not together with `gradient_checkpointing`."""
    rollout: str = setting(choices=("cached", "trl", "vllm"))
    """`cached`: our sampler, each unique prompt prefilled once; `trl`: the trainer's own generation; `vllm`."""
    rollout_batch_size: int = setting(low=1)
    """For `rollout=cached`: completions decoded at once, a bound on memory. Part of the experiment: it orders draws."""
    threads: int | None = setting(low=1)
    """CPU threads. None: what the device manager grants. One is fastest for the tiny policy."""
    stored_rollouts: int | None = setting(low=0)
    """Training rollouts kept per step in `rollouts.jsonl.gz`, evenly spaced. None: all."""


@dataclass
class EvaluationConfig:
    """What is measured, how often, and from how many draws."""

    every: int = setting(low=1)
    """Steps between greedy held-out evaluations during training."""
    draws: int = setting(low=1)
    """Completions drawn per problem for pass@k."""
    k: list[int] = setting(low=1)
    """Every k of pass@k that is reported; at most `draws`."""
    temperature: float = setting(above=0)
    """Of the draws for pass@k; the greedy completion has none."""
    exhaustive: bool = MANDATORY  # type: ignore[assignment]
    """Judge by every short tape too, not by the tests alone."""
    batch_size: int = setting(low=1)
    """Completions decoded at once."""
    compare_base: bool = MANDATORY  # type: ignore[assignment]
    """At the end of a training run, measure the untrained policy in the same way."""
    climb_every: int | None = None
    """Steps between held-out evaluations while a run climbs, where that is denser than `every`. None: `every`."""


@dataclass
class CheckpointConfig:
    """Checkpoints: written aside, completed by a marker, the newest complete one is used."""

    every: int = setting(low=1)
    """Steps between checkpoints."""
    keep: int = setting(low=1)
    """Newest complete checkpoints kept; the last one is always kept."""
    keep_climb: int = 0
    """With `evaluation.climb_every`: each evaluation of the climb saves a checkpoint; so many of them are kept."""


@dataclass
class TrackingConfig:
    """Trackers besides the run folder; an empty list writes none."""

    trackers: list[Tracker] = field(default=MANDATORY)  # type: ignore[assignment]
    """Any of tensorboard, mlflow, wandb."""
    project: str = field(default=MANDATORY)
    """W&B's project, MLflow's experiment."""
    uri: str | None = field(default=MANDATORY)
    """MLflow tracking URI. None: inside the run folder."""


@dataclass
class TrainConfig:
    """`toolkit rl train`."""

    name: str = field(default=MANDATORY)
    """Part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of every draw: problems, split, reference policy, completions."""
    judge: Judge = MANDATORY  # type: ignore[assignment]
    """Which verdict pays. The held-out curves show both, whichever it is."""
    data: DataConfig = MANDATORY  # type: ignore[assignment]
    policy: PolicyConfig = MANDATORY  # type: ignore[assignment]
    reference: ReferenceConfig = MANDATORY  # type: ignore[assignment]
    schedule: ScheduleConfig = MANDATORY  # type: ignore[assignment]
    replay: ReplayConfig = MANDATORY  # type: ignore[assignment]
    curriculum: CurriculumConfig = MANDATORY  # type: ignore[assignment]
    sampling: SamplingConfig = MANDATORY  # type: ignore[assignment]
    feedback: FeedbackConfig = MANDATORY  # type: ignore[assignment]
    entropy: EntropyConfig = MANDATORY  # type: ignore[assignment]
    optimizer: OptimizerConfig = MANDATORY  # type: ignore[assignment]
    training: TrainingConfig = MANDATORY  # type: ignore[assignment]
    evaluation: EvaluationConfig = MANDATORY  # type: ignore[assignment]
    checkpoint: CheckpointConfig = MANDATORY  # type: ignore[assignment]
    tracking: TrackingConfig = MANDATORY  # type: ignore[assignment]

    def check(self) -> None:
        """Check the rules that span several keys.

        Raises:
            ConfigError: names the keys and their values.
        """
        _check_data(self.data)
        if self.policy.source == "reference":
            _check_reference(self)
        _check_schedule(self.schedule)
        _check_entropy(self.entropy)
        _check_step_size(self.training)
        _check_grammar(self.policy, self.training)
        if self.replay.enabled:
            _check_replay(self.replay, self.training)
        _check_ingredients(self)
        _check_pass_at_k(self.evaluation)
        _check_climb(self.evaluation, self.checkpoint)


@dataclass
class EvalConfig:
    """`toolkit rl eval`: a policy on problems. `data` and `policy` default to the run's own when a run is given."""

    name: str = field(default=MANDATORY)
    """Part of the run folder's name."""
    seed: int = setting(low=0)
    """Root of every draw. Of the run, when one is evaluated: its held-out problems depend on it."""
    judge: Judge = MANDATORY  # type: ignore[assignment]
    """Which verdict counts as passed, and gives the pass rate."""
    data: DataConfig = MANDATORY  # type: ignore[assignment]
    policy: PolicyConfig = MANDATORY  # type: ignore[assignment]
    evaluation: EvaluationConfig = MANDATORY  # type: ignore[assignment]
    tracking: TrackingConfig = MANDATORY  # type: ignore[assignment]

    def check(self) -> None:
        """Check the rules that span several keys.

        Raises:
            ConfigError: names the keys and their values.
        """
        _check_data(self.data)
        _check_pass_at_k(self.evaluation)


def _check_data(data: DataConfig) -> None:
    """One way of naming problems at a time."""
    if data.sets is None:
        if data.test is not None or data.compat:
            key = "compat" if data.test is None else "test"
            raise ConfigError(
                f"data.{key} goes with named data sets",
                got="data.sets=null",
                expected="data.sets=[...], a list that may be empty",
                where=f"data.{key}",
            )
        return
    if data.difficulty is not None:
        raise ConfigError(
            "a data set has its own difficulties",
            got=f"data.difficulty={data.difficulty} with data.sets",
            expected="one of the two",
            where="data.difficulty",
        )
    if data.test is not None and data.heldout_share > 0:
        raise ConfigError(
            "problems are held out twice",
            got=f"data.heldout_share={data.heldout_share} with data.test",
            expected="data.heldout_share=0, or data.test=null",
            where="data.heldout_share",
        )


def _check_reference(config: TrainConfig) -> None:
    """The tiny policy reads compact prompts only, and is not taught the family that it must fail on."""
    reference = config.reference
    if reference.hidden_size % reference.num_heads:
        raise ConfigError(
            "reference.hidden_size is not a multiple of reference.num_heads",
            got=f"{reference.hidden_size} and {reference.num_heads}",
            where="reference.hidden_size",
        )
    if config.policy.prompt is not PromptStyle.COMPACT:
        raise ConfigError(
            "the reference policy reads compact prompts only",
            got=config.policy.prompt.value,
            expected=PromptStyle.COMPACT.value,
            where="policy.prompt",
        )
    if not 0 <= reference.feedback_share <= 0.9:
        raise ConfigError(
            "value out of range",
            got=reference.feedback_share,
            expected="at least 0 and at most 0.9",
            where="reference.feedback_share",
        )
    if config.feedback.attempts > 1 and not reference.feedback_share:
        raise ConfigError(
            "the reference policy has no words for feedback",
            got=f"feedback.attempts={config.feedback.attempts} with reference.feedback_share=0",
            expected="reference.feedback_share above 0",
            where="reference.feedback_share",
            hint="reference=tiny_feedback",
        )
    if not reference.families:
        raise ConfigError(
            "the reference policy is taught nothing",
            got="[]",
            expected="at least one family",
            where="reference.families",
        )
    both = sorted(set(config.data.families) & set(reference.families))
    if both:
        raise ConfigError(
            "the reference policy may not be taught a target family",
            got=", ".join(both),
            expected="disjoint data.families and reference.families",
            where="reference.families",
            hint="train another policy (policy=qwen3_4b, policy.source=...), or choose among the families of the data",
        )


def _check_schedule(schedule: ScheduleConfig) -> None:
    """The steps that a kind of schedule needs."""
    steps = schedule.mix_steps or []
    if schedule.kind is ScheduleKind.MIXED and not (len(steps) == 2 and 0 < steps[0] < steps[1]):
        raise ConfigError(
            "schedule.kind=mixed needs two steps",
            got=steps,
            expected="[LAST_DENSE, FIRST_BINARY], increasing",
            where="schedule.mix_steps",
        )
    if schedule.per_family and schedule.kind is not ScheduleKind.STAGED:
        raise ConfigError(
            "only a staged schedule turns family by family",
            got=f"schedule.per_family=true with schedule.kind={schedule.kind.value}",
            expected="schedule.kind=staged",
            where="schedule.per_family",
        )
    if schedule.kind is not ScheduleKind.STAGED:
        return
    if schedule.switch_on is SwitchOn.STEP and schedule.switch_step is None:
        raise ConfigError(
            "schedule.switch_on=step needs schedule.switch_step",
            got="null",
            where="schedule.switch_step",
        )


def _check_entropy(entropy: EntropyConfig) -> None:
    """A target that moves has somewhere to go, and time."""
    if entropy.final_target is None:
        return
    if entropy.final_target < 0:
        raise ConfigError(
            "an entropy is not negative",
            got=entropy.final_target,
            expected="0 or more nats a token",
            where="entropy.final_target",
        )
    if entropy.anneal_steps < 1:
        raise ConfigError(
            "the entropy's target has no steps to move in",
            got=f"anneal_steps={entropy.anneal_steps} with final_target={entropy.final_target}",
            expected="at least 1, or final_target=null",
            where="entropy.anneal_steps",
        )


def _check_step_size(training: TrainingConfig) -> None:
    total = training.prompts_per_step * training.group_size
    if training.share_prefixes and training.gradient_checkpointing:
        raise ConfigError(
            "prefixes are shared by keeping activations, which gradient checkpointing does not",
            got="training.share_prefixes=true training.gradient_checkpointing=true",
            expected="one of them",
            where="training.share_prefixes",
        )
    micro = training.micro_batch_size
    if micro is not None and total % micro:
        raise ConfigError(
            "training.micro_batch_size does not divide the completions of a step",
            got=f"{micro} with {training.prompts_per_step} x {training.group_size} = {total}",
            expected=f"a divisor of {total}, or null",
            where="training.micro_batch_size",
        )


def _check_grammar(policy: PolicyConfig, training: TrainingConfig) -> None:
    """Only our own sampler masks, and a KL term would be against a policy without the mask."""
    if policy.grammar is GrammarRules.NONE:
        return
    if training.rollout != "cached":
        raise ConfigError(
            "a grammar needs our own sampler",
            got=f"policy.grammar={policy.grammar.value} with training.rollout={training.rollout}",
            expected="training.rollout=cached",
            where="policy.grammar",
        )
    if training.kl_coef:
        raise ConfigError(
            "a KL term is against a policy without the grammar",
            got=f"policy.grammar={policy.grammar.value} with training.kl_coef={training.kl_coef}",
            expected="training.kl_coef=0",
            where="policy.grammar",
        )


def _check_replay(replay: ReplayConfig, training: TrainingConfig) -> None:
    """Only our own sampler can put stored completions in the place of drawn ones."""
    if training.rollout != "cached":
        raise ConfigError(
            "replay needs our own sampler",
            got=f"replay.enabled=true with training.rollout={training.rollout}",
            expected="training.rollout=cached",
            where="replay.enabled",
            hint="switch replay off with replay=none",
        )
    if replay.per_group >= training.group_size:
        raise ConfigError(
            "replay leaves a group no completion of its own",
            got=f"{replay.per_group} of {training.group_size}",
            expected="replay.per_group below training.group_size",
            where="replay.per_group",
        )
    if not 0 < replay.rate <= 1:
        raise ConfigError(
            "value out of range",
            got=replay.rate,
            expected="above 0 and at most 1",
            where="replay.rate",
        )
    if replay.max_age is not None and replay.max_age < 1:
        raise ConfigError(
            "value out of range", got=replay.max_age, expected="at least 1", where="replay.max_age"
        )
    if replay.per_group > replay.capacity:
        raise ConfigError(
            "replay asks for more stored successes than are kept",
            got=f"{replay.per_group} of {replay.capacity}",
            expected="replay.per_group at most replay.capacity",
            where="replay.per_group",
        )


def _check_ingredients(config: TrainConfig) -> None:
    """What only our own sampler does, and what does not go together."""
    training = config.training
    check_curriculum(config.curriculum)
    check_sampling(config.sampling, completions=training.prompts_per_step * training.group_size)
    key = needs_own_sampler(config.curriculum, config.sampling, config.feedback)
    if key is not None and training.rollout != "cached":
        raise ConfigError(
            f"{key} needs our own sampler",
            got=f"training.rollout={training.rollout}",
            expected="training.rollout=cached",
            where=key,
        )
    if config.curriculum.by is StageBy.SET and config.curriculum.kind is CurriculumKind.STAGES:
        if not config.data.sets:
            raise ConfigError(
                "stages of data sets need data sets",
                got=f"data.sets={config.data.sets}",
                expected="data.sets=[FIRST, SECOND, ...]",
                where="curriculum.by",
            )
    if config.feedback.attempts > 1 and config.policy.grammar is not GrammarRules.NONE:
        raise ConfigError(
            "a grammar allows one program a completion",
            got=f"policy.grammar={config.policy.grammar.value} with feedback.attempts={config.feedback.attempts}",
            expected="policy.grammar=none, or feedback.attempts=1",
            where="feedback.attempts",
        )
    smallest = min([training.group_size, *config.sampling.group_sizes])
    if config.replay.enabled and config.replay.per_group >= smallest:
        raise ConfigError(
            "replay leaves a group no completion of its own",
            got=f"{config.replay.per_group} of {smallest}",
            expected="replay.per_group below every size of sampling.group_sizes",
            where="replay.per_group",
        )


def _check_climb(evaluation: EvaluationConfig, checkpoint: CheckpointConfig) -> None:
    """Checkpoints of the climb are those of its evaluations."""
    if evaluation.climb_every is not None and evaluation.climb_every < 1:
        raise ConfigError(
            "value out of range",
            got=evaluation.climb_every,
            expected="at least 1",
            where="evaluation.climb_every",
        )
    if checkpoint.keep_climb < 0:
        raise ConfigError(
            "value out of range",
            got=checkpoint.keep_climb,
            expected="at least 0",
            where="checkpoint.keep_climb",
        )
    if checkpoint.keep_climb and evaluation.climb_every is None:
        raise ConfigError(
            "checkpoint.keep_climb waits for evaluations of the climb",
            got="evaluation.climb_every=null",
            expected="evaluation.climb_every=1, or checkpoint.keep_climb=0",
            where="checkpoint.keep_climb",
            hint="evaluation=climb checkpoint=climb",
        )


def _check_pass_at_k(evaluation: EvaluationConfig) -> None:
    if not evaluation.k:
        raise ConfigError(
            "no k of pass@k is named", got="[]", expected="at least one", where="evaluation.k"
        )
    if max(evaluation.k) > evaluation.draws:
        raise ConfigError(
            "pass@k needs at least k draws",
            got=f"k={max(evaluation.k)} with draws={evaluation.draws}",
            expected="evaluation.draws >= every evaluation.k",
            where="evaluation.k",
        )
