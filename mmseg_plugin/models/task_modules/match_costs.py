"""Costs of giving a target to a query, for one image.

Each is a small registered class ``cost(rows, columns) -> (R, G)``: ``rows``
are predictions (all layers and queries of an image, or a chunk of them),
``columns`` its targets. Mask values are given at the same ``K`` places for
both, be they points or pixels.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import generalized_iou


class Rows(NamedTuple):
    """Predictions of one image: (R, C), (R, K) or None, (R, 4) or None."""

    cls_logits: Tensor
    mask_logits: Tensor | None
    boxes: Tensor | None


class Columns(NamedTuple):
    """Targets of one image: (G,), (G, K) or None, (G, 4) or None."""

    labels: Tensor
    masks: Tensor | None
    boxes: Tensor | None


class MatchCost(ABC):
    """Base of the costs.

    Args:
        weight: factor of the cost.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    @abstractmethod
    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        """Unweighted cost, (R, G)."""


@TASK_UTILS.register_module()
class SoftmaxClassCost(MatchCost):
    """Minus the probability of the target's class (DETR)."""

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        return -rows.cls_logits.softmax(-1)[:, columns.labels]


@TASK_UTILS.register_module()
class FocalClassCost(MatchCost):
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

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        prob = rows.cls_logits.sigmoid()[:, columns.labels]
        positive = -(prob + 1e-8).log() * (1 - prob) ** self.gamma
        negative = -(1 - prob + 1e-8).log() * prob**self.gamma
        return self.alpha * positive - (1 - self.alpha) * negative


class MaskCost(MatchCost):
    """Base of the costs that compare masks."""


@TASK_UTILS.register_module()
class MaskBCECost(MaskCost):
    """Mean binary cross entropy (Mask2Former, matcher).

    ``bce(x, t) = softplus(x) - x t``, so one matrix product is enough.
    """

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        logits = rows.mask_logits
        total = F.softplus(logits).sum(1)[:, None] - logits @ columns.masks.T
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

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        logits = rows.mask_logits
        prob = logits.sigmoid()
        positive = F.softplus(-logits) * (1 - prob) ** self.gamma
        negative = F.softplus(logits) * prob**self.gamma
        if self.alpha >= 0:
            positive = positive * self.alpha
            negative = negative * (1 - self.alpha)
        # positive t + negative (1 - t)
        total = negative.sum(1)[:, None]
        total = total + (positive - negative) @ columns.masks.T
        return total / logits.shape[1]


@TASK_UTILS.register_module()
class MaskDiceCost(MaskCost):
    """Dice loss with first powers and one added on both sides."""

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        prob = rows.mask_logits.sigmoid()
        overlap = 2 * prob @ columns.masks.T
        total = prob.sum(1)[:, None] + columns.masks.sum(1)
        return 1 - (overlap + 1) / (total + 1)


class BoxCost(MatchCost):
    """Base of the costs that compare boxes.

    Args:
        weight: factor of the cost.
        num_things: classes from this one on are stuff, whose boxes cost
            nothing; None takes every class for a thing.
    """

    def __init__(
        self, weight: float = 1.0, num_things: int | None = None
    ) -> None:
        super().__init__(weight)
        self.num_things = num_things

    def __call__(self, rows: Rows, columns: Columns) -> Tensor:
        cost = self.distance(rows.boxes, columns.boxes)
        if self.num_things is None:
            return cost
        return cost.masked_fill(columns.labels >= self.num_things, 0)

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
