"""Tries `new` on random data sets: the config builds, trains and evaluates.

python -m tests.soak.data_sets --count 30
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.apis.new_bases import BASES
from mmseg_plugin.apis.new_data import write_config
from tests.test_datasets.test_formats import writers

FORMS = {
    **writers.WRITERS,
    'folders of splits': writers.write_by_folder,
    'panoptic': writers.write_panoptic,
    'semantic': writers.write_semantic,
}


# Forms that are split where they have no validation images.
SPLIT = ('coco', 'roboflow', 'folders of splits', 'panoptic', 'semantic')


def random_shapes(rng, classes, size, most):
    """Rectangles with one corner cut, of any place and size."""
    found = []
    for _ in range(int(rng.integers(0, most + 1))):
        width, height = (int(rng.integers(6, side - 2)) for side in size)
        x = int(rng.integers(0, size[0] - width))
        y = int(rng.integers(0, size[1] - height))
        points = [(x, y), (x + width, y), (x + width, y + height)]
        points.append((x + 2, y + height))
        label = int(rng.integers(len(classes)))
        found.append((label, [tuple(map(float, p)) for p in points]))
    return found


def write_data(rng: np.random.Generator, root: Path) -> tuple[str, str]:
    """Writes a data set.

    Returns:
        Its format, and what is random about it.
    """
    form = str(rng.choice(list(FORMS)))
    classes = tuple(f'class {i}' for i in range(int(rng.integers(1, 13))))
    if form == 'semantic':
        size = (64, 48)
    else:
        size = tuple(int(v) for v in rng.integers(44, 160, 2))
    train, val = int(rng.integers(3, 9)), int(rng.integers(1, 4))
    most = int(rng.integers(2, 40))
    objects = [
        # No class is without an object, and no split.
        [(n % len(classes), [(2.0, 2.0), (20.0, 2.0), (20.0, 20.0)])]
        + random_shapes(rng, classes, size, most)
        for n in range(max(12, train + val))
    ]
    splits = {'train': range(train), 'val': range(train, train + val)}
    # Enough images of each class for both sides.
    if form in SPLIT and len(classes) <= 3 and rng.random() < 0.5:
        splits = {'train': range(12)}
    if form in ('panoptic', 'semantic'):
        size = (64, 48)
    with mock.patch.multiple(
        writers,
        CLASSES=classes,
        SIZE=size,
        SPLITS=splits,
        shapes=lambda number: objects[number],
    ):
        FORMS[form](root)
    counts = '+'.join(str(len(numbers)) for numbers in splits.values())
    return form, f'{form}, {len(classes)} classes, {size}, {counts}'


def try_one(seed: int, folder: Path) -> str:
    """Writes data, a config for it, trains two iterations and evaluates."""
    rng = np.random.default_rng(seed)
    form, words = write_data(rng, folder / 'data')
    kind = form if form in ('panoptic', 'semantic') else 'instances'
    tiny = [model for model, size in BASES[kind] if size == 'tiny']
    model = str(rng.choice(tiny))
    batch = int(rng.integers(1, 4))
    args = argparse.Namespace(
        data=folder / 'data',
        out=folder / 'x.py',
        model=model,
        size='tiny',
        weights=None,
        start=None,
        epochs=1,
        hours=None,
        batch=batch,
        seed=seed,
        fix=False,
        no_measure=True,
    )
    config = Config.fromfile(write_config(args))
    config.work_dir = str(folder / 'run')
    for name in ('train', 'val', 'test'):
        config[f'{name}_dataloader'].num_workers = 0
        config[f'{name}_dataloader'].persistent_workers = False
    config.train_dataloader.dataset.indices = 2 * batch
    config.experiment_name = f'{folder.parent.name}_{seed}'
    # Kept by its name: the next run would write into this one's folder.
    config.visualizer.name = config.experiment_name
    runner = Runner.from_cfg(config)
    runner.train()
    scalars = runner.message_hub.log_scalars
    assert runner.iter >= 1
    assert any(name.startswith('val/') for name in scalars), words
    assert np.isfinite(scalars['train/loss'].current()), words
    DefaultScope._instance_dict.clear()
    return f'{words}, {model}, batch {batch}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=30)
    parser.add_argument('--first', type=int, default=0, help='seed')
    args = parser.parse_args()
    for seed in range(args.first, args.first + args.count):
        with tempfile.TemporaryDirectory() as folder:
            print(seed, try_one(seed, Path(folder)), flush=True)


if __name__ == '__main__':
    main()
