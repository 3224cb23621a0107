"""Mask DINO's key table against the complete lists of official models."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseg_plugin.converters import choose_table, convert
from mmseg_plugin.registry import MODELS
from tests.test_configs import CONFIGS
from tests.test_converters.test_official_keys import official_state

SEMANTIC = {
    'num_queries': 100,
    'num_things_classes': 150,
    'two_stage': False,
    'use_sigmoid': False,
    'initialize_box_type': 'no',
    'loss_cls': {'type': 'mmseg_plugin.QueryClassLoss', '_delete_': True},
}
LISTS = {
    'coco_instance_dowsample1_2048': ('r50_8xb2-lsj-50e_coco', {}),
    'coco_instance_3s_hid1024': ('r50_hid1024_8xb2-lsj-50e_coco', {}),
    'coco_panoptic': ('r50_8xb2-lsj-50e_coco-panoptic', {}),
    'ade_semantic': ('r50_hid1024_8xb2-lsj-50e_coco', SEMANTIC),
}


def tied(state, seed=0):
    """Gives the copies of an official state the same values."""
    for key in state:
        original = key.replace(
            'predictor.decoder.norm', 'predictor.decoder_norm'
        )
        head, found, rest = key.partition('bbox_embed.')
        if found and not head.endswith('_'):
            head = head.removesuffix('decoder.')
            original = f'{head}_bbox_embed.{rest.partition(".")[2]}'
        state[key] = state[original]
    classes = len(state['sem_seg_head.predictor.label_enc.weight'])
    state['criterion.empty_weight'] = torch.ones(classes + 1)
    state['criterion.empty_weight'][-1] = 0.1
    return state


@pytest.fixture(params=LISTS, scope='module')
def model(request):
    """Official state dict and our model."""
    state = tied(official_state(f'keys_maskdino_r50_{request.param}.tsv'))
    stem, changes = LISTS[request.param]
    config = Config.fromfile(CONFIGS / f'maskdino/maskdino_{stem}.py')
    config.merge_from_dict(
        {
            'model.panoptic_head': changes,
            'model.backbone.init_cfg': None,
        }
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = MODELS.build(config.model)
    return state, built


def test_official_file_loads_strictly(model):
    state, built = model
    result = convert(state, choose_table('maskdino', state, 'd2'), 'mmdet')
    built.load_state_dict(result.state)
    for key, reason in result.dropped:
        assert key == 'criterion.empty_weight' or 'the same as' in reason


def test_our_state_has_the_official_names_and_shapes(model):
    state, built = model
    ours = built.state_dict()
    result = convert(ours, choose_table('maskdino', ours, 'mmdet'), 'd2')
    shapes = {key: value.shape for key, value in state.items()}
    assert {k: v.shape for k, v in result.state.items()} == shapes


def test_round_trip_is_exact(model):
    state, _ = model
    table = choose_table('maskdino', state, 'd2')
    back = convert(convert(state, table, 'mmdet').state, table, 'd2').state
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_copies_that_differ_are_refused(model):
    state = dict(model[0])
    key = 'sem_seg_head.predictor.decoder.bbox_embed.3.layers.1.bias'
    state[key] = state[key] + 1
    with pytest.raises(ValueError, match=r'bbox_embed.3.* must be equal'):
        convert(state, choose_table('maskdino', state, 'd2'), 'mmdet')
