"""Generalized cross entropy for masks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import MODELS

from .roi_mask_loss import RoIMaskLoss


def generalized_cross_entropy_loss(
    pred: Tensor, target: Tensor, q: float = 0.7
) -> Tensor:
    """Computes ``(1 - p_y**q) / q`` with p_y the probability of the target.

    Eq. 6 of Zhang and Sabuncu, Generalized Cross Entropy Loss for Training
    Deep Neural Networks with Noisy Labels (NeurIPS 2018), for two classes.
    Between BCE (q towards 0) and the mean absolute error (q = 1): the higher
    q, the less a confidently contradicted pixel pulls.

    Args:
        pred: logits, shape (R, H, W).
        target: masks in [0, 1], shape (R, H, W).
        q: exponent in (0, 1].

    Returns:
        Mean over the pixels of each RoI, in [0, 1 / q], shape (R,).
    """
    foreground = -torch.expm1(q * F.logsigmoid(pred)) / q
    background = -torch.expm1(q * F.logsigmoid(-pred)) / q
    loss = target * foreground + (1 - target) * background
    return loss.mean(dim=(1, 2))


@MODELS.register_module()
class GeneralizedCrossEntropyLoss(RoIMaskLoss):
    """See :func:`generalized_cross_entropy_loss` and :class:`RoIMaskLoss`.

    Raises:
        ValueError: ``q`` is not in (0, 1].
    """

    def __init__(
        self,
        q: float = 0.7,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
    ):
        super().__init__(loss_weight, reduction)
        if not 0 < q <= 1:
            raise ValueError(f'q must be in (0, 1], got {q}')
        self.q = q

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        return generalized_cross_entropy_loss(pred, target, self.q)
