"""The same images and objects for every model, whatever its task."""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData

from mmseg_plugin.apis.predictor import image_pipeline

NUM_OBJECTS = 8


def read_images(
    config: Config, paths: Sequence[Path], size: tuple[int, int] | None
) -> list[dict[str, Any]]:
    """Images as the config's test pipeline prepares them.

    Args:
        config: of the model; its default scope is active.
        paths: image files.
        size: height and width to which every image is brought, in place of
            the pipeline's own resizes; None keeps those.

    Returns:
        ``inputs`` and ``data_samples`` of each image.
    """
    steps = image_pipeline(config)
    if size is not None:
        load, *rest = [s for s in steps if 'Resize' not in s['type']]
        resize = {'type': 'Resize', 'scale': size[::-1], 'keep_ratio': False}
        steps = [load, resize, *rest]
    pipeline = Compose(steps)
    return [
        pipeline({'img_path': str(path), 'img_id': i})
        for i, path in enumerate(paths)
    ]


def as_batch(images: Sequence[dict[str, Any]]) -> dict[str, list]:
    """A batch as a data loader gives it; models may change its samples."""
    return {
        'inputs': [image['inputs'] for image in images],
        'data_samples': [copy.deepcopy(i['data_samples']) for i in images],
    }


def add_targets(images: Sequence[dict[str, Any]], model: Config) -> None:
    """Adds made-up ground truth: rectangles of all classes in turn.

    Args:
        images: of :func:`read_images`.
        model: config of the model, which names its classes.
    """
    things, stuff = class_counts(model)
    for i, image in enumerate(images):
        size = tuple(image['inputs'].shape[-2:])
        boxes = random_boxes(size, np.random.default_rng(i))
        sample = image['data_samples']
        if type(sample).__module__.startswith('mmseg.'):
            labels = paint(size, boxes, things + stuff, background=0)
            sample.gt_sem_seg = PixelData(data=labels)
            continue
        masks = np.zeros((len(boxes), *size), np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            labels=torch.arange(len(boxes)) % max(things, 1),
            masks=BitmapMasks(masks, *size),
        )
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        if stuff:
            labels = paint(size, boxes, things, background=things)
            sample.gt_sem_seg = PixelData(sem_seg=labels)


def random_boxes(
    size: tuple[int, int], rng: np.random.Generator
) -> list[list[int]]:
    """(x1, y1, x2, y2) of objects, an eighth to half as long as the image."""
    lengths = np.array(size[::-1])
    extent = rng.uniform(0.125, 0.5, (NUM_OBJECTS, 2)) * lengths
    start = rng.uniform(0, 1, (NUM_OBJECTS, 2)) * (lengths - extent)
    corners = np.concatenate([start, start + extent.clip(min=1)], 1)
    return corners.astype(int).tolist()


def paint(
    size: tuple[int, int],
    boxes: Sequence[Sequence[int]],
    num_classes: int,
    background: int,
) -> torch.Tensor:
    """Label map (1, H, W); boxes have the classes in turn, later ones win."""
    labels = torch.full((1, *size), background)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        labels[:, y1:y2, x1:x2] = i % max(num_classes, 1)
    return labels


def class_counts(model: Config) -> tuple[int, int]:
    """Numbers of thing and of stuff classes that a model config states."""
    for part in _dicts(model):
        if 'num_things_classes' in part:
            return part['num_things_classes'], part['num_stuff_classes']
    for part in _dicts(model):
        if 'num_classes' in part:
            return part['num_classes'], 0
    return 1, 0


def _dicts(node: Any) -> Iterator[dict]:
    """Every dict in a config, outermost first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for value in node:
            yield from _dicts(value)
