"""labelme: a JSON file beside each image."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmseg_plugin.datasets.structure import is_number, short
from mmseg_plugin.utils.walking import files_in

from .building import CocoBuilder, reaching
from .layout import (
    LIST,
    NAME,
    TEXT,
    DataError,
    below,
    checked,
    first_byte,
    read_json,
)

# Kinds of shapes, and those of X-AnyLabeling, which writes this format too.
OUTLINES = ('polygon', 'oriented_rectangle', 'rotation', 'quadrilateral')
NO_AREA = ('point', 'points', 'line', 'linestrip')
# Corners of a circle's polygon.
CORNERS = 64
_SHAPE = {
    'label': NAME,
    'shape_type': TEXT,
    'group_id': NAME,
    'points': LIST,
    'mask': TEXT,
}


def labelme_files(root: Path) -> Iterator[tuple[Path, dict]]:
    """Files of a folder that have shapes, and what they hold.

    Others may lie beside them, such as lists of classes.

    Raises:
        DataError: one cannot be read as JSON.
    """
    for path in files_in(root):
        if path.suffix != '.json' or first_byte(path) == b'[':
            continue
        if 'shapes' in (data := read_json(path)):
            yield path, data


def read_labelme(root: Path) -> dict[str, dict]:
    """A folder as COCO data, all of it as ``'train'``.

    Polygons, rectangles, circles and masks are read; shapes of one
    ``group_id`` and label are parts of one object. Points and lines have no
    area: they are left out, and counted in ``without_area`` of their image.

    Raises:
        DataError: a file cannot be read, a key holds something else than it
            should, or a shape is of no known kind; file and shape are named.
    """
    files = dict(labelme_files(root))
    for path, data in files.items():
        checked(data['shapes'], LIST, f'{path}: shapes')
        for place, shape in enumerate(data['shapes']):
            _check_shape(shape, f'{path}: shape {place}')
    names = sorted(
        {str(s['label']) for data in files.values() for s in data['shapes']}
    )
    builder = CocoBuilder(root, names)
    for path, data in files.items():
        builder.add_image(_image(path, data, root))
        for (label, _), shapes in _objects(data, path, builder).items():
            builder.add_object(names.index(label), *shapes)
    return {'train': builder.data()}


def _check_shape(shape: object, where: str) -> None:
    if not isinstance(shape, dict):
        raise DataError(f'{where} is {short(shape)}, not an object')
    if shape.get('label') is None:
        raise DataError(f'{where} has no label')
    for key, kind in _SHAPE.items():
        if shape.get(key) is not None:
            checked(shape[key], kind, f'{where}: {key}')


def _image(path: Path, data: dict, root: Path) -> Path:
    """The image as a path below the root."""
    if not data.get('imagePath'):
        raise DataError(f'{path} has no imagePath')
    checked(data['imagePath'], TEXT, f'{path}: imagePath')
    image = path.parent / data['imagePath'].replace('\\', '/')
    if not image.is_file():
        raise DataError(f'{path}: its image {image} is not there')
    try:
        return root / below(image, root)
    except DataError as error:
        raise DataError(f'{path}: its image {error}') from error


def _objects(
    data: dict, path: Path, builder: CocoBuilder
) -> dict[tuple, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Polygons and masks by label and group."""
    image = builder.images[-1]
    size = image['height'], image['width']
    found: dict[tuple, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for place, shape in enumerate(data['shapes']):
        where = f'{path}: shape {place}'
        kind = shape.get('shape_type') or 'polygon'
        if kind in NO_AREA:
            left_out = image.setdefault('without_area', [])
            left_out.append(f'shape {place} ({kind})')
            continue
        group = shape.get('group_id')
        key = (str(shape['label']), f'#{place}' if group is None else group)
        polygons, masks = found.setdefault(key, ([], []))
        if kind == 'mask':
            masks.append(_mask(shape, size, where))
        else:
            polygon = _polygon(kind, _points(shape, where), where)
            polygons.append(reaching(polygon, where))
    return found


def _points(shape: dict, where: str) -> np.ndarray:
    points = shape.get('points') or ()
    if not points or not all(map(_is_point, points)):
        raise DataError(f'{where} has no points x, y')
    return np.array(points, dtype=float)


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(map(is_number, point))
    )


def _polygon(kind: str, points: np.ndarray, where: str) -> np.ndarray:
    if kind == 'circle' and len(points) == 2:
        radius = np.linalg.norm(points[1] - points[0])
        angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        turn = np.stack([np.cos(angle), np.sin(angle)], 1)
        return points[0] + radius * turn
    if kind == 'rectangle' and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    # X-AnyLabeling writes all corners of a rectangle.
    if kind in (*OUTLINES, 'rectangle') and len(points) > 2:
        return points
    raise DataError(
        f'{where} is a {kind} of {len(points)} points, which is no area: '
        'draw it as polygon, rectangle, circle or mask, or take it out'
    )


def _mask(shape: dict, size: tuple[int, int], where: str) -> np.ndarray:
    """A shape's picture, bool (h, w), at its place in the image."""
    # Not needed where annotation files are checked alone.
    from PIL import Image

    try:
        code = base64.b64decode(shape['mask'])
        with Image.open(io.BytesIO(code)) as image:
            part = np.array(image) != 0
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(
            f'{where} is a mask, and its picture cannot be read: {error!r}'
        ) from error
    part = part if part.ndim == 2 else part.any(-1)
    points = _points(shape, where).astype(int)
    x, y = points[0]
    height, width = part.shape
    whole = np.zeros(size, bool)
    place = whole[max(y, 0) : y + height, max(x, 0) : x + width]
    if place.shape != part.shape:
        raise DataError(
            f'{where} is a mask of {width} x {height} pixels at {x}, {y}, '
            f'which is not inside the image of {size[1]} x {size[0]}'
        )
    place[:] = part
    return whole
