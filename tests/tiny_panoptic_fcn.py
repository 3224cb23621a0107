"""Panoptic FCN small enough to run in a second."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData

from mmseg_plugin.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
TINY = CONFIGS / 'panoptic_fcn/panoptic-fcn_tiny_demo_scenes.py'
SIZE = (96, 128)
BOXES = ((8, 8, 24, 20), (40, 10, 110, 80), (0, 60, 30, 96))


def build(**head):
    torch.manual_seed(0)
    config = Config.fromfile(TINY).model
    config.panoptic_head.update(head)
    if 'region_classes' in head:
        config.panoptic_fusion_head.region_classes = head['region_classes']
    model = MODELS.build(config)
    model.init_weights()
    return model


def sample(boxes=BOXES, stuff=6, size=SIZE):
    masks = np.zeros((len(boxes), *size), np.uint8)
    semantic = torch.full((1, *size), stuff)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        masks[i, y1:y2, x1:x2] = 1
        semantic[0, y1:y2, x1:x2] = i % 6
    data = DetDataSample(
        gt_instances=InstanceData(
            bboxes=torch.tensor(boxes).float().reshape(-1, 4),
            labels=torch.arange(len(boxes)) % 6,
            masks=BitmapMasks(masks, *size),
        ),
        gt_sem_seg=PixelData(sem_seg=semantic),
    )
    data.set_metainfo({'img_shape': size, 'ori_shape': size})
    return data


def images(num, size=SIZE):
    generator = torch.Generator().manual_seed(1)
    return list(torch.randint(0, 255, (num, 3, *size), generator=generator))


def losses(model, samples):
    inputs = [image.byte() for image in images(len(samples))]
    data = {'inputs': inputs, 'data_samples': samples}
    data = model.data_preprocessor(data, True)
    return model(**data, mode='loss')


def numbered(pasted):
    """Segments of a result, numbered anew: winner, labels, instances.

    An instance is a thing's number among the candidates, -1 for stuff.
    """
    number = pasted.kept.cumsum(0) * pasted.kept
    chosen = pasted.kept.nonzero()[:, 0]
    return SimpleNamespace(
        winner=torch.cat((number.new_zeros(1), number))[pasted.winner],
        labels=pasted.labels[chosen],
        instance=chosen.masked_fill(chosen >= pasted.num_things, -1),
    )
