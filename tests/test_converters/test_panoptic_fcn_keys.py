"""Panoptic FCN's key table against the official key lists."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.converters import choose_table, convert
from tests.test_converters.test_official_keys import official_state

CONFIGS = Path(__file__).parents[2] / 'configs' / 'panoptic_fcn'
LISTS = {
    'keys_panoptic_fcn_r50.tsv': 'panoptic-fcn_r50_fpn_8xb2-1x_coco.py',
    'keys_panoptic_fcn_r50_star.tsv': (
        'panoptic-fcn-star_r50_fpn_8xb2-3x_coco.py'
    ),
}


@pytest.fixture(params=LISTS, scope='module')
def model(request):
    """Official state dict and our model."""
    state = official_state(request.param)
    config = Config.fromfile(CONFIGS / LISTS[request.param]).model
    config.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'):
        return state, MODELS.build(config)


def test_official_file_loads_strictly(model):
    state, ours = model
    table = choose_table('panoptic_fcn', state, 'd2')
    result = convert(state, table, 'mmdet')
    ours.load_state_dict(result.state)
    assert not result.dropped


def test_our_state_has_the_official_names_and_shapes(model):
    state, built = model
    ours = built.state_dict()
    table = choose_table('panoptic_fcn', ours, 'mmdet')
    result = convert(ours, table, 'd2')
    shapes = {key: value.shape for key, value in state.items()}
    assert {k: v.shape for k, v in result.state.items()} == shapes


def test_round_trip_is_exact(model):
    state, _ = model
    table = choose_table('panoptic_fcn', state, 'd2')
    back = convert(convert(state, table, 'mmdet').state, table, 'd2').state
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_unknown_key_is_refused(model):
    state, _ = model
    table = choose_table('panoptic_fcn', state, 'd2')
    with pytest.raises(ValueError, match='mystery'):
        convert(state | {'mystery.weight': torch.ones(1)}, table, 'mmdet')


def test_deformable_kernel_head_has_names_too(model):
    state, _ = model
    name = 'kernel_head.kernel_head.kernel_head_head_'
    official = {}
    for key, value in state.items():
        if key.startswith(name):
            number, part = key.removeprefix(name).split('.', 1)
            key = f'{name}{number}.dcnv2.{part}'
            offset = f'{name}{number}.offset_mask_conv.weight'
            official[offset] = torch.ones(1)
        official[key] = value
    table = choose_table('panoptic_fcn', official, 'd2')
    ours = convert(official, table, 'mmdet').state
    first = 'panoptic_head.kernel_convs.convs.0.'
    assert {key.removeprefix(first) for key in ours if first in key} == {
        *('conv.weight', 'conv.conv_offset.weight', 'gn.weight', 'gn.bias')
    }
    assert convert(ours, table, 'd2').state.keys() == official.keys()
