"""Symmetric cross entropy for masks."""

import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def symmetric_bce_loss(
    pred: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
) -> Tensor:
    """Computes ``alpha * BCE(p, y) + beta * BCE(y, p)``.

    Eq. 7 of Wang et al., Symmetric Cross Entropy for Robust Learning with
    Noisy Labels (ICCV 2019), for two classes. The reverse term has the
    target inside the logarithm; for a binary target it is
    ``-log_zero * |p - y|``.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W).
        alpha: factor of the ordinary term.
        beta: factor of the reverse term.
        log_zero: stands for log(0), the paper's A; below 0.

    Returns:
        Mean over the pixels of each RoI, shape (R,).
    """
    prob = pred.sigmoid()
    forward = F.binary_cross_entropy_with_logits(
        pred, target, reduction='none'
    )
    reverse = -(
        prob * target.log().clamp(min=log_zero)
        + (1 - prob) * (1 - target).log().clamp(min=log_zero)
    )
    return (alpha * forward + beta * reverse).mean(dim=(1, 2))


@MODELS.register_module()
class SymmetricBCELoss(RoIMaskLoss):
    """See :func:`symmetric_bce_loss` and :class:`RoIMaskLoss`.

    Raises:
        ValueError: ``log_zero`` is not below 0.
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_zero: float = -4.0,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        if not log_zero < 0:
            raise ValueError(f'log_zero must be below 0, got {log_zero}')
        self.alpha = alpha
        self.beta = beta
        self.log_zero = log_zero

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return symmetric_bce_loss(
            pred, target, self.alpha, self.beta, self.log_zero
        )
