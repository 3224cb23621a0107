"""Draws samples of a config's data set, without a model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmseg_plugin.apis.labels import names_in_data
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.visualization.inputs import draw_input


def browse(
    config: Config, split: str, count: int, seed: int = 0
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and picture of samples after their pipeline.

    Args:
        config: any config of mmdet or mmseg.
        split: ``'train'``, ``'val'`` or ``'test'``.
        count: of the samples, at most.
        seed: of which are taken, and of their augmentation.

    Raises:
        UserError: the config has no such data, a file is missing, or the
            pipeline gives no annotations.
    """
    loader = config.get(f'{split}_dataloader')
    if loader is None:
        raise UserError(f'config {config.filename} has no {split}_dataloader')
    init_default_scope(config.get('default_scope', 'mmdet'))
    np.random.seed(seed)
    try:
        data = DATASETS.build(loader.dataset)
    except FileNotFoundError as error:
        raise UserError(
            f'{error.filename or error} of {split}_dataloader cannot be found'
        ) from error
    classes = names_in_data(config, split, data.metainfo['classes'])
    meta = {**data.metainfo, 'classes': classes}
    numbers = np.random.permutation(len(data))[:count]
    for number in numbers.tolist():
        sample = data[number]
        # Those of pairs of crops are lists.
        for one in sample if isinstance(sample, list) else [sample]:
            name = Path(one['data_samples'].get('img_path', '')).name
            yield (
                name or str(number),
                draw_input(one['inputs'], one['data_samples'], meta, name),
            )
