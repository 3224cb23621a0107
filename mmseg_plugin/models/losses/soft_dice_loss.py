"""Soft dice loss."""

from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def soft_dice_loss(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """Computes ``1 - (2 * |p & y| + eps) / (|p| + |y| + eps)`` of each mask.

    The sums are linear, not squared as in V-Net, and ``eps`` is in both parts
    of the fraction: the same as ``mmdet.DiceLoss(naive_dice=True, eps=1e-6)``.
    An empty target gives nearly 1 with almost no gradient, whatever is
    predicted.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W).
        eps: keeps the fraction defined for empty masks.

    Returns:
        Loss of each RoI in [0, 1], shape (R,).
    """
    prob = pred.sigmoid()
    intersection = (prob * target).sum(dim=(1, 2))
    area = prob.sum(dim=(1, 2)) + target.sum(dim=(1, 2))
    return 1 - (2 * intersection + eps) / (area + eps)


@MODELS.register_module()
class SoftDiceLoss(RoIMaskLoss):
    """See :func:`soft_dice_loss` and :class:`RoIMaskLoss`."""

    def __init__(
        self,
        eps: float = 1e-6,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        self.eps = eps

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return soft_dice_loss(pred, target, self.eps)
