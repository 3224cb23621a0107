"""Focal loss for masks."""

from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def focal_mask_loss(
    pred: Tensor, target: Tensor, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Computes the mean focal loss of each mask.

    Lin et al., Focal Loss for Dense Object Detection (ICCV 2017), Eq. 5; by
    mmdet's elementwise form, which also runs on CPU and takes soft targets.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W).
        gamma: how strongly well predicted pixels are weighted down.
        alpha: weight of foreground pixels; background has ``1 - alpha``.

    Returns:
        Mean over the pixels of each RoI, shape (R,).
    """
    loss = py_sigmoid_focal_loss(
        pred, target, gamma=gamma, alpha=alpha, reduction='none'
    )
    return loss.mean(dim=(1, 2))


@MODELS.register_module()
class FocalMaskLoss(RoIMaskLoss):
    """See :func:`focal_mask_loss` and :class:`RoIMaskLoss`.

    ``mmdet.FocalLoss`` fits the mask head too, without the weight per RoI.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float = 0.25,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        self.gamma = gamma
        self.alpha = alpha

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return focal_mask_loss(pred, target, self.gamma, self.alpha)
