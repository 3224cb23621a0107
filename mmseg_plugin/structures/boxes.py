"""Boxes in pixels, and (cx, cy, w, h) in [0, 1] of the image."""

import torch
from torch import Tensor

from mmseg_plugin.utils.host import made_once


def boxes_of(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Tight boxes of bool masks.

    Args:
        masks: (n, h, w).

    Returns:
        Boxes (n, 4), (x1, y1, x2, y2) in pixels with exclusive ends, zeros
        for an empty mask; and (n,), which masks are not empty.
    """
    spans = []
    for hit in (masks.any(1), masks.any(2)):
        size = hit.shape[1]
        rising, falling = _numbers(size, hit.device)
        if not size:
            spans.append((rising.new_zeros(len(hit)),) * 2)
            continue
        last = (hit * rising).amax(1)
        first = (hit * falling).amax(1)
        spans.append((torch.where(last > 0, size - first, 0), last))
    (x1, x2), (y1, y2) = spans
    return torch.stack([x1, y1, x2, y2], 1).float(), x2 > 0


@made_once
def _numbers(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """From 1 to ``size`` and from ``size`` to 1."""
    rising = torch.arange(1, size + 1, device=device)
    return rising, rising.flip(0)


def normalized_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Relative boxes from corners in pixels.

    Args:
        boxes: (G, 4), (x1, y1, x2, y2), a tensor or mmdet's boxes.
        size: height and width by which they are divided.
    """
    boxes = getattr(boxes, 'tensor', boxes)
    height, width = size[:2]
    x1, y1, x2, y2 = boxes.unbind(-1)
    # Numbers, not a tensor of them: that would be a synchronising copy.
    x, y = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
    return torch.stack((x, y, (x2 - x1) / width, (y2 - y1) / height), -1)


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalized IoU (arXiv 1902.09630), with 1e-6 in both denominators.

    Args:
        first: (..., 4), (cx, cy, w, h).
        second: the same, broadcast with ``first``.

    Returns:
        Values in (-1, 1], (...).
    """
    halves = [box[..., 2:] / 2 for box in (first, second)]
    low, high = (
        (first[..., :2] + sign * halves[0], second[..., :2] + sign * halves[1])
        for sign in (-1, 1)
    )
    overlap = _area((torch.minimum(*high) - torch.maximum(*low)).clamp(min=0))
    hull = _area(torch.maximum(*high) - torch.minimum(*low))
    # As published areas are those of the corners' differences.
    areas = [_area(b - a) for a, b in zip(low, high, strict=True)]
    union = areas[0] + areas[1] - overlap
    return overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def _area(extent: Tensor) -> Tensor:
    # ``prod`` asks the device for zeros in its backward pass.
    return extent[..., 0] * extent[..., 1]
