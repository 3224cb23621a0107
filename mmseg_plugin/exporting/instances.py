"""Instances of query models inside a graph."""

import torch
from torch import Tensor

from mmseg_plugin.exporting.frames import Frame, multiply
from mmseg_plugin.exporting.scans import masks_of
from mmseg_plugin.models.fusion.instance import InstanceRules
from mmseg_plugin.structures import MaskLogits


def best_pairs(
    scores: Tensor, most: int, classes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The best (query, class) pairs of each image.

    Args:
        scores: (B, Q, C), class probabilities.
        most: pairs of an image.
        classes: bool (C,), classes to keep after the choice; all if None.

    Returns:
        Scores, -1 where the class is not kept, labels and queries, (B, n).
    """
    num_classes = scores.shape[2]
    # Under a trace one of the two may be a tensor.
    most = min(most, scores.shape[1] * num_classes)
    best, pairs = scores.flatten(1).topk(most, 1)
    labels = pairs % num_classes
    if classes is not None:
        best = best.where(classes[labels], -1.0)
    return best, labels, pairs.div(num_classes, rounding_mode='floor')


def boxes_around(inside: Tensor) -> Tensor:
    """Tight boxes (B, n, 4) of masks (B, n, h, w), zeros of empty ones.

    Corners in pixels, the last ones exclusive.
    """
    edges = []
    for dim in (2, 3):
        # Bytes: `any` would make eight of each.
        hit = inside.to(torch.uint8).amax(dim).int()
        size = hit.shape[2]
        where = torch.arange(1, size + 1, device=hit.device)
        last = (hit * where).amax(2)
        first = (hit * (size + 1 - where)).amax(2)
        edges.append((torch.where(last > 0, size - first, 0), last))
    (x1, x2), (y1, y2) = edges
    return torch.stack((x1, y1, x2, y2), -1).float()


def instance_outputs(
    scores: Tensor,
    masks: MaskLogits,
    frame: Frame,
    rules: InstanceRules,
    boxes: Tensor | None = None,
    classes: Tensor | None = None,
) -> dict[str, Tensor]:
    """What :func:`instance_results` gives, in tensors of fixed sizes.

    Nothing is left out: what the rules drop comes last, with score zero and
    label -1.

    Args:
        scores: (B, Q, C), class probabilities.
        masks: mask logits of the queries.
        frame: sizes of the results.
        rules: what is kept.
        boxes: (B, Q, 4), (cx, cy, w, h) in [0, 1]; from the masks if None.
        classes: bool (C,), classes to keep after the choice; all if None.

    Returns:
        ``scores``, ``labels`` (B, n), ``boxes`` (B, n, 4) in pixels of the
        results and ``masks`` uint8 (B, n, *out).
    """
    best, labels, queries = best_pairs(scores, rules.max_per_image, classes)
    # Each pair has a map, or each query, whichever are fewer.
    if masks.embed.shape[1] <= rules.max_per_image:
        places, low = queries, multiply(masks)
    else:
        places = torch.arange(best.shape[1]).expand_as(best)
        low = multiply(masks, queries)
    threshold = torch.tensor(rules.mask_thr).logit().item()
    inside, area, total = masks_of(low, frame, threshold)
    if rules.mask_score:
        best = best * (total / (area + 1e-6)).gather(1, places)
    keep = best >= max(rules.score_thr, 0.0)
    if rules.drop_empty:
        keep = keep & (area > 0).gather(1, places)
    if boxes is None:
        corners = _rows(boxes_around(inside), places)
    else:
        corners = _rows(frame.corners(boxes), queries)
    best = best.where(keep, 0.0)
    labels = labels.where(keep, -1)
    # Those left out last, though some instance may score zero.
    order = best.where(keep, -1.0).topk(best.shape[1], 1)[1]
    # One index of whole masks: one of each pixel takes more than they do.
    starts = torch.arange(inside.shape[0])[:, None] * inside.shape[1]
    chosen = places.gather(1, order) + starts
    return {
        'scores': best.gather(1, order),
        'labels': labels.gather(1, order),
        'boxes': _rows(corners, order),
        'masks': inside.flatten(0, 1)[chosen],
    }


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """Rows (B, n, 4) of (B, Q, 4)."""
    return table.gather(1, index[..., None].expand(-1, -1, table.shape[2]))
