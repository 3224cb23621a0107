"""Instance results from queries."""

from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.models.fusion.instance_masks import (
    Masks,
    device_masks,
    host_masks,
)
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.utils.host import to_device


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


class Pairs(NamedTuple):
    """Pairs of a query and a class, by falling score.

    Attributes:
        scores: (k,).
        labels: (k,).
        queries: (k,).
        keep: bool (k,), which of them are results.
        boxes: (k, 4), (x1, y1, x2, y2) at result size.
        masks: of some queries; None for a model without masks.
        which: (k,), position of each pair's query among ``masks``.
    """

    scores: Tensor
    labels: Tensor
    queries: Tensor
    keep: Tensor
    boxes: Tensor
    masks: Masks | None = None
    which: Tensor | None = None

    def results(self, keep: Tensor, *packed: Tensor) -> InstanceData:
        """The instances.

        Args:
            keep: bool (k,), the same on the host.
            packed: what :meth:`to_copy` gives, on the host.

        Returns:
            ``scores``, ``labels``, ``bboxes`` and, if there are any,
            ``masks``, (N, *out) bool or a list of RLEs.
        """
        on_host = keep.nonzero()[:, 0]
        kept = to_device(on_host, self.scores.device)
        found = InstanceData(
            scores=self.scores[kept],
            labels=self.labels[kept],
            bboxes=self.boxes[kept],
        )
        if self.masks is None:
            return found
        if packed:
            which, *parts = packed
            found.masks = self.masks.codes(which[on_host], *parts)
        else:
            found.masks = self.masks.dense(self.which[kept])
        return found

    def to_copy(self, rle: bool) -> list[Tensor]:
        """What the host has to know beside ``keep``."""
        if self.masks is None or self.which is None or not rle:
            return []
        return [self.which, *self.masks.to_copy()]


def instance_pairs(
    scores: Tensor,
    maps: QueryMaps,
    rules: InstanceRules,
    boxes: Tensor | None = None,
    classes: Tensor | None = None,
) -> Pairs:
    """Chooses the best (query, class) pairs, then resizes their masks only.

    Mask2Former, ``instance_inference``. Without a synchronisation.

    Args:
        scores: (Q, C), class probabilities.
        maps: mask logits of the queries.
        rules: what is kept.
        boxes: (Q, 4), (x1, y1, x2, y2) at result size; from the masks if
            None.
        classes: bool (C,), classes to keep after the choice; all if None.
    """
    best, labels, queries, keep = _best_pairs(scores, rules, classes)
    found: Masks
    if maps.on_host:
        best, labels, queries, keep = (
            part[keep] for part in (best, labels, queries, keep)
        )
        chosen, which = queries.unique(return_inverse=True)
        found = host_masks(chosen, maps, rules.mask_thr)
    else:
        chosen, which = _distinct(queries, keep, len(scores))
        found = device_masks(chosen, maps, rules.mask_thr, rules.chunk_size)
    if rules.mask_score:
        best = best * found.scores[which]
    # A mask score is at most 1: what was too low stays too low.
    keep = keep & (best >= rules.score_thr)
    if rules.drop_empty:
        keep = keep & found.filled[which]
    order = best.argsort(descending=True, stable=True)
    queries, which = queries[order], which[order]
    return Pairs(
        best[order],
        labels[order],
        queries,
        keep[order],
        found.boxes[which] if boxes is None else boxes[queries],
        found,
        which,
    )


def box_pairs(
    scores: Tensor,
    boxes: Tensor,
    rules: InstanceRules,
    classes: Tensor | None = None,
) -> Pairs:
    """Chooses the best (query, class) pairs of a model without masks.

    Args:
        scores: (Q, C), class probabilities.
        boxes: (Q, 4), (x1, y1, x2, y2) at result size.
        rules: what is kept.
        classes: bool (C,), classes to keep after the choice; all if None.
    """
    best, labels, queries, keep = _best_pairs(scores, rules, classes)
    return Pairs(best, labels, queries, keep, boxes[queries])


def _best_pairs(
    scores: Tensor, rules: InstanceRules, classes: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores, labels and queries (k,) of the best pairs; which to keep."""
    num = min(rules.max_per_image, scores.numel())
    best, pairs = scores.flatten().topk(num)
    labels = pairs % scores.shape[1]
    keep = best >= rules.score_thr
    if classes is not None:
        keep = keep & classes[labels]
    return best, labels, pairs // scores.shape[1], keep


def _distinct(
    queries: Tensor, keep: Tensor, num_queries: int
) -> tuple[Tensor, Tensor]:
    """The queries of kept pairs, and the position of each pair's query.

    Counting them would take a synchronisation: others fill up the list, and
    pairs that are not kept may have any position.
    """
    wanted = torch.zeros(num_queries, dtype=torch.int8, device=queries.device)
    wanted.scatter_reduce_(0, queries, keep.to(wanted.dtype), 'amax')
    chosen = wanted.argsort(descending=True, stable=True)[: len(queries)]
    place = torch.zeros_like(wanted, dtype=torch.long)
    place[chosen] = torch.arange(len(chosen), device=chosen.device)
    return chosen, place[queries]
