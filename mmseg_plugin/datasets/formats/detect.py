"""What DATA is: by the files that are there, never by guessing a name."""

from __future__ import annotations

from pathlib import Path

from mmseg_plugin.datasets.structure import check_structure

from .label_maps import find_label_maps
from .labelme import labelme_files
from .layout import (
    DataError,
    DataFound,
    Split,
    first_byte,
    ordered,
    read_json,
    split_of,
)
from .yolo import SUFFIXES, find_yolo, from_settings, settings_files

ROBOFLOW = '_annotations.coco.json'
ARCHIVES = ('.zip', '.tar', '.gz', '.tgz')
# In the folder of a split, one of them its annotations.
MOST_FILES = 3


def is_data(path: Path) -> bool:
    """Whether a path is data, and not a config of MMEngine."""
    if path.is_file() and path.suffix == '.json':
        return _read_coco(path) is not None
    if path.is_file() and path.suffix in ARCHIVES:
        # Said to be one by find_data().
        return True
    return path.is_dir() or path in settings_files(path.parent)


def find_data(path: Path) -> DataFound:
    """Finds out what a file or folder is.

    Raises:
        DataError: it is nothing that is known.
    """
    if path.is_file() and path.suffix == '.json':
        return _one_file(path)
    if path.is_file() and path.suffix in SUFFIXES:
        return from_settings(path)
    if path.is_file() and path.suffix in ARCHIVES:
        raise DataError(
            f'{path} is an archive; unpack it, and name its folder'
        )
    if not path.is_dir():
        raise DataError(f'{path} is no folder, JSON file or data.yaml')
    try:
        for look in (_by_folder, find_yolo, _coco, find_label_maps, _labelme):
            if found := look(path):
                return found
    except OSError as error:
        raise DataError(
            f'{error.filename} cannot be read: {error.strerror}'
        ) from error
    raise DataError(
        f'{path} holds none of: train/{ROBOFLOW} (Roboflow), '
        'annotations/*.json or *.json (COCO), data.yaml (YOLO), images/ and '
        'masks/ (label PNGs), a JSON for each image (labelme)'
    )


def kind_of(data: dict, path: Path) -> str:
    """``'instances'`` or ``'panoptic'``.

    Raises:
        DataError: it is not COCO data.
    """
    try:
        check_structure(data, path)
    except ValueError as error:
        raise DataError(str(error)) from error
    for key in ('images', 'annotations'):
        if not isinstance(data.get(key), list):
            raise DataError(f'{path} has no list of {key}, as COCO has')
    for place, image in enumerate(data['images']):
        if not isinstance(image.get('file_name'), str):
            raise DataError(f'{path}: images[{place}] has no file_name')
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
    if '\\' in names[0]:
        raise DataError(
            f'{ann_file}: file names have backslashes ({names[0]}), which '
            'Windows alone takes for folders: replace them by /'
        )
    raise DataError(
        f'{ann_file}: its first image, {names[0]}, is in no folder of {root}'
    )


def _coco_split(path: Path, data: dict, root: Path) -> tuple[str, Split]:
    kind = kind_of(data, path)
    seg_dir = path.with_suffix('') if kind == 'panoptic' else None
    folder = image_folder(data, path, root)
    return kind, Split(path, folder, seg_dir, data=data)


def _one_file(path: Path) -> DataFound:
    root = path.parent
    if root.name == 'annotations':
        root = root.parent
    data = read_json(path)
    kind = kind_of(data, path)
    seg_dir = path.with_suffix('') if kind == 'panoptic' else None
    try:
        folder = image_folder(data, path, root)
    except DataError:
        # Checks of the file alone need no image.
        folder = root
    split = Split(path, folder, seg_dir, data=data)
    name = split_of(path.stem) or 'train'
    return DataFound(root, 'a COCO file', kind, {name: split})


def _by_folder(root: Path) -> DataFound | None:
    """A COCO file in the folder of each split, as Roboflow has it."""
    splits, said = {}, 'COCO files in folders of splits'
    for folder in sorted(root.iterdir()):
        name = split_of(folder.name)
        if name is None or not folder.is_dir():
            continue
        own = folder / ROBOFLOW
        files = [own] if own.is_file() else sorted(folder.glob('*.json'))
        # labelme has a file an image.
        few = files if len(files) <= MOST_FILES else []
        found = {p: data for p in few if (data := _read_coco(p))}
        if len(found) != 1 or name in splits:
            continue
        ((path, data),) = found.items()
        if _is_empty(name, data):
            continue
        kind, splits[name] = _coco_split(path, data, folder)
        if kind == 'panoptic':
            return None
        if path == own:
            said = "Roboflow's export"
    if 'train' not in splits:
        return None
    return DataFound(root, said, 'instances', ordered(splits))


def _coco(root: Path) -> DataFound | None:
    files = sorted((root / 'annotations').glob('*.json'), key=_rank)
    files = files or sorted(root.glob('*.json'), key=_rank)
    found: dict[str, dict[str, Split]] = {}
    for path in files:
        name = split_of(path.stem) or ('train' if len(files) == 1 else None)
        data = _read_coco(path) if name else None
        if name is None or data is None or _is_empty(name, data):
            continue
        kind, split = _coco_split(path, data, root)
        if kind == 'instances' or (split.seg_dir and split.seg_dir.is_dir()):
            found.setdefault(kind, {}).setdefault(name, split)
    # Of both kinds the panoptic one says more, but a folder without maps
    # was left out above.
    for kind in ('panoptic', 'instances'):
        if 'train' in found.get(kind, ()):
            splits = ordered(found[kind])
            taken = {split.ann_file for split in splits.values()}
            ignored = tuple(path for path in files if path not in taken)
            return DataFound(
                root, "COCO's layout", kind, splits, ignored=ignored
            )
    return None


def _is_empty(name: str, data: dict) -> bool:
    """Roboflow writes a file for splits that got no image."""
    return name != 'train' and data.get('images') == []


def _rank(path: Path) -> tuple[int, str]:
    """COCO has captions and key points beside its instances."""
    words = path.stem.split('_')
    if 'captions' in words or 'keypoints' in words:
        return 2, path.name
    return int('instances' not in words and 'panoptic' not in words), path.name


def _read_coco(path: Path) -> dict | None:
    """Results are lists, labelme has shapes, settings have neither."""
    if first_byte(path) != b'{':
        return None
    data = read_json(path)
    return data if {'images', 'annotations'} <= data.keys() else None


def _labelme(root: Path) -> DataFound | None:
    if next(labelme_files(root), None) is None:
        return None
    return DataFound(
        root, 'labelme JSON files', 'instances', convert='labelme'
    )
