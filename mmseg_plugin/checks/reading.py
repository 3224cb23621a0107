"""Snapshots of what the user names: a file, a folder, or a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.formats import (
    DataError,
    DataFound,
    find_data,
    is_data,
    read_data,
)
from mmseg_plugin.datasets.formats.detect import kind_of
from mmseg_plugin.datasets.formats.label_maps import label_pairs
from mmseg_plugin.datasets.formats.layout import Split, read_json
from mmseg_plugin.datasets.structure import check_inside

from .findings import Options
from .snapshot import Snapshot

if TYPE_CHECKING:
    from mmengine.config import Config


def snapshots_of_data(found: DataFound, images: bool) -> list[Snapshot]:
    """A snapshot of each split.

    Args:
        found: what the folder is.
        images: whether the image files are looked at too.

    Raises:
        DataError: a file cannot be read.
    """
    snapshots: list[Snapshot] = []
    if found.convert:
        converted = read_data(found)
        folder = found.root if images else None
        snapshots = [
            Snapshot(found.root / name, data, image_dir=folder)
            for name, data in converted.items()
        ]
        for other in snapshots[1:]:
            other.reference = snapshots[0]
    for name, split in found.splits.items():
        taken = read_split(split, images)
        if name != 'train' and 'train' in found.splits:
            taken.reference = snapshots[0]
        snapshots.append(taken)
    return snapshots


def read_split(split: Split, images: bool = True) -> Snapshot:
    """Reads one split.

    Raises:
        DataError: it cannot be read as COCO data.
    """
    if split.ann_file is None:
        return _label_maps(split, images)
    data = split.data or read_json(split.ann_file)
    if images:
        _check_names(split.ann_file, split.image_dir, data)
    return Snapshot(
        split.ann_file,
        data,
        kind_of(data, split.ann_file),
        split.image_dir if images else None,
        split.seg_dir,
    )


def _check_names(ann_file: Path, folder: Path, data: dict) -> None:
    """No image is named that lies beside the data."""
    root = ann_file.parent
    if root.name == 'annotations':
        root = root.parent
    found = data.get('images')
    images = found if isinstance(found, list) else []
    names = [str(im.get('file_name')) for im in images if isinstance(im, dict)]
    try:
        check_inside(
            (
                f'{folder}/{name}' if name[:1] != '/' else name
                for name in names
            ),
            (root, folder),
            ann_file,
        )
    except ValueError as error:
        raise DataError(str(error)) from error


def _label_maps(split: Split, images: bool) -> Snapshot:
    seg_dir = split.seg_dir or split.image_dir
    data = split.data
    if data is None:
        pairs = label_pairs(split.image_dir, seg_dir, split.names)
        data = {
            'images': [
                {'file_name': image, 'seg_file_name': label}
                for image, label in pairs
            ]
        }
    return Snapshot(
        seg_dir,
        data,
        'semantic',
        split.image_dir if images else None,
        seg_dir,
    )


def read_target(
    name: str, images: bool
) -> tuple[str, list[Snapshot], Options]:
    """What ``check`` is about.

    Args:
        name: data or config.
        images: whether the image files are looked at too.

    Returns:
        What it is in words, snapshots, and what the config says.

    Raises:
        UserError: it is neither.
    """
    path = Path(name)
    try:
        if path.suffix == '.json' or is_data(path):
            found = find_data(path)
            snapshots = snapshots_of_data(found, images)
            # Of other data the file itself says what its classes are.
            options = Options(classes=found.classes)
            return found.sentence(), snapshots, options
        return _of_config(name, images)
    except DataError as error:
        raise UserError(str(error)) from error


def _of_config(name: str, images: bool) -> tuple[str, list[Snapshot], Options]:
    # Imports torch, which checks of data do without.
    from mmseg_plugin.cli.configs import (
        find_config,
        read_config,
        wrong_types_as_sentence,
    )

    config = read_config(find_config(name))
    with wrong_types_as_sentence(name):
        splits = config_splits(config)
        if not splits:
            raise DataError(
                f'config {name} reads neither COCO files nor label maps'
            )
        found = DataFound(Path(name), 'a config', _kind(config), splits)
        classes = (
            dataset_of(config, 'train').get('metainfo', {}).get('classes')
        )
        names = (classes,) if isinstance(classes, str) else classes
        pipeline = dataset_of(config, 'train').get('pipeline') or ()
        options = Options(
            num_queries=_queries(config.get('model', {})),
            classes=tuple(names) if names else None,
            scale=_scale(pipeline),
            turns=_turns(pipeline),
        )
    return found.sentence(), snapshots_of_data(found, images), options


def _scale(pipeline: Sequence[dict]) -> tuple[int, int] | None:
    """What images are resized to, where that is one size."""
    for step in pipeline:
        scale = step.get('scale')
        kind = str(step.get('type')).rpartition('.')[2]
        if kind == 'Resize' and isinstance(scale, list | tuple):
            return int(scale[0]), int(scale[1])
    return None


def _turns(pipeline: Sequence[dict]) -> bool:
    """Whether images are loaded with their EXIF orientation."""
    for step in pipeline:
        if str(step.get('type')).endswith('LoadImageFromFile'):
            flag = step.get('color_type', 'color')
            return flag != 'unchanged' and not flag.endswith('orientation')
    return True


def _kind(config: Config) -> str:
    prefix = dataset_of(config, 'train').get('data_prefix') or {}
    if prefix.get('seg_map_path') is not None:
        return 'semantic'
    return 'panoptic' if prefix.get('seg') else 'instances'


def _queries(model: dict) -> int | None:
    """num_queries, wherever in the model it stands."""
    for key, value in model.items():
        if key == 'num_queries':
            return value
        if isinstance(value, dict) and (found := _queries(value)):
            return found
    return None


def dataset_of(config: Config, split: str) -> dict:
    """The innermost data set of a split, or an empty dict."""
    loader = config.get(f'{split}_dataloader') or {}
    dataset = loader.get('dataset') or {}
    while inner := dataset.get('dataset') or dataset.get('datasets'):
        dataset = inner[0] if isinstance(inner, list) else inner
    return dataset


def config_splits(config: Config) -> dict[str, Split]:
    """The annotation files or label maps of a config.

    Raises:
        DataError: one is not there.
    """
    splits: dict[str, Split] = {}
    for name in ('train', 'val'):
        dataset = dataset_of(config, name)
        root = Path(dataset.get('data_root') or '')
        prefix = dataset.get('data_prefix') or {}
        ann_file = root / (dataset.get('ann_file') or '')
        if prefix.get('seg_map_path') is not None:
            listed = ann_file if dataset.get('ann_file') else None
            images = root / (prefix.get('img_path') or '')
            _look(images, name, 'data_prefix.img_path')
            labels = root / prefix['seg_map_path']
            splits[name] = Split(None, images, labels, listed)
        elif dataset.get('ann_file'):
            _look(ann_file, name, 'ann_file')
            seg = prefix.get('seg')
            splits[name] = Split(
                ann_file,
                root / (prefix.get('img') or ''),
                root / seg if seg else None,
            )
    return splits


def _look(path: Path, split: str, key: str) -> None:
    if not path.exists():
        raise DataError(
            f'{split}_dataloader: {path} is not there; set data_root or {key}'
        )
