"""Boxes grouped by the one that suppresses them."""

import torch
from torch import Tensor

from .greedy import overlaps


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Greedy suppression that remembers what each box suppressed.

    mmcv runs it on the CPU, whatever the device.

    Args:
        dets: (N, 5), (x1, y1, x2, y2, score).
        iou_threshold: from here on a box is suppressed.

    Returns:
        Of each box that is kept, by falling score: its index, then those of
        the boxes it suppressed, by falling score.
    """
    order = dets[:, 4].sort(descending=True).indices
    limit = float(torch.tensor(iou_threshold, dtype=torch.float32))
    groups = []
    while len(order):
        boxes = dets[order, :4].float().T
        over = overlaps(boxes[:, :1], boxes[:, 1:], 0) >= limit
        groups.append([int(order[0]), *order[1:][over].tolist()])
        order = order[1:][~over]
    return groups
