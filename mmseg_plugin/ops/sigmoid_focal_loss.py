"""Focal loss of independent classes ("Focal Loss", arXiv 1708.02002)."""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

_TINY = torch.finfo(torch.float32).tiny


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """The loss of every logit.

    Args:
        input: logits (N, C).
        target: class of each row, int64 (N,); C for none of them.
        weight: of each class, (C,), or empty.
        output: written to, (N, C).
        gamma: exponent of the error.
        alpha: weight of the class that is there; the others have the rest.
    """
    p, is_class = _probabilities(input, target)
    there = -alpha * (1 - p) ** gamma * p.clamp(min=_TINY).log()
    rest = -(1 - alpha) * p**gamma * (1 - p).clamp(min=_TINY).log()
    loss = there.where(is_class, rest)
    output.copy_(loss * class_weights(weight, target)[:, None])


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Writes the derivative of each loss by its logit to ``grad_input``.

    Args as of :func:`sigmoid_focal_loss_forward`.
    """
    p, is_class = _probabilities(input, target)
    q = 1 - p
    there = -alpha * q**gamma * (q - gamma * p * p.clamp(min=_TINY).log())
    rest = gamma * q * q.clamp(min=_TINY).log() - p
    rest = -(1 - alpha) * p**gamma * rest
    grad = there.where(is_class, rest)
    grad_input.copy_(grad * class_weights(weight, target)[:, None])


def _probabilities(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities, and which of them are of the target's class."""
    classes = torch.arange(input.shape[1], device=input.device)
    return at_least_float32(input).sigmoid(), target[:, None] == classes


def class_weights(weight: Tensor, target: Tensor) -> Tensor:
    """Weight of each target (N,), ones if there are none."""
    if not weight.numel():
        return weight.new_ones(len(target))
    return weight[target.clamp(0, len(weight) - 1)]
