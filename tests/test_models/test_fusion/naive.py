"""Every mask resized first, then segment by segment, as published.

Slow and plain; the reference that the fusion is held to.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def full_masks(low: Tensor, padded: tuple, image: tuple, out: tuple) -> Tensor:
    """Logits (Q, *out) of every query."""
    maps = F.interpolate(
        low[None], padded, mode='bilinear', align_corners=False
    )
    maps = maps[:, :, : image[0], : image[1]]
    return F.interpolate(maps, out, mode='bilinear', align_corners=False)[0]


def instances(scores: Tensor, masks: Tensor, top: int) -> dict:
    """The best (query, class) pairs: scores, labels, masks, by score."""
    best, pairs = scores.flatten().topk(min(top, scores.numel()))
    logits = masks[pairs // scores.shape[1]]
    inside = logits > 0
    mean = (logits.sigmoid() * inside).flatten(1).sum(1)
    best = best * mean / (inside.flatten(1).sum(1) + 1e-6)
    order = best.argsort(descending=True, stable=True)
    return {
        'scores': best[order],
        'labels': (pairs % scores.shape[1])[order],
        'masks': inside[order],
    }


def panoptic(
    scores: Tensor,
    labels: Tensor,
    masks: Tensor,
    is_thing: Tensor,
    filter_low_score: bool,
    iou_thr: float = 0.8,
) -> Tensor:
    """One segment after the other; class + 1000 * instance, void is C."""
    probs = masks.sigmoid()
    result = torch.full(masks.shape[-2:], len(is_thing), dtype=torch.int32)
    if not len(scores):
        return result
    winner = (scores[:, None, None] * probs).argmax(0)
    instance = 1
    for k, label in enumerate(labels.tolist()):
        mask = winner == k
        area, own = int(mask.sum()), int((probs[k] >= 0.5).sum())
        if filter_low_score:
            mask = mask & (probs[k] >= 0.5)
        if not (area and own and mask.any()) or area / own < iou_thr:
            continue
        result[mask] = label + 1000 * instance * int(is_thing[label])
        instance += int(is_thing[label])
    return result
