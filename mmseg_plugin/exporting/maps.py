"""Panoptic and semantic maps of query models inside a graph."""

import torch
from torch import Tensor

from mmseg_plugin.exporting.frames import Frame, multiply
from mmseg_plugin.models.fusion.panoptic import (
    INSTANCE_OFFSET,
    PanopticRules,
)
from mmseg_plugin.structures import MaskLogits


def panoptic_map(
    scores: Tensor,
    labels: Tensor,
    keep: Tensor,
    maps: Tensor,
    rules: PanopticRules,
    is_thing: Tensor,
) -> Tensor:
    """What :func:`panoptic_segments` gives, encoded, of a batch.

    Every pixel goes to the kept query with the highest score there.

    Args:
        scores: (B, Q), class scores.
        labels: int64 (B, Q), classes.
        keep: bool (B, Q), queries that may be segments.
        maps: mask logits (B, Q, *out).
        rules: which segments are kept.
        is_thing: bool (C,).

    Returns:
        int32 (B, *out), class + 1000 * instance, C where there is nothing.
    """
    probs = maps.sigmoid()
    # A query that is not kept wins where no other one is: it is void.
    ranks = scores.where(keep, -1.0)[..., None, None]
    winner = (probs * ranks).argmax(1)
    own = probs >= rules.mask_thr
    own_area = own.flatten(2).sum(2)
    area = _areas(winner.flatten(1), torch.ones_like(own_area))
    kept = keep & (area > 0) & (own_area > 0)
    kept = kept & (area / own_area.clamp(min=1) >= rules.iou_thr)
    if rules.filter_low_score:
        inside = own.gather(1, winner[:, None])[:, 0]
        left = _areas(winner.flatten(1), own_area, inside.flatten(1))
        kept = kept & (left > 0)
    void = is_thing.shape[0]
    thing = kept & is_thing[labels]
    ids = labels + thing * thing.long().cumsum(1) * INSTANCE_OFFSET
    ids = ids.where(kept, void)
    result = ids.gather(1, winner.flatten(1)).reshape(winner.shape)
    if rules.filter_low_score:
        result = result.where(inside, void)
    return result.int()


def _areas(
    winner: Tensor, like: Tensor, counted: Tensor | None = None
) -> Tensor:
    """Pixels (B, Q) that each query won, of those counted."""
    ones = torch.ones_like(winner) if counted is None else counted.long()
    return torch.zeros_like(like).scatter_add(1, winner, ones)


def semantic_map(
    scores: Tensor,
    masks: MaskLogits,
    frame: Frame,
    mask_softmax: bool = False,
    resize_masks: bool = False,
) -> Tensor:
    """The best class of every pixel, see :func:`semantic_scores`.

    Args:
        scores: (B, Q, C), class probabilities without no-object.
        masks: mask logits of the queries.
        frame: sizes of the results.
        mask_softmax: mask probabilities by softmax over the queries.
        resize_masks: resize masks, then sum.

    Returns:
        int32 (B, *out).
    """
    maps = frame.enlarge(multiply(masks))
    if resize_masks:
        maps = frame.unpad(maps)
    probs = maps.softmax(1) if mask_softmax else maps.sigmoid()
    total = scores.transpose(1, 2) @ probs.flatten(2)
    total = total.unflatten(2, (maps.shape[2], maps.shape[3]))
    if not resize_masks:
        total = frame.unpad(total)
    return total.argmax(1).int()
