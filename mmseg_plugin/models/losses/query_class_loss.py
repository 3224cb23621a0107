"""Classification losses of query models, one pass for all layers."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import Matches, Targets
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


def class_targets(
    cls_logits: Tensor,
    targets: list[Targets],
    matches: Matches,
    background: int,
) -> Tensor:
    """Class of every query, ``background`` where it has no target.

    Args:
        cls_logits: (L, B, Q, C), for the shape.
        targets: of each image.
        matches: of the same layers and images.
        background: class of queries without a target.

    Returns:
        int64 (L, B, Q).
    """
    labels = cls_logits.new_full(
        cls_logits.shape[:-1], background, dtype=torch.long
    )
    chosen = [
        target.labels[index]
        for target, index in zip(
            targets, matches.target.split(matches.counts), strict=True
        )
    ]
    places = (matches.layer, matches.image, matches.query)
    return labels.index_put(places, torch.cat(chosen))


@MODELS.register_module()
class QueryClassLoss(nn.Module):
    """Softmax cross entropy with a no-object class (DETR, Mask2Former).

    The mean is weighted as published: divided by the sum of the class
    weights of all queries of a layer, not by their number.

    Args:
        num_classes: C, without the no-object class.
        no_object_weight: class weight of no object.
        class_weight: C weights of the classes, or C + 1, the last being that
            of no object; None for ones.
        loss_weight: factor of the loss.

    Raises:
        ValueError: ``class_weight`` has another length, or holds another
            weight of no object than ``no_object_weight``.
    """

    class_weight: Tensor

    def __init__(
        self,
        num_classes: int,
        no_object_weight: float | None = None,
        class_weight: Sequence[float] | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        weights = [1.0] * num_classes if class_weight is None else class_weight
        if len(weights) not in (num_classes, num_classes + 1):
            raise ValueError(
                f'class_weight has {len(weights)} values for {num_classes} '
                f'classes: give {num_classes}, or {num_classes + 1} with that '
                'of no object last'
            )
        if len(weights) == num_classes:
            last = 0.1 if no_object_weight is None else no_object_weight
            weights = [*weights, last]
        elif no_object_weight not in (None, weights[-1]):
            raise ValueError(
                f'no_object_weight={no_object_weight} contradicts the last '
                f'value of class_weight, {weights[-1]}: give one of them'
            )
        self.num_classes = num_classes
        self.loss_weight = loss_weight
        self.register_buffer(
            'class_weight', torch.tensor(weights), persistent=False
        )

    @without_autocast
    def forward(
        self,
        cls_logits: Tensor,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float | None = None,
    ) -> Tensor:
        """Loss of every layer.

        Args:
            cls_logits: (L, B, Q, C + 1).
            targets: of each image.
            matches: of the same layers and images.
            avg_factor: not used, the mean is over all queries; taken so that
                class losses can be swapped.

        Returns:
            (L,).
        """
        labels = class_targets(cls_logits, targets, matches, self.num_classes)
        logits = at_least_float32(cls_logits)
        class_weight = self.class_weight.to(logits.dtype)
        losses = F.cross_entropy(
            logits.flatten(0, -2),
            labels.flatten(),
            class_weight,
            reduction='none',
        )
        weight = class_weight[labels].flatten(1).sum(1)
        total = losses.reshape(len(logits), -1).sum(1)
        # All weights zero means nothing to learn, not NaN.
        least = torch.finfo(total.dtype).tiny
        return self.loss_weight * total / weight.clamp(min=least)


@MODELS.register_module()
class QueryFocalLoss(nn.Module):
    """Sigmoid focal loss of all queries and classes (Mask DINO).

    Args:
        num_classes: C; no object is the absence of all of them.
        alpha: weight of positives.
        gamma: power of the modulating factor.
        loss_weight: factor of the loss.
    """

    def __init__(
        self,
        num_classes: int,
        alpha: float = 0.25,
        gamma: float = 2.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.alpha = alpha
        self.gamma = gamma
        self.loss_weight = loss_weight

    @without_autocast
    def forward(
        self,
        cls_logits: Tensor,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float,
    ) -> Tensor:
        """Loss of every layer.

        Args:
            cls_logits: (L, B, Q, C).
            targets: of each image.
            matches: of the same layers and images.
            avg_factor: number of targets by which the sum is divided.

        Returns:
            (L,).
        """
        labels = class_targets(cls_logits, targets, matches, self.num_classes)
        logits = at_least_float32(cls_logits)
        classes = torch.arange(self.num_classes, device=labels.device)
        positive = labels[..., None] == classes
        # How much a class is missed: sigmoid and softplus of -x or x.
        wrong = torch.where(positive, -logits, logits)
        focal = F.softplus(wrong) * wrong.sigmoid() ** self.gamma
        balance = 1 - self.alpha + (2 * self.alpha - 1) * positive
        total = (balance * focal).flatten(1).sum(1)
        return self.loss_weight * total / avg_factor
