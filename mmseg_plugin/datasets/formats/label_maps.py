"""Semantic segmentation: folders of images and of PNGs of class numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from mmseg_plugin.utils.walking import files_in

from .layout import (
    IMAGES,
    LIST,
    NAME,
    WORDS,
    DataError,
    DataFound,
    Split,
    checked,
    images_in,
    ordered,
    split_of,
)

IMAGE_FOLDERS = ('images', 'imgs', 'img', 'JPEGImages')
LABEL_FOLDERS = (
    *('labels', 'masks', 'annotations', 'labelmaps', 'label', 'mask', 'gt'),
    'SegmentationClass',
)
# Between the name of an image and the ending of its map.
SUFFIXES = ('', '_mask', '_masks', '_label', '_labels', '_gt', '_seg', '-mask')
NAME_FILES = (
    *('classes.txt', 'labels.txt', 'class_names.txt', 'classes.json'),
    *('semantic_classes.json', '_classes.csv', 'classes.csv', 'labelmap.txt'),
)
# Of the folder of maps, behind the name of the images' folder.
ENDINGS = ('annot', '_masks', '_mask', '_labels', '_label', '_annotations')
# Where lists of images are that belong to a split, as VOC has them.
LISTS = 'ImageSets/Segmentation'
# Class number of pixels that belong to no class.
LABEL_MAP_VOID = 255


def find_label_maps(root: Path) -> DataFound | None:
    """A folder of images and label PNGs, or None.

    Raises:
        DataError: a file of class names cannot be read.
    """
    for labels in LABEL_FOLDERS:
        for images in IMAGE_FOLDERS:
            if splits := _folders(root, images, labels):
                return _found(root, splits)
    beside = {}
    for folder in sorted(root.iterdir()):
        name = split_of(folder.name)
        if name and folder.is_dir() and _suffix(folder, folder):
            beside[name] = Split(None, folder, folder)
    return _found(root, beside) if beside else None


def _found(root: Path, splits: dict[str, Split]) -> DataFound:
    return DataFound(
        root,
        'images and label PNGs',
        'semantic',
        ordered(splits),
        classes=class_names(root, splits.values()),
    )


def _folders(root: Path, images: str, labels: str) -> dict[str, Split]:
    """images/train + masks/train, train/images + train/masks, or no split."""
    splits: dict[str, Split] = {}
    for folder in sorted(root.glob('*')) + sorted(root.glob(f'{images}/*')):
        name = split_of(folder.name)
        if name is None or not folder.is_dir():
            continue
        for image_dir, maps in (
            (folder / images, folder / labels),
            (folder, root / labels / folder.name),
            *((folder, root / f'{folder.name}{end}') for end in ENDINGS),
        ):
            if image_dir.is_dir() and _has_maps(maps):
                splits.setdefault(name, Split(None, image_dir, maps))
    image_dir, maps = root / images, root / labels
    if not splits and image_dir.is_dir() and _has_maps(maps):
        lists = {name: root / LISTS / f'{name}.txt' for name in WORDS}
        lists = {name: path for name, path in lists.items() if path.is_file()}
        if 'train' in lists:
            return {n: Split(None, image_dir, maps, lists[n]) for n in lists}
        splits['train'] = Split(None, image_dir, maps)
    return splits


def _has_maps(folder: Path) -> bool:
    return any(path.suffix == '.png' for path in files_in(folder))


def label_pairs(
    image_dir: Path, seg_dir: Path, names: Path | None = None
) -> list[tuple[str, str]]:
    """Images and their maps, relative to their folders.

    Args:
        image_dir: with images of any format, and folders of such.
        seg_dir: PNGs of the same names, or with ``_mask`` at their end.
        names: a text file with one image a line, with or without its
            ending; None: all of them.
    """
    suffix = _suffix(image_dir, seg_dir)
    if names is not None:
        lines = names.read_text(encoding='utf-8-sig').splitlines()
        listed = [_with_ending(image_dir, line) for line in lines if line]
    else:
        listed = [p.relative_to(image_dir) for p in images_in(image_dir)]
    if image_dir == seg_dir:
        listed = [p for p in listed if not p.stem.endswith(suffix)]
    return [
        (
            path.as_posix(),
            path.with_name(f'{path.stem}{suffix}.png').as_posix(),
        )
        for path in listed
    ]


def _with_ending(folder: Path, line: str) -> Path:
    """The image that a line of a list means, relative to its folder."""
    path = Path(line.strip())
    if (folder / path).is_file():
        return path
    ends = (path.with_name(f'{path.name}{ending}') for ending in IMAGES)
    return next((p for p in ends if (folder / p).is_file()), path)


def _suffix(image_dir: Path, seg_dir: Path) -> str:
    """What maps have behind the name of their image; ``''`` if unknown."""
    for path in images_in(image_dir):
        name = path.relative_to(image_dir)
        for suffix in SUFFIXES:
            label = seg_dir / name.with_name(f'{name.stem}{suffix}.png')
            if label != path and label.is_file():
                return suffix
    return ''


def class_names(root: Path, splits: Iterable[Split]) -> tuple[str, ...] | None:
    """Names of classes by number, from the first file that has them.

    Raises:
        DataError: the file cannot be read.
    """
    folders = [root, *(split.image_dir for split in splits)]
    folders += [folder.parent for folder in folders[1:]]
    for folder in folders:
        for name in NAME_FILES:
            if (folder / name).is_file():
                return _read_names(folder / name)
    return None


def _name(entry: object) -> object:
    return entry.get('name') if isinstance(entry, dict) else entry


def _read_names(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding='utf-8-sig')
        if path.suffix == '.json':
            listed = checked(json.loads(text), LIST, 'the file')
            names = [
                str(checked(_name(one), NAME, f'entry {place}'))
                for place, one in enumerate(listed)
            ]
        elif path.suffix == '.csv':
            # Roboflow: Pixel Value, Class.
            rows = list(csv.reader(text.splitlines()))[1:]
            pairs = sorted((int(row[0]), row[1].strip()) for row in rows)
            numbers = [number for number, _ in pairs]
            if numbers != list(range(len(pairs))):
                raise DataError(f'{numbers} are not all numbers from 0 on')
            names = [name for _, name in pairs]
        else:
            lines = [line.strip() for line in text.splitlines()]
            # CVAT's labelmap has a colour behind a colon.
            names = [
                line.split(':')[0]
                for line in lines
                if line and not line.startswith('#')
            ]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f'{path} holds no names of classes: {error}'
        ) from error
    if not names:
        raise DataError(f'{path} holds no names of classes')
    return tuple(names)
