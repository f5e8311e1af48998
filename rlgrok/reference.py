"""Makes the tiny reference policy: supervised fine-tuning on basic families, then proof that it fails on the target.

Built from scratch in about a minute on one core, cached by a hash of everything it depends on. A base with a success
among its proof draws is refused and rebuilt from the next seed of its stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from rlgrok.config import ReferenceConfig
from rlgrok.corpus import Corpus, build_corpus
from rlgrok.passk import pass_at_k, pooled_upper
from rlgrok.policy import Policy, build_tiny_policy, load_policy, save_policy
from rlgrok.rewards import is_success, require_verdict
from rlgrok.sampling import complete
from rlgrok.training.verification import Verifier
from rlgrok.types import GrammarRules, Problem, PromptStyle
from runtime.errors import StorageError, UntrustworthyError
from runtime.progress import TrainingView
from runtime.seeding import Stream
from runtime.settings import as_plain
from runtime.storage import content_hash, damage, read_json

RECIPE_VERSION = 2
"""Part of the cache key: raise it when the code below makes a different policy from the same config."""
FOUR_COLORS_VERSION = 2
"""The same for what only a corpus of four colours has."""
FEEDBACK_VERSION = 2
"""The same for what only a corpus with feedback has, so that the other policies keep their keys."""
INFO_FILE = "reference.json"
PROMPT_TOKENS = 16
"""Room for the prompt in the position table; the compact prompt has 9 tokens."""
WINDOW = 8
"""Batches that are sorted by length together: a third of the time of unsorted ones goes into padding."""
IGNORED = -100
"""The label of a token that is not learned, in the libraries' convention."""
PROOF_BATCH = 2048
"""Rows decoded at once in the proof: the fastest of 512, 2048 and 8192 on one core."""


@dataclass(frozen=True)
class Proof:
    """What the draws of a base on the target problems showed."""

    k: int
    draws: int
    successes: int
    value: float
    """Unbiased pass@k, mean over problems."""
    upper95: float
    """Exact one-sided 95 % bound of the mean pass@k."""
    problems: int

    def summary(self) -> dict[str, Any]:
        """The `base_pass_at_k` entry of a training run's summary."""
        return asdict(self)


@dataclass(frozen=True)
class Reference:
    """The policy with where it lies and how it was made."""

    policy: Policy
    folder: Path
    proof: Proof
    info: dict[str, Any]
    """corpus size, dropped programs, final loss, refused attempts."""


def reference_key(
    config: ReferenceConfig,
    *,
    colors: str,
    targets: Sequence[Problem],
    max_new_tokens: int,
    grammar: GrammarRules,
    seed: int,
) -> str:
    """Hash of everything the policy depends on; names its folder in the cache."""
    parts = {
        "recipe": RECIPE_VERSION,
        "config": as_plain(config),
        "colors": colors,
        # The tests are part of it: the proof was drawn against them.
        "targets": [(problem.id, [asdict(test) for test in problem.tests]) for problem in targets],
        "max_new_tokens": max_new_tokens,
        "grammar": grammar,
        "seed": seed,
    }
    if colors == "four":
        parts["four"] = FOUR_COLORS_VERSION
    if config.feedback_share:
        parts["feedback"] = FEEDBACK_VERSION
    return content_hash(json.dumps(parts, sort_keys=True)).removeprefix("sha256:")[:24]


def get_reference(
    config: ReferenceConfig,
    *,
    targets: Sequence[Problem],
    prompts: Sequence[str],
    verifier: Verifier,
    colors: str,
    max_new_tokens: int,
    grammar: GrammarRules,
    seed: int,
    device: str,
    cache: Path,
    rebuild: bool,
    view: TrainingView,
    on_event: Callable[..., None],
) -> Reference:
    """The reference policy for these targets and this seed: from the cache, or built, proved and cached.

    Args:
        config: shape, corpus, training and proof.
        targets: every problem, training and held-out, on which it must fail.
        prompts: of the targets.
        verifier: judges the proof draws.
        colors: `two` or `four`.
        max_new_tokens: longest completion.
        grammar: what the policy may write in its proof.
        seed: root of its streams.
        device: where it is trained and returned.
        cache: folder of cached references.
        rebuild: build it even if cached.
        view: progress.
        on_event: receives `base_refused` and `reference_built` with their fields.

    Raises:
        UntrustworthyError: every attempt had a success among its proof draws.
    """
    key = reference_key(
        config,
        colors=colors,
        targets=targets,
        max_new_tokens=max_new_tokens,
        grammar=grammar,
        seed=seed,
    )
    folder = cache / key
    if not rebuild and folder.exists() and damage(folder) is None:
        return load_reference(folder, device)
    stream = Stream(seed, "reference")
    refused = []
    for attempt in range(config.max_rebuilds + 1):
        tried = stream.child("attempt", attempt)
        policy, info = _train(config, targets, colors, max_new_tokens, tried, device, view)
        proof = prove(
            policy.restrict(grammar),
            prompts=prompts,
            problems=targets,
            verifier=verifier,
            draws=config.proof_draws,
            k=config.proof_k,
            max_new_tokens=max_new_tokens,
            seed=tried.child("proof").seed,
            view=view,
        )
        if proof.successes == 0:
            info |= {"attempt": attempt, "refused": refused, "proof": proof.summary(), "seed": seed}
            policy.source = "reference"
            try:
                # Another run may have made the same one meanwhile, and a third be reading it.
                if rebuild or damage(folder) is not None:
                    save_policy(policy, folder, {INFO_FILE: info})
            except StorageError as error:
                # A read-only or full cache costs the next run a rebuild, not this run its policy.
                on_event("warning", name="reference_not_cached", message=str(error))
                view.note("warning", f"the reference policy could not be cached: {error}")
            on_event("reference_built", key=key, attempt=attempt, **info["proof"])
            return Reference(policy, folder, proof, info)
        refused.append(proof.summary())
        on_event("base_refused", attempt=attempt, successes=proof.successes, draws=proof.draws)
        view.note(
            "reference", f"base refused: {proof.successes} of {proof.draws} draws solve a target"
        )
    raise UntrustworthyError(
        "no reference policy fails on the target",
        got=f"{len(refused)} bases, each with successes among its proof draws",
        expected="0 successes",
        where="reference.max_rebuilds",
        hint="lower reference.rewire_probability or reference.rewired_share, or choose a harder target",
    )


def prove(
    policy: Policy,
    *,
    prompts: Sequence[str],
    problems: Sequence[Problem],
    verifier: Verifier,
    draws: int,
    k: int,
    max_new_tokens: int,
    seed: int,
    view: TrainingView,
) -> Proof:
    """Draw completions on every problem, as many on each, and bound pass@k.

    Args:
        policy: sampled at temperature 1.
        prompts: of the problems.
        problems: what the completions should solve.
        verifier: says whether they do, by the problems' tests.
        draws: in all; rounded up to the same number, and at least k, on each problem.
        k: of pass@k.
        max_new_tokens: longest completion.
        seed: of the draws.
        view: progress.

    Raises:
        InfrastructureError: the verifier failed on a completion, so nothing is proved.
    """
    per_problem = max(k, -(-draws // len(problems)))
    total = per_problem * len(problems)
    with view.task("drawing on the target", total) as task:
        completions = complete(
            policy,
            prompts,
            num_per_prompt=per_problem,
            max_new_tokens=max_new_tokens,
            seed=seed,
            batch_size=PROOF_BATCH,
            on_batch=task.advance,
        )
    counts = [0] * len(problems)
    for index, completion in enumerate(completions):
        problem = index // per_problem
        name = problems[problem].id
        verdict = require_verdict(verifier.verify(name, completion), name)
        counts[problem] += is_success(verdict, is_truncated=completion.is_truncated)
    return Proof(
        k=k,
        draws=total,
        successes=sum(counts),
        value=sum(pass_at_k(per_problem, count, k) for count in counts) / len(counts),
        upper95=pooled_upper(counts, [per_problem] * len(problems), k),
        problems=len(problems),
    )


def _train(
    config: ReferenceConfig,
    targets: Sequence[Problem],
    colors: str,
    max_new_tokens: int,
    stream: Stream,
    device: str,
    view: TrainingView,
) -> tuple[Policy, dict[str, Any]]:
    corpus = build_corpus(
        families=config.families,
        max_length=config.max_length,
        colors=colors,
        size=config.steps * config.batch_size,
        rewired_share=config.rewired_share,
        rewire_probability=config.rewire_probability,
        canonical=config.canonical,
        targets=targets,
        stream=stream.child("corpus"),
        feedback_share=config.feedback_share,
    )
    policy = build_tiny_policy(
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        max_positions=PROMPT_TOKENS + max_new_tokens,
        feedback=config.feedback_share > 0,
        seed=stream.child("weights").seed,
    )
    policy.model.to(device)
    loss = _fine_tune(policy, corpus, config, stream.child("fine-tuning"), view)
    policy.model.eval()
    info = {"corpus_size": len(corpus.examples), "corpus_dropped": corpus.num_dropped, "loss": loss}
    return policy, info


def _fine_tune(
    policy: Policy, corpus: Corpus, config: ReferenceConfig, stream: Stream, view: TrainingView
) -> float:
    """Supervised fine-tuning on the completions of a corpus, one pass; returns the mean loss, nats a token."""
    import tempfile

    end = policy.tokenizer.eos_token_id
    prompts = policy.tokenizer([prompt for prompt, _ in corpus.examples])["input_ids"]
    programs = policy.tokenizer([text for _, text in corpus.examples])["input_ids"]
    for index, given in corpus.given.items():
        prompts[index] = [*prompts[index], *policy.tokenizer(given)["input_ids"]]
    pairs = list(zip(prompts, programs, strict=True))
    order = _by_length(
        [len(prompt) + len(program) for prompt, program in pairs],
        config.batch_size,
        stream.child("order"),
    )
    rows = [
        {
            "input_ids": [*pairs[index][0], *pairs[index][1], end],
            "labels": [*[IGNORED] * len(pairs[index][0]), *pairs[index][1], end],
        }
        for index in order
    ]
    seed = stream.seed32
    with (
        tempfile.TemporaryDirectory() as scratch,
        view.task("training the reference policy", config.steps) as task,
    ):
        trainer = Trainer(
            model=policy.model,
            processing_class=policy.tokenizer,
            train_dataset=rows,
            data_collator=partial(_pad, pad_id=policy.tokenizer.pad_token_id),
            args=TrainingArguments(
                output_dir=scratch,
                max_steps=config.steps,
                per_device_train_batch_size=config.batch_size,
                gradient_accumulation_steps=1,
                learning_rate=config.learning_rate,
                lr_scheduler_type="linear",
                warmup_steps=min(20, config.steps // 10),
                optim="adamw_torch",
                adam_beta1=0.9,
                adam_beta2=0.95,
                adam_epsilon=1e-8,
                weight_decay=0.0,
                max_grad_norm=1.0,
                train_sampling_strategy="sequential",
                remove_unused_columns=False,
                use_cpu=policy.device.type == "cpu",
                bf16=False,
                activation_checkpointing=False,
                dataloader_pin_memory=policy.device.type != "cpu",
                seed=seed,
                data_seed=seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            callbacks=[_Advance(task.advance)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        return float(trainer.train().training_loss)


def _by_length(lengths: Sequence[int], batch_size: int, stream: Stream) -> list[int]:
    """An order in which examples of a batch are about equally long, so that little is computed on padding.

    Examples are sorted within windows of `WINDOW` batches, and the batches of a window shuffled.
    """
    order: list[int] = []
    size = WINDOW * batch_size
    for start in range(0, len(lengths), size):
        window = sorted(range(start, min(start + size, len(lengths))), key=lengths.__getitem__)
        batches = [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
        order += [index for batch in stream.shuffled(batches) for index in batch]
    return order


def _pad(rows: Sequence[Mapping[str, list[int]]], *, pad_id: int) -> dict[str, torch.Tensor]:
    """A batch padded on the right; no attention mask: what comes after a row's end changes nothing before it."""
    return {
        name: torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(row[name]) for row in rows], batch_first=True, padding_value=value
        )
        for name, value in (("input_ids", pad_id), ("labels", IGNORED))
    }


class _Advance(TrainerCallback):
    """Moves a progress bar."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ANN001, ANN003, ANN202 - library's signature
        self._advance(1)
        return control


def load_reference(folder: Path, device: str) -> Reference:
    """A policy that was saved with its proof.

    Raises:
        InputError: the folder is incomplete.
    """
    info = read_json(folder / INFO_FILE)
    policy = load_policy(str(folder), prompt=PromptStyle.COMPACT, device=device, dtype="float32")
    policy.source = "reference"
    return Reference(policy, folder, Proof(**info["proof"]), info)
