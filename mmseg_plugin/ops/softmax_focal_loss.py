"""Focal loss of exclusive classes ("Focal Loss", arXiv 1708.02002)."""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .sigmoid_focal_loss import class_weights

_TINY = torch.finfo(torch.float32).tiny


def softmax_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """The loss of every row.

    Args:
        input: probabilities (N, C).
        target: class of each row, int64 (N,); negative for no loss.
        weight: of each class, (C,), or empty.
        output: written to, (N,).
        gamma: exponent of the error.
        alpha: weight of the whole.
    """
    p = _of_target(input, target)
    loss = -alpha * (1 - p) ** gamma * p.clamp(min=_TINY).log()
    loss = loss * class_weights(weight, target)
    output.copy_(loss.where(target >= 0, 0))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Writes the derivative of each row's loss by its logits.

    Args as of :func:`softmax_focal_loss_forward`, and:

    Args:
        buff: written to, (N,): the factor that a row's logits share.
        grad_input: written to, (N, C).
    """
    p = _of_target(input, target)
    q = 1 - p
    steep = gamma * q ** (gamma - 1) * p * p.clamp(min=_TINY).log()
    factor = alpha * (steep - q**gamma) * class_weights(weight, target)
    buff.copy_(factor.where(target >= 0, 0))
    classes = torch.arange(input.shape[1], device=input.device)
    is_class = (target[:, None] == classes).to(p.dtype)
    grad_input.copy_(buff[:, None] * (is_class - input))


def _of_target(input: Tensor, target: Tensor) -> Tensor:
    """Probability of each row's class (N,)."""
    picked = input.gather(1, target.clamp(min=0)[:, None])
    return at_least_float32(picked[:, 0])
