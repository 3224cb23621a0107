"""Overlaps of boxes."""

from torch import Tensor

from .greedy import areas


def bbox_overlaps(
    bboxes1: Tensor,
    bboxes2: Tensor,
    ious: Tensor,
    *,
    mode: int,
    aligned: bool,
    offset: int,
) -> None:
    """Intersection over union, or over the first box.

    Args:
        bboxes1: (N, 4), (x1, y1, x2, y2).
        bboxes2: (M, 4).
        ious: written to, (N, M), or (N,) if ``aligned``.
        mode: 0 for the union, 1 for the area of the first box.
        aligned: whether to compare pairs; then N is M.
        offset: 0 or 1, added to the sides of boxes.
    """
    first, second = areas(bboxes1.T, offset), areas(bboxes2.T, offset)
    if not aligned:
        first, bboxes1 = first[:, None], bboxes1[:, None]
    start = bboxes1[..., :2].maximum(bboxes2[:, :2])
    end = bboxes1[..., 2:].minimum(bboxes2[:, 2:])
    shared = (end - start + offset).clamp(min=0).prod(-1)
    whole = first if mode == 1 else first + second - shared
    ious.copy_(shared / whole)
