"""Non-maximum suppression, box for box that of mmcv's operator."""

import torch
from torch import Tensor

from mmseg_plugin.utils import host

from .nms_all_pairs import stays_of_all_pairs
from .nms_near_pairs import nearest_line, stays_of_near_pairs

# With fewer boxes all pairs are compared, and where finding those that may
# overlap takes longer: as long as comparing so many each.
_FEW, _COST = 200, 3


def nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int
) -> Tensor:
    """Drops each box that overlaps one of a higher score too much.

    Args:
        boxes: (N, 4), (x1, y1, x2, y2).
        scores: (N,).
        iou_threshold: overlaps above it are too much.
        offset: 0 or 1, added to the sides of boxes.

    Returns:
        Indices of what is kept, by falling score, int64 (K,).
    """
    order = scores.sort(descending=True).indices
    boxes = boxes.float()[order].T.contiguous()
    # As the compiled operator gets it.
    limit = float(torch.tensor(iou_threshold, dtype=torch.float32))
    if host.on_host(boxes) and limit >= 0 and len(order) > _FEW:
        line = nearest_line(boxes, offset, limit)
        if _COST * line.pairs() < len(order) ** 2 // 2:
            return order[stays_of_near_pairs(boxes, line, offset, limit)]
    return order[stays_of_all_pairs(boxes, offset, limit)]
