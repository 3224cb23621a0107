"""What the mask losses of RoI heads share: precision and reduction."""

from mmdet.models.losses.utils import weight_reduce_loss
from torch import Tensor, nn

from mmseg_plugin.utils.precision import without_autocast


class RoIMaskLoss(nn.Module):
    """Base of losses that give one value per RoI.

    A subclass computes the (R,) losses in :meth:`loss_by_roi`. They are
    computed in float32, also under autocast and for half-precision input.

    Args:
        loss_weight: factor of the result.
        reduction: ``'mean'`` or ``'sum'`` over the RoIs, or ``'none'``.
    """

    def __init__(self, loss_weight: float = 1.0, reduction: str = 'mean'):
        super().__init__()
        self.loss_weight = loss_weight
        self.reduction = reduction

    def loss_by_roi(self, pred: Tensor, target: Tensor) -> Tensor:
        """Computes the loss of each RoI, unweighted.

        Args:
            pred: mask logits, float32, shape (R, H, W).
            target: share of foreground in [0, 1], float32, (R, H, W).

        Returns:
            Shape (R,).
        """
        raise NotImplementedError

    @without_autocast
    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Computes the weighted and reduced loss.

        Args:
            pred: mask logits of the target class, shape (R, H, W).
            target: masks, 0 or 1, or in between where the head's
                ``soft_mask_target`` is set, shape (R, H, W).
            weight: factor of each RoI, shape (R,).
            avg_factor: what the sum is divided by in place of R.
            reduction_override: takes the place of ``reduction``.

        Returns:
            float32 scalar, zero and part of the graph if R is 0; shape (R,)
            with reduction ``'none'``.

        Raises:
            ValueError: the shapes of ``pred`` and ``target`` differ, or
                ``avg_factor`` is given with reduction ``'sum'``.
        """
        if pred.shape != target.shape:
            raise ValueError(
                f'pred {tuple(pred.shape)} and target {tuple(target.shape)} '
                'must have the same shape (R, H, W)'
            )
        reduction = reduction_override or self.reduction
        pred = pred.float()
        if len(pred) == 0 and reduction != 'none':
            return pred.sum()
        loss = self.loss_by_roi(pred, target.float())
        return self.loss_weight * weight_reduce_loss(
            loss, weight, reduction, avg_factor
        )
