"""`toolkit rl reference`, top to bottom: problems, the tiny reference policy, its proof, summary.

A training run does the same as its first step and finds what was made here by its content; nothing else is shared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rlgrok.config import TrainConfig
from rlgrok.evaluation.sources import POLICY_FOLDER
from rlgrok.policy import save_policy
from rlgrok.problems import build_problems
from rlgrok.reference import INFO_FILE, get_reference
from rlgrok.training.verification import Verifier
from runtime.devices import DeviceClaim
from runtime.errors import ConfigError
from runtime.progress import TrainingView
from runtime.run import Run
from runtime.storage import damage


def make_reference(
    config: TrainConfig,
    *,
    run: Run,
    view: TrainingView,
    claim: DeviceClaim,
    cache: Path,
    rebuild: bool,
) -> dict[str, Any]:
    """Build the reference policy that a training run of this config starts from, or find it in the cache.

    Args:
        config: of the training run.
        run: receives the events and `summary.json`.
        view: shows progress.
        claim: the device, and the threads when the config leaves them open.
        cache: folder of cached reference policies.
        rebuild: build it although it is cached.

    Returns:
        `folder` of the policy, `seed`, `num_parameters`, `final_loss` and the rest of what is known about the
        corpus, and the proof as `base_pass_at_k`.

    Raises:
        ConfigError: the experiment starts from another policy.
        UntrustworthyError: no reference policy could be proved to fail.
    """
    if config.policy.source != "reference":
        raise ConfigError(
            "this experiment does not start from the reference policy",
            got=config.policy.source,
            expected="reference",
            where="policy.source",
        )
    torch.set_num_threads(config.training.threads or claim.threads)
    scope, data = build_problems(config.data, seed=config.seed)
    targets = (*data.train, *data.heldout)
    reference = get_reference(
        config.reference,
        targets=targets,
        prompts=[scope.render_prompt(problem, config.policy.prompt) for problem in targets],
        verifier=Verifier(scope, {problem.id: problem for problem in targets}),
        colors=config.data.colors.value,
        max_new_tokens=config.policy.max_new_tokens,
        grammar=config.policy.grammar,
        seed=config.seed,
        device=claim.device,
        cache=cache,
        rebuild=rebuild,
        view=view,
        on_event=run.event,
    )
    folder = reference.folder
    if (
        damage(folder) is not None
    ):  # the cache took nothing, as the warning says: the run keeps the policy
        folder = run.path / POLICY_FOLDER
        save_policy(reference.policy, folder, {INFO_FILE: reference.info})
    known = {key: value for key, value in reference.info.items() if key != "proof"}
    summary = {
        **known,
        "folder": str(folder),
        "seed": config.seed,
        "num_parameters": reference.policy.num_parameters(),
        "base_pass_at_k": reference.proof.summary(),
    }
    run.write_summary(summary)
    return summary
