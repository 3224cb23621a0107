"""Instance results from queries."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.models.fusion.cpu_crops import Crop, above
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.rle import encode_crop
from mmseg_plugin.structures import boxes_of


class InstanceRules(NamedTuple):
    """What an instance result keeps.

    Attributes:
        max_per_image: most (query, class) pairs, before any other rule.
        score_thr: lowest final score.
        mask_thr: mask probability above which a pixel belongs to a mask.
        mask_score: multiply class scores by the mean mask probability
            inside the mask.
        drop_empty: leave out instances without a pixel.
        rle: give masks as compressed COCO RLE in place of a tensor. The
            plugin's tools and visualizer take both; mmdet's DetInferencer
            and its own ``tools/test.py --out`` take tensors alone.
        chunk_size: maps of result size held at once, off the CPU.
    """

    max_per_image: int = 100
    score_thr: float = 0.0
    mask_thr: float = 0.5
    mask_score: bool = True
    drop_empty: bool = True
    rle: bool = False
    chunk_size: int = 16


class _Masks(NamedTuple):
    """Masks of n queries, where they may have pixels, and what they tell."""

    crops: list[Crop]
    scores: Tensor
    boxes: Tensor
    filled: Tensor


def instance_results(
    scores: Tensor,
    maps: QueryMaps,
    rules: InstanceRules,
    boxes: Tensor | None = None,
    classes: Tensor | None = None,
) -> InstanceData:
    """Chooses the best (query, class) pairs, then resizes their masks only.

    Mask2Former, ``instance_inference``.

    Args:
        scores: (Q, C), class probabilities.
        maps: mask logits of the queries.
        rules: what is kept.
        boxes: (Q, 4), (x1, y1, x2, y2) at result size; from the masks if
            None.
        classes: bool (C,), classes to keep after the choice; all if None.

    Returns:
        ``scores``, ``labels``, ``bboxes`` and ``masks``, (N, *out) bool or a
        list of RLEs, by falling score.
    """
    # A mask score is at most 1: what is too low now stays too low.
    best, labels, queries = _best_pairs(scores, rules, classes)
    queries, which = queries.unique(return_inverse=True)

    found = _masks(queries, maps, rules)
    if rules.mask_score:
        best = best * found.scores[which]
    keep = best >= rules.score_thr
    if rules.drop_empty:
        keep &= found.filled[which]
    order = best.argsort(descending=True, stable=True)
    order = order[keep[order]]
    which = which[order]
    return InstanceData(
        scores=best[order],
        labels=labels[order],
        bboxes=found.boxes[which] if boxes is None else boxes[queries[which]],
        masks=_output_masks(found.crops, which, maps.sizes.out, rules.rle),
    )


def box_results(
    scores: Tensor,
    boxes: Tensor,
    rules: InstanceRules,
    classes: Tensor | None = None,
) -> InstanceData:
    """Chooses the best (query, class) pairs of a model without masks.

    Args:
        scores: (Q, C), class probabilities.
        boxes: (Q, 4), (x1, y1, x2, y2) at result size.
        rules: what is kept.
        classes: bool (C,), classes to keep after the choice; all if None.

    Returns:
        ``scores``, ``labels`` and ``bboxes`` by falling score.
    """
    best, labels, queries = _best_pairs(scores, rules, classes)
    return InstanceData(scores=best, labels=labels, bboxes=boxes[queries])


def _best_pairs(
    scores: Tensor, rules: InstanceRules, classes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, labels and queries (N,) of the best pairs."""
    num = min(rules.max_per_image, scores.numel())
    best, pairs = scores.flatten().topk(num)
    labels = pairs % scores.shape[1]
    keep = best >= rules.score_thr
    if classes is not None:
        keep &= classes[labels]
    return best[keep], labels[keep], pairs[keep] // scores.shape[1]


def _masks(queries: Tensor, maps: QueryMaps, rules: InstanceRules) -> _Masks:
    threshold = torch.tensor(rules.mask_thr).logit().item()
    crops, scores, boxes, filled = [], [], [], []
    for crop in _logits(queries, maps, threshold, rules.chunk_size):
        inside = crop.pixels > threshold
        total = (crop.pixels.sigmoid() * inside).sum((1, 2))
        scores.append(total / (inside.sum((1, 2)) + 1e-6))
        box, some = boxes_of(inside)
        if crop.left or crop.top:
            offset = [crop.left, crop.top, crop.left, crop.top]
            box = box + some[:, None] * box.new_tensor(offset)
        boxes.append(box)
        filled.append(some)
        crops += [Crop(mask, crop.top, crop.left) for mask in inside]
    if not crops:
        none = torch.zeros(0, device=queries.device)
        return _Masks([], none, none.new_zeros(0, 4), none.bool())
    return _Masks(
        crops, torch.cat(scores), torch.cat(boxes), torch.cat(filled)
    )


def _logits(
    queries: Tensor, maps: QueryMaps, threshold: float, chunk_size: int
) -> Iterator[Crop]:
    """Logits of all queries in order, cropped where that is faster."""
    if queries.is_cpu:
        yield from above(maps, queries, threshold)
        return
    # Elsewhere the launches of one crop cost more than a whole map.
    for chunk in queries.split(chunk_size):
        yield Crop(maps.full(chunk), 0, 0)


def _output_masks(
    crops: list[Crop], which: Tensor, size: tuple[int, int], rle: bool
) -> Tensor | list[dict]:
    if rle:
        codes = {}
        for i in set(which.tolist()):
            pixels, top, left = crops[i]
            codes[i] = encode_crop(pixels.cpu().numpy(), top, left, size)
        return [codes[i] for i in which.tolist()]
    masks = torch.zeros(
        (len(which), *size), dtype=torch.bool, device=which.device
    )
    for mask, i in zip(masks, which.tolist(), strict=True):
        pixels, top, left = crops[i]
        height, width = pixels.shape
        mask[top : top + height, left : left + width] = pixels
    return masks
