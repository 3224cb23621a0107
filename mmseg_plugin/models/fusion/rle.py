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
    columns = np.zeros((pixels.shape[1], pixels.shape[0] + 2), bool)
    columns[:, 1:-1] = pixels.T
    # Flat, since NumPy looks through bits in one dimension the fastest.
    flat = columns.ravel()
    steps = np.flatnonzero(flat[1:] != flat[:-1])
    column, row = np.divmod(steps, columns.shape[1])
    # Column-major: each column's steps alternate between start and end.
    bounds = (column + left) * height + row + top
    # A run to the foot of a column goes on at the head of the next one.
    joined = 1 + 2 * np.flatnonzero(bounds[2::2] == bounds[1:-1:2])
    bounds = np.delete(bounds, [joined, joined + 1])
    counts = np.diff(bounds, prepend=0, append=height * width)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    rle = {'size': [height, width], 'counts': counts.tolist()}
    return coco_mask.frPyObjects(rle, height, width)
