"""Overlaps of boxes as mmcv's operators count them, in float32."""

from torch import Tensor


def areas(boxes: Tensor, offset: int) -> Tensor:
    """Of boxes (N, 4) whose sides are ``offset`` longer, (N,)."""
    x1, y1, x2, y2 = boxes.unbind(1)
    return (x2 - x1 + offset) * (y2 - y1 + offset)


def overlaps(first: Tensor, second: Tensor, offset: int) -> Tensor:
    """Intersection over union of all pairs.

    The order of operations is that of the compiled operator, so that a pair
    at the threshold falls on the same side of it.

    Args:
        first: (N, 4).
        second: (M, 4).
        offset: 0 or 1, added to each side.

    Returns:
        (N, M).
    """
    sides = []
    for low in (0, 1):
        start = first[:, low, None].maximum(second[:, low])
        end = first[:, low + 2, None].minimum(second[:, low + 2])
        side = end.sub_(start)
        sides.append((side.add_(offset) if offset else side).clamp_(min=0))
    shared = sides[0].mul_(sides[1])
    union = areas(first, offset)[:, None] + areas(second, offset)
    return shared.div_(union.sub_(shared))
