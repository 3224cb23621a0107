"""What the labels of a trained model mean, by the names of the classes."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import plain_data_sets


def label_names(
    config: Config,
    classes: Sequence[str],
    trained: Sequence[str] | None = None,
) -> list[str]:
    """Name of each label of a model.

    The data sets of the plugin number labels as their metainfo lists the
    classes, and a checkpoint keeps that list. mmdet's COCO data sets number
    them as the training file lists its categories.

    Args:
        config: of the model.
        classes: in the metainfo of the config.
        trained: in the metainfo that the checkpoint keeps, if it does.

    Raises:
        UserError: the checkpoint was trained for other classes, or training
            files of one model list the categories in different orders.
    """
    if trained is not None and set(trained) != set(classes):
        odd = sorted(set(trained) ^ set(classes))
        raise UserError(
            'config and checkpoint are for different classes '
            f'({", ".join(odd[:5])}): take the config of the training run, or '
            'set metainfo.classes'
        )
    orders = {
        tuple(names)
        for names in _orders_by_file(config)
        if names and set(names) <= set(classes)
    }
    if len(orders) > 1:
        raise UserError(
            'the training files list the categories in different orders, so '
            "that mmdet's data sets gave one label several names: train with "
            'mmseg_plugin.CocoInstanceDataset or CocoPanopticDataset'
        )
    if not orders:
        return list(trained or classes)
    (first,) = orders
    return [*first, *(name for name in classes if name not in first)]


def names_in_data(
    config: Config, split: str, classes: Sequence[str]
) -> Sequence[str]:
    """Name of each label that the data sets of a split give.

    Args:
        config: of the data.
        split: ``'train'``, ``'val'`` or ``'test'``.
        classes: in the metainfo of the config.

    Raises:
        UserError: data sets that are joined number them differently.
    """
    orders = {tuple(names) for names in _orders_of_split(config, split)}
    if len(orders) > 1:
        raise UserError(
            f'the annotation files of {split}_dataloader list the categories '
            "in different orders, so that mmdet's data sets give one label "
            'several names: take mmseg_plugin.CocoInstanceDataset or '
            'CocoPanopticDataset'
        )
    return next(iter(orders), classes)


def _orders_by_file(config: Config) -> list[list[str]]:
    """Names by label of each training set that numbers them by its file.

    Test sets stand in for training sets that are not there.
    """
    for split in ('train', 'val', 'test'):
        loader = config.get(f'{split}_dataloader')
        if loader is None:
            continue
        if not any(map(_by_file, plain_data_sets(loader.dataset))):
            return []
        if orders := _orders_of_split(config, split):
            return orders
    return []


def _orders_of_split(config: Config, split: str) -> list[list[str]]:
    loader = config.get(f'{split}_dataloader')
    sets = plain_data_sets(loader.dataset) if loader else ()
    return [names for data in sets if (names := file_order(data))]


def _by_file(data: ConfigDict) -> bool:
    kind = data['type']
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    return issubclass(kind or object, CocoDataset) and not any(
        base.__module__.startswith('mmseg_plugin.') for base in kind.__mro__
    )


def file_order(data: ConfigDict) -> list[str]:
    """Names by label where the annotation file numbers them.

    Args:
        data: config of a data set.

    Returns:
        None of them if the data set numbers labels otherwise, or its file
        cannot be read.
    """
    file = Path(data.get('data_root') or '', data.get('ann_file') or '')
    if not _by_file(data) or not file.is_file():
        return []
    return listed_classes(file, (data.get('metainfo') or {}).get('classes'))


def listed_classes(
    file: Path, classes: Sequence[str] | None = None
) -> list[str]:
    """Names of the categories of a COCO file, in its order.

    Args:
        file: annotation file.
        classes: leaves others out.
    """
    try:
        content = json.loads(file.read_text(encoding='utf-8-sig'))
        names = [str(category['name']) for category in content['categories']]
    except (KeyError, TypeError, ValueError):
        return []
    return [name for name in names if classes is None or name in classes]
