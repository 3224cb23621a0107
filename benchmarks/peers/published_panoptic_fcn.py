"""Losses of Panoptic FCN in the form of the official code.

Things and regions padded to the most of an image, kernels of regions from a
product of every mask with every channel, one level after another.
"""

import torch
import torch.nn.functional as F
from mmdet.models.losses import FocalLoss
from torch import Tensor

from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargets,
)


def pooled_products(kernels: Tensor, masks: Tensor) -> Tensor:
    """Kernels (B, S, C) of regions: mean of each mask times each channel.

    Args:
        kernels: (B, C, h, w).
        masks: (B, S, h, w), 0 and 1.
    """
    product = masks[:, :, None] * kernels[:, None]
    return F.adaptive_avg_pool2d(product.flatten(0, 1), 1).view(
        *masks.shape[:2], -1
    )


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Numbers (B, S) of each image's rows, and which of them exist."""
    most = max(len(r) for r in rows)
    numbers = torch.stack([F.pad(r, (0, most - len(r))) for r in rows])
    counts = torch.tensor([len(r) for r in rows])
    return numbers, torch.arange(most) < counts[:, None]


def _dice(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum; logits (N, K, P), targets (N, P), weights (N, K)."""
    prob = pred.sigmoid()
    target = target[:, None].expand_as(prob)
    overlap = (prob * target).sum(2)
    total = ((prob**2).sum(2) + (target**2).sum(2)).clamp(min=1e-8)
    return (weight * (1 - 2 * overlap / total)).sum()


def _thing_loss(
    head: PanopticFCNHead,
    maps: PanopticFCNMaps,
    targets: PanopticFCNTargets,
    number: int,
) -> Tensor:
    """Sum of the dice losses of one level's things."""
    level, kernels = targets.levels[number], maps.kernels[number]
    batch = range(len(maps.features))
    of_image = [level.thing[targets.image[level.thing] == i] for i in batch]
    things, valid = _padded(of_image)
    centers = maps.things[number].sigmoid()
    rows = torch.arange(len(centers))[:, None]
    guide = centers[rows, targets.labels[things]]
    inside = F.interpolate(
        targets.masks[things], guide.shape[2:], mode='bilinear'
    )
    scores = (guide * (inside > 0.1)).flatten(2)
    weight, where = scores.topk(min(head.num_kernels, scores.shape[2]), 2)
    weight = weight / weight.sum(2, keepdim=True).clamp(min=1e-8)
    index = where.flatten(1)[:, None].expand(-1, kernels.shape[1], -1)
    chosen = kernels.flatten(2).gather(2, index).transpose(1, 2)
    pred = head.thing_embed(chosen) @ maps.features.flatten(2)
    pred = pred.unflatten(1, where.shape[1:])
    return _dice(
        pred[valid], targets.masks[things].flatten(2)[valid], weight[valid]
    )


def _region_loss(
    head: PanopticFCNHead,
    maps: PanopticFCNMaps,
    targets: PanopticFCNTargets,
    number: int,
) -> tuple[Tensor, int]:
    """Sum of the dice losses of one level's regions, and their number."""
    filled = targets.levels[number].regions > 0
    shown = filled.flatten(2).any(2)
    regions, valid = _padded([row.nonzero()[:, 0] for row in shown])
    rows = torch.arange(len(regions))[:, None]
    kernels = pooled_products(
        maps.kernels[number], filled[rows, regions].float()
    )
    pred = head.region_embed(kernels) @ maps.features.flatten(2)
    wanted = targets.regions[rows, regions].flatten(2)
    loss = _dice(
        pred[valid][:, None], wanted[valid], torch.ones(int(valid.sum()), 1)
    )
    return loss, int(valid.sum())


def published_losses(
    head: PanopticFCNHead, maps: PanopticFCNMaps, targets: PanopticFCNTargets
) -> dict[str, Tensor]:
    """What ``head.loss_by_feat`` gives.

    Args:
        head: for its layers and the weights of its losses.
        maps: outputs of the head.
        targets: of the same levels.
    """
    pairs = max(sum(len(level.thing) for level in targets.levels), 1)
    factor = head.loss_mask.loss_weight
    ours = head.loss_position
    loss_position = FocalLoss(
        gamma=ours.gamma, alpha=ours.alpha, loss_weight=ours.loss_weight
    )
    things, regions, counts = [], [], 0
    centers, stuff = [], []
    for number, level in enumerate(targets.levels):
        size = level.regions[:, 0].numel()
        centers.append(
            loss_position(maps.things[number], level.heatmap, avg_factor=pairs)
        )
        stuff.append(
            loss_position(maps.regions[number], level.regions, avg_factor=size)
        )
        if len(level.thing):
            things.append(_thing_loss(head, maps, targets, number))
        loss, count = _region_loss(head, maps, targets, number)
        regions.append(loss)
        counts += count
    return {
        'loss_pos_th': torch.stack(centers).sum(),
        'loss_pos_st': torch.stack(stuff).sum(),
        'loss_seg_th': factor * sum(things, torch.zeros(())) / pairs,
        'loss_seg_st': factor * torch.stack(regions).sum() / max(counts, 1),
    }
