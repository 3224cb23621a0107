"""Before iteration 0: data and model of a config agree about classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.config_keys import find_class

if TYPE_CHECKING:
    from mmengine.config import Config

_COUNTS = ('num_things_classes', 'num_stuff_classes')
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Heads whose number of classes is that of the data.
_HEADS = ('bbox_head', 'mask_head', 'decode_head')


def check_classes(config: Config) -> None:
    """Compares class counts and names before anything is built.

    Args:
        config: with the options of the command line.

    Raises:
        UserError: naming both keys and both values.
    """
    classes = dict(_classes(config))
    train = classes.get('train_dataloader')
    for key, names in classes.items():
        if train is not None and names != train:
            raise UserError(_difference(train, names, key))
    if train is not None:
        _check_model(config, train)
        _check_loaders(config, len(train))


def _check_loaders(config: Config, count: int) -> None:
    """Refuses mmseg's own transform where 8 bits do not hold the labels."""
    names = {'mmseg.LoadAnnotations'}
    if config.get('default_scope') == 'mmseg':
        names.add('LoadAnnotations')
    for key in _LOADERS if count > 255 else ():
        for dataset in _plain(config, key):
            for step in dataset.get('pipeline') or ():
                if step.get('type') in names:
                    raise UserError(
                        f'train_dataloader has {count} classes, and '
                        f'{step["type"]} of {key} keeps 8 bits of a label: '
                        'take mmseg_plugin.LoadSemanticAnnotations'
                    )


def _check_model(config: Config, names: tuple[str, ...]) -> None:
    said = f'train_dataloader has {len(names)} classes'
    for key, count in _counts(config.get('model') or {}, 'model'):
        if count != len(names):
            raise UserError(f'{said}, {key} says {count}; make them agree')
    model = config.get('model') or {}
    head = model.get('panoptic_head') or {}
    fusion = model.get('panoptic_fusion_head') or {}
    # In one order, so that the same config gets the same sentence.
    for name in _COUNTS:
        both = name in head and name in fusion
        if both and head[name] != fusion[name]:
            raise UserError(
                f'model.panoptic_head.{name} is {head[name]}, '
                f'model.panoptic_fusion_head.{name} is {fusion[name]}; make '
                'them agree'
            )


def _counts(node: Any, path: str) -> Iterator[tuple[str, int]]:
    """Key and number of classes of every head that has one."""
    for key, value in node.items():
        place = f'{path}.{key}'
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                continue
            if key in _HEADS and isinstance(part.get('num_classes'), int):
                yield f'{place}.num_classes', part['num_classes']
            if all(name in part for name in _COUNTS):
                total = sum(part[name] for name in _COUNTS)
                yield f'{place}.{" + ".join(_COUNTS)}', total
            elif key == 'roi_head':
                yield from _counts(part, place)


def _classes(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of the classes of each split that says them."""
    for key in _LOADERS:
        dataset = next(_plain(config, key))
        names = (dataset.get('metainfo') or {}).get('classes')
        if names is None:
            scope = config.get('default_scope', 'mmdet')
            found = find_class(dataset.get('type'), scope)
            names = getattr(found, 'METAINFO', {}).get('classes')
        if isinstance(names, str):
            # A file of names; the data set says if it is not there.
            file = Path(names)
            names = file.read_text().split('\n') if file.is_file() else ()
            names = [name.strip() for name in names if name.strip()]
        if names:
            yield key, tuple(names)


def _plain(config: Config, key: str) -> Iterator[Any]:
    """Data sets of a loader, inside those that repeat or join others."""
    waiting = [(config.get(key) or {}).get('dataset') or {}]
    while waiting:
        dataset = waiting.pop(0)
        inner = dataset.get('dataset') or dataset.get('datasets')
        if inner:
            waiting[:0] = inner if isinstance(inner, list) else [inner]
        else:
            yield dataset


def _difference(
    train: tuple[str, ...], other: tuple[str, ...], key: str
) -> str:
    if len(train) != len(other):
        return (
            f'train_dataloader has {len(train)} classes, {key} has '
            f'{len(other)}; make metainfo of their data sets agree'
        )
    pairs = zip(train, other, strict=True)
    place, (here, there) = next(
        (i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]
    )
    return (
        f'class {place} of train_dataloader is {here!r}, of {key} {there!r}; '
        'make metainfo of their data sets agree'
    )
