"""labelme: a JSON file beside each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .building import CocoBuilder
from .layout import DataError, read_json


def read_labelme(root: Path) -> dict[str, dict]:
    """A folder as COCO data, all of it as ``'train'``.

    Polygons, rectangles and circles are read; shapes of one ``group_id``
    and label are parts of one object. Points and lines have no area and are
    left out.

    Raises:
        DataError: a file cannot be read.
    """
    files = {
        path: data
        for path in sorted(root.rglob('*.json'))
        if isinstance((data := read_json(path)).get('shapes'), list)
    }
    names = sorted(
        {str(s.get('label')) for d in files.values() for s in d['shapes']}
    )
    builder = CocoBuilder(root, names)
    for path, data in files.items():
        image = path.parent / str(data.get('imagePath', '')).replace('\\', '/')
        if not image.is_file():
            raise DataError(f'{path}: its image {image} is not there')
        builder.add_image(root / image.resolve().relative_to(root.resolve()))
        for (label, _), polygons in _objects(data, path).items():
            builder.add_object(names.index(label), polygons)
    return {'train': builder.data()}


def _objects(data: dict, path: Path) -> dict[tuple, list[np.ndarray]]:
    """Polygons by label and group."""
    found: dict[tuple, list[np.ndarray]] = {}
    for place, shape in enumerate(data['shapes']):
        polygon = _polygon(shape, f'{path}: shape {place}')
        if polygon is not None:
            group = shape.get('group_id')
            key = f'#{place}' if group is None else group
            found.setdefault((str(shape['label']), key), []).append(polygon)
    return found


def _polygon(shape: dict, where: str) -> np.ndarray | None:
    try:
        points = np.array(shape['points'], dtype=float).reshape(-1, 2)
    except (KeyError, ValueError) as error:
        raise DataError(f'{where} has no points x, y') from error
    kind = shape.get('shape_type', 'polygon')
    if kind == 'rectangle' and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    if kind == 'circle' and len(points) == 2:
        radius = np.linalg.norm(points[1] - points[0])
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        turn = np.stack([np.cos(angle), np.sin(angle)], 1)
        return points[0] + radius * turn
    return points if kind == 'polygon' and len(points) >= 3 else None
