"""Large scale jittering step by step, as detectron2's mappers order it.

Flip, resize and crop of whole images, polygons, RLE and maps, each by itself;
everything is padded at the end.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from pycocotools import mask as mask_utils
from shapely import geometry


class Draw(NamedTuple):
    """One draw for an image.

    Attributes:
        flip: left and right swapped.
        size: height and width after the resize.
        offset: row and column where the crop begins.
        crop: its height and width, which may exceed the image.
    """

    flip: bool
    size: tuple[int, int]
    offset: tuple[int, int]
    crop: tuple[int, int]


def jittered_pixels(
    pixels: np.ndarray, draw: Draw, fill: int, resample: int
) -> np.ndarray:
    """An image or a map of bytes, by Pillow's resize ``resample``."""
    if draw.flip:
        pixels = np.flip(pixels, 1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    pixels = np.asarray(image.resize(draw.size[::-1], resample))
    (top, left), (height, width) = draw.offset, draw.crop
    pixels = pixels[top : top + height, left : left + width]
    missing = [
        (0, height - pixels.shape[0]),
        (0, width - pixels.shape[1]),
        *[(0, 0)] * (pixels.ndim - 2),
    ]
    return np.pad(pixels, missing, constant_values=fill)


def jittered_rle(rle: dict, draw: Draw) -> np.ndarray:
    """The mask of an RLE, compressed or not, bool (h, w)."""
    if isinstance(rle['counts'], list):
        rle = mask_utils.frPyObjects(rle, *rle['size'])
    mask = mask_utils.decode(rle)
    nearest = Image.Resampling.NEAREST
    return jittered_pixels(mask, draw, 0, nearest).astype(bool)


def jittered_polygons(
    polygons: list, draw: Draw, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The mask of an object's polygons, and the box around them.

    Args:
        polygons: each x1, y1, x2, y2, ...
        draw: what is done.
        size: height and width of the image.

    Returns:
        bool (h, w); (4,), all 0 if nothing is left.
    """
    top, left = draw.offset
    window = geometry.box(left, top, left + draw.crop[1], top + draw.crop[0])
    rings = []
    for polygon in polygons:
        points = np.array(polygon, np.float64).reshape(-1, 2)
        if draw.flip:
            points[:, 0] = size[1] - points[:, 0]
        points[:, 0] *= draw.size[1] / size[1]
        points[:, 1] *= draw.size[0] / size[0]
        # Polygons that cross themselves become simple ones.
        part = geometry.Polygon(points).buffer(0.0).intersection(window)
        for piece in getattr(part, 'geoms', [part]):
            if isinstance(piece, geometry.Polygon) and piece.area > 0:
                ring = np.array(piece.exterior.coords)[:-1]
                rings.append((ring - (left, top)).reshape(-1))
    if not rings:
        return np.zeros(draw.crop, bool), np.zeros(4)
    points = np.concatenate(rings).reshape(-1, 2)
    box = np.concatenate((points.min(0), points.max(0)))
    return mask_utils.decode(mask_utils.frPyObjects(rings, *draw.crop)).any(
        2
    ), box
