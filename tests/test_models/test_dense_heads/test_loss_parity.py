"""Same losses as mmdet's heads with the same weights and targets.

mmdet's Mask2Former draws its points, so only expectations agree there.
"""

import copy
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseg_plugin.registry import MODELS
from tests.tiny_heads import CHANNELS, backbone_maps, samples

CONFIGS = Path(__file__).parents[3] / 'configs'
NUM_POINTS = 4096


def both_heads(path, **changes):
    """mmdet's head, and ours of the shipped config, with equal weights."""
    config = Config.fromfile(CONFIGS / path)
    # The shipped config inherits this one.
    theirs = Config.fromfile(config_of_mmdet(path)).model
    built = []
    for model, registry in ((theirs, MMDET_MODELS), (config.model, MODELS)):
        head = copy.deepcopy(model.panoptic_head)
        head.train_cfg = model.train_cfg
        head.in_channels = list(CHANNELS)
        head.num_queries = 9
        head.num_things_classes, head.num_stuff_classes = 3, 2
        head.transformer_decoder.num_layers = 3
        head.pixel_decoder.encoder.num_layers = 1
        if registry is MODELS:
            head |= {'normalizer': 'mmdet', **changes}
            if head.loss_mask.get('num_points'):
                head.loss_mask.num_points = NUM_POINTS
                head.train_cfg.assigner.num_points = NUM_POINTS
        else:
            head.loss_cls.class_weight = [1.0] * 5 + [0.1]
            head.train_cfg.num_points = NUM_POINTS
        with DefaultScope.overwrite_default_scope('mmdet'):
            built.append(registry.build(head).eval())
    peer, ours = built
    torch.manual_seed(0)
    for parameter in peer.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 9
        torch.nn.init.normal_(parameter, std=1.5 / fan_in**0.5)
    ours.load_state_dict(peer.state_dict(), strict=True)
    return peer, ours


def config_of_mmdet(path):
    names = Config._get_base_files(str(CONFIGS / path))
    method, name = names[0].removeprefix('mmdet::').split('/')
    return f'{mmdet.__path__[0]}/.mim/configs/{method}/{name}'


@pytest.mark.parametrize(
    ('path', 'changes', 'rtol'),
    [
        (
            'maskformer/maskformer_r50_ms-16xb1-75e_coco-panoptic.py',
            {'padding_mask': True},
            1e-3,
        ),
        (
            'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
            {},
            0.03,
        ),
    ],
    ids=['maskformer', 'mask2former'],
)
def test_losses_and_their_names_are_those_of_mmdet(path, changes, rtol):
    peer, head = both_heads(path, **changes)
    x = backbone_maps()
    batch = samples(3, 0)
    want = peer.loss(x, copy.deepcopy(batch))
    got = head.loss(x, batch)
    assert got.keys() == want.keys()
    for key, value in want.items():
        # Some of mmdet's have the shape (1,).
        torch.testing.assert_close(
            got[key], value.squeeze(), rtol=rtol, atol=1e-5, check_dtype=False
        )
