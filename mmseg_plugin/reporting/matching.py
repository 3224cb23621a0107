"""Which results are right, which are of another class, what was missed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

from mmseg_plugin.evaluation.pairing import Pairs, pair_up
from mmseg_plugin.reporting.records import ImageRecord, Judged, Region

# Scores of which the best is looked for.
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


def ious(found: Sequence[Region], truth: Sequence[Region]) -> np.ndarray:
    """IoU (F, T) of masks; of a crowd, the share of the result on it."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    return np.asarray(
        mask_utils.iou(
            [f.rle for f in found],
            [t.rle for t in truth],
            [int(t.crowd) for t in truth],
        )
    ).reshape(len(found), len(truth))


def shown(record: ImageRecord, threshold: float) -> list[int]:
    """Results whose score is high enough, those without one included."""
    return [
        i
        for i, region in enumerate(record.found)
        if region.score is None or region.score >= threshold
    ]


def match(record: ImageRecord, threshold: float = 0.0) -> Pairs:
    """Pairs results with objects; see :func:`pair_up`.

    Args:
        record: of the image.
        threshold: results with a lower score are left out.
    """
    chosen = shown(record, threshold)
    found = [record.found[i] for i in chosen]
    pairs = pair_up(
        ious(found, record.truth),
        [region.label for region in found],
        [region.label for region in record.truth],
        [region.score or 0.0 for region in found],
        [region.crowd for region in record.truth],
    )
    right, confused = (
        [p._replace(found=chosen[p.found]) for p in part]
        for part in (pairs.right, pairs.confused)
    )
    return Pairs(
        right, confused, pairs.missed, [chosen[i] for i in pairs.false]
    )


class ScoredHits(NamedTuple):
    """All results of a run.

    Attributes:
        scores: (n,) in [0, 1].
        hits: (n,), bool: right by class, and IoU 0.5 or more.
        objects: number of objects.
    """

    scores: np.ndarray
    hits: np.ndarray
    objects: int


def scored_hits(judged: Judged) -> ScoredHits:
    """Scores and whether they were right; results on crowds do not count."""
    scores, hits, objects = [], [], 0
    for record in judged.images:
        matched = match(record)
        objects += sum(not t.crowd for t in record.truth)
        right = [p.found for p in matched.right]
        wrong = matched.false + [p.found for p in matched.confused]
        for found, hit in ((right, True), (wrong, False)):
            scores += [record.found[i].score or 0.0 for i in found]
            hits += [hit] * len(found)
    return ScoredHits(np.array(scores), np.array(hits, bool), objects)


def best_threshold(found: ScoredHits) -> float:
    """Score with the best F1; 0 where results have no scores."""
    if not found.scores.any():
        return 0.0
    f1 = []
    for threshold in _THRESHOLDS:
        kept = found.scores >= threshold
        total = kept.sum() + found.objects
        f1.append(2 * found.hits[kept].sum() / max(total, 1))
    return float(_THRESHOLDS[int(np.argmax(f1))])


def confusion(judged: Judged, matched: Sequence[Pairs]) -> np.ndarray:
    """Counts (C + 1, C + 1): truth by result; the last is nothing.

    Args:
        judged: of a run.
        matched: of each of its images.
    """
    size = len(judged.classes)
    counts = np.zeros((size + 1, size + 1), int)
    for record, one in zip(judged.images, matched, strict=True):
        for pair in one.right + one.confused:
            label = record.truth[pair.truth].label
            counts[label, record.found[pair.found].label] += 1
        for i in one.missed:
            counts[record.truth[i].label, size] += 1
        for i in one.false:
            counts[size, record.found[i].label] += 1
    return counts
