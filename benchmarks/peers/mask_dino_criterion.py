"""Mask DINO's matching and losses layer by layer, every mask multiplied out.

The straightforward way, as the published code goes: each set of predictions
has dense mask logits, each image of each set its own cost matrix.

Source: MaskDINO 3831d85, modeling/matcher.py and modeling/criterion.py.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmcv.ops import point_sample
from mmdet.models.utils import get_uncertain_point_coords_with_randomness
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmseg_plugin.structures import Targets

NUM_POINTS = 12544
ALPHA = 0.25
WEIGHTS = {
    'loss_cls': 4.0,
    'loss_mask': 5.0,
    'loss_dice': 5.0,
    'loss_bbox': 5.0,
    'loss_iou': 2.0,
}


class DenseSet(NamedTuple):
    """Predictions of one layer.

    Attributes:
        logits: of classes, (B, Q, K).
        masks: logits (B, Q, h, w).
        boxes: (B, Q, 4), (cx, cy, w, h) in [0, 1].
    """

    logits: Tensor
    masks: Tensor
    boxes: Tensor


@torch.no_grad()
def match(
    dense: DenseSet, image: int, target: Targets, points: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Queries and targets of an image that belong together.

    Args:
        dense: predictions of the batch.
        image: number in the batch.
        target: of the image.
        points: (1, P, 2) where masks are compared, instead of random ones.
    """
    prob = dense.logits[image].sigmoid()
    negative = (1 - ALPHA) * prob**2 * -(1 - prob + 1e-8).log()
    positive = ALPHA * (1 - prob) ** 2 * -(prob + 1e-8).log()
    assert target.boxes is not None
    cost = 4 * (positive - negative)[:, target.labels]
    boxes = dense.boxes[image]
    cost = cost + 5 * torch.cdist(boxes, target.boxes, p=1)
    cost = cost - 2 * generalized_iou(boxes[:, None], target.boxes[None])

    if points is None:
        points = torch.rand(1, NUM_POINTS, 2, device=cost.device)
    masks, wanted = (
        point_sample(maps[:, None], points.expand(len(maps), -1, 2))[:, 0]
        for maps in (dense.masks[image], target.masks.float())
    )
    ones, zeros = torch.ones_like(masks), torch.zeros_like(masks)
    filled, empty = (
        F.binary_cross_entropy_with_logits(masks, full, reduction='none')
        for full in (ones, zeros)
    )
    bce = filled @ wanted.T + empty @ (1 - wanted).T
    cost = cost + 5 * bce / masks.shape[1]
    prob = masks.sigmoid()
    sums = prob.sum(1)[:, None] + wanted.sum(1)
    cost = cost + 5 * (1 - (2 * prob @ wanted.T + 1) / (sums + 1))
    query, index = linear_sum_assignment(cost.cpu().numpy())
    pairs = torch.as_tensor(query), torch.as_tensor(index)
    return pairs[0].to(cost.device), pairs[1].to(cost.device)


def generalized_iou(boxes: Tensor, targets: Tensor) -> Tensor:
    """GIoU of boxes (..., 4) that broadcast."""
    shape = torch.broadcast_shapes(boxes.shape, targets.shape)
    corners = [
        bbox_cxcywh_to_xyxy(part.expand(shape)) for part in (boxes, targets)
    ]
    return bbox_overlaps(*corners, mode='giou', is_aligned=True)


def losses_of_pairs(
    dense: DenseSet,
    target: Targets,
    pairs: tuple[Tensor, Tensor],
    count: float,
    points: Tensor | None,
) -> dict[str, Tensor]:
    """Weighted losses of one set of one image.

    Args:
        dense: predictions, B = 1.
        target: of the image.
        pairs: queries and targets that belong together.
        count: by which sums are divided.
        points: (1, Q, P, 2) where masks are compared, instead of sampled
            ones.
    """
    query, index = pairs
    image = torch.zeros_like(query)
    assert target.boxes is not None
    labels, boxes = target.labels[index], target.boxes[index]
    aims = torch.zeros_like(dense.logits)
    aims[image, query, labels] = 1
    prob = dense.logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(
        dense.logits, aims, reduction='none'
    )
    hit = prob * aims + (1 - prob) * (1 - aims)
    alpha = ALPHA * aims + (1 - ALPHA) * (1 - aims)
    focal = alpha * (1 - hit) ** 2 * bce

    found = dense.boxes[image, query]
    iou = generalized_iou(found, boxes)
    mask_loss, dice_loss = mask_losses(
        dense.masks[image, query][:, None],
        target.masks[index][:, None].float(),
        None if points is None else points[image, query],
    )
    losses = {
        'loss_cls': focal.sum(),
        'loss_mask': mask_loss,
        'loss_dice': dice_loss,
        'loss_bbox': (found - boxes).abs().sum(),
        'loss_iou': (1 - iou).sum(),
    }
    return {
        name: WEIGHTS[name] * loss / count for name, loss in losses.items()
    }


def mask_losses(
    masks: Tensor, wanted: Tensor, points: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sums of BCE and dice loss of masks (N, 1, h, w) at points."""
    if points is None:
        with torch.no_grad():
            points = get_uncertain_point_coords_with_randomness(
                masks, None, NUM_POINTS, 3.0, 0.75
            )
    with torch.no_grad():
        values = point_sample(wanted, points)[:, 0]
    logits = point_sample(masks, points)[:, 0]
    bce = F.binary_cross_entropy_with_logits(logits, values, reduction='none')
    prob = logits.sigmoid()
    overlap = 2 * (prob * values).sum(1) + 1
    dice = 1 - overlap / (prob.sum(1) + values.sum(1) + 1)
    return bce.mean(1).sum(), dice.sum()
