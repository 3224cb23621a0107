"""Soft non-maximum suppression ("Soft-NMS", arXiv 1704.04503)."""

import numpy as np
import torch
from torch import Tensor


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lowers the scores of boxes that overlap better ones.

    mmcv runs it on the CPU, whatever the device.

    Args:
        boxes: (N, 4), (x1, y1, x2, y2).
        scores: (N,).
        dets: written to, (N, 5): the K boxes that are left, in the order
            in which they were taken, with their new scores.
        iou_threshold: where methods 0 and 1 set in.
        sigma: of method 2.
        min_score: boxes below are dropped.
        method: 0 drops, 1 lowers linearly, 2 by a Gaussian.
        offset: 0 or 1, added to the sides of boxes.

    Returns:
        Indices of the boxes that are left, int64 (K,).
    """
    # (5, N), so that each coordinate is contiguous.
    rows = torch.cat([boxes, scores[:, None]], 1).float().T.contiguous()
    data = rows.numpy()
    index = np.arange(len(boxes))
    count = len(boxes)
    start = 0
    while start < count:
        _swap(data, index, start, start + _best(data[4, start:count]))
        rest = data[:, start + 1 : count]
        with np.errstate(divide='ignore', invalid='ignore'):
            over = _overlaps(data[:4, start], rest, offset)
        rest[4] *= _weights(over, iou_threshold, sigma, method)
        count = (
            start
            + 1
            + _compact(rest, index[start + 1 : count], np.float32(min_score))
        )
        start += 1
    dets[:count] = rows.T[:count]
    return torch.from_numpy(index[:count])


def _best(scores: np.ndarray) -> int:
    """Place of the largest score; one that is no number is taken in turn.

    A Gaussian makes such of boxes without an area.
    """
    if np.isnan(scores[0]):
        return 0
    return int(np.fmax(scores, -np.inf).argmax())


def _swap(data: np.ndarray, index: np.ndarray, i: int, j: int) -> None:
    data[:, [i, j]] = data[:, [j, i]]
    index[[i, j]] = index[[j, i]]


def _overlaps(box: np.ndarray, rest: np.ndarray, offset: int) -> np.ndarray:
    """Intersection over union of one box (4,) and others (5, N)."""
    width = np.minimum(box[2], rest[2]) - np.maximum(box[0], rest[0])
    height = np.minimum(box[3], rest[3]) - np.maximum(box[1], rest[1])
    side = np.float32(offset)
    shared = np.maximum(width + side, 0) * np.maximum(height + side, 0)
    area = (box[2] - box[0] + side) * (box[3] - box[1] + side)
    areas = (rest[2] - rest[0] + side) * (rest[3] - rest[1] + side)
    return shared / (area + areas - shared)


def _weights(
    over: np.ndarray, threshold: float, sigma: float, method: int
) -> np.ndarray:
    """What scores are multiplied by, for overlaps (N,)."""
    if method == 2:
        return np.exp(-(over * over) / np.float32(sigma))
    lowered = 1 - over if method == 1 else np.zeros_like(over)
    return np.where(over >= np.float32(threshold), lowered, np.float32(1))


def _compact(
    rest: np.ndarray, index: np.ndarray, min_score: np.float32
) -> int:
    """Moves boxes from the end to where others are dropped.

    Args:
        rest: (5, N), changed in place.
        index: (N,), changed in place.
        min_score: boxes below are dropped.

    Returns:
        How many are left.
    """
    stays = ~(rest[4] < min_score)
    left = int(stays.sum())
    holes = np.flatnonzero(~stays[:left])
    if len(holes):
        # The order decides which of equal scores comes first.
        moved = left + np.flatnonzero(stays[left:])[::-1]
        rest[:, holes] = rest[:, moved]
        index[holes] = index[moved]
    return left
