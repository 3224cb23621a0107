import copy

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.cli.configs import find_config, read_config


def build(config):
    with DefaultScope.overwrite_default_scope('mmseg'), torch.device('meta'):
        return MODELS.build(config)


def forget(part):
    """Every ``in_channels`` of a part, and DeepLab's, whatever it lies in."""
    for key, value in part.items():
        if key in ('in_channels', 'c1_in_channels'):
            part[key] = None
        elif isinstance(value, dict):
            forget(value)


@pytest.mark.parametrize(
    'name',
    [
        'mask2former_r50_8xb2-160k_ade20k-512x512',
        'maskformer_r50_8xb2-160k_ade20k-512x512',
        'deeplabv3plus-maskformer_r50-d8_8xb2-160k_ade20k-512x512',
        'deeplabv3plus_r50-d8_8xb2-160k_ade20k-512x512',
        'fpn_r50_8xb2-160k_ade20k-512x512',
        'per-pixel-baseline_tiny_demo_scenes-semantic',
        'upernet_r50_8xb2-160k_ade20k-512x512',
    ],
)
def test_channels_come_from_the_backbone(name):
    config = read_config(find_config(name)).model
    assert config.type == 'mmseg_plugin.EncoderDecoder'
    config.backbone.init_cfg = None
    bare = copy.deepcopy(config)
    # Behind a neck they are the neck's.
    parts = ('neck',) if 'neck' in bare else ('decode_head', 'auxiliary_head')
    for part in parts:
        forget(bare.get(part) or {})
    assert bare != config
    typed, filled = build(config), build(bare)
    assert type(filled).__module__.startswith('mmseg.')
    shapes = [
        {key: value.shape for key, value in model.state_dict().items()}
        for model in (typed, filled)
    ]
    assert shapes[0] == shapes[1]


def test_heads_of_mmseg_take_the_last_map_or_the_one_they_name():
    head = {
        'type': 'mmseg.FCNHead',
        'in_channels': None,
        'channels': 8,
        'num_classes': 3,
    }
    model = build(
        {
            'type': 'mmseg_plugin.EncoderDecoder',
            'backbone': {'type': 'mmseg.ResNet', 'depth': 18},
            'decode_head': head,
            'auxiliary_head': [{**head, 'in_index': i} for i in (0, 2)],
        }
    )
    heads = [model.decode_head, *model.auxiliary_head]
    assert [part.in_channels for part in heads] == [512, 64, 256]
