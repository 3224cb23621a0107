"""Panoptic results from queries."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.models.fusion.cpu_maps import each
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.utils import host

# mmdet's, restated: where that comes from may import numba and imgaug.
INSTANCE_OFFSET = 1000


def check_room(num_classes: int) -> None:
    """Refuses more classes than panoptic ids have room for, void included.

    Raises:
        ValueError: see above.
    """
    if num_classes >= INSTANCE_OFFSET:
        raise ValueError(
            f'{num_classes} classes: panoptic results are class + '
            f'{INSTANCE_OFFSET} * instance, so there are at most '
            f'{INSTANCE_OFFSET - 1}; set panoptic_on=False in test_cfg'
        )


class PanopticRules(NamedTuple):
    """What a panoptic result keeps.

    Attributes:
        iou_thr: lowest share of a query's own mask that it has to win.
        mask_thr: mask probability from which a pixel belongs to a query's
            own mask.
        filter_low_score: leave pixels outside the winner's own mask void,
            and drop a query that then has none (Mask2Former and Mask DINO;
            MaskFormer does not).
        chunk_size: maps of result size held at once.
    """

    iou_thr: float = 0.8
    mask_thr: float = 0.5
    filter_low_score: bool = False
    chunk_size: int = 16


class PanopticSegments(NamedTuple):
    """Which query every pixel went to.

    Attributes:
        winner: (H, W), position of the pixel's query in ``labels``; their
            number where no query holds it.
        labels: (n,), class of each query.
        kept: bool (n,), whether the query is a segment; pixels of the others
            are void.
    """

    winner: Tensor
    labels: Tensor
    kept: Tensor

    def encode(self, is_thing: Tensor) -> Tensor:
        """mmdet's map: class + instance * INSTANCE_OFFSET, void is C.

        Instances of things are counted from 1 over the image; stuff of one
        class is one segment, instance 0.

        Args:
            is_thing: bool (C,).

        Returns:
            int32 (H, W).
        """
        void = len(is_thing)
        thing = self.kept & is_thing[self.labels]
        ids = self.labels + thing * thing.cumsum(0) * INSTANCE_OFFSET
        ids = torch.where(self.kept, ids, void)
        return torch.cat([ids, ids.new_full((1,), void)]).int()[self.winner]


def panoptic_segments(
    scores: Tensor,
    labels: Tensor,
    queries: Tensor,
    maps: QueryMaps,
    rules: PanopticRules,
) -> PanopticSegments:
    """Gives every pixel to the query with the highest score there.

    MaskFormer, section 3.4; Mask2Former, ``panoptic_inference``. No
    synchronisation for each segment.

    Args:
        scores: (n,), class scores of the queries that are left.
        labels: (n,), their classes.
        queries: (n,), their numbers.
        maps: mask logits.
        rules: what is kept.
    """
    num = len(queries)
    if not num:
        winner = labels.new_zeros(maps.sizes.out)
        return PanopticSegments(winner, labels, labels.bool())
    contest = host_contest if maps.on_host else _contest
    winner, inside, own_area = contest(scores, queries, maps, rules)
    area = areas(winner, num)
    kept = (area > 0) & (own_area > 0) & (area / own_area >= rules.iou_thr)
    if rules.filter_low_score:
        winner = winner.where(inside, num)
        kept &= areas(winner, num + 1)[:num] > 0
    return PanopticSegments(winner, labels, kept)


def areas(index: Tensor, num: int) -> Tensor:
    """How often each number below ``num`` is in a map, int64 (num,)."""
    index = index.flatten()
    if host.on_host(index):
        return torch.bincount(index, minlength=num)
    # Counting bins would take a synchronisation.
    total = index.new_zeros(num)
    return total.scatter_add_(0, index, torch.ones_like(index))


def host_contest(
    scores: Tensor, queries: Tensor, maps: QueryMaps, rules: PanopticRules
) -> tuple[Tensor, Tensor, Tensor]:
    """The same as :func:`_contest`, map by map, as caches like it.

    NumPy compares several times as fast as PyTorch does on a CPU.
    """
    height, width = maps.sizes.out
    best = np.full((height, width), -1, np.float32)
    winner = np.zeros((height, width), np.int16)
    inside = np.zeros((height, width), bool)
    own_areas = []
    logits = each(maps.low(queries), maps.sizes)
    for number, (resized, score) in enumerate(
        zip(logits, scores.numpy(), strict=True)
    ):
        probs = resized.sigmoid_().numpy()
        own = probs >= np.float32(rules.mask_thr)
        own_areas.append(np.count_nonzero(own))
        probs *= score
        better = probs > best
        np.maximum(best, probs, out=best)
        # Numbers rise, so the last that was better is the largest.
        np.maximum(winner, better * np.int16(number), out=winner)
        inside &= ~better
        inside |= own & better
    return (
        torch.from_numpy(winner).long(),
        torch.from_numpy(inside),
        torch.tensor(own_areas),
    )


def _contest(
    scores: Tensor, queries: Tensor, maps: QueryMaps, rules: PanopticRules
) -> tuple[Tensor, Tensor, Tensor]:
    """Winner of every pixel, whether it lies in its mask, and mask areas."""
    best = winner = inside = None
    own_areas = []
    for start in range(0, len(queries), rules.chunk_size):
        part = slice(start, start + rules.chunk_size)
        probs = maps.full(queries[part]).sigmoid_()
        own = probs >= rules.mask_thr
        own_areas.append(own.sum((1, 2)))
        top, index = probs.mul_(scores[part, None, None]).max(0)
        hit = own.gather(0, index[None])[0]
        if best is None:
            best, winner, inside = top, index, hit
            continue
        better = top > best
        best = torch.where(better, top, best)
        winner = torch.where(better, index + start, winner)
        inside = torch.where(better, hit, inside)
    return winner, inside, torch.cat(own_areas)
