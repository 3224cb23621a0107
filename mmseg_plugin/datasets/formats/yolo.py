"""YOLO segmentation: data.yaml, and a text file of polygons an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .building import CocoBuilder
from .layout import DataError, images_in

_KEYS = {'train': ('train',), 'val': ('val', 'valid'), 'test': ('test',)}


def read_yolo(root: Path) -> dict[str, dict]:
    """The splits of a folder as COCO data, file names relative to it.

    A line is a class number and x, y in shares of width and height. Holes
    are not in this format; parts of one object are joined by a seam.

    Raises:
        DataError: a file cannot be read, or a line is not of this format.
    """
    settings = _settings(root)
    names = settings.get('names') or []
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    base = root / str(settings.get('path') or '')
    found = {}
    for split, keys in _KEYS.items():
        place = next((settings[k] for k in keys if settings.get(k)), None)
        if place is not None:
            folder = _folder(root, base, str(place))
            found[split] = _read_split(root, folder, names)
    if 'train' not in found:
        raise DataError(f'{root}: data.yaml names no train folder')
    return found


def settings_files(root: Path) -> list[Path]:
    """Files that are, or by their name should be, the settings of YOLO."""
    found = []
    for path in [*sorted(root.glob('*.yaml')), *sorted(root.glob('*.yml'))]:
        text = path.read_text(errors='replace')
        if path.stem == 'data' or {'names', 'train'} <= _keys(text):
            found.append(path)
    return found


def _keys(text: str) -> set[str]:
    return {line.partition(':')[0].strip() for line in text.splitlines()}


def _settings(root: Path) -> dict:
    import yaml

    path = settings_files(root)[0]
    try:
        settings = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f'{path} cannot be read: {error}') from error
    if not isinstance(settings, dict) or 'names' not in settings:
        raise DataError(f'{path} has no names of classes')
    return settings


def _folder(root: Path, base: Path, name: str) -> Path:
    """Roboflow writes ``../train/images``, meaning the folder beside."""
    plain = name
    while plain.startswith(('../', './')):
        plain = plain.partition('/')[2]
    for place in (base / name, root / name, root / plain):
        inside = place.resolve().is_relative_to(root.resolve())
        if place.is_dir() and inside:
            return root / place.resolve().relative_to(root.resolve())
    raise DataError(f'{root}: folder {name} of data.yaml is not there')


def _read_split(root: Path, folder: Path, names: list) -> dict:
    builder = CocoBuilder(root, [str(name) for name in names])
    for path in images_in(folder):
        size = builder.add_image(path)
        text = _label_file(path)
        if text.is_file():
            for number, line in enumerate(text.read_text().splitlines(), 1):
                if line.strip():
                    _add_line(builder, line, size, f'{text}:{number}')
    return builder.data()


def _label_file(image: Path) -> Path:
    """The last folder called images becomes labels."""
    parts = list(image.parts)
    for place in range(len(parts) - 1, -1, -1):
        if parts[place] == 'images':
            parts[place] = 'labels'
            break
    return Path(*parts).with_suffix('.txt')


def _add_line(
    builder: CocoBuilder, line: str, size: tuple[int, int], where: str
) -> None:
    try:
        label, *values = line.split()
        points = np.array(values, dtype=float)
        number = int(label)
    except ValueError as error:
        raise DataError(f'{where} is not numbers: {line[:40]}') from error
    if len(points) == 4:
        raise DataError(
            f'{where} is a box; this is data for detection, without masks'
        )
    if len(points) < 6 or len(points) % 2:
        raise DataError(f'{where} is no polygon: {len(points)} values')
    if not 0 <= number < len(builder.names):
        raise DataError(
            f'{where}: class {number}, data.yaml names {len(builder.names)}'
        )
    builder.add_object(number, [points.reshape(-1, 2) * size])
