"""Mask R-CNN with an EFPN, small enough to run in a second."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

CONFIGS = Path(__file__).parents[1] / 'configs/efpn'
SIZE = 64


@cache
def from_file(name):
    return Config.fromfile(CONFIGS / f'mask-rcnn_tiny_{name}_nuclei.py')


def read(name, **changes):
    """A config of nuclei, its model changed."""
    config = deepcopy(from_file(name))
    config.merge_from_dict({f'model.{k}': v for k, v in changes.items()})
    return config.model


def build_model(config):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config).train()


def build(stage='joint', **options):
    changes = {'stage': stage, 'neck.hidden_channels': 8, **options}
    return build_model(read('efpn_joint', **changes))


def batch(size=SIZE):
    torch.manual_seed(1)
    masks = torch.zeros(1, size, size, dtype=torch.uint8)
    masks[0, 8:20, 8:24] = 1
    sample = DetDataSample(
        gt_instances=InstanceData(
            bboxes=torch.tensor([[8.0, 8, 24, 20]]),
            labels=torch.zeros(1, dtype=torch.long),
            masks=BitmapMasks(masks.numpy(), size, size),
        ),
        ignored_instances=InstanceData(bboxes=torch.zeros(0, 4)),
    )
    sample.set_metainfo(
        {
            'img_shape': (size, size),
            'ori_shape': (size, size),
            'batch_input_shape': (size, size),
            'pad_shape': (size, size),
            'scale_factor': (1.0, 1.0),
        }
    )
    return torch.randn(1, 3, size, size), [sample]


def total(losses):
    """Sum of all losses, as the runner takes it."""
    return sum(
        sum(value) if isinstance(value, list) else value
        for key, value in losses.items()
        if 'loss' in key
    )
