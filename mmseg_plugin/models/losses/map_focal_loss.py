"""Focal loss of dense maps with soft targets."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils.precision import at_least_float32

# Values that a core's cache holds, with all that is computed of them.
CACHED = 2**16


class _FocalSum(torch.autograd.Function):
    """Sum of the losses, which keeps nothing but its gradient."""

    @staticmethod
    def forward(
        ctx: Any, pred: Tensor, target: Tensor, gamma: float, alpha: float
    ) -> Tensor:
        flat = pred.flatten()
        slope = torch.empty_like(flat)
        step = CACHED if flat.device.type == 'cpu' else max(len(flat), 1)
        sums = [flat.new_zeros(())]
        for logits, wanted, out in zip(
            *(part.split(step) for part in (flat, target.flatten(), slope)),
            strict=True,
        ):
            loss, grad = _losses(logits, wanted, gamma, alpha)
            sums.append(loss.sum())
            out.copy_(grad)
        ctx.save_for_backward(slope.view(pred.shape))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * grad, None, None, None


def _losses(
    logits: Tensor, target: Tensor, gamma: float, alpha: float
) -> tuple[Tensor, Tensor]:
    """Loss and derivative of each value.

    With ``p`` the probability, ``b`` the cross entropy and ``m = p + t -
    2 p t`` how much is missed, the loss is ``w b m^gamma``; ``b' = p - t``
    and ``m' = (1 - 2 t) p (1 - p)``.
    """
    prob = logits.sigmoid()
    # No digits are lost between terms where the target is 0 or 1.
    entropy = F.softplus(-logits.abs())
    entropy += logits.relu().addcmul_(logits, target, value=-1)
    sign = 1 - 2 * target
    missed = torch.addcmul(target, prob, sign)
    weight = 1 - alpha + (2 * alpha - 1) * target
    share = weight * missed**gamma
    slope = (prob - target).mul_(share)
    if gamma:
        # A negative power of nothing is infinite.
        least = torch.finfo(missed.dtype).tiny
        weight *= missed.clamp_(min=least) ** (gamma - 1)
        weight *= sign.mul_(prob.addcmul_(prob, prob, value=-1))
        slope.addcmul_(weight, entropy, value=gamma)
    return entropy.mul_(share), slope


def map_focal_loss(
    pred: Tensor, target: Tensor, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Sum of the focal losses of all values.

    Lin et al., "Focal Loss for Dense Object Detection" (arXiv 1708.02002),
    equation 5, with targets between 0 and 1 as mmdet's ``FocalLoss`` takes
    them. Loss and gradient are computed at once, as much as a CPU's cache
    holds at a time: maps of places are large and nearly empty.

    Args:
        pred: logits, any shape.
        target: in [0, 1], of the same shape; gets no gradient.
        gamma: how strongly what is predicted well is weighted down.
        alpha: weight of positives; negatives have ``1 - alpha``.

    Returns:
        Scalar.
    """
    pred = at_least_float32(pred)
    return _FocalSum.apply(pred, target.to(pred.dtype), gamma, alpha)


@MODELS.register_module()
class MapFocalLoss(nn.Module):
    """:func:`map_focal_loss`, divided by a number.

    Args:
        gamma: see :func:`map_focal_loss`.
        alpha: see :func:`map_focal_loss`.
        loss_weight: factor of the loss.
    """

    def __init__(
        self, gamma: float = 2.0, alpha: float = 0.25, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha
        self.loss_weight = loss_weight

    def forward(
        self, pred: Tensor, target: Tensor, avg_factor: Tensor | float
    ) -> Tensor:
        """Scalar.

        Args:
            pred: logits, any shape.
            target: in [0, 1], of the same shape.
            avg_factor: number by which the sum is divided.
        """
        total = map_focal_loss(pred, target, self.gamma, self.alpha)
        return self.loss_weight * total / avg_factor
