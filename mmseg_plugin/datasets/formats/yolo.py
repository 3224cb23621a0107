"""YOLO segmentation: data.yaml, and a text file of polygons an image."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from .building import CocoBuilder, reaching
from .layout import (
    NAME,
    NAMES,
    PATHS,
    DataError,
    DataFound,
    below,
    checked,
    images_in,
)

_KEYS = {'train': ('train',), 'val': ('val', 'valid'), 'test': ('test',)}
SUFFIXES = ('.yaml', '.yml')


def find_yolo(folder: Path) -> DataFound | None:
    """Data of a folder with settings, or None.

    Raises:
        DataError: the file cannot be read.
    """
    files = settings_files(folder)
    return from_settings(files[0]) if files else None


def from_settings(path: Path) -> DataFound:
    """Data of a file of settings.

    Raises:
        DataError: the file cannot be read.
    """
    return DataFound(
        *(_root(path, _settings(path)), 'YOLO segmentation', 'instances'),
        convert='yolo',
        settings=path,
    )


def read_yolo(root: Path, settings_file: Path) -> dict[str, dict]:
    """The splits as COCO data, file names relative to the root.

    A line is a class number and x, y in shares of width and height. Holes
    are not in this format; parts of one object are joined by a seam.

    Args:
        root: all images are below it.
        settings_file: ``data.yaml``.

    Raises:
        DataError: a file cannot be read, or a line is not of this format.
    """
    settings = _settings(settings_file)
    names = _names(settings, settings_file)
    lists = _Lists(root, settings_file, str(settings.get('path') or ''))
    found = {}
    for split, keys in _KEYS.items():
        given = next((settings[k] for k in keys if settings.get(k)), None)
        places = given if isinstance(given, list) else [given]
        if given is not None and not (
            # Roboflow names it whether there is one or not.
            split == 'test' and not any(map(lists.find, map(str, places)))
        ):
            images = [i for p in places for i in lists.images(str(p))]
            if split == 'train':
                _look_for_labels(images, settings_file)
            if images:
                found[split] = _read_split(root, images, names)
    if 'train' not in found:
        raise DataError(f'{settings_file} names no train folder')
    return found


def settings_files(root: Path) -> list[Path]:
    """Files that are, or by their name should be, the settings of YOLO."""
    found = []
    for path in sorted(p for s in SUFFIXES for p in root.glob(f'*{s}')):
        text = path.read_text(encoding='utf-8', errors='replace')
        if path.stem == 'data' or {'names', 'train'} <= _keys(text):
            found.append(path)
    return found


def _keys(text: str) -> set[str]:
    return {line.partition(':')[0].strip() for line in text.splitlines()}


def _settings(path: Path) -> dict:
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f'{path} cannot be read: {error}') from error
    if not isinstance(settings, dict) or not settings.get('names'):
        raise DataError(f'{path} has no names of classes, as YOLO has')
    checked(settings['names'], NAMES, f'{path}: names')
    for key in ('path', *(k for keys in _KEYS.values() for k in keys)):
        given = settings.get(key)
        if given is not None:
            checked(given, PATHS, f'{path}: {key}')
        for place, one in enumerate(given if type(given) is list else ()):
            checked(one, PATHS, f'{path}: {key}[{place}]')
    return settings


def _names(settings: dict, path: Path) -> dict[int, str]:
    """Class number to name; a list is numbered from 0."""
    names = settings['names']
    pairs = list(names.items() if type(names) is dict else enumerate(names))
    for number, name in pairs:
        # YAML takes yes, no, on and off for true and false.
        checked(name, NAME, f'{path}: names[{number}]')
    try:
        return {int(k): str(v) for k, v in sorted(pairs)}
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: names are not numbered: {error}') from error


def _root(path: Path, settings: dict) -> Path:
    """The folder of the settings, or ``path`` of them if it is elsewhere."""
    base = path.parent / str(settings.get('path') or '')
    train = settings.get('train') or ''
    first = str(train[0] if isinstance(train, list) else train)
    inside = base.resolve().is_relative_to(path.parent.resolve())
    return path.parent if inside or not (base / first).exists() else base


class _Lists:
    """What the settings name: folders, and text files that list images.

    Args:
        root: all images are below it.
        settings: the file.
        base: ``path`` of the settings.
    """

    def __init__(self, root: Path, settings: Path, base: str) -> None:
        self.root = root
        self.settings = settings
        self.bases = (settings.parent / base, settings.parent, root)

    def find(self, name: str, near: Path | None = None) -> Path | None:
        """A file or folder below the root.

        Names may be of the place where they were written: Roboflow has
        ``../train/images`` for the folder beside, others a path of another
        machine. Then the end of the name counts.

        Args:
            name: as the settings or a list have it.
            near: folder of the list.
        """
        parts = [p for p in Path(name).parts if p not in ('..', '.', '/')]
        ends = [Path(*parts[i:]) for i in range(max(1, len(parts) - 1))]
        bases = (near, *self.bases) if near else self.bases
        places = [base / name for base in bases]
        places += [base / end for end in ends for base in bases]
        for place in places:
            if place.exists():
                with contextlib.suppress(DataError):
                    return self.root / below(place, self.root)
        return None

    def images(self, name: str) -> list[Path]:
        """Images of a folder, or of a text file with one a line.

        Raises:
            DataError: something that is named is not there.
        """
        place = self.find(name)
        if place is None:
            raise DataError(
                f'{self.settings}: {name} is not there in {self.root}; '
                'correct it, or take the line out'
            )
        if place.is_dir():
            return list(images_in(place))
        lines = place.read_text(encoding='utf-8-sig').splitlines()
        listed = [line.strip() for line in lines if line.strip()]
        found = [self.find(line, place.parent) for line in listed]
        for line, path in zip(listed, found, strict=True):
            if path is None:
                raise DataError(f'{place}: image {line} is not there')
        return [path for path in found if path is not None]


def _look_for_labels(images: list[Path], settings: Path) -> None:
    if not images:
        raise DataError(f'{settings}: there is no image to train on')
    if not any(_label_file(path).is_file() for path in images):
        raise DataError(
            f'{_label_file(images[0])} is not there, nor are the labels of '
            'any other image to train on'
        )


def _read_split(root: Path, images: list[Path], names: dict[int, str]) -> dict:
    builder = CocoBuilder(root, list(names.values()))
    labels = {number: label for label, number in enumerate(names)}
    for path in images:
        size = builder.add_image(path)
        text = _label_file(path)
        if text.is_file():
            lines = text.read_text(encoding='utf-8-sig').splitlines()
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f'{text}:{number}'
                    _add_line(builder, labels, line, size, where)
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
    builder: CocoBuilder,
    labels: dict[int, int],
    line: str,
    size: tuple[int, int],
    where: str,
) -> None:
    try:
        label, *values = line.split()
        points = np.array(values, dtype=float)
        number = int(label)
        if not np.isfinite(points).all():
            raise ValueError
    except ValueError as error:
        raise DataError(f'{where} is not numbers: {line[:40]}') from error
    if len(points) == 4:
        raise DataError(
            f'{where} is a box; this is data for detection, without masks'
        )
    if len(points) < 6 or len(points) % 2:
        raise DataError(f'{where} is no polygon: {len(points)} values')
    if number not in labels:
        raise DataError(
            f'{where}: class {number}, names are those of {min(labels)} to '
            f'{max(labels)}'
        )
    polygon = reaching(points.reshape(-1, 2) * size, where)
    builder.add_object(labels[number], [polygon])
