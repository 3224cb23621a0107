"""Snapshots of what the user names: a file, a folder, or a config."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_config
from mmseg_plugin.datasets.formats import DataError, DataFound, find_data
from mmseg_plugin.datasets.formats.detect import (
    Split,
    images_in,
    kind_of,
    read_json,
)

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
    # Millions of new objects, and no garbage among them.
    gc.disable()
    try:
        data = read_json(split.ann_file)
    finally:
        gc.enable()
    return Snapshot(
        split.ann_file,
        data,
        kind_of(data, split.ann_file),
        split.image_dir if images else None,
        split.seg_dir,
    )


def _label_maps(split: Split, images: bool) -> Snapshot:
    listed: list[dict[str, Any]] = []
    for path in images_in(split.image_dir):
        name = path.relative_to(split.image_dir)
        label = name.with_suffix('.png')
        listed.append({'file_name': str(name), 'seg_file_name': str(label)})
    return Snapshot(
        split.seg_dir or split.image_dir,
        {'images': listed},
        'semantic',
        split.image_dir if images else None,
        split.seg_dir,
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
        if path.is_dir() or path.suffix == '.json':
            found = find_data(path)
            if found.convert:
                raise DataError(
                    f'{found.sentence()}: convert it with "new" first'
                )
            snapshots = snapshots_of_data(found, images)
            return found.sentence(), snapshots, Options()
        return _of_config(name, images)
    except DataError as error:
        raise UserError(str(error)) from error


def _of_config(name: str, images: bool) -> tuple[str, list[Snapshot], Options]:
    from mmseg_plugin.cli.configs import find_config

    config = read_config(find_config(name))
    splits = config_splits(config)
    if not splits:
        raise DataError(f'config {name} reads no annotation file of COCO')
    found = DataFound(Path(name), 'a config', 'instances', splits)
    classes = dataset_of(config, 'train').get('metainfo', {}).get('classes')
    names = (classes,) if isinstance(classes, str) else classes
    options = Options(
        num_queries=_queries(config.get('model', {})),
        classes=tuple(names) if names else None,
    )
    return found.sentence(), snapshots_of_data(found, images), options


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
    """The annotation files of a config.

    Raises:
        DataError: one is not there.
    """
    splits: dict[str, Split] = {}
    for name in ('train', 'val'):
        dataset = dataset_of(config, name)
        if not dataset.get('ann_file'):
            continue
        root = Path(dataset.get('data_root') or '')
        prefix = dataset.get('data_prefix') or {}
        ann_file = root / dataset['ann_file']
        if not ann_file.is_file():
            raise DataError(
                f'{name}_dataloader: {ann_file} is not there; set data_root '
                'or ann_file'
            )
        seg = prefix.get('seg')
        splits[name] = Split(
            ann_file,
            root / (prefix.get('img') or ''),
            root / seg if seg else None,
        )
    return splits
