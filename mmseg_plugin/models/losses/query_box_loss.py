"""Box losses of query models, one pass for all layers."""

import torch
from torch import Tensor, nn

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import Matches, Targets, generalized_iou
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@MODELS.register_module()
class QueryBoxLoss(nn.Module):
    """L1 and generalized IoU loss of matched boxes (DETR, Mask DINO).

    Args:
        l1_weight: factor of the L1 loss.
        iou_weight: factor of the GIoU loss.
        num_things: classes from this one on are stuff, whose boxes count
            for nothing; None takes every class for a thing. The sums are
            divided by the number of all targets nevertheless, as published.
    """

    def __init__(
        self,
        l1_weight: float = 5.0,
        iou_weight: float = 2.0,
        num_things: int | None = None,
    ) -> None:
        super().__init__()
        self.l1_weight = l1_weight
        self.iou_weight = iou_weight
        self.num_things = num_things

    @without_autocast
    def forward(
        self,
        boxes: Tensor,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float,
    ) -> tuple[Tensor, Tensor]:
        """Losses of every layer.

        Args:
            boxes: (L, B, Q, 4), (cx, cy, w, h) in [0, 1].
            targets: of each image, with boxes.
            matches: pairs of queries and targets.
            avg_factor: number of targets by which the sums are divided.

        Returns:
            L1 and GIoU loss, (L,) each; zeros that keep the graph where
            nothing is matched.

        Raises:
            ValueError: targets without boxes.
        """
        boxes = at_least_float32(boxes)
        found = boxes[matches.layer, matches.image, matches.query]
        wanted, counted = [], []
        for target, index in zip(
            targets, matches.target.split(matches.counts), strict=True
        ):
            if target.boxes is None:
                raise ValueError('box losses need targets with boxes')
            wanted.append(target.boxes[index])
            if self.num_things is not None:
                counted.append(target.labels[index] < self.num_things)
        aims = torch.cat(wanted).to(found.dtype)
        l1 = (found - aims).abs().sum(-1)
        iou = 1 - generalized_iou(found, aims)
        losses = torch.stack((l1, iou))
        if counted:
            losses = losses * torch.cat(counted)
        l1, iou = matches.sum_by_layer(losses, len(boxes)) / avg_factor
        return self.l1_weight * l1, self.iou_weight * iou
