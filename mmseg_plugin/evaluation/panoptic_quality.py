"""Panoptic quality from in-memory maps, without panopticapi.

Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4; the rules for
void and crowd are those of panopticapi's ``pq_compute``.
"""

from typing import NamedTuple

import numpy as np

VOID = 0


class Segments(NamedTuple):
    """What is known of the segments of one map.

    Attributes:
        ids: int (n,), distinct; :data:`VOID` is none of them.
        labels: int (n,), classes in [0, C).
        crowd: bool (n,), or None for predictions.
        areas: (n,), pixels, or None to count them in the map.
    """

    ids: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray | None = None
    areas: np.ndarray | None = None


class Overlaps(NamedTuple):
    """The pairs of ids that two maps have in common.

    Attributes:
        gt: int64 (n,), ids in the ground truth.
        pred: int64 (n,), ids in the prediction.
        pixels: int64 (n,), on how many pixels they meet.
    """

    gt: np.ndarray
    pred: np.ndarray
    pixels: np.ndarray


class PanopticQuality(NamedTuple):
    """Averages over classes, each in [0, 1]; NaN without any class.

    Attributes:
        pq: panoptic quality, sq * rq for a single class.
        sq: segmentation quality, mean IoU of the matched segments.
        rq: recognition quality, F1 of the segments.
        num: number of classes averaged.
    """

    pq: float
    sq: float
    rq: float
    num: int


def overlaps(gt_ids: np.ndarray, pred_ids: np.ndarray) -> Overlaps:
    """Counts the pixels of every pair of ids.

    Both maps are constant over long runs of pixels, so the runs are sorted,
    not the pixels.

    Args:
        gt_ids: int (H, W), in [0, 2**24), as COCO's colours have it.
        pred_ids: int (H, W), in [0, 2**24).

    Raises:
        ValueError: the sizes differ, or rows are longer than 65535.
    """
    if gt_ids.shape != pred_ids.shape:
        raise ValueError(
            f'ground truth is {gt_ids.shape}, prediction {pred_ids.shape}'
        )
    width = gt_ids.shape[1]
    if width >= 1 << 16:
        raise ValueError(
            f'maps of {width} columns are too wide, at most 65535'
        )
    if not gt_ids.size:
        return Overlaps(*np.zeros((3, 0), np.int64))
    gt, pred = gt_ids.ravel(), pred_ids.ravel()
    last = gt[1:] != gt[:-1]
    last |= pred[1:] != pred[:-1]
    last[width - 1 :: width] = True
    ends = np.append(np.flatnonzero(last), gt.size - 1)
    # Packed as gt, pred, length in 24 + 24 + 16 bits: one plain sort.
    runs = gt[ends].astype(np.uint64) << np.uint64(40)
    runs |= pred[ends].astype(np.uint64) << np.uint64(16)
    runs[0] |= np.uint64(ends[0] + 1)
    runs[1:] |= (ends[1:] - ends[:-1]).view(np.uint64)
    runs.sort()
    pairs = (runs >> np.uint64(16)).view(np.int64)
    first = np.append(0, np.flatnonzero(pairs[1:] != pairs[:-1]) + 1)
    lengths = (runs & np.uint64(0xFFFF)).view(np.int64)
    pairs = pairs[first]
    return Overlaps(
        pairs >> 24, pairs & 0xFFFFFF, np.add.reduceat(lengths, first)
    )


def segment_counts(
    met: Overlaps, gt: Segments, pred: Segments, num_classes: int
) -> np.ndarray:
    """Matches the segments of one image.

    Segments of one class match if their IoU, void left out, is above 0.5. A
    prediction mostly on void or on a crowd of its class counts nowhere.

    Args:
        met: common pixels of the two maps.
        gt: segments of the ground truth.
        pred: predicted segments.
        num_classes: C.

    Returns:
        (C, 4): sum of matched IoUs, true positives, false positives, false
        negatives. Sum over images.

    Raises:
        ValueError: an id of the predicted map is not listed, or the reverse.
    """
    pixels = common_pixels(met, gt.ids, pred.ids)
    inside, void = pixels[: len(gt.ids), :-1], pixels[-2, :-1]
    pred_areas = pixels[:, :-1].sum(0)
    if not pred_areas.all():
        lost = pred.ids[pred_areas == 0].tolist()
        raise ValueError(f'predicted segments {lost} are not in the map')
    gt_areas = pixels[: len(gt.ids)].sum(1) if gt.areas is None else gt.areas
    crowd = np.zeros(len(gt.ids), bool) if gt.crowd is None else gt.crowd

    union = pred_areas + gt_areas[:, None] - inside - void
    iou = np.divide(inside, union, where=union > 0, out=np.zeros(union.shape))
    same = gt.labels[:, None] == pred.labels
    rows, cols = np.nonzero((iou > 0.5) & same & ~crowd[:, None])

    missed = ~crowd
    missed[rows] = False
    ignored = void + _crowd_overlaps(inside, gt.labels, crowd, pred.labels)
    wrong = ignored / pred_areas <= 0.5
    wrong[cols] = False

    found = gt.labels[rows]
    labels = found, pred.labels[wrong], gt.labels[missed]
    counts = [np.bincount(some, minlength=num_classes) for some in labels]
    ious = np.bincount(found, iou[rows, cols], minlength=num_classes)
    return np.stack([ious, *counts], 1)


def common_pixels(
    met: Overlaps, gt_ids: np.ndarray, pred_ids: np.ndarray
) -> np.ndarray:
    """Common pixels as a matrix.

    Args:
        met: common pixels of two maps.
        gt_ids: int (G,), segments of the ground truth.
        pred_ids: int (P,), predicted segments.

    Returns:
        int64 (G + 2, P + 1); the last rows are void and unlisted ids, the
        last column is void.

    Raises:
        ValueError: a predicted id is not listed.
    """
    # What is not listed has -1, the last row.
    rows = _positions(met.gt, np.append(gt_ids, VOID))
    cols = _positions(met.pred, np.append(pred_ids, VOID))
    if (cols < 0).any():
        unknown = np.unique(met.pred[cols < 0]).tolist()
        raise ValueError(
            f'the predicted map has ids {unknown} that its list of segments '
            'lacks'
        )
    pixels = np.zeros((len(gt_ids) + 2, len(pred_ids) + 1), np.int64)
    # Every pair is listed once, but unlisted ids share a row.
    np.add.at(pixels, (rows, cols), met.pixels)
    return pixels


def _positions(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Index of each value in ``ids``, -1 where it is not one of them.

    There is at least one id.
    """
    order = ids.argsort()
    place = ids.searchsorted(values, sorter=order)
    found = order.take(place, mode='clip')
    return np.where(ids[found] == values, found, -1)


def _crowd_overlaps(
    inside: np.ndarray,
    gt_labels: np.ndarray,
    crowd: np.ndarray,
    pred_labels: np.ndarray,
) -> np.ndarray:
    """Pixels (P,) of each prediction on the crowd segment of its class.

    Published code knows one crowd segment of a class, the last.
    """
    pixels = np.zeros(len(pred_labels), np.int64)
    for i in np.flatnonzero(crowd):
        own = pred_labels == gt_labels[i]
        pixels[own] = inside[i, own]
    return pixels


def per_class_quality(counts: np.ndarray) -> np.ndarray:
    """PQ, SQ and RQ of every class.

    Args:
        counts: (C, 4), see :func:`segment_counts`.

    Returns:
        (C, 3) in [0, 1]; zeros for a class that occurs nowhere.
    """
    iou, hits, wrong, missed = counts.T
    half = hits + (wrong + missed) / 2
    quality = np.zeros((len(counts), 3))
    np.divide(iou, half, where=half > 0, out=quality[:, 0])
    np.divide(iou, hits, where=hits > 0, out=quality[:, 1])
    np.divide(hits, half, where=half > 0, out=quality[:, 2])
    return quality


def panoptic_quality(
    counts: np.ndarray, classes: np.ndarray | None = None
) -> PanopticQuality:
    """Averages over the classes that occur.

    Args:
        counts: (C, 4), see :func:`segment_counts`.
        classes: bool (C,), those to average, such as the things; all if
            None.
    """
    occurs = counts[:, 1:].sum(1) > 0
    if classes is not None:
        occurs &= classes
    if not occurs.any():
        return PanopticQuality(np.nan, np.nan, np.nan, 0)
    pq, sq, rq = per_class_quality(counts)[occurs].mean(0).tolist()
    return PanopticQuality(pq, sq, rq, int(occurs.sum()))
