"""How sure the difference of two runs on the same images is.

Images are drawn with replacement, the same ones for both runs (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmseg_plugin.evaluation.panoptic_quality import per_class_quality
from mmseg_plugin.reporting.matching import ious
from mmseg_plugin.reporting.measures import (
    IOU_THRS,
    iou_of,
    panoptic_counts,
    semantic_counts,
)
from mmseg_plugin.reporting.records import Judged

_RECALLS = np.linspace(0, 1, 101)
# Draws (D, N) of images to the measure of each (D,).
Resampled = Callable[[np.ndarray], np.ndarray]


class Difference(NamedTuple):
    """Second run minus first.

    Attributes:
        mean: on the images as they are.
        low: 2.5 % of the draws are below.
        high: 2.5 % are above.
    """

    mean: float
    low: float
    high: float


def paired_difference(
    first: Resampled,
    second: Resampled,
    images: int,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Interval of 95 % of a difference over images.

    Args:
        first: measure by how often each image is taken.
        second: of the other run, on the same images in the same order.
        images: their number.
        draws: how often images are drawn.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(
        images, np.full(images, 1 / images), size=draws
    )
    values = second(weights) - first(weights)
    once = np.ones((1, images), int)
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Difference(
        float((second(once) - first(once))[0]), float(low), float(high)
    )


def resampled(judged: Judged) -> Resampled:
    """The main measure of a run as a function of the draw of images."""
    if judged.kind == 'instances':
        return _resampled_ap(judged)
    count = panoptic_counts if judged.kind == 'panoptic' else semantic_counts
    table = np.stack(
        [count(record, len(judged.classes)) for record in judged.images]
    )

    def mean(weights: np.ndarray) -> np.ndarray:
        sums = np.einsum('dn,nck->dck', weights, table)
        if judged.kind == 'semantic':
            return np.nanmean(iou_of(sums), -1)
        there = sums[..., 1:].sum(-1) > 0
        flat = per_class_quality(sums.reshape(-1, 4))[:, 0]
        quality = flat.reshape(there.shape)
        return (quality * there).sum(-1) / np.maximum(there.sum(-1), 1)

    return mean


class _ClassHits(NamedTuple):
    """Results of one class, the best scores first.

    Attributes:
        image: of each result, (n,).
        hits: (T, n), right at each threshold of IoU.
        counts: (T, n), right or wrong, not on a crowd.
        objects: in each image, (N,).
    """

    image: np.ndarray
    hits: np.ndarray
    counts: np.ndarray
    objects: np.ndarray


def _class_hits(judged: Judged, label: int) -> _ClassHits:
    scores, images, hits, counts = [], [], [], []
    objects = np.zeros(len(judged.images), int)
    for number, record in enumerate(judged.images):
        found = [r for r in record.found if r.label == label]
        found.sort(key=lambda r: -(r.score or 0.0))
        found = found[: judged.max_dets]
        truth = [r for r in record.truth if r.label == label]
        crowd = np.array([r.crowd for r in truth], bool)
        objects[number] = (~crowd).sum()
        right, ignored = _greedy(ious(found, truth), crowd)
        scores += [r.score or 0.0 for r in found]
        images += [number] * len(found)
        hits.append(right)
        counts.append(~ignored)
    order = np.argsort(-np.array(scores), kind='stable')
    return _ClassHits(
        np.array(images, int)[order],
        np.concatenate(hits, 1)[:, order],
        np.concatenate(counts, 1)[:, order],
        objects,
    )


def _greedy(
    table: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Right and ignored, each (T, n), as COCO matches them."""
    shape = (len(IOU_THRS), len(table))
    right, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    for t, threshold in enumerate(IOU_THRS):
        free = ~crowd
        for row in range(len(table)):
            values = np.where(free, table[row], -1)
            best = int(values.argmax()) if values.size else -1
            if best >= 0 and values[best] >= threshold - 1e-10:
                free[best] = False
                right[t, row] = True
            elif (table[row, crowd] >= threshold - 1e-10).any():
                ignored[t, row] = True
    return right, ignored


def _resampled_ap(judged: Judged) -> Resampled:
    classes = [_class_hits(judged, i) for i in range(len(judged.classes))]

    def mean(weights: np.ndarray) -> np.ndarray:
        return np.array([_draw_ap(classes, draw) for draw in weights])

    return mean


def _draw_ap(classes: list[_ClassHits], weights: np.ndarray) -> float:
    """AP where each image counts as often as it was drawn."""
    values = []
    for one in classes:
        total = (weights * one.objects).sum()
        if not total:
            continue
        if not len(one.image):
            values.append(0.0)
            continue
        often = weights[one.image]
        right = np.cumsum(one.hits * often, 1)
        seen = np.cumsum(one.counts * often, 1)
        precision = right / np.maximum(seen, 1)
        best = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
        for recall, row in zip(right / total, best, strict=True):
            place = np.searchsorted(recall, _RECALLS, side='left')
            inside = place < len(row)
            taken = row[np.minimum(place, len(row) - 1)]
            values.append(float(np.where(inside, taken, 0).mean()))
    if not values:
        return float('nan')
    return float(np.mean(values))
