"""What DATA is: by the files that are there, never by guessing a name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

IMAGES = {'.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'}
ROBOFLOW = '_annotations.coco.json'
# Words that name a split in files and folders.
WORDS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation'),
    'test': ('test', 'testing'),
}
LABEL_FOLDERS = ('labels', 'masks', 'annotations', 'labelmaps')


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the fix."""


@dataclass(frozen=True)
class Split:
    """One part of the data.

    Attributes:
        ann_file: JSON of COCO; None: label maps only.
        image_dir: what file names are relative to.
        seg_dir: of label maps.
    """

    ann_file: Path | None
    image_dir: Path
    seg_dir: Path | None = None


@dataclass(frozen=True)
class DataFound:
    """What a path holds.

    Attributes:
        root: the folder.
        format: in words, as the tools print it.
        kind: ``'instances'``, ``'panoptic'`` or ``'semantic'``.
        splits: ``'train'``, ``'val'``, ``'test'`` to their files.
        convert: name of the reader, where it is not COCO's yet.
    """

    root: Path
    format: str
    kind: str
    splits: dict[str, Split] = field(default_factory=dict)
    convert: str | None = None

    def sentence(self) -> str:
        """What was found, for the user."""
        names = ', '.join(self.splits) or 'no split'
        return f'{self.root}: {self.format}, {self.kind}; {names}'


def split_of(name: str) -> str | None:
    """The split that a file's or folder's name says, if it does."""
    words = name.lower().replace('-', '_').replace('.', '_').split('_')
    plain = [word.rstrip('0123456789') for word in words]
    for split, names in WORDS.items():
        if any(word in names for word in plain):
            return split
    return None


def find_data(path: Path) -> DataFound:
    """Finds out what a file or folder is.

    Raises:
        DataError: it is nothing that is known.
    """
    if path.is_file() and path.suffix == '.json':
        return _one_file(path)
    if not path.is_dir():
        raise DataError(f'{path} is neither a folder nor a JSON file')
    for look in (_roboflow, _yolo, _coco, _semantic, _labelme):
        if found := look(path):
            return found
    raise DataError(
        f'{path} holds none of: train/{ROBOFLOW} (Roboflow), '
        'annotations/*.json or *.json (COCO), data.yaml (YOLO), images/ and '
        'masks/ (label PNGs), a JSON for each image (labelme)'
    )


def read_json(path: Path) -> dict:
    """A JSON object.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(data, dict):
        raise DataError(f'{path} holds a {type(data).__name__}, not COCO data')
    return data


def kind_of(data: dict, path: Path) -> str:
    """``'instances'`` or ``'panoptic'``.

    Raises:
        DataError: it is not COCO data.
    """
    for key in ('images', 'annotations'):
        if not isinstance(data.get(key), list):
            raise DataError(f'{path} has no list of {key}, as COCO has')
    annotations = data['annotations']
    panoptic = annotations and 'segments_info' in annotations[0]
    return 'panoptic' if panoptic else 'instances'


def image_folder(data: dict, ann_file: Path, root: Path) -> Path:
    """The folder in which the first listed images are.

    Raises:
        DataError: in none of those where it is usual.
    """
    images = data.get('images') or []
    names = [str(image.get('file_name')) for image in images[:20]]
    split = ann_file.stem.rpartition('_')[2]
    places = [ann_file.parent, root, root / 'images']
    places += [root / split, root / 'images' / split]
    # Any other folder near by.
    places += sorted(p for p in root.glob('*') if p.is_dir())
    places += sorted(p for p in root.glob('images/*') if p.is_dir())
    for place in places:
        if not names or any((place / name).is_file() for name in names):
            return place
    raise DataError(
        f'{ann_file}: its first image, {names[0]}, is in no folder of {root}'
    )


def _coco_split(path: Path, root: Path) -> tuple[str, Split]:
    data = read_json(path)
    kind = kind_of(data, path)
    seg_dir = path.with_suffix('') if kind == 'panoptic' else None
    return kind, Split(path, image_folder(data, path, root), seg_dir)


def _one_file(path: Path) -> DataFound:
    root = path.parent
    if root.name == 'annotations':
        root = root.parent
    try:
        kind, split = _coco_split(path, root)
    except DataError:
        # Checks of the file alone need no image.
        kind = kind_of(read_json(path), path)
        split = Split(path, root)
    name = split_of(path.stem) or 'train'
    return DataFound(root, 'a COCO file', kind, {name: split})


def _roboflow(root: Path) -> DataFound | None:
    splits = {}
    for folder in sorted(root.iterdir()):
        name = split_of(folder.name)
        if name and (folder / ROBOFLOW).is_file():
            splits[name] = Split(folder / ROBOFLOW, folder)
    if not splits:
        return None
    return DataFound(root, "Roboflow's export", 'instances', _ordered(splits))


def _ordered(splits: dict[str, Split]) -> dict[str, Split]:
    return {name: splits[name] for name in WORDS if name in splits}


def _coco(root: Path) -> DataFound | None:
    files = sorted((root / 'annotations').glob('*.json'))
    files = files or sorted(root.glob('*.json'))
    found: dict[str, dict[str, Split]] = {}
    for path in files:
        name = split_of(path.stem) or ('train' if len(files) == 1 else None)
        if name is None or not _is_coco(path):
            continue
        kind, split = _coco_split(path, root)
        if kind == 'instances' or (split.seg_dir and split.seg_dir.is_dir()):
            found.setdefault(kind, {}).setdefault(name, split)
    # Of both kinds the panoptic one says more, but a folder without maps
    # was left out above.
    for kind in ('panoptic', 'instances'):
        if 'train' in found.get(kind, ()):
            splits = _ordered(found[kind])
            return DataFound(root, "COCO's layout", kind, splits)
    return None


def _is_coco(path: Path) -> bool:
    """By its beginning and end: results are lists, labelme has shapes."""
    data = read_json(path)
    return 'images' in data and 'annotations' in data


def _yolo(root: Path) -> DataFound | None:
    files = [*root.glob('*.yaml'), *root.glob('*.yml')]
    if not files:
        return None
    return DataFound(root, 'YOLO segmentation', 'instances', convert='yolo')


def _labelme(root: Path) -> DataFound | None:
    for path in sorted(root.rglob('*.json')):
        if 'shapes' in read_json(path):
            return DataFound(
                root, 'labelme JSON files', 'instances', convert='labelme'
            )
    return None


def images_in(folder: Path) -> Iterator[Path]:
    """Image files of a folder and those below it, sorted."""
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in IMAGES:
            yield path


def _semantic(root: Path) -> DataFound | None:
    for labels in LABEL_FOLDERS:
        pairs = _label_folders(root, labels)
        if pairs:
            return DataFound(
                root, 'images and label PNGs', 'semantic', _ordered(pairs)
            )
    return None


def _label_folders(root: Path, labels: str) -> dict[str, Split]:
    """images/train + masks/train, train/images + train/masks, or no split."""
    splits: dict[str, Split] = {}
    for folder in sorted(root.glob('*')) + sorted(root.glob('images/*')):
        name = split_of(folder.name)
        if name is None or not folder.is_dir():
            continue
        for images, maps in (
            (folder / 'images', folder / labels),
            (folder, root / labels / folder.name),
        ):
            if images.is_dir() and any(maps.glob('*.png')):
                splits.setdefault(name, Split(None, images, maps))
    if not splits and any((root / labels).glob('*.png')):
        splits['train'] = Split(None, root / 'images', root / labels)
    return splits
