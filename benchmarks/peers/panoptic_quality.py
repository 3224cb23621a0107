"""Panoptic quality segment by segment, as panopticapi publishes it."""

from collections import defaultdict

import numpy as np

SHIFT = 1 << 24


class ClassCounts:
    """What is counted for one class."""

    def __init__(self) -> None:
        self.iou = 0.0
        self.hits = 0
        self.wrong = 0
        self.missed = 0


def pixels_of(ids: np.ndarray) -> dict[int, int]:
    """How many pixels each id has."""
    found, pixels = np.unique(ids, return_counts=True)
    return dict(zip(found.tolist(), pixels.tolist(), strict=True))


def count_image(
    counts: dict[int, ClassCounts],
    gt_ids: np.ndarray,
    pred_ids: np.ndarray,
    gt_segments: np.ndarray,
    pred_segments: np.ndarray,
) -> None:
    """Adds one image to ``counts``.

    Args:
        counts: class to its counts.
        gt_ids: int (H, W), 0 is void.
        pred_ids: int (H, W), 0 is void.
        gt_segments: rows id, class, crowd, area.
        pred_segments: rows id, class.
    """
    truth = {int(row[0]): row for row in gt_segments}
    guess = {int(row[0]): int(row[1]) for row in pred_segments}
    pred_area = pixels_of(pred_ids)
    joint = gt_ids.astype(np.uint64) * SHIFT + pred_ids.astype(np.uint64)
    shared = {
        divmod(key, SHIFT): pixels for key, pixels in pixels_of(joint).items()
    }
    used_truth, used_guess = set(), set()
    for (gt, pred), pixels in shared.items():
        if gt not in truth or pred not in guess:
            continue
        _, label, crowd, area = truth[gt].tolist()
        if crowd == 1 or label != guess[pred]:
            continue
        void = shared.get((0, pred), 0)
        iou = pixels / (pred_area[pred] + area - pixels - void)
        if iou > 0.5:
            counts[label].iou += iou
            counts[label].hits += 1
            used_truth.add(gt)
            used_guess.add(pred)

    crowds = {}
    for gt, row in truth.items():
        if row[2] == 1:
            crowds[int(row[1])] = gt
        elif gt not in used_truth:
            counts[int(row[1])].missed += 1
    for pred, label in guess.items():
        if pred in used_guess:
            continue
        ignored = shared.get((0, pred), 0)
        if label in crowds:
            ignored += shared.get((crowds[label], pred), 0)
        if ignored / pred_area[pred] <= 0.5:
            counts[label].wrong += 1


def count_images(images: list[tuple]) -> dict[int, ClassCounts]:
    """Counts of all classes over images, see :func:`count_image`."""
    counts: dict[int, ClassCounts] = defaultdict(ClassCounts)
    for image in images:
        count_image(counts, *image)
    return counts


def quality(counts: list[ClassCounts]) -> tuple[float, float, float, int]:
    """PQ, SQ, RQ averaged over the classes that occur, and their number."""
    pq = sq = rq = 0.0
    num = 0
    for c in counts:
        total = c.hits + 0.5 * c.wrong + 0.5 * c.missed
        if total == 0:
            continue
        num += 1
        pq += c.iou / total
        sq += c.iou / c.hits if c.hits else 0.0
        rq += c.hits / total
    return pq / num, sq / num, rq / num, num
