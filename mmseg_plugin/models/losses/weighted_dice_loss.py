"""Dice loss of several predictions for the same target."""

from torch import Tensor, nn

from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils.precision import at_least_float32


def weighted_dice_loss(
    pred: Tensor, target: Tensor, eps: float = 1e-8
) -> Tensor:
    """``1 - 2 |p y| / (|p^2| + |y^2|)`` of each prediction.

    "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720), equation 5; the denominator is that of V-Net.

    Args:
        pred: logits (N, K, h, w), K for each target.
        target: (N, h, w) in [0, 1].
        eps: least denominator.

    Returns:
        (N, K).
    """
    prob = at_least_float32(pred).sigmoid().flatten(2)
    target = target.flatten(1).to(prob.dtype)
    overlap = (prob @ target[:, :, None])[..., 0]
    total = prob.square().sum(2) + target.square().sum(1, keepdim=True)
    return 1 - 2 * overlap / total.clamp(min=eps)


@MODELS.register_module()
class WeightedDiceLoss(nn.Module):
    """Weighted sum of :func:`weighted_dice_loss`.

    Args:
        loss_weight: factor of the loss.
        eps: see :func:`weighted_dice_loss`.
    """

    def __init__(self, loss_weight: float = 3.0, eps: float = 1e-8) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor,
        avg_factor: Tensor | float,
    ) -> Tensor:
        """Scalar; zero that keeps the graph if there is nothing.

        Args:
            pred: logits (N, K, h, w).
            target: (N, h, w) in [0, 1].
            weight: (N, K), share of each prediction in its target's loss.
            avg_factor: number by which the sum is divided.
        """
        loss = (weight * weighted_dice_loss(pred, target, self.eps)).sum()
        return self.loss_weight * loss / avg_factor
