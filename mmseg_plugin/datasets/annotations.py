"""COCO annotations as tools really write them: one reader for everything.

Fields may be missing, polygons may have too few points, RLEs may not fit
their image. Data sets, metrics and tools ask these functions, so that all of
them agree. `where` begins every error: the file and the annotation.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pycocotools import mask as mask_utils

# Pixels from the origin to a vertex, and around a polygon.
FARTHEST, LONGEST = 1e6, 1e7


def place(source: object, annotation: Mapping) -> str:
    """What an annotation is called in errors.

    Args:
        source: its file.
        annotation: as the file has it.
    """
    return (
        f'{source}: annotation {annotation.get("id", "without id")} of image '
        f'{annotation.get("image_id", "without id")}'
    )


def run_lengths(counts: str | bytes | Sequence[int], where: str) -> np.ndarray:
    """Runs of an RLE, int64 (n,), the first of them outside the mask.

    Args:
        counts: the runs, or COCO's compressed form of them.
        where: see above.

    Raises:
        ValueError: they are neither, or a run is negative.
    """
    if isinstance(counts, str | bytes):
        runs = _decompressed(counts, where)
    else:
        try:
            runs = np.asarray(counts)
        except ValueError:
            runs = np.array(None)
        if not runs.size:
            runs = np.zeros(0, np.int64)
        if runs.ndim != 1 or runs.dtype.kind not in 'iu':
            raise ValueError(
                f'{where}: counts of its RLE are no whole numbers'
            )
        runs = runs.astype(np.int64)
    if (runs < 0).any():
        raise ValueError(f'{where}: its RLE has a negative run')
    return runs


def _decompressed(counts: str | bytes, where: str) -> np.ndarray:
    """Runs of a compressed RLE.

    Six bits a character from '0' on: five of the number, lowest first, and
    whether more follow. From the fourth run on the difference to the last
    but one is stored.
    """
    code = counts.encode('utf-8') if isinstance(counts, str) else counts
    bits = np.frombuffer(code, np.uint8).astype(np.int64) - 48
    if not len(bits):
        return bits
    if bits.min() < 0 or bits.max() > 63 or bits[-1] & 32:
        raise ValueError(f'{where}: its RLE is damaged')
    last = np.flatnonzero(bits & 32 == 0)
    first = np.append(0, last[:-1] + 1)
    digit = np.arange(len(bits)) - np.repeat(first, last - first + 1)
    if digit.max() > 7:
        raise ValueError(f'{where}: its RLE is damaged')
    values = np.add.reduceat((bits & 31) << 5 * digit, first)
    negative = bits[last] & 16 > 0
    values[negative] -= np.int64(1) << 5 * (digit[last[negative]] + 1)
    values[1::2] = values[1::2].cumsum()
    values[2::2] = values[2::2].cumsum()
    return values


def checked_rle(rle: dict, size: Sequence[int], where: str) -> dict:
    """An RLE that fits its image, compressed to text.

    Args:
        rle: ``size`` and ``counts``, compressed or not.
        size: height and width of the image.
        where: see above.

    Raises:
        ValueError: it is of another size, or its runs do not add up to
            height x width.
    """
    height, width = (int(side) for side in size)
    if list(rle.get('size') or ()) != [height, width]:
        raise ValueError(
            f'{where}: its RLE is of size {rle.get("size")}, the image is '
            f'{height} x {width} (height x width)'
        )
    if rle.get('counts') is None:
        raise ValueError(f'{where}: its RLE has no counts')
    runs = run_lengths(rle['counts'], where)
    if runs.sum() != height * width:
        raise ValueError(
            f'{where}: the runs of its RLE add up to {runs.sum()} pixels, the '
            f'image has {height} x {width} = {height * width}'
        )
    counts = rle['counts']
    if not isinstance(counts, str | bytes):
        whole = {'size': [height, width], 'counts': runs.tolist()}
        counts = mask_utils.frPyObjects(whole, height, width)['counts']
    # As text, which mmdet's transforms and JSON ask for.
    text = counts.decode() if isinstance(counts, bytes) else counts
    return {'size': [height, width], 'counts': text}


def polygons(segmentation: Sequence, where: str) -> list[list[float]]:
    """The polygons of a list that have at least three points.

    Args:
        segmentation: polygons x1, y1, x2, y2, ..., or a single one.
        where: see above.

    Raises:
        ValueError: a polygon is no even number of finite numbers, or goes
            further than pixels do.
    """
    parts = list(segmentation)
    if parts and not any(isinstance(part, list | tuple) for part in parts):
        parts = [parts]
    kept = []
    for part in parts:
        try:
            points = np.asarray(part or [])
        except ValueError:
            points = np.array(None)
        # Texts and truth values would be taken for numbers.
        numbers = points.dtype.kind in 'iuf' and points.ndim == 1
        if not numbers or not np.isfinite(points).all():
            raise ValueError(f'{where}: a polygon of it holds no numbers')
        if len(points) % 2:
            raise ValueError(
                f'{where}: a polygon of it has {len(points)} numbers, not '
                'pairs of x and y'
            )
        if len(points) >= 6:
            check_reach(points, where)
            kept.append(list(part))
    return kept


def check_reach(points: np.ndarray, where: str) -> None:
    """Refuses what COCO's rasteriser has no integers or memory for.

    It walks along the outline in fifths of a pixel.

    Args:
        points: of a polygon, x1, y1, x2, y2, ... in pixels.
        where: see above.

    Raises:
        ValueError: naming how far or how long it is.
    """
    far = float(np.abs(points).max())
    if far > FARTHEST:
        raise ValueError(
            f'{where}: a polygon of it reaches {far:g} pixels far, beyond any '
            'image'
        )
    steps = np.diff(points.reshape(-1, 2), axis=0, append=points[None, :2])
    length = float(np.abs(steps).max(1).sum())
    if length > LONGEST:
        raise ValueError(
            f'{where}: the outline of a polygon of it is {length:g} pixels '
            'long, longer than that of any object'
        )


def object_shape(
    annotation: dict, size: Sequence[int], where: str
) -> dict | list[list[float]] | None:
    """A checked ``segmentation``: an RLE, polygons, or None without a mask.

    No mask is what is missing, null, empty, or has no polygon of three
    points or more.

    Args:
        annotation: as the file has it.
        size: height and width of its image.
        where: see above.

    Raises:
        ValueError: see :func:`checked_rle` and :func:`polygons`.
    """
    shape = annotation.get('segmentation')
    if isinstance(shape, dict):
        return checked_rle(shape, size, where) if shape else None
    if shape is not None and not isinstance(shape, list | tuple):
        raise ValueError(
            f'{where}: its segmentation is a {type(shape).__name__}, not '
            'polygons or an RLE'
        )
    return polygons(shape or (), where) or None


def object_rle(
    annotation: dict, size: Sequence[int], where: str
) -> dict | None:
    """The mask as a compressed RLE, None without one.

    Args:
        annotation: see :func:`object_shape`, as the others.
        size: height and width of its image.
        where: see above.
    """
    shape = object_shape(annotation, size, where)
    if not isinstance(shape, list):
        return shape
    return mask_utils.merge(mask_utils.frPyObjects(shape, *map(int, size)))


def object_mask(
    annotation: dict, size: Sequence[int], where: str
) -> np.ndarray | None:
    """The mask, bool (h, w), None without one; see :func:`object_rle`."""
    rle = object_rle(annotation, size, where)
    return None if rle is None else mask_utils.decode(rle).astype(bool)


def object_box(
    annotation: Mapping, rle: dict | None, where: str
) -> list[float] | None:
    """Box x, y, width, height; around the mask if the file has none.

    Args:
        annotation: as the file has it.
        rle: its mask, if there is one; asked for only without a box.
        where: see above.

    Returns:
        The box, None with neither box nor mask.

    Raises:
        ValueError: the file's box is not four finite numbers.
    """
    box = annotation.get('bbox')
    if box is None or (isinstance(box, list | tuple) and not box):
        return None if rle is None else mask_utils.toBbox(rle).tolist()
    try:
        numbers = np.asarray(box, float)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise ValueError(
            f'{where}: its bbox {box} is not x, y, width and height'
        )
    return numbers.tolist()


def object_area(
    annotation: Mapping,
    rle: dict | None,
    box: Sequence[float] | None,
    where: str,
) -> float:
    """Pixels of an object: the file's, else the mask's, else the box's.

    Args:
        annotation: as the file has it.
        rle: its mask, if there is one.
        box: its box, if there is one.
        where: see above.

    Raises:
        ValueError: the file's area is not a finite number.
    """
    area = annotation.get('area')
    if area is not None:
        try:
            number = float(area)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise ValueError(f'{where}: its area {area!r} is not a number')
        return number
    if rle is not None:
        return float(mask_utils.area(rle))
    return float(box[2] * box[3]) if box is not None else 0.0


def is_crowd(annotation: Mapping, where: str) -> bool:
    """Whether it is a crowd; not if the file does not say so.

    Args:
        annotation: an annotation, or a segment of a panoptic file.
        where: see above.

    Raises:
        ValueError: ``iscrowd`` is neither 0 nor 1.
    """
    crowd = annotation.get('iscrowd')
    if crowd not in (None, 0, 1):
        raise ValueError(f'{where} has iscrowd {crowd!r}: write 0 or 1')
    return bool(crowd)


def completed(annotation: dict, size: Sequence[int], where: str) -> dict:
    """A copy with ``segmentation``, ``bbox``, ``area`` and ``iscrowd``.

    Polygons are drawn only where box or area are missing. Without a mask
    ``segmentation`` is left out, without a box ``bbox``.

    Args:
        annotation: see :func:`object_shape`.
        size: height and width of its image.
        where: see above.
    """
    shape = object_shape(annotation, size, where)
    rle = None
    if shape and not (annotation.get('bbox') and annotation.get('area')):
        rle = object_rle({'segmentation': shape}, size, where)
    box = object_box(annotation, rle, where)
    whole = {
        **annotation,
        'segmentation': shape,
        'bbox': box,
        'area': object_area(annotation, rle, box, where),
        'iscrowd': int(is_crowd(annotation, where)),
    }
    return {k: v for k, v in whole.items() if v is not None}
