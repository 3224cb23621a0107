"""Dice loss of several predictions for the same target."""

import torch
from torch import Tensor, nn

from mmseg_plugin.models.losses.map_losses import LossesOfMaps, Saved
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches
from mmseg_plugin.structures.map_chunks import MapChunks, map_budget
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


class DiceSums:
    """``|p y|`` and ``|p^2|`` of K maps for each target.

    A :class:`MapLoss` of maps that lie target by target.

    Args:
        targets: (P, N) in [0, 1].
        each: K.
    """

    num_values = 2
    again = True

    def __init__(self, targets: Tensor, each: int) -> None:
        self.targets = targets
        self.each = each

    def forward(
        self, maps: Tensor, image: int, rows: slice
    ) -> tuple[Tensor, Saved]:
        prob, target = self._probabilities(maps, rows)
        overlap = (prob @ target[:, :, None]).flatten()
        norm = torch.linalg.vector_norm(prob, dim=2).flatten()
        return torch.stack((overlap, norm.square())), ()

    def backward(
        self, saved: Saved, grad: Tensor, image: int, rows: slice
    ) -> Tensor:
        (maps,) = saved
        prob, target = self._probabilities(maps, rows)
        of_overlap, of_square = grad.view(2, -1, self.each, 1)
        # p' = p (1 - p)
        slope = torch.addcmul(prob, prob, prob, value=-1)
        prob *= 2 * of_square
        prob.addcmul_(of_overlap, target[:, None])
        return slope.mul_(prob).flatten(0, 1)

    def _probabilities(
        self, maps: Tensor, rows: slice
    ) -> tuple[Tensor, Tensor]:
        """(n, K, N), in the memory of the maps, and targets (n, N)."""
        first, end = rows.start // self.each, rows.stop // self.each
        prob = maps.sigmoid_().view(-1, self.each, maps.shape[1])
        return prob, self.targets[first:end]


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

    def in_chunks(
        self,
        masks: MaskLogits,
        matches: Matches,
        target: Tensor,
        weight: Tensor,
        avg_factor: Tensor | float,
        chunk_size: int | None = None,
    ) -> Tensor:
        """The same of maps that live for one chunk only.

        Args:
            masks: their logits.
            matches: N * K pairs, by image, then by target.
            target: (N, h, w) in [0, 1].
            weight: (N, K).
            avg_factor: number by which the sum is divided.
            chunk_size: most values of maps that exist at a time, but at
                least those of one target; see :func:`map_budget`.
        """
        each, size = weight.shape[1], masks.size[0] * masks.size[1]
        embed = at_least_float32(masks.rows(matches))
        features = at_least_float32(masks.features)
        pixels = target.flatten(1).to(embed.dtype)
        budget = max(map_budget(target.device, chunk_size), each * size)
        overlap, square = LossesOfMaps.apply(
            *(embed, features),
            MapChunks(matches.counts, size, target.device, budget, each),
            DiceSums(pixels, each),
        )
        norm = torch.linalg.vector_norm(pixels, dim=1, keepdim=True)
        total = square.view(weight.shape) + norm.square()
        dice = 1 - 2 * overlap.view(weight.shape) / total.clamp(min=self.eps)
        return self.loss_weight * (weight * dice).sum() / avg_factor
