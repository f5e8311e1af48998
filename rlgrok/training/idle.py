"""Steps whose gradient is zero: no activation is kept for it, and nothing goes backward through the model.

Where every group's rewards are equal, as on the plateau of a binary reward, no completion has an advantage; with the
entropy bonus at rest and no KL term the loss then has no gradient at all. The forward pass still runs, for the
entropy that the controller of the bonus goes by, and every parameter gets a gradient of exactly zero, so that
momentum, weight decay and clipping do what they would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel


def has_advantage(rewards: Sequence[float | None], group_size: int) -> bool:
    """True where some completion's reward differs from its group's mean, in the arithmetic of the trainer.

    Args:
        rewards: groups of `group_size` stand together; None, a verdict that failed, counts as different.
        group_size: completions of a group.
    """
    if None in rewards:
        return True
    groups = torch.tensor(rewards, dtype=torch.float32).view(-1, group_size)
    # A mean of equal numbers can be off by a rounding, which the trainer divides by a spread of 0.0001.
    return bool((groups - groups.mean(dim=1, keepdim=True)).any())


def skip_backward_when(model: PreTrainedModel, is_idle: Callable[[], bool]) -> None:
    """Make the backbone's forward passes keep nothing for a backward pass while `is_idle()`, from now on.

    Attach it after whatever else is hooked to the backbone, so that it is the last to see the hidden states.

    Args:
        model: trained by a loss whose gradient is zero whenever `is_idle()`.
        is_idle: asked before each forward pass with gradients.
    """
    backbone = model.base_model
    begun: list[bool] = []

    def begin(_: object, __: object, ___: object) -> None:
        begun.append(torch.is_grad_enabled() and is_idle())
        if begun[-1]:
            torch.set_grad_enabled(False)

    def end(_: object, __: object, ___: object, output: Any) -> Any:  # noqa: ANN401
        if begun and begun.pop():
            torch.set_grad_enabled(True)
            if output is not None:
                trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
                zero = torch.stack([(parameter * 0).sum() for parameter in trained]).sum()
                output.last_hidden_state = output.last_hidden_state + zero
        return output

    backbone.register_forward_pre_hook(begin, with_kwargs=True)
    backbone.register_forward_hook(end, with_kwargs=True, always_call=True)
