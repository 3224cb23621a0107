"""Binary cross entropy with smoothed masks."""

import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def label_smoothing_bce_loss(
    pred: Tensor, target: Tensor, smoothing: float = 0.05
) -> Tensor:
    """Computes BCE against ``target * (1 - smoothing) + smoothing / 2``.

    Its lowest value is above zero: 0.117 for ``smoothing=0.05``, reached at
    the logits +-3.66.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W).
        smoothing: share of the target replaced by 1/2; 0 is ordinary BCE.

    Returns:
        Mean over the pixels of each RoI, shape (R,).
    """
    smooth = target * (1 - smoothing) + 0.5 * smoothing
    loss = F.binary_cross_entropy_with_logits(pred, smooth, reduction='none')
    return loss.mean(dim=(1, 2))


@MODELS.register_module()
class LabelSmoothingBCELoss(RoIMaskLoss):
    """See :func:`label_smoothing_bce_loss` and :class:`RoIMaskLoss`.

    Raises:
        ValueError: ``smoothing`` is not in [0, 1].
    """

    def __init__(
        self,
        smoothing: float = 0.05,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        if not 0 <= smoothing <= 1:
            raise ValueError(f'smoothing must be in [0, 1], got {smoothing}')
        self.smoothing = smoothing

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return label_smoothing_bce_loss(pred, target, self.smoothing)
