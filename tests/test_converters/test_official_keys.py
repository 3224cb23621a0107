"""Key tables against the complete key lists of official models."""

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseg_plugin.converters import choose_table, convert
from tests.golden import golden_dir

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
LISTS = {
    'keys_mask2former_r50_coco_panoptic.tsv': (
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
        {},
    ),
    'keys_maskformer_r50_coco_panoptic.tsv': (
        'maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
        {},
    ),
    'keys_maskformer_r50_ade.tsv': (
        'maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
        {
            'model.panoptic_head.num_things_classes': 150,
            'model.panoptic_head.num_stuff_classes': 0,
            'model.panoptic_head.loss_cls.class_weight': [1.0] * 150 + [0.1],
            'model.panoptic_head.pixel_decoder': {
                '_delete_': True,
                'type': 'PixelDecoder',
            },
            'model.panoptic_head.enforce_decoder_input_project': True,
        },
    ),
}


def official_state(name):
    """Random values under the names and shapes of a key list."""
    path = golden_dir() / name
    if not path.is_file():
        pytest.skip(f'{path} is not here')
    lines = path.read_text().splitlines()
    rows = [line.split('\t') for line in lines if line[0] != '#']
    torch.manual_seed(0)
    return {
        row[0]: torch.randn([int(n) for n in row[1].split('x')])
        for row in rows
    }


@pytest.fixture(params=LISTS, scope='module')
def model(request):
    """Method, official state dict and mmdet's model."""
    state = official_state(request.param)
    path, changes = LISTS[request.param]
    config = Config.fromfile(CONFIGS / path)
    config.merge_from_dict(changes | {'model.backbone.init_cfg': None})
    # Names and shapes are enough: on `meta` nothing is initialised.
    scope = DefaultScope.overwrite_default_scope('mmdet')
    with scope, torch.device('meta'):
        built = MODELS.build(config.model)
    return Path(path).parent.name, state, built


@pytest.mark.filterwarnings('ignore:.*copying from a non-meta:UserWarning')
def test_official_file_loads_strictly_into_mmdet(model):
    method, state, built = model
    result = convert(state, choose_table(method, state, 'd2'), 'mmdet')
    # mmdet counts batches in its frozen norms; the official code does not.
    built.load_state_dict(result.state)
    assert [key for key, _ in result.dropped] == ['criterion.empty_weight']


def test_mmdet_state_has_the_official_names_and_shapes(model):
    method, state, built = model
    ours = built.state_dict()
    result = convert(ours, choose_table(method, ours, 'mmdet'), 'd2')
    shapes = {key: value.shape for key, value in state.items()}
    assert {k: v.shape for k, v in result.state.items()} == shapes
    assert all(k.endswith('batches_tracked') for k, _ in result.dropped)


def test_round_trip_is_exact(model):
    method, state, _ = model
    table = choose_table(method, state, 'd2')
    state['criterion.empty_weight'].fill_(1)[-1] = 0.1
    back = convert(convert(state, table, 'mmdet').state, table, 'd2').state
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)
