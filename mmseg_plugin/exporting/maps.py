"""Panoptic and semantic maps of query models inside a graph."""

import torch
from torch import Tensor

from mmseg_plugin.exporting.frames import Frame, multiply
from mmseg_plugin.exporting.scans import contest_of
from mmseg_plugin.models.fusion.panoptic import (
    INSTANCE_OFFSET,
    PanopticRules,
)
from mmseg_plugin.structures import MaskLogits


def panoptic_map(
    scores: Tensor,
    labels: Tensor,
    keep: Tensor,
    masks: MaskLogits,
    frame: Frame,
    rules: PanopticRules,
    is_thing: Tensor,
) -> Tensor:
    """What :func:`panoptic_segments` gives, encoded, of a batch.

    Every pixel goes to the kept query with the highest score there.

    Args:
        scores: (B, Q), class scores.
        labels: int64 (B, Q), classes.
        keep: bool (B, Q), queries that may be segments.
        masks: mask logits of the queries.
        frame: sizes of the results.
        rules: which segments are kept.
        is_thing: bool (C,).

    Returns:
        int32 (B, *out), class + 1000 * instance, C where there is nothing.
    """
    if scores.shape[0] == 1:
        # Few may be segments. Another one, so that there is one at least.
        chosen = keep[0].nonzero()[:, 0]
        chosen = torch.cat((chosen, chosen.new_zeros(1)))[None]
        scores, labels = scores.gather(1, chosen), labels.gather(1, chosen)
        keep = torch.arange(chosen.shape[1])[None] < chosen.shape[1] - 1
        low = multiply(masks, chosen)
    else:
        low = multiply(masks)
    # A query that is not kept wins where no other one is: it is void.
    winner, inside, own_area = contest_of(
        low, scores.where(keep, -1.0), frame, rules.mask_thr
    )
    area = _areas(winner.flatten(1), torch.zeros_like(labels))
    kept = keep & (area > 0) & (own_area > 0)
    kept = kept & (area / own_area.clamp(min=1) >= rules.iou_thr)
    if rules.filter_low_score:
        zeros = torch.zeros_like(labels)
        left = _areas(winner.flatten(1), zeros, inside.flatten(1))
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
    winner: Tensor, zeros: Tensor, counted: Tensor | None = None
) -> Tensor:
    """Pixels (B, Q) that each query won, of those counted."""
    ones = torch.ones_like(winner) if counted is None else counted.long()
    return zeros.scatter_add(1, winner, ones)


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
