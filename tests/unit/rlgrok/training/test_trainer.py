"""The trainer's one update against the equations of docs/methods/grpo.md, computed here from the logits alone.

The library's trainer runs for real, on a batch whose completions are given; what it leaves in the parameters'
gradients is compared with automatic differentiation of equations (3) and (4) written out below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from rlgrok.config import EntropyConfig, EntropyKind, OptimizerConfig, TrainingConfig
from rlgrok.policy import Policy, build_tiny_policy
from rlgrok.training import trainer as trainer_module
from rlgrok.training.idle import skip_backward_when
from rlgrok.training.trainer import Hooks, build_trainer
from rlgrok.types import GrammarRules
from runtime.errors import NonFiniteError

EOS = 1
PROMPTS = ["starts_with two R _ _ _ _ _ :", "exact_sequence two B R _ _ _ _ :"]
COMPLETIONS = [
    [[7, 8, 9, EOS], [7, EOS], [10, 11, 12, 13, 14, EOS], [8, 8, EOS]],
    [[20, EOS], [21, 22, 23, EOS], [24, 25, EOS], [26, 27, 28, 29, EOS]],
]
REWARDS = [[1.0, 0.0, 0.25, 0.5], [0.0, 0.0, 1.0, 0.0]]

TRAINING = TrainingConfig(
    max_steps=1,
    stop_full_pass=None,
    prompts_per_step=2,
    group_size=4,
    temperature=1.0,
    top_p=1.0,
    kl_coef=0.0,
    loss_type="bnpo",
    scale_rewards="group",
    clip_low=0.2,
    clip_high=0.2,
    micro_batch_size=None,
    gradient_checkpointing=False,
    share_prefixes=True,
    rollout="cached",
    rollout_batch_size=2048,
    threads=1,
    stored_rollouts=None,
)
NO_ENTROPY = EntropyConfig(EntropyKind.NONE, 0.0, 0.0, 0.0, 0.0)
# The gradient must come through unclipped, and the weights must stay what they were.
OPTIMIZER = OptimizerConfig(
    learning_rate=1e-12, beta1=0.9, beta2=0.95, weight_decay=0.0, max_grad_norm=1e9, warmup_steps=0
)
IGNORED = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")


class Step:
    """Runs the trainer on the batch above and keeps the gradients and what the hooks were given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[Any, ...]] = []
        self.logs: dict[str, float] = {}
        self.args: Any = None

    def __call__(
        self,
        training: TrainingConfig = TRAINING,
        *,
        entropy: EntropyConfig = NO_ENTROPY,
        optimizer: OptimizerConfig = OPTIMIZER,
        replayed: bool = False,
        rewards: list[list[float | None]] | None = None,
        stop_after: int | None = None,
        grammar: GrammarRules = GrammarRules.NONE,
    ) -> torch.Tensor:
        """The gradient of the last step's loss, all parameters in one row."""
        policy = tiny().restrict(grammar)
        paid = rewards or REWARDS
        place = {tuple(ids): (g, i) for g, group in enumerate(COMPLETIONS) for i, ids in enumerate(group)}

        def rollout(model: Any, texts: list[str], step: int) -> dict[str, list[Any]]:
            self.calls.append(("draw", step))
            groups = [PROMPTS.index(text) for text in texts[:: training.group_size]]
            source = [step - 1 if replayed and i == 3 else None for _ in groups for i in range(4)]
            return {
                "prompt_ids": [policy.encode_prompt(text) for text in texts],
                "completion_ids": [ids for g in groups for ids in COMPLETIONS[g]],
                # What the sampler reports is not what the update uses: anything may stand here.
                "logprobs": [[-9.0] * len(ids) for g in groups for ids in COMPLETIONS[g]],
                "source_step": source,
            }

        rollout.group_size = lambda step: training.group_size  # type: ignore[attr-defined]

        def reward(
            ids: list[list[int]],
            names: list[str],
            source: list[int | None] | None,
            step: int,
            starts: list[int] | None,
            earlier: list[list[list[int]]] | None,
        ) -> list[float | None]:
            assert starts is None and earlier is None  # the sampler above says nothing of attempts
            self.calls.append(("pay", step, tuple(names), tuple(source or ())))
            places = [place[tuple(row)] for row in ids]
            return [paid[g][i] for g, i in places]

        trainer = build_trainer(
            policy=policy,
            prompts=PROMPTS,
            problem_ids=["one", "two"],
            order=[0, 1] * training.max_steps,
            training=training,
            optimizer=optimizer,
            entropy=entropy,
            max_new_tokens=12,
            bfloat16=False,
            checkpoint_every=1,
            output_dir=self.folder,
            seed=0,
            rollout=rollout,  # type: ignore[arg-type]
            reward=reward,  # type: ignore[arg-type]
            hooks=Hooks(
                lambda: self.calls.append(("before",)),
                lambda step: self.calls.append(("after", step)) or step == stop_after,  # type: ignore[func-returns-value]
                self._log,
                lambda step, path: self.calls.append(("save", step, path.name)),
            ),
        )
        self.args = trainer.args
        keeper = _KeepGradients()
        trainer.add_callback(keeper)
        trainer.train()
        return keeper.gradient

    def _log(self, step: int, logs: Any) -> None:
        self.calls.append(("log", step))
        self.logs = dict(logs)


class _KeepGradients(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        rows = [p.grad.flatten() for _, p in sorted(model.named_parameters())]
        self.gradient = torch.cat(rows).clone()
        return control


def tiny() -> Policy:
    return build_tiny_policy(hidden_size=16, num_layers=1, num_heads=2, max_positions=40, seed=0)


def gradient_of(
    loss: Callable[[list[list[tuple[torch.Tensor, torch.Tensor]]]], torch.Tensor],
    grammar: GrammarRules = GrammarRules.NONE,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The gradient of a loss made of every completion's (log-probabilities, entropies) a token, group by group."""
    policy = tiny().restrict(grammar)
    rows = []
    for prompt, group in zip(PROMPTS, COMPLETIONS, strict=True):
        start = policy.encode_prompt(prompt)
        made = []
        for ids in group:
            logits = policy.model(torch.tensor([start + ids])).logits[0, len(start) - 1 : -1]
            logprobs = torch.log_softmax(logits / temperature, dim=-1)
            entropies = -(logprobs.exp() * logprobs).sum(-1)
            made.append((logprobs[range(len(ids)), ids], entropies))
        rows.append(made)
    loss(rows).backward()
    named = sorted(policy.model.named_parameters())
    return torch.cat([parameter.grad.flatten() for _, parameter in named])


def advantages(rewards: list[list[float]]) -> list[list[float]]:
    """Equation (3): sample standard deviation, 1e-4."""
    made = []
    for row in rewards:
        mean = sum(row) / len(row)
        spread = (sum((r - mean) ** 2 for r in row) / (len(row) - 1)) ** 0.5
        made.append([(r - mean) / (spread + 1e-4) for r in row])
    return made


def policy_loss(rows: Any, weights: list[list[float]]) -> torch.Tensor:
    """Equation (4) at a ratio of 1, without the entropy: its gradient is that of -(1/N) sum A log p."""
    flat = [
        weight * made[0].sum()
        for group, row in zip(rows, weights, strict=True)
        for made, weight in zip(group, row, strict=True)
    ]
    return -sum(flat) / sum(len(ids) for group in COMPLETIONS for ids in group)


def mean_entropy(rows: Any) -> torch.Tensor:
    return torch.cat([made[1] for group in rows for made in group]).mean()


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to the rounding of float32 sums of some hundred terms of size 1."""
    assert expected.norm() > 1e-2
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-4)


@IGNORED
@pytest.mark.parametrize("shared", [True, False])
def test_the_update_is_equations_3_and_4(shared: bool, step: Step) -> None:
    found = step(replace(TRAINING, share_prefixes=shared))
    assert_same(found, gradient_of(lambda rows: policy_loss(rows, advantages(REWARDS))))


@IGNORED
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_grammar_masks_the_update(temperature: float, step: Step) -> None:
    """The trainer asks for log-probabilities, not for logits; they must be those of the masked policy."""

    def loss(rows: Any) -> torch.Tensor:
        return policy_loss(rows, advantages(REWARDS))

    found = step(replace(TRAINING, temperature=temperature), grammar=GrammarRules.ACCEPTOR)
    expected = gradient_of(loss, GrammarRules.ACCEPTOR, temperature)
    free = gradient_of(loss, temperature=temperature)
    assert (expected - free).norm() > 0.1 * expected.norm()
    assert_same(found, expected)


@IGNORED
def test_a_replayed_completion_counts_as_on_policy(step: Step) -> None:
    """Its ratio is 1 whatever the sampler's log-probabilities and however old it is."""
    assert_same(
        step(replayed=True), gradient_of(lambda rows: policy_loss(rows, advantages(REWARDS)))
    )
    paid = next(call for call in step.calls if call[0] == "pay")
    assert sorted(map(str, paid[3])) == ["0", "0"] + ["None"] * 6  # what was replayed reaches the reward


@IGNORED
def test_centred_rewards_without_a_spread(step: Step) -> None:
    means = [sum(row) / 4 for row in REWARDS]
    centred = [[r - mean for r in row] for row, mean in zip(REWARDS, means, strict=True)]
    found = step(replace(TRAINING, scale_rewards="none"))
    assert_same(found, gradient_of(lambda rows: policy_loss(rows, centred)))


@IGNORED
def test_a_fixed_entropy_bonus_is_the_mean_entropy_of_a_token(step: Step) -> None:
    found = step(entropy=replace(NO_ENTROPY, kind=EntropyKind.FIXED, coefficient=0.3))
    expected = gradient_of(
        lambda rows: policy_loss(rows, advantages(REWARDS)) - 0.3 * mean_entropy(rows)
    )
    assert_same(found, expected)


@IGNORED
@pytest.mark.parametrize(("target", "applied"), [(9.0, 0.7), (0.1, 0.0)])
def test_an_adaptive_bonus_is_applied_only_below_its_target(
    target: float, applied: float, step: Step
) -> None:
    """Equation (5), from 0.5 by 0.2 a step: after one step 0.7 below the target, 0.3 above; used from step 2 on."""
    entropy = EntropyConfig(EntropyKind.ADAPTIVE, 0.5, target, 0.2, 1.0)
    found = step(replace(TRAINING, max_steps=2), entropy=entropy)
    expected = gradient_of(
        lambda rows: policy_loss(rows, advantages(REWARDS)) - applied * mean_entropy(rows)
    )
    assert_same(found, expected)
    assert step.logs["entropy_coef"] == pytest.approx(0.9 if applied else 0.1)


@IGNORED
@pytest.mark.parametrize(
    ("target", "final", "applied", "coefficient"), [(9.0, 0.1, 0.0, 0.5), (0.1, 9.0, 0.7, 0.9)]
)
def test_a_target_that_moves_is_that_of_the_step(
    target: float, final: float, applied: float, coefficient: float, step: Step
) -> None:
    """Half way at step 1, which either way is above the entropy of any token (ln 59 = 4.08 nats); there at step 2."""
    entropy = EntropyConfig(EntropyKind.ADAPTIVE, 0.5, target, 0.2, 1.0, final, anneal_steps=2)
    found = step(replace(TRAINING, max_steps=2), entropy=entropy)
    expected = gradient_of(
        lambda rows: policy_loss(rows, advantages(REWARDS)) - applied * mean_entropy(rows)
    )
    assert_same(found, expected)
    assert step.logs["entropy_coef"] == pytest.approx(coefficient)


def test_a_moving_target_goes_straight_and_then_stays() -> None:
    moving = EntropyConfig(EntropyKind.ADAPTIVE, 0.5, 0.3, 0.2, 1.0, 0.1, anneal_steps=4)
    assert [moving.target_at(step) for step in (1, 2, 4, 5, 100)] == pytest.approx([0.25, 0.2, 0.1, 0.1, 0.1])
    assert replace(moving, final_target=None).target_at(3) == 0.3


@IGNORED
def test_two_accumulated_halves_are_one_whole(step: Step) -> None:
    """`dapo` counts the tokens of the whole step; `bnpo` averages the halves' own token means: not the same."""
    expected = gradient_of(lambda rows: policy_loss(rows, advantages(REWARDS)))
    assert_same(step(replace(TRAINING, loss_type="dapo")), expected)
    assert_same(step(replace(TRAINING, loss_type="dapo", micro_batch_size=4)), expected)
    halves = step(replace(TRAINING, micro_batch_size=4))
    assert (halves - expected).norm() > 0.01 * expected.norm()


@IGNORED
def test_equal_rewards_train_nothing(step: Step) -> None:
    equal = [[0.5] * 4, [1.0] * 4]
    assert step(rewards=equal).abs().max() == 0.0


@IGNORED
@pytest.mark.parametrize(
    ("rewards", "coefficient", "kept"),
    [
        ([[0.0] * 4, [1.0] * 4], 0.0, False),
        ([[0.0] * 4, [1.0, 1.0, 1.0, 0.5]], 0.0, True),
        ([[0.0] * 4, [1.0, 1.0, 1.0, None]], 0.0, True),
        ([[0.0] * 4, [1.0] * 4], 0.3, True),
    ],
    ids=["idle", "an_advantage", "a_failure", "a_bonus"],
)
def test_only_a_step_without_a_gradient_keeps_nothing_for_the_backward_pass(
    rewards: Any, coefficient: float, kept: bool, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watched(model: Any, is_idle: Callable[[], bool]) -> None:
        skip_backward_when(model, is_idle)
        model.base_model.layers[0].register_forward_hook(
            lambda _, __, hidden: seen.append(hidden.requires_grad)
        )

    monkeypatch.setattr(trainer_module, "skip_backward_when", watched)
    entropy = EntropyConfig(EntropyKind.FIXED, coefficient, 0.0, 0.0, 0.0)
    found = step(rewards=rewards, entropy=entropy)
    assert seen == [kept]
    if not kept:
        assert found.abs().max() == 0.0


@IGNORED
def test_our_own_failure_is_left_out_of_its_group(step: Step) -> None:
    """The others are centred on their own mean, and the unjudged completion trains nothing."""
    found = step(replace(TRAINING, scale_rewards="none"), rewards=[[1.0, None, 0.25, 0.25], [0.0] * 4])
    weights = [[0.5, 0.0, -0.25, -0.25], [0.0] * 4]
    assert_same(found, gradient_of(lambda rows: policy_loss(rows, weights)))


@IGNORED
def test_the_hooks_are_called_in_order_and_a_stop_saves(step: Step) -> None:
    step(replace(TRAINING, max_steps=5), stop_after=2)
    names = [call[:2] if call[0] != "before" else call for call in step.calls]
    one = [("before",), ("draw", 1), ("pay", 1), ("after", 1), ("log", 1), ("save", 1)]
    two = [("before",), ("draw", 2), ("pay", 2), ("after", 2), ("log", 2), ("save", 2)]
    assert names == one + two
    assert step.calls[-1] == ("save", 2, "checkpoint-2")
    assert (step.folder / "checkpoint-2" / "optimizer.pt").is_file()


@IGNORED
def test_a_loss_that_is_not_finite_names_step_and_seed(step: Step) -> None:
    entropy = replace(NO_ENTROPY, kind=EntropyKind.FIXED, coefficient=float("inf"))
    with pytest.raises(NonFiniteError, match=r"(loss|grad_norm) is not finite; got .*step 1, seed 0"):
        step(entropy=entropy)


@IGNORED
def test_every_setting_reaches_the_trainer(step: Step) -> None:
    step(
        replace(TRAINING, temperature=0.7, top_p=0.9, clip_low=0.1, clip_high=0.3, micro_batch_size=2),
        optimizer=OptimizerConfig(1e-12, 0.8, 0.97, 0.01, 5.0, 0),
        entropy=EntropyConfig(EntropyKind.ADAPTIVE, 0.05, 0.25, 0.02, 0.2),
    )
    expected = {
        "max_steps": 1, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "steps_per_generation": 4,
        "num_generations": 4, "num_iterations": 1, "max_completion_length": 12, "temperature": 0.7, "top_p": 0.9,
        "top_k": 0, "beta": 0.0, "loss_type": "bnpo", "scale_rewards": "group", "epsilon": 0.1, "epsilon_high": 0.3,
        "use_adaptive_entropy": True, "entropy_coef": 0.05, "entropy_target": 0.25, "entropy_coef_delta": 0.02,
        "entropy_coef_min": 0.0, "entropy_coef_max": 0.2, "learning_rate": 1e-12, "adam_beta1": 0.8, "adam_beta2": 0.97,
        "weight_decay": 0.01, "max_grad_norm": 5.0, "shuffle_dataset": False, "save_steps": 1, "seed": 0,
        "top_entropy_quantile": 1.0, "mask_truncated_completions": False, "disable_dropout": True,
    }  # fmt: skip
    assert {name: getattr(step.args, name) for name in expected} == expected
