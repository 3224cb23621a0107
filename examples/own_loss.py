"""The Tversky loss (arXiv 1706.05721, equation 2) as a mask loss."""

from mmdet.registry import MODELS
from torch import Tensor

from mmseg_plugin.models.losses.roi_mask_loss import RoIMaskLoss


@MODELS.register_module()
class TverskyLoss(RoIMaskLoss):
    """Missed pixels may count more than false ones.

    Args:
        missed: weight of missed pixels; false ones have 1 - missed.
        **kwargs: of :class:`RoIMaskLoss`.
    """

    def __init__(self, missed: float = 0.7, **kwargs) -> None:
        super().__init__(**kwargs)
        self.missed = missed

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        """pred: (R, S, S) logits; target: (R, S, S), 0 or 1."""
        prob = pred.sigmoid()
        hit = (prob * target).sum((1, 2))
        missed = ((1 - prob) * target).sum((1, 2))
        false = (prob * (1 - target)).sum((1, 2))
        wrong = self.missed * missed + (1 - self.missed) * false
        return 1 - (hit + 1) / (hit + wrong + 1)
