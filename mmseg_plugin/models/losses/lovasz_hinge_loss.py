"""Lovasz hinge: a convex surrogate of the Jaccard loss."""

import torch
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def lovasz_hinge_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Computes the Lovasz extension of 1 - IoU at the hinge errors.

    Berman et al., The Lovasz-Softmax Loss: A Tractable Surrogate for the
    Optimization of the Intersection-over-Union Measure (CVPR 2018), Eq. 8
    and 9 and Algorithm 1, one RoI at a time.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], cut at 1/2, shape (R, H, W).

    Returns:
        Loss of each RoI, at least 0, shape (R,).
    """
    mask = (target >= 0.5).float().flatten(1)
    errors = 1 - pred.flatten(1) * (2 * mask - 1)
    errors, order = errors.sort(dim=1, descending=True)
    mask = mask.gather(1, order)
    # Jaccard loss if the first i pixels, the worst, are the wrong ones.
    area = mask.sum(dim=1, keepdim=True)
    intersection = area - mask.cumsum(dim=1)
    union = area + (1 - mask).cumsum(dim=1)
    jaccard = 1 - intersection / union
    steps = torch.diff(jaccard, dim=1, prepend=torch.zeros_like(area))
    return (errors.relu() * steps).sum(dim=1)


@MODELS.register_module()
class LovaszHingeLoss(RoIMaskLoss):
    """See :func:`lovasz_hinge_loss` and :class:`RoIMaskLoss`."""

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return lovasz_hinge_loss(pred, target)
