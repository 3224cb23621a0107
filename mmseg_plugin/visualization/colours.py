"""Colours of objects: told apart by every eye, kept from panel to panel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.evaluation.pairing import Pairs, pair_up

# Okabe and Ito's palette without black, RGB.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def _gaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pixels between a box and others, (n,); 0 where they meet."""
    apart = np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:])
    return np.maximum(apart, 0).max(1)


def spread_colours(
    boxes: Sequence[np.ndarray], fixed: Sequence[int | None] | None = None
) -> list[int]:
    """A colour for each object, far from others of the same colour.

    Args:
        boxes: x1, y1, x2, y2 of each object.
        fixed: colours that are given; None for those to choose.

    Returns:
        Indices of :data:`PALETTE`.
    """
    chosen: list[int | None] = list(fixed or [None] * len(boxes))
    corners = np.array(boxes, float).reshape(-1, 4)
    for i, box in enumerate(corners):
        if chosen[i] is not None:
            continue
        near = 1 / (1 + _gaps(box, corners))
        cost = [
            sum(near[j] for j, used in enumerate(chosen) if used == colour)
            for colour in range(len(PALETTE))
        ]
        chosen[i] = int(np.argmin(cost))
    return [colour for colour in chosen if colour is not None]


def pair_segments(
    truth: Sequence[Segment], found: Sequence[Segment], size: tuple[int, int]
) -> Pairs:
    """Which results are right; see :func:`pair_up`.

    Args:
        truth: annotated segments.
        found: those of a model. Those without masks are compared by boxes.
        size: height and width of the image.
    """
    table = np.zeros((len(found), len(truth)))
    crowd = [int(t.crowd) for t in truth]
    if found and truth:
        by_mask = all(s.mask is not None for s in (*truth, *found))
        shapes: list[Any] = [
            [_rle(s, size) if by_mask else _xywh(s) for s in part]
            for part in (found, truth)
        ]
        if not by_mask:
            shapes = [np.array(part, float) for part in shapes]
        table = np.asarray(mask_utils.iou(*shapes, crowd)).reshape(table.shape)
    return pair_up(
        table,
        [s.label for s in found],
        [s.label for s in truth],
        [s.score or 0.0 for s in found],
        [t.crowd for t in truth],
    )


def _rle(segment: Segment, size: tuple[int, int]) -> dict:
    mask = segment.whole_mask(size)
    return mask_utils.encode(np.asfortranarray(mask, np.uint8))


def _xywh(segment: Segment) -> list[float]:
    x1, y1, x2, y2 = segment.box.tolist()
    return [x1, y1, x2 - x1, y2 - y1]


def shared_colours(
    panels: Sequence[Sequence[Segment]], size: tuple[int, int]
) -> list[list[int]]:
    """Colours of several panels: an object of the first keeps its own.

    Args:
        panels: segments of each, the truth first if there is one.
        size: height and width of the image.
    """
    if not panels:
        return []
    first = spread_colours([s.box for s in panels[0]])
    colours = [first]
    for found in panels[1:]:
        pairs = pair_segments(panels[0], found, size)
        fixed: list[int | None] = [None] * len(found)
        for pair in (*pairs.right, *pairs.confused):
            fixed[pair.found] = first[pair.truth]
        colours.append(spread_colours([s.box for s in found], fixed))
    return colours
