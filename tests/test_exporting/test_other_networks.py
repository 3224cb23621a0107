"""Mask R-CNN, Panoptic FCN and segmentors in ONNX Runtime."""

import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_model_config, shipped_configs
from tests.test_exporting.tiny_detectors import (
    config_of,
    exported,
    parity,
    photo,
)
from tests.tiny_heads import CHANNELS, DIMS
from tests.tiny_segmentors import (
    NUM_CLASSES,
    mask2former_config,
    maskformer_config,
    query_decode_head,
    segmentor,
)

pytest.importorskip('onnx', reason='export needs onnx')
pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
IMAGES = photo(70, 90), photo(128, 96, 1)
PANOPTIC = 'panoptic-fcn_tiny_demo_scenes'
DETECTORS = {
    'mask-rcnn_tiny_fpn_demo_scenes': {'scores', 'boxes', 'masks'},
    PANOPTIC: {'panoptic'},
}
PER_PIXEL = {
    'type': 'mmseg_plugin.PerPixelBaselineHead',
    'in_channels': CHANNELS,
    'feat_channels': DIMS,
    'out_channels': DIMS,
    'pixel_decoder': {'type': 'mmdet.PixelDecoder'},
    'num_classes': NUM_CLASSES,
}


def shipped(name):
    config = read_model_config(str(shipped_configs()[name]))
    if 'panoptic' in name:
        # As published.
        position = config.model.panoptic_head.position_head
        position.conv_cfg = {'type': 'DCNv2'}
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config.model).eval()
    for part in model.modules():
        if isinstance(part, ModulatedDeformConv2dPack):
            torch.nn.init.normal_(part.conv_offset.weight, std=0.3)
    return model, config


@pytest.mark.parametrize(
    ('name', 'size'),
    [*((name, None) for name in DETECTORS), (PANOPTIC, (96, 128))],
)
def test_detectors_give_the_same_results(tmp_path, name, size):
    model, config = shipped(name)
    file = exported(tmp_path / 'm.onnx', model, config, size=size)
    found = parity(model, file, *IMAGES)
    assert found.outputs.keys() >= DETECTORS[name]
    # With random weights some scores are the same to seven digits.
    assert found.faults(5e-3) == []
    assert all(part.compared for part in found.outputs.values())
    with pytest.raises(UserError, match='no --dynamic batch'):
        exported(tmp_path / 'n.onnx', model, config, batch=True)
    assert not (tmp_path / 'n.onnx').exists()


@pytest.mark.parametrize('kind', ['per_pixel', 'mask2former', 'maskformer'])
def test_segmentors_give_the_same_map(tmp_path, kind):
    heads = {
        'per_pixel': lambda: PER_PIXEL,
        'mask2former': lambda: query_decode_head(mask2former_config()),
        'maskformer': lambda: query_decode_head(maskformer_config()),
    }
    model = segmentor(heads[kind]())
    if kind != 'per_pixel':
        model.decode_head.head.cls_embed.weight.data *= 6
    preprocessor = {
        'type': 'mmseg.SegDataPreProcessor',
        'mean': [123.675, 116.28, 103.53],
        'std': [58.395, 57.12, 57.375],
        'bgr_to_rgb': True,
        'test_cfg': {'size_divisor': 32},
    }
    config = config_of({'data_preprocessor': preprocessor}, scope='mmseg')
    file = exported(tmp_path / 'm.onnx', model, config)
    assert file.outputs == ['semantic']
    assert parity(model, file, *IMAGES).faults(1e-3) == []


def test_what_cannot_be_exported_is_named(tmp_path):
    model, config = shipped('mask-rcnn_tiny_fpn_demo_scenes')
    model.test_cfg.rcnn.nms.type = 'soft_nms'
    with pytest.raises(UserError, match='test_cfg.rcnn.nms: soft_nms'):
        exported(tmp_path / 'm.onnx', model, config)
    sliding = segmentor(
        PER_PIXEL, {'mode': 'slide', 'crop_size': (64, 64), 'stride': (32, 32)}
    )
    config = config_of(
        {'data_preprocessor': {'type': 'mmseg.SegDataPreProcessor'}},
        scope='mmseg',
    )
    with pytest.raises(UserError, match="mode is 'slide'"):
        exported(tmp_path / 'm.onnx', sliding, config)
    config.test_dataloader.dataset.pipeline.insert(1, {'type': 'CenterCrop'})
    with pytest.raises(UserError, match='CenterCrop cannot be exported'):
        exported(tmp_path / 'm.onnx', sliding, config)
    assert not list(tmp_path.iterdir())
