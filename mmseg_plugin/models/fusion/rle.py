"""Run-length encoding of a mask of which only a part is given."""

import numpy as np
from pycocotools import mask as coco_mask


def encode_crop(
    pixels: np.ndarray, top: int, left: int, size: tuple[int, int]
) -> dict:
    """Compressed COCO RLE of a mask that is empty outside a crop.

    Equal to ``pycocotools.mask.encode`` of the whole mask, at the cost of
    the crop.

    Args:
        pixels: bool (h, w), the crop.
        top: row of the crop's first pixel.
        left: column of the crop's first pixel.
        size: height and width of the whole mask.

    Returns:
        ``{'size': [height, width], 'counts': bytes}``.
    """
    height, width = size
    columns = np.zeros((pixels.shape[1], pixels.shape[0] + 2), np.int8)
    columns[:, 1:-1] = pixels.T
    steps = np.diff(columns, axis=1)
    column, row = np.nonzero(steps)
    # Column-major: each column's steps alternate between start and end.
    bounds = (column + left) * height + row + top
    starts, ends = bounds[::2], bounds[1::2]
    # A run to the foot of a column goes on at the head of the next one.
    apart = np.flatnonzero(starts[1:] != ends[:-1])
    starts = starts[np.r_[0, apart + 1]] if len(starts) else starts
    ends = ends[np.r_[apart, len(ends) - 1]] if len(ends) else ends
    bounds = np.stack([starts, ends], 1).ravel()
    counts = np.diff(np.r_[0, bounds, height * width])
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    rle = {'size': [height, width], 'counts': counts.tolist()}
    return coco_mask.frPyObjects(rle, height, width)
