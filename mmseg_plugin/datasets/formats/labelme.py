"""labelme: a JSON file beside each image."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from .building import CocoBuilder
from .layout import DataError, below, read_json

# Kinds of shapes, and those of X-AnyLabeling, which writes this format too.
OUTLINES = ('polygon', 'oriented_rectangle', 'rotation', 'quadrilateral')
NO_AREA = ('point', 'points', 'line', 'linestrip')
# Corners of a circle's polygon.
CORNERS = 64


def read_labelme(root: Path) -> dict[str, dict]:
    """A folder as COCO data, all of it as ``'train'``.

    Polygons, rectangles, circles and masks are read; shapes of one
    ``group_id`` and label are parts of one object. Points and lines have no
    area: they are left out, and counted in ``without_area`` of their image.

    Raises:
        DataError: a file cannot be read, or a shape is of no known kind; file
            and shape are named.
    """
    files = {
        path: data
        for path in sorted(root.rglob('*.json'))
        if isinstance((data := read_json(path)).get('shapes'), list)
    }
    names = sorted(
        {
            _label(shape, f'{path}: shape {place}')
            for path, data in files.items()
            for place, shape in enumerate(data['shapes'])
        }
    )
    builder = CocoBuilder(root, names)
    for path, data in files.items():
        builder.add_image(_image(path, data, root))
        for (label, _), shapes in _objects(data, path, builder).items():
            builder.add_object(names.index(label), *shapes)
    return {'train': builder.data()}


def _label(shape: object, where: str) -> str:
    if not isinstance(shape, dict) or shape.get('label') is None:
        raise DataError(f'{where} has no label')
    return str(shape['label'])


def _image(path: Path, data: dict, root: Path) -> Path:
    """The image as a path below the root."""
    name = str(data.get('imagePath') or '').replace('\\', '/')
    image = path.parent / name
    if not name or not image.is_file():
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
            polygons.append(_polygon(kind, _points(shape, where), where))
    return found


def _points(shape: dict, where: str) -> np.ndarray:
    try:
        points = np.array(shape['points'], dtype=float)
    except (KeyError, ValueError, TypeError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f'{where} has no points x, y')
    return points


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
    x, y = points[0] if len(points) else (0, 0)
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
