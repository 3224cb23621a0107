"""Binary cross entropy that ignores the pixels near the outline."""

import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def boundary_tolerant_bce_loss(
    pred: Tensor, target: Tensor, band: int = 1
) -> Tensor:
    """Computes BCE over the pixels that are not near the target's outline.

    A pixel is left out if the square of ``2 * band + 1`` pixels around it,
    cut at the frame, holds foreground and background: ``band`` pixels on
    each side of the outline.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W); the outline is where they
            cross 1/2.
        band: pixels of the target's grid (one of 28 across a RoI, not of the
            image); 0 is ordinary BCE.

    Returns:
        Mean over the remaining pixels of each RoI, 0 if none remains,
        shape (R,).
    """
    mask = (target >= 0.5).float()[:, None]
    size = 2 * band + 1
    highest = F.max_pool2d(mask, size, stride=1, padding=band)
    lowest = -F.max_pool2d(-mask, size, stride=1, padding=band)
    counted = (highest == lowest)[:, 0]
    loss = F.binary_cross_entropy_with_logits(pred, target, reduction='none')
    pixels = counted.sum(dim=(1, 2)).clamp(min=1)
    return (loss * counted).sum(dim=(1, 2)) / pixels


@MODELS.register_module()
class BoundaryTolerantBCELoss(RoIMaskLoss):
    """See :func:`boundary_tolerant_bce_loss` and :class:`RoIMaskLoss`.

    Raises:
        ValueError: ``band`` is below 0.
    """

    def __init__(
        self,
        band: int = 1,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        if band < 0:
            raise ValueError(f'band must be at least 0, got {band}')
        self.band = band

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return boundary_tolerant_bce_loss(pred, target, self.band)
