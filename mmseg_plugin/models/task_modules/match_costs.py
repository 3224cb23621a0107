"""Costs of giving a target to a query, for one image.

Small registered classes, of classes, masks or boxes: predictions of R rows
(all layers and queries of an image, or a chunk of them) and G targets give
(R, G). Masks are compared at K places, be they points or pixels.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import generalized_iou


class MatchCost:
    """Base of all costs.

    Args:
        weight: factor of the cost.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight


class ClassCost(MatchCost, ABC):
    """Base of the costs that compare classes."""

    @abstractmethod
    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Unweighted cost (R, G) of logits (R, C) and labels (G,)."""


class MaskCost(MatchCost, ABC):
    """Base of the costs that compare masks."""

    @abstractmethod
    def __call__(self, logits: Tensor, values: Tensor) -> Tensor:
        """Unweighted cost (R, G) of logits (R, K) and values (G, K)."""


@TASK_UTILS.register_module()
class SoftmaxClassCost(ClassCost):
    """Minus the probability of the target's class (DETR)."""

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return -logits.softmax(-1)[:, labels]


@TASK_UTILS.register_module()
class FocalClassCost(ClassCost):
    """Focal loss of being the target's class less that of not being it.

    As in Deformable DETR and Mask DINO, with their 1e-8 inside the log.

    Args:
        weight: factor of the cost.
        alpha: weight of positives.
        gamma: power of the modulating factor.
    """

    def __init__(
        self, weight: float = 1.0, alpha: float = 0.25, gamma: float = 2.0
    ) -> None:
        super().__init__(weight)
        self.alpha = alpha
        self.gamma = gamma

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        prob = logits.sigmoid()[:, labels]
        positive = -(prob + 1e-8).log() * (1 - prob) ** self.gamma
        negative = -(1 - prob + 1e-8).log() * prob**self.gamma
        return self.alpha * positive - (1 - self.alpha) * negative


@TASK_UTILS.register_module()
class MaskBCECost(MaskCost):
    """Mean binary cross entropy (Mask2Former, matcher).

    ``bce(x, t) = softplus(x) - x t``, so one matrix product is enough.
    """

    def __call__(self, logits: Tensor, values: Tensor) -> Tensor:
        total = F.softplus(logits).sum(1)[:, None] - logits @ values.T
        return total / logits.shape[1]


@TASK_UTILS.register_module()
class MaskFocalCost(MaskCost):
    """Mean binary focal loss (MaskFormer, matcher).

    Args:
        weight: factor of the cost.
        alpha: weight of positives; negative to leave both unweighted.
        gamma: power of the modulating factor.
    """

    def __init__(
        self, weight: float = 1.0, alpha: float = 0.25, gamma: float = 2.0
    ) -> None:
        super().__init__(weight)
        self.alpha = alpha
        self.gamma = gamma

    def __call__(self, logits: Tensor, values: Tensor) -> Tensor:
        prob = logits.sigmoid()
        positive = F.softplus(-logits) * (1 - prob) ** self.gamma
        negative = F.softplus(logits) * prob**self.gamma
        if self.alpha >= 0:
            positive = positive * self.alpha
            negative = negative * (1 - self.alpha)
        # positive t + negative (1 - t)
        total = negative.sum(1)[:, None]
        total = total + (positive - negative) @ values.T
        return total / logits.shape[1]


@TASK_UTILS.register_module()
class MaskDiceCost(MaskCost):
    """Dice loss with first powers and one added on both sides."""

    def __call__(self, logits: Tensor, values: Tensor) -> Tensor:
        prob = logits.sigmoid()
        overlap = 2 * (prob @ values.T)
        total = prob.sum(1)[:, None] + values.sum(1)
        return 1 - (overlap + 1) / (total + 1)


class BoxCost(MatchCost, ABC):
    """Base of the costs that compare boxes.

    Args:
        weight: factor of the cost.
        num_things: classes from this one on are stuff, whose boxes tell
            nothing: they cost every prediction the same, the mean over all
            predictions and things of the image, zero without things. None
            takes every class for a thing.
    """

    def __init__(
        self, weight: float = 1.0, num_things: int | None = None
    ) -> None:
        super().__init__(weight)
        self.num_things = num_things

    def __call__(
        self, boxes: Tensor, targets: Tensor, labels: Tensor
    ) -> Tensor:
        """Unweighted cost (R, G) of boxes (R, 4) and (G, 4), labels (G,)."""
        cost = self.distance(boxes, targets)
        if self.num_things is None:
            return cost
        stuff = labels >= self.num_things
        count = (~stuff).sum() * len(cost)
        mean = cost.masked_fill(stuff, 0).sum() / count.clamp(min=1)
        return torch.where(stuff, mean, cost)

    @abstractmethod
    def distance(self, boxes: Tensor, targets: Tensor) -> Tensor:
        """Cost of boxes (R, 4) and targets (G, 4), (R, G)."""


@TASK_UTILS.register_module()
class BoxL1Cost(BoxCost):
    """L1 distance of (cx, cy, w, h) boxes in units of the image."""

    def distance(self, boxes: Tensor, targets: Tensor) -> Tensor:
        return torch.cdist(boxes, targets, p=1)


@TASK_UTILS.register_module()
class BoxGIoUCost(BoxCost):
    """Minus the generalized IoU of (cx, cy, w, h) boxes."""

    def distance(self, boxes: Tensor, targets: Tensor) -> Tensor:
        return -generalized_iou(boxes[:, None], targets)
