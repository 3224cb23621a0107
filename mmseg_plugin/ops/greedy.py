"""Overlaps of boxes as mmcv's operators count them, in float32."""

from collections.abc import Sequence

from torch import Tensor

# Four coordinates, one behind the other.
Boxes = Tensor | Sequence[Tensor]


def areas(boxes: Boxes, offset: int) -> Tensor:
    """Of boxes (4, ...) whose sides are ``offset`` longer, (...)."""
    x1, y1, x2, y2 = boxes
    return (x2 - x1 + offset) * (y2 - y1 + offset)


def overlaps(first: Boxes, second: Boxes, offset: int) -> Tensor:
    """Intersection over union of boxes, broadcast.

    The order of operations is that of the compiled operator, so that a pair
    at the threshold falls on the same side of it. Coordinates come first as
    numbers in a row are compared several times as fast as every fourth.

    Args:
        first: (4, ...), e.g. (4, N, 1) for all pairs with (4, 1, M).
        second: (4, ...).
        offset: 0 or 1, added to each side.

    Returns:
        (...), e.g. (N, M).
    """
    sides = []
    for low in (0, 1):
        start = first[low].maximum(second[low])
        end = first[low + 2].minimum(second[low + 2])
        side = end.sub_(start)
        sides.append((side.add_(offset) if offset else side).clamp_(min=0))
    shared = sides[0].mul_(sides[1])
    union = areas(first, offset) + areas(second, offset)
    return shared.div_(union.sub_(shared))
