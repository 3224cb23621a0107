"""Annotation files that are damaged at random: checked, read, judged."""

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.registry import DATASETS, DefaultScope
from pycocotools import mask as mask_utils

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.launch import UNREADABLE, missing_file
from mmseg_plugin.registry import METRICS
from tests.soak.hostile.outcome import damage, damaged_bytes, note, outcome
from tools import check

SIZE = (24, 32)
CLASSES = ('one', 'two')
PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'mmdet.LoadAnnotations', 'with_bbox': True, 'with_mask': True},
    {'type': 'mmseg_plugin.PackMaskInputs'},
]


def whole_file() -> dict[str, Any]:
    """COCO instances of three images, in every form that masks have."""
    mask = np.zeros(SIZE, np.uint8, 'F')
    mask[4:12, 5:20] = 1
    rle = mask_utils.encode(mask)
    rle['counts'] = rle['counts'].decode()
    runs = {'size': list(SIZE), 'counts': [24, 24, 720]}
    shapes = [[[2, 2, 20, 3, 12, 18]], rle, runs, [[1, 1, 9, 1, 9, 9, 1, 9]]]
    annotations = [
        {
            'id': i + 1,
            'image_id': i % 3,
            'category_id': 1 + i % 2,
            'bbox': [2, 2, 18, 16],
            'area': 100,
            'iscrowd': int(i == 1),
            'segmentation': shape,
        }
        for i, shape in enumerate(shapes)
    ]
    images = [
        {'id': i, 'file_name': f'{i}.png', 'height': 24, 'width': 32}
        for i in range(3)
    ]
    categories = [{'id': i + 1, 'name': n} for i, n in enumerate(CLASSES)]
    return {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


NAN = float('nan')


def one_point(rng: random.Random) -> Any:
    return [[rng.uniform(0, 30)] * 2]


def crosses_itself(rng: random.Random) -> Any:
    return [[0, 0, 20, 20, 20, 0, 0, 20]]


def vertices_1000(rng: random.Random) -> Any:
    return [[rng.uniform(0, 24) for _ in range(2_000)]]


def vertices_100000(rng: random.Random) -> Any:
    return [[rng.uniform(0, 24) for _ in range(200_000)]]


def outside(rng: random.Random) -> Any:
    return [[rng.uniform(-500, 500) for _ in range(rng.randint(0, 9))]]


def rle_of_another_size(rng: random.Random) -> Any:
    other = [rng.randint(0, 64), rng.randint(0, 64)]
    return {'size': other, 'counts': [other[0] * other[1]]}


def rle_of_another_length(rng: random.Random) -> Any:
    return {'size': list(SIZE), 'counts': [rng.randint(0, 700)]}


def rle_of_other_letters(rng: random.Random) -> Any:
    letters = [chr(rng.randrange(32, 127)) for _ in range(rng.randint(0, 20))]
    return {'size': list(SIZE), 'counts': ''.join(letters)}


def nan_in_polygon(rng: random.Random) -> Any:
    return [[1, 2, NAN, 4, 5, 6]]


def without_area(rng: random.Random) -> Any:
    return [[5, 5, 5, 5, 5, 5], [3, 3, 9, 3, 9, 3]]


# Masks that files really hold, and others.
SHAPES = (
    *(one_point, crosses_itself, vertices_1000, vertices_100000, outside),
    *(rle_of_another_size, rle_of_another_length, rle_of_other_letters),
    *(nan_in_polygon, without_area),
)
BOXES: tuple = (
    *([NAN] * 4, [2, 2, NAN, 3], [float('inf'), 0, 1, 1], [1e300] * 4),
    *([-9, -9, 4, 4], [2, 2, -3, 5], [2, 2, 0, 0], [1, 2, 3], [], None),
)
NAMES = ('../../0.png', '/etc/hostname', '..', '0.png/..', '', '\0', 'a' * 999)


def hostile_file(rng: random.Random) -> bytes:
    """The text of an annotation file."""
    content = whole_file()
    kind = rng.random()
    if kind < 0.3:
        shape = rng.choice(SHAPES)
        note(f'mask: {shape.__name__}')
        rng.choice(content['annotations'])['segmentation'] = shape(rng)
    elif kind < 0.4:
        box = rng.choice(BOXES)
        note(f'box: {box}')
        rng.choice(content['annotations'])['bbox'] = box
    elif kind < 0.5:
        name = rng.choice(NAMES)
        note(f'file name: {name[:12]!r}')
        rng.choice(content['images'])['file_name'] = name
    else:
        for _ in range(rng.randint(1, 3)):
            with contextlib.suppress(IndexError):
                damage(content, rng)
    text = json.dumps(content).encode()
    return damaged_bytes(text, rng) if rng.random() < 0.1 else text


def write(root: Path, rng: random.Random) -> Path:
    """A data set with one hostile file."""
    image = np.full((*SIZE, 3), 90, np.uint8)
    for i in range(3):
        if not (root / f'images/{i}.png').exists():
            mmcv.imwrite(image, str(root / f'images/{i}.png'))
    path = root / 'annotations.json'
    path.write_bytes(hostile_file(rng))
    return path


def load(root: Path, path: Path, test_mode: bool) -> None:
    """Reads every sample, as a data loader would."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(
            {
                'type': 'mmseg_plugin.CocoInstanceDataset',
                'data_root': str(root),
                'ann_file': path.name,
                'data_prefix': {'img': 'images/'},
                'metainfo': {'classes': CLASSES},
                'pipeline': PIPELINE,
                'test_mode': test_mode,
            }
        )
        for i in range(len(dataset)):
            sample = dataset[i]
            if not test_mode:
                found = sample['data_samples'].gt_instances
                assert found.bboxes.tensor.isfinite().all()
                assert set(found.labels.tolist()) <= {0, 1}
                assert len(found.masks) == len(found.labels)


def train_or_test(root: Path, path: Path, test_mode: bool) -> None:
    """As `train` and `test` say what their data sets raise."""
    try:
        load(root, path, test_mode)
    except UNREADABLE as error:
        raise UserError(missing_file(error)) from error


def judge(path: Path) -> None:
    """Evaluates nothing found on the images."""
    metric = METRICS.build(
        {
            'type': 'mmseg_plugin.CocoInstanceMetric',
            'ann_file': str(path),
            'metric': ['bbox', 'segm'],
        }
    )
    metric.dataset_meta = {'classes': CLASSES}
    empty = {
        'bboxes': torch.zeros(0, 4),
        'scores': torch.zeros(0),
        'labels': torch.zeros(0, dtype=torch.long),
        'masks': torch.zeros(0, *SIZE, dtype=torch.bool),
    }
    for i in range(3):
        sample = {'img_id': i, 'ori_shape': SIZE, 'pred_instances': empty}
        metric.process({}, [sample])
    metric.evaluate(3)


def case(rng: random.Random, folder: Path) -> int:
    """One file, given to one of those that read it."""
    path = write(folder, rng)
    kind = rng.randrange(4)
    if kind == 0:
        return outcome(check.main, (path,), codes=(0, 1, 2))
    if kind == 1:
        out = folder / 'fixed'
        words = (path, '--fix', out, '--no-images')
        return outcome(check.main, words, codes=(0, 1, 2))
    if kind == 2:
        test_mode = rng.random() < 0.5
        return outcome(lambda: train_or_test(folder, path, test_mode))
    return outcome(lambda: judge(path))
