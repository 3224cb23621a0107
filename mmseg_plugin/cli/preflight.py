"""Before anything is built: data and model of a config agree on classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.config_keys import find_class
from mmseg_plugin.cli.configs import plain_data_sets

if TYPE_CHECKING:
    from mmengine.config import Config

# Labels of a map of bytes, one of them void.
_MOST_OF_8_BITS = 255
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def check_classes(config: Config) -> None:
    """Compares class counts and names before anything is built.

    The hook of :mod:`mmseg_plugin.engine.preflight` does it again with the
    data sets as they are, and for runs that are started otherwise.

    Args:
        config: with the options of the command line.

    Raises:
        UserError: naming both keys and both values.
    """
    # Imports torch.
    from mmseg_plugin.engine.preflight import check_model, check_same

    classes = dict(_classes(config))
    train = classes.get('train_dataloader')
    if train is None:
        return
    try:
        for key, names in classes.items():
            check_same(train, names, key)
        check_model(config.get('model') or {}, train)
    except ValueError as error:
        raise UserError(str(error)) from error
    if len(train) > _MOST_OF_8_BITS:
        _check_loaders(config, len(train))


def _check_loaders(config: Config, count: int) -> None:
    """Refuses mmseg's own transform where 8 bits do not hold the labels."""
    names = {'mmseg.LoadAnnotations'}
    if config.get('default_scope') == 'mmseg':
        names.add('LoadAnnotations')
    for key in LOADERS:
        for dataset in _data_sets(config, key):
            for step in dataset.get('pipeline') or ():
                if step.get('type') in names:
                    raise UserError(
                        f'train_dataloader has {count} classes, and '
                        f'{step["type"]} of {key} keeps 8 bits of a label: '
                        'take mmseg_plugin.LoadSemanticAnnotations'
                    )


def check_files(config: Config, key: str = 'train_dataloader') -> None:
    """Looks for the annotation file and the images of a loader.

    Args:
        config: with the options of the command line.
        key: of the loader.

    Raises:
        UserError: one is not there.
    """
    for dataset in _data_sets(config, key):
        _check_paths(dataset, key)


def _check_paths(dataset: dict, key: str) -> None:
    root = Path(dataset.get('data_root') or '')
    named = {'ann_file': dataset.get('ann_file')}
    for name, folder in (dataset.get('data_prefix') or {}).items():
        named[f'data_prefix.{name}'] = folder
    for name, value in named.items():
        if not isinstance(value, str) or not value or '://' in value:
            continue
        path = root / value
        if not path.exists() and '://' not in str(root):
            raise UserError(
                f'{path} cannot be found; set data_root (now {str(root)!r}) '
                f'or {name} of {key}.dataset'
            )


def _data_sets(config: Config, key: str) -> Iterator[Any]:
    """Those of a loader, inside those that repeat or join others."""
    return plain_data_sets((config.get(key) or {}).get('dataset') or {})


def _classes(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of the classes of each split that says them."""
    for key in LOADERS:
        dataset = next(_data_sets(config, key))
        names = (dataset.get('metainfo') or {}).get('classes')
        if names is None:
            scope = config.get('default_scope', 'mmdet')
            found = find_class(dataset.get('type'), scope)
            names = getattr(found, 'METAINFO', {}).get('classes')
        if isinstance(names, str):
            # A file of names; the data set says if it is not there.
            file = Path(names)
            lines = (
                file.read_text(encoding='utf-8-sig').splitlines()
                if file.is_file()
                else ()
            )
            names = [line.strip() for line in lines if line.strip()]
        if names:
            yield key, tuple(names)
